//! Authentication by JSON Web Token (RFC 7519), sent as a bearer token (RFC 6750), in a cookie or a parameter.
//!
//! What a token says of itself is believed only after its signature was verified by a key of its issuer, with
//! an algorithm that the key and the configuration name. Failures are answered 401 with `WWW-Authenticate`;
//! what exactly was wrong is for the log. Keys that were never fetched are not the caller's fault: 503.
//!
//! Verified tokens are remembered, bounded, and compared byte by byte; times are compared on every use, and
//! what was verified by keys that have been replaced is verified anew. When there is no room, tokens by HMAC are remembered
//! when they come again.

pub(crate) mod claims;
mod consumers;
pub(crate) mod invalid;
mod issuers;
mod mint;
mod remote;
pub(crate) mod source;

pub(crate) use claims::{Verified, Vouched};
pub use remote::{Discovered, KeysUsage, Places, RemoteKeys};

use crate::authentication::cache::Cache;
use crate::authentication::unverified::Looks;
use crate::authentication::{Authenticate, Guard};
use invalid::Invalid;
use issuers::Issuers;
use mint::Mint;
use source::Found;
use std::sync::Arc;
use torana_credential::jose::{Headers, Malformed, Token};
use torana_fault::{Fault, Reason};
use torana_filter::{Claims, Exchange, Identity, Outside};
use torana_plan::{JwtPlan, RemoteKeysPlan, UpstreamTokenPlan};

/// Callers show a token.
#[derive(Debug)]
pub struct JwtFilter {
    plan: Arc<JwtPlan>,
    issuers: Issuers,
    mint: Option<Mint>,
    headers: Headers,
    cache: Cache<Verified>,
}

