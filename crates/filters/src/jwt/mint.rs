//! A token of the gateway's own for the service, in place of the caller's.

use super::claims::Verified;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use torana_credential::jose::SigningKey;
use torana_fault::{Fault, Reason};
use torana_plan::MintPlan;

/// A token that was signed: good until the second, since 1970-01-01 UTC.
pub(super) type Minted = (u64, Arc<str>);

#[derive(Debug)]
pub(super) struct Mint {
    plan: MintPlan,
    key: SigningKey,
}

impl Mint {
    /// Nothing where the key is none, which planning finds first.
    pub(super) fn prepare(plan: &MintPlan) -> Option<Self> {
        Some(Self { plan: plan.clone(), key: plan.signing_key().ok()? })
    }

    /// The value for `Authorization`, good no longer than the caller's token is accepted: until `end`, which is not over.
    /// One token serves all requests of the caller's token until half of its time is over, and after that where another
    /// one would end no later.
    pub(super) fn token(&self, verified: &Verified, end: u64, now: u64) -> Result<Arc<str>, Fault> {
        let lifetime = self.plan.lifetime.as_duration().as_secs().max(1);
        let expires = now.saturating_add(lifetime).min(end);
        let mut minted = verified.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, token)) = &*minted
            && (now.saturating_add(lifetime / 2) < *until || *until >= expires)
        {
            return Ok(Arc::clone(token));
        }
        let mut claims = verified.identity.claims.map().clone();
        claims.insert("iss".into(), self.plan.issuer.as_str().into());
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), expires.into());
        claims.shift_remove("nbf");
        match &self.plan.audience {
            Some(audience) => drop(claims.insert("aud".into(), Value::from(audience.as_str()))),
            None => drop(claims.shift_remove("aud")),
        }
        let failed = |_| Fault::new(Reason::Internal).because("the token for the service cannot be signed");
        let token: Arc<str> = format!("Bearer {}", self.key.token(&claims).map_err(failed)?).into();
        *minted = Some((expires, Arc::clone(&token)));
        Ok(token)
    }
}
