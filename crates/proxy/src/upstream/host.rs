//! Which `Host` a service sees.

use std::sync::Arc;
use torana_filter::{Attempt, Exchange, OnAttempt, Verdict};
use torana_http::{Fields, InvalidField, Known};

/// Which `Host` a service sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamHost {
    /// What the client sent.
    Preserve,
    /// The authority of the endpoint.
    Rewrite,
    /// Always this.
    Literal(Arc<str>),
}

impl UpstreamHost {
    /// Names the host to the endpoint of this authority, which is told its own name where the client named none.
    ///
    /// # Errors
    /// None that a checked name can cause.
    pub(crate) fn name(&self, fields: &mut Fields, authority: &str) -> Result<(), InvalidField> {
        match self.instead(authority) {
            Some(host) => fields.insert(Known::Host, host.as_bytes()),
            None if names_no_host(fields) => fields.insert(Known::Host, authority.as_bytes()),
            None => Ok(()),
        }
    }

    /// What is said in place of what the client sent.
    fn instead<'h>(&'h self, authority: &'h str) -> Option<&'h str> {
        match self {
            Self::Preserve => None,
            Self::Rewrite => Some(authority),
            Self::Literal(host) => Some(host),
        }
    }
}

/// Whether an endpoint must be told its own name. HTTP/1.0 may come without Host, and any version with an empty one;
/// what we send is HTTP/1.1, which may not (RFC 9112 section 3.2), or HTTP/2, which then would name nobody.
pub(crate) fn names_no_host(fields: &Fields) -> bool {
    fields.get(Known::Host).is_none_or(<[u8]>::is_empty)
}

/// Where the client named nobody the endpoint of the try is named already.
impl OnAttempt for UpstreamHost {
    fn on_attempt(&self, exchange: &mut Exchange, attempt: &Attempt<'_>) -> Verdict {
        let Some(host) = self.instead(attempt.authority) else { return Verdict::Continue };
        match exchange.request.fields.insert(Known::Host, host.as_bytes()) {
            Ok(()) => Verdict::Continue,
            Err(invalid) => Verdict::Fail(invalid.into()),
        }
    }
}
