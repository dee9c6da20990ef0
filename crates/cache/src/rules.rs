//! Whether an answer may be kept: as a shared cache may (RFC 9111 section 3), and stricter.

use crate::directives::seconds;
use crate::{Audience, Directives, Fields, Received, Terms};
use std::time::{Duration, UNIX_EPOCH};

/// What is up to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// How long an answer may be given past its freshness, where it does not say that itself.
    pub grace: Duration,
    /// Whether answers are kept that say nothing about caching.
    pub unmarked: bool,
}

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It sets a cookie, or says something about who has asked.
    Personal,
    /// A directive forbids it.
    Forbidden,
    /// It is for whoever has asked, and does not say that it is for everybody.
    Credentials,
    /// Nothing says that it may be.
    Unmarked,
}

impl Rules {
    /// On which terms an answer with status 200 to GET may be kept. Whether the request allows it, whether the body
    /// is whole, and what it depends on ([`Variant`](crate::Variant)) is not asked here.
    ///
    /// # Errors
    /// It may not.
    pub fn judge(
        &self,
        answer: &(impl Fields + ?Sized),
        shows_somebody: bool,
        received: &Received,
    ) -> Result<Terms, Refusal> {
        if ["set-cookie", "set-cookie2", "authentication-info", "proxy-authentication-info"]
            .into_iter()
            .any(|name| answer.has(name))
        {
            return Err(Refusal::Personal);
        }
        let said = Directives::read(answer.values("cache-control"));
        let pragma = answer.values("pragma").any(|line| contains(line, b"no-cache"));
        if said.no_store || said.private || said.no_cache || said.revalidate || pragma {
            return Err(Refusal::Forbidden);
        }
        let expires = expires_after(answer, received);
        let marked = said.max_age.is_some() || expires.is_some();
        let silent = || {
            !["cache-control", "expires", "pragma", "cdn-cache-control", "surrogate-control"]
                .into_iter()
                .any(|name| answer.has(name))
        };
        let audience = match said.public {
            true => Audience::Everybody,
            false if shows_somebody => return Err(Refusal::Credentials),
            false if marked || (self.unmarked && silent()) => Audience::Strangers,
            false => return Err(Refusal::Unmarked),
        };
        let lifetime = said.max_age.map(Duration::from_secs).or(expires);
        Ok(Terms {
            audience,
            lifetime: lifetime.unwrap_or_default(),
            grace: said.stale_if_error.map_or(self.grace, Duration::from_secs),
            age: age(answer, received),
            since: received.asked,
        })
    }
}

/// How long after its `Date` it expires; nothing without a valid `Expires` (RFC 9111 section 5.3).
fn expires_after(answer: &(impl Fields + ?Sized), received: &Received) -> Option<Duration> {
    let mut lines = answer.values("expires");
    let expires = date(lines.next()?)?;
    if lines.next().is_some() {
        return None;
    }
    let date = answer.values("date").next().and_then(date).unwrap_or(received.unix_seconds);
    Some(Duration::from_secs(expires.saturating_sub(date)))
}

/// How old it was when it was asked for: what `Age` says, or the clocks, whichever is more (RFC 9111 section 4.2.3).
fn age(answer: &(impl Fields + ?Sized), received: &Received) -> Duration {
    let told = answer.values("age").filter_map(|line| seconds(line.trim_ascii())).max().unwrap_or(0);
    let date = answer.values("date").next().and_then(date);
    let apparent = date.map_or(0, |date| received.unix_seconds.saturating_sub(date));
    // From when it was asked for it ages by our clock.
    Duration::from_secs(told).max(Duration::from_secs(apparent).saturating_sub(received.delay))
}

fn date(text: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(text.trim_ascii()).ok()?).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Whether a field of a request may say who calls, going by its name: one that a service knows and the gateway does
/// not, as `X-Api-Key`. What browsers alone set (`Sec-`) does not.
#[must_use]
pub fn shows_somebody(name: &[u8]) -> bool {
    const WORDS: [&str; 24] = [
        "account",
        "assertion",
        "auth",
        "cert",
        "client-id",
        "clientid",
        "cookie",
        "consumer",
        "credential",
        "customer",
        "group",
        "identity",
        "jwt",
        "key",
        "login",
        "mail",
        "password",
        "role",
        "secret",
        "session",
        "signature",
        "tenant",
        "token",
        "user",
    ];
    let browsers = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sec-"));
    !browsers && WORDS.iter().any(|word| contains(name, word.as_bytes()))
}

/// Whether an answer with that status takes the place of an earlier good one, though it is not kept itself: what was
/// there has changed, is gone, or is not for whoever has asked. One that says nothing about it does not: a part of
/// it, a condition that was not met, a request that was wrong or too much, a failure.
#[must_use]
pub const fn supersedes(status: u16) -> bool {
    matches!(status, 201..=205 | 207..=299 | 300..=303 | 307 | 308 | 401 | 403 | 404 | 410 | 451)
}

#[cfg(test)]
mod tests;
