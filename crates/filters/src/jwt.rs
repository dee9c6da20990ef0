//! Authentication by JSON Web Token (RFC 7519), sent as a bearer token (RFC 6750).
//!
//! What a token says of itself is believed only after its signature was verified with an algorithm that the
//! configuration names. Failures are answered 401 with `WWW-Authenticate`; what exactly was wrong is for the
//! log. `exp` and `nbf` are compared with leeway where they are present; a token without `exp` does not
//! expire. The claim that says who calls must be there.
//!
//! Verified tokens are remembered, bounded, and compared byte by byte; times are compared on every use.

mod cache;
mod token;

use cache::Cache;
use std::sync::Arc;
use std::time::Duration;
use token::{Invalid, Verified};
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Verdict};
use torana_http::Known;
use torana_plan::JwtPlan;

/// Callers show a token.
#[derive(Debug)]
pub struct JwtFilter {
    plan: Arc<JwtPlan>,
    cache: Cache,
}

impl JwtFilter {
    /// Prepares the filter; it remembers no token yet.
    #[must_use]
    pub fn prepare(plan: &Arc<JwtPlan>) -> Self {
        Self { plan: Arc::clone(plan), cache: Cache::default() }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        let algorithms: Vec<String> =
            self.plan.algorithms.iter().map(|algorithm| format!("{algorithm:?}").to_uppercase()).collect();
        format!(
            "a bearer token signed with {} that names the caller in `{}`, {} leeway",
            algorithms.join(" or "),
            self.plan.consumer_claim,
            self.plan.leeway
        )
    }

    fn authenticate(&self, exchange: &mut Exchange) -> Result<(), Fault> {
        let token = bearer(exchange).map_err(|why| self.fault(&why))?;
        let verified = match self.cache.get(token) {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(token::verify(token, &self.plan).map_err(|why| self.fault(&why))?);
                self.cache.insert(token, &verified, exchange.moment.unix_seconds);
                verified
            }
        };
        let now = exchange.moment.unix_seconds;
        check_times(&verified, now, self.plan.leeway.as_duration()).map_err(|why| self.fault(&why))?;
        for (name, value) in &verified.fields {
            exchange.request.fields.insert(name.as_str(), value)?;
        }
        exchange.identity = Some(Arc::clone(&verified.identity));
        Ok(())
    }

    /// RFC 6750 section 3: no error code where no credential was shown.
    fn fault(&self, why: &Invalid) -> Fault {
        let realm = &self.plan.realm;
        let (reason, challenge) = match why {
            Invalid::Missing => (Reason::CredentialsMissing, format!("Bearer realm=\"{realm}\"")),
            Invalid::Expired => (
                Reason::CredentialsExpired,
                format!(
                    "Bearer realm=\"{realm}\", error=\"invalid_token\", error_description=\"The token expired\""
                ),
            ),
            _ => (Reason::CredentialsInvalid, format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")),
        };
        Fault::new(reason).because(why.to_string()).with_field("WWW-Authenticate", challenge)
    }
}

impl OnRequest for JwtFilter {
    async fn on_request(&self, exchange: &mut Exchange, _: &dyn Outside) -> Verdict {
        self.authenticate(exchange).map_or_else(Verdict::Fail, |()| Verdict::Continue)
    }
}

/// The token of the request; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(exchange: &Exchange) -> Result<&[u8], Invalid> {
    let mut values = exchange.request.fields.get_all(Known::Authorization);
    let value = values.next().ok_or(Invalid::Missing)?;
    if values.next().is_some() {
        return Err(Invalid::Repeated);
    }
    let space = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(space).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Invalid::Missing);
    }
    match rest.trim_ascii() {
        b"" => Err(Invalid::Missing),
        token => Ok(token),
    }
}

/// `exp` is the first second at which a token is no longer accepted (RFC 7519 section 4.1.4).
fn check_times(verified: &Verified, now: u64, leeway: Duration) -> Result<(), Invalid> {
    let leeway = leeway.as_secs();
    if verified.expires.is_some_and(|expires| now >= expires.saturating_add(leeway)) {
        return Err(Invalid::Expired);
    }
    if verified.not_before.is_some_and(|not_before| now.saturating_add(leeway) < not_before) {
        return Err(Invalid::TooEarly);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