/// What a token was found to be.
enum Judged<'t> {
    Verified(Arc<Verified>),
    /// Of this issuer, whose keys have to be waited for.
    Later(Box<(Token<'t>, usize)>),
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
            headers: Headers::default(),
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

    pub(crate) fn remote_keys(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        self.issuers.remote()
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
        let judged = match self.verify_at_once(token, now) {
            Ok(Judged::Verified(verified)) => return Ok(verified),
            // Boxed: who need not wait must not hold room for waiting.
            Ok(Judged::Later(later)) => Box::pin(self.verify_later(token, later, now)).await,
            Err(why) => Err(why),
        };
        judged.map_err(|why| self.refused(&why, guard))
    }

    /// Verifies a token by the keys that are known, if they can tell.
    fn verify_at_once<'t>(&self, token: &'t [u8], now: u64) -> Result<Judged<'t>, Invalid> {
        let parsed = Token::parse_known(token, &self.headers).map_err(Invalid::Malformed)?;
        claims::check_type(&parsed, &self.plan)?;
        let read = |what: fn(Malformed) -> Invalid| parsed.claims().map_err(what);
        if let Some(keys) = &self.plan.consumers {
            let claims = read(Invalid::Malformed)?;
            let (known, generation) = consumers::verify(keys, &parsed, &claims)?;
            return self
                .accept(&parsed, token, claims, &Vouched::Consumer(known), generation, now)
                .map(Judged::Verified);
        }
        let (issuer, claims) = match self.issuers.only() {
            Some(only) => (only, None),
            None => {
                let claims = read(Invalid::Malformed)?;
                (self.issuers.named(&claims)?, Some(claims))
            }
        };
        match self.issuers.verify_at_once(issuer, &parsed) {
            Some(generation) => {
                let generation = generation?;
                let claims = claims.map_or_else(|| read(Invalid::Payload), Ok)?;
                self.accept(&parsed, token, claims, &Vouched::Issuer(issuer), generation, now)
                    .map(Judged::Verified)
            }
            None => Ok(Judged::Later(Box::new((parsed, issuer)))),
        }
    }

    /// Verifies a token by keys that have to be waited for.
    async fn verify_later(
        &self,
        token: &[u8],
        later: Box<(Token<'_>, usize)>,
        now: u64,
    ) -> Result<Arc<Verified>, Invalid> {
        let (parsed, issuer) = &*later;
        let generation = self.issuers.verify(*issuer, parsed).await?;
        let claims = parsed.claims().map_err(Invalid::Payload)?;
        self.accept(parsed, token, claims, &Vouched::Issuer(*issuer), generation, now)
    }

    /// Takes what a token says whose signature is right, and remembers it.
    fn accept(
        &self,
        parsed: &Token<'_>,
        token: &[u8],
        claims: Claims,
        from: &Vouched,
        generation: u64,
        now: u64,
    ) -> Result<Arc<Verified>, Invalid> {
        parsed.remember_header(&self.headers);
        if let Vouched::Issuer(issuer) = from {
            self.issuers.check_claims(*issuer, &claims)?;
        }
        let called = self.issuers.shared_name(from.issuer(), &claims);
        let verified = Arc::new(Verified::new(claims, &self.plan, from, called, generation)?);
        let until = verified.forget_at(&self.plan, now);
        if parsed.algorithm.is_symmetric() {
            self.cache.insert_quick(token, &verified, until, now);
        } else {
            self.cache.insert(token, &verified, until, now);
        }
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
        verified.check_times(&self.plan, now).map_err(|why| self.refused(&why, guard))?;
        Ok(verified)
    }

    /// The refusal of what was shown; a guess only where nothing but the signature is wrong, and where that is right
    /// nothing that counts.
    fn refused(&self, why: &Invalid, guard: Guard<'_>) -> Fault {
        if why.is_signed() {
            guard.note_genuine();
        } else if !why.is_guess() {
            guard.note_no_guess();
        }
        self.fault(why)
    }

    /// RFC 6750 section 3: no error code where no credential was shown. What is wrong with one is not told.
    fn fault(&self, why: &Invalid) -> Fault {
        let reason = match why {
            Invalid::KeysUnavailable(_) | Invalid::KeysOutdated(_) => {
                return Fault::new(Reason::KeysUnavailable).because(why.to_string());
            }
            Invalid::Missing => Reason::CredentialsMissing,
            Invalid::Expired => Reason::CredentialsExpired,
            _ => Reason::CredentialsInvalid,
        };
        let error = (reason != Reason::CredentialsMissing).then_some("error=\"invalid_token\"");
        Fault::new(reason)
            .because(why.to_string())
            .with_field("WWW-Authenticate", bearer(&self.plan.realm, error))
    }

    /// What the service sees of the token.
    fn pass_on(&self, exchange: &mut Exchange, verified: &Verified, found: Found) -> Result<(), Fault> {
        let fields = &mut exchange.request.fields;
        for (name, value) in &verified.fields {
            fields.insert(&**name, value)?;
        }
        if self.plan.upstream_token == UpstreamTokenPlan::Forward {
            return Ok(());
        }
        source::remove(&mut exchange.request, &self.plan.from, found);
        if let Some(mint) = &self.mint {
            let token = mint.token(verified, verified.ends(&self.plan), exchange.moment.unix_seconds)?;
            exchange.request.fields.insert(torana_http::Known::Authorization, token.as_bytes())?;
        }
        Ok(())
    }
}

/// The challenge of RFC 6750, without a realm that has no name.
pub(crate) fn bearer(realm: &str, error: Option<&str>) -> String {
    let realm = (!realm.is_empty()).then(|| format!("realm=\"{realm}\""));
    let parameters: Vec<&str> = realm.as_deref().into_iter().chain(error).collect();
    if parameters.is_empty() { "Bearer".into() } else { format!("Bearer {}", parameters.join(", ")) }
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
                source::find(&exchange.request, &self.plan.from).map_err(|why| self.refused(&why, guard))?;
            (self.verified(&token, now, guard).await?, found)
        };
        verified.check_times(&self.plan, now).map_err(|why| self.refused(&why, guard))?;
        self.pass_on(exchange, &verified, found)?;
        Ok(Arc::clone(&verified.identity))
    }
}

#[cfg(test)]
mod tests;
