//! Authentication by JSON Web Token (RFC 7519), sent as a bearer token (RFC 6750), in a cookie or a parameter.
//!
//! What a token says of itself is believed only after its signature was verified by a key of its issuer, with
//! an algorithm that the key and the configuration name. Failures are answered 401 with `WWW-Authenticate`;
//! what exactly was wrong is for the log. Keys that were never fetched are not the caller's fault: 503.
//!
//! Verified tokens are remembered, bounded, and compared byte by byte; times are compared on every use, and
//! what was verified by keys that have been replaced is verified anew.

pub(crate) mod claims;
mod consumers;
pub(crate) mod invalid;
mod issuers;
mod mint;
mod remote;
pub(crate) mod source;

pub(crate) use claims::{Verified, Vouched};
pub use remote::{Discovered, Places, RemoteKeys};

use crate::authentication::cache::Cache;
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use invalid::Invalid;
use issuers::Issuers;
use mint::Mint;
use source::Found;
use std::sync::Arc;
use torana_credential::jose::Token;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Identity, Outside};
use torana_plan::{JwtPlan, RemoteKeysPlan, UpstreamTokenPlan};

/// Callers show a token.
#[derive(Debug)]
pub struct JwtFilter {
    plan: Arc<JwtPlan>,
    issuers: Issuers,
    mint: Option<Mint>,
    cache: Cache<Verified>,
}

impl JwtFilter {
    /// Prepares the filter; it remembers no token yet. `remote` gives keys that are fetched.
    #[must_use]
    pub fn prepare(plan: &Arc<JwtPlan>, remote: impl FnMut(&RemoteKeysPlan) -> Arc<RemoteKeys>) -> Self {
        let mint = match &plan.upstream_token {
            UpstreamTokenPlan::Replace(plan) => Mint::prepare(plan),
            UpstreamTokenPlan::Forward | UpstreamTokenPlan::Strip => None,
        };
        Self {
            plan: Arc::clone(plan),
            issuers: Issuers::prepare(&plan.issuers, remote),
            mint,
            cache: Cache::default(),
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn describe(&self) -> String {
        if let Some(keys) = &self.plan.consumers {
            return format!(
                "a token signed with the key of a consumer that `{}` names, {} leeway",
                keys.key_claim, self.plan.leeway
            );
        }
        format!(
            "a token {} that names the caller in `{}`, {} leeway",
            self.issuers.describe(),
            self.plan.consumer_claim,
            self.plan.leeway
        )
    }

    pub(crate) fn looks(&self) -> Looks<'_> {
        source::looks(&self.plan.from)
    }

    /// Whether it sets the field itself where it accepts a caller.
    pub(crate) fn answers_for(&self, field: &str) -> bool {
        self.mint.is_some() && field.eq_ignore_ascii_case(torana_http::Known::Authorization.as_str())
    }

    /// Whether what was verified is so still: its keys have not been replaced.
    fn is_current(&self, verified: &Verified) -> bool {
        match &self.plan.consumers {
            Some(keys) => keys.consumers.generation() == verified.generation,
            None => self.issuers.is_current(verified),
        }
    }

    /// What a token says, by the cache or by verifying it.
    async fn verified(&self, token: &[u8], now: u64, guard: Guard<'_>) -> Result<Arc<Verified>, Fault> {
        if let Some(known) = self.cache.get(token, now)
            && self.is_current(&known)
        {
            return Ok(known);
        }
        guard.may_try()?;
        // Boxed: who is known must not hold room for verification.
        Box::pin(self.verify(token, now)).await
    }

    async fn verify(&self, token: &[u8], now: u64) -> Result<Arc<Verified>, Fault> {
        let fault = |why: Invalid| self.fault(&why);
        let parsed = Token::parse(token).map_err(|why| fault(Invalid::Malformed(why)))?;
        claims::check_type(&parsed, &self.plan).map_err(fault)?;
        let (from, generation) = match &self.plan.consumers {
            Some(keys) => {
                let (known, generation) = consumers::verify(keys, &parsed).map_err(fault)?;
                (Vouched::Consumer(known), generation)
            }
            None => {
                let (issuer, generation) = self.issuers.verify(&parsed).await.map_err(fault)?;
                (Vouched::Issuer(issuer), generation)
            }
        };
        let claims = parsed.claims().map_err(|why| fault(Invalid::Malformed(why)))?;
        if let Vouched::Issuer(issuer) = &from {
            self.issuers.check_claims(*issuer, &claims).map_err(fault)?;
        }
        let verified = Verified::new(claims, &self.plan, &from, generation).map_err(fault)?;
        let verified = Arc::new(verified);
        self.cache.insert(token, &verified, verified.forget_at(&self.plan, now), now);
        Ok(verified)
    }

    /// What a token says, if it is good now.
    pub(crate) async fn trusted(
        &self,
        token: &[u8],
        now: u64,
        guard: Guard<'_>,
    ) -> Result<Arc<Verified>, Fault> {
        let verified = self.verified(token, now, guard).await?;
        verified.check_times(&self.plan, now).map_err(|why| self.fault(&why))?;
        Ok(verified)
    }

    /// RFC 6750 section 3: no error code where no credential was shown.
    fn fault(&self, why: &Invalid) -> Fault {
        let realm = &self.plan.realm;
        let (reason, challenge) = match why {
            Invalid::KeysUnavailable(_) | Invalid::KeysOutdated(_) => {
                return Fault::new(Reason::KeysUnavailable).because(why.to_string());
            }
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

    /// What the service sees of the token.
    fn pass_on(&self, exchange: &mut Exchange, verified: &Verified, found: Found) -> Result<(), Fault> {
        let fields = &mut exchange.request.fields;
        for (name, value) in &verified.fields {
            fields.insert(name.as_str(), value)?;
        }
        if self.plan.upstream_token == UpstreamTokenPlan::Forward {
            return Ok(());
        }
        source::remove(&mut exchange.request, &self.plan.from, found);
        if let Some(mint) = &self.mint {
            let token = mint.token(verified, exchange.moment.unix_seconds)?;
            exchange.request.fields.insert(torana_http::Known::Authorization, token.as_bytes())?;
        }
        Ok(())
    }
}

impl Authenticate for JwtFilter {
    async fn authenticate(
        &self,
        exchange: &mut Exchange,
        _: &dyn Outside,
        guard: Guard<'_>,
    ) -> Result<Arc<Identity>, Fault> {
        let now = exchange.moment.unix_seconds;
        let (verified, found) = {
            let (token, found) =
                source::find(&exchange.request, &self.plan.from).map_err(|why| self.fault(&why))?;
            (self.verified(&token, now, guard).await?, found)
        };
        verified.check_times(&self.plan, now).map_err(|why| self.fault(&why))?;
        self.pass_on(exchange, &verified, found)?;
        Ok(Arc::clone(&verified.identity))
    }
}

#[cfg(test)]
mod tests;
