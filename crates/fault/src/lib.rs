//! What can go wrong with a request, as data.
//!
//! A [`Fault`] says *why* ([`Reason`]), and from the reason alone follow *whose* fault it is
//! ([`Side`]), which status the client sees and the sentence it may read. Whether another attempt is
//! allowed ([`Retry`]) is carried beside it, because it depends on what had already been sent.
//!
//! The reason's label is stable: metrics, access log and problem documents all use it.
//! How a fault becomes a response is not decided here; that is one function in the proxy.

mod reason;

pub use reason::{Reason, Side};

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Whether the request that met this fault may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Retry {
    /// The upstream may have acted on it; only an explicit retry policy may try again.
    #[default]
    No,
    /// Nothing of the request reached an upstream: trying again, even elsewhere, is safe.
    Yes,
    /// A kept-alive connection had just been closed when the request was sent, before a byte of an answer: not the
    /// service's doing. Safe for idempotent methods (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
    IfReused,
}

/// One failure of one request.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Why.
    pub reason: Reason,
    /// Whether it may be tried again.
    pub retry: Retry,
    /// In place of the reason's own status.
    status: Option<u16>,
    /// What few faults have.
    more: Option<Box<More>>,
}

// Whatever may fail hands a fault on, or the room for one: every step of every request.
const _: () = assert!(size_of::<Fault>() <= 16, "a fault fits into two registers");

/// What few faults have.
#[derive(Debug, Clone, Default)]
struct More {
    /// For the log only; never shown to a client.
    detail: Option<Cow<'static, str>>,
    /// In place of the reason's own sentence.
    message: Option<Arc<str>>,
    /// Fields the response must carry, such as `Allow` or `WWW-Authenticate`.
    fields: Vec<(&'static str, String)>,
}

impl Fault {
    /// A fault that may not be retried.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, retry: Retry::No, status: None, more: None }
    }

    /// States what exactly happened, for the log. Clients never see it.
    #[must_use]
    pub fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.more.get_or_insert_default().detail = Some(detail.into());
        self
    }

    /// States whether another attempt is allowed.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds a field that the response must carry. The value must be a valid field value.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: String) -> Self {
        self.more.get_or_insert_default().fields.push((name, value));
        self
    }

    /// The same without what the response must carry: why, and what exactly happened.
    #[must_use]
    pub fn cause(&self) -> Self {
        let said = |more: &More| More { fields: Vec::new(), ..more.clone() };
        let more = self.more.as_deref().map(said).map(Box::new);
        Self { reason: self.reason, retry: self.retry, status: self.status, more }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.reason.side()
    }

    /// The status code for HTTP responses.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.status {
            Some(status) => status,
            None => self.reason.status(),
        }
    }

    /// Gives it another status than its reason has, where the configuration says which.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Whether the client may read the reason's label. Who is not let in is not told why: whether a credential was
    /// once good, which rule stands in the way, or that guesses are counted. Log and metrics say it.
    #[must_use]
    pub const fn tells_reason(&self) -> bool {
        !matches!(self.reason.status(), 401 | 403) && !matches!(self.reason, Reason::AuthenticationLimited)
    }

    /// The sentence that the client reads.
    #[must_use]
    pub fn public_message(&self) -> &str {
        self.more
            .as_ref()
            .and_then(|more| more.message.as_deref())
            .unwrap_or_else(|| self.reason.public_message())
    }

    /// Gives it another sentence than its reason has, where the configuration says which.
    #[must_use]
    pub fn with_message(mut self, message: Option<Arc<str>>) -> Self {
        if message.is_some() {
            self.more.get_or_insert_default().message = message;
        }
        self
    }

    /// What exactly happened, if known. For the log only.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.more.as_ref().and_then(|more| more.detail.as_deref())
    }

    /// Fields that the response must carry.
    #[must_use]
    pub fn fields(&self) -> &[(&'static str, String)] {
        self.more.as_ref().map_or(&[], |more| &more.fields)
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason.label())?;
        match self.detail() {
            Some(detail) => write!(formatter, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detail_stays_out_of_the_public_sentence() {
        let fault = Fault::new(Reason::UpstreamConnectFailed).because("10.0.0.7:80 refused");
        assert!(fault.to_string().contains("10.0.0.7"));
        assert!(!fault.reason.public_message().contains("10.0.0.7"));
        assert_eq!(fault.side(), Side::Upstream);
        assert_eq!(fault.status(), 502);
    }
}
