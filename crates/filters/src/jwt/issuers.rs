//! Whose tokens are accepted, and by which keys.

use super::claims::Verified;
use super::invalid::Invalid;
use super::remote::RemoteKeys;
use serde_json::{Map, Value};
use std::sync::Arc;
use torana_credential::jose::{Algorithm, KeySet, Select, Token};
use torana_plan::{IssuerPlan, KeysPlan, RemoteKeysPlan};

#[derive(Debug)]
pub(super) struct Issuers(Vec<Issuer>);

#[derive(Debug)]
struct Issuer {
    names: Vec<String>,
    audiences: Vec<String>,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Fixed(KeySet),
    Remote(Arc<RemoteKeys>),
}

impl Issuers {
    pub(super) fn prepare(
        plans: &[IssuerPlan],
        mut remote: impl FnMut(&RemoteKeysPlan) -> Arc<RemoteKeys>,
    ) -> Self {
        let issuer = |plan: &IssuerPlan| Issuer {
            names: plan.names.clone(),
            audiences: plan.audiences.clone(),
            keys: match &plan.keys {
                KeysPlan::Fixed(keys) => {
                    // Planning has found keys that are none, and names that stand twice.
                    let keys = keys.iter().filter_map(|key| key.verifying_key().ok()).collect();
                    Keys::Fixed(KeySet::new(keys).unwrap_or_default())
                }
                KeysPlan::Remote(plan) => Keys::Remote(remote(plan)),
            },
        };
        Self(plans.iter().map(issuer).collect())
    }

    pub(super) fn describe(&self) -> String {
        let one = |issuer: &Issuer| {
            let by = match &issuer.keys {
                Keys::Fixed(keys) => {
                    let mut names: Vec<_> = keys
                        .keys()
                        .iter()
                        .flat_map(|key| key.algorithms().map(Algorithm::name).collect::<Vec<_>>())
                        .collect();
                    names.sort_unstable();
                    names.dedup();
                    format!("signed with {}", names.join(" or "))
                }
                Keys::Remote(keys) => format!("signed with a key from {}", keys.plan().url),
            };
            if issuer.names.is_empty() { by } else { format!("from {} {by}", issuer.names.join(" or ")) }
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(", or ")
    }

    /// Whether what was verified is so still: its issuer's keys have not been replaced.
    pub(super) fn is_current(&self, verified: &Verified) -> bool {
        match self.0.get(verified.issuer).map(|issuer| &issuer.keys) {
            Some(Keys::Fixed(_)) => true,
            Some(Keys::Remote(keys)) => keys.generation() == verified.generation,
            None => false,
        }
    }

    /// Verifies the signature; gives the issuer and the generation of its keys.
    pub(super) async fn verify(&self, token: &Token<'_>) -> Result<(usize, u64), Invalid> {
        let place = self.of(token)?;
        let issuer = self.0.get(place).ok_or(Invalid::Issuer)?;
        match &issuer.keys {
            Keys::Fixed(keys) => told(&keys.verify(token)).map(|()| (place, 0)),
            Keys::Remote(keys) => {
                let (generation, set) = keys.current_or_first().await.map_err(Invalid::KeysUnavailable)?;
                let known = set.verify(token);
                if !matches!(known, Select::UnknownKey | Select::NoneVerifies) {
                    return told(&known).map(|()| (place, generation));
                }
                match keys.newer_than(generation).await.map_err(Invalid::KeysOutdated)? {
                    Some((generation, set)) => told(&set.verify(token)).map(|()| (place, generation)),
                    None => told(&known).map(|()| (place, generation)),
                }
            }
        }
    }

    /// The issuer whose keys may have signed: the only one, or the one that the token names. That name is
    /// believed for nothing but this choice.
    fn of(&self, token: &Token<'_>) -> Result<usize, Invalid> {
        if let [only] = self.0.as_slice()
            && only.names.is_empty()
        {
            return Ok(0);
        }
        let claims = token.claims().map_err(Invalid::Malformed)?;
        let name = claims.get("iss").and_then(Value::as_str).ok_or(Invalid::Issuer)?;
        self.0.iter().position(|issuer| issuer.is_called(name)).ok_or(Invalid::Issuer)
    }

    /// Checks what the issuer's tokens must say.
    pub(super) fn check_claims(&self, place: usize, claims: &Map<String, Value>) -> Result<(), Invalid> {
        let issuer = self.0.get(place).ok_or(Invalid::Issuer)?;
        let name = claims.get("iss").and_then(Value::as_str);
        let called = name.is_some_and(|name| issuer.is_called(name));
        if !issuer.names.is_empty() && !called {
            return Err(Invalid::Issuer);
        }
        if let Keys::Remote(keys) = &issuer.keys
            && let Some(own) = keys.issuer()
            && name != Some(&*own)
        {
            return Err(Invalid::Issuer);
        }
        if issuer.audiences.is_empty() {
            return Ok(());
        }
        let accepted = |value: &Value| {
            value.as_str().is_some_and(|audience| issuer.audiences.iter().any(|own| own == audience))
        };
        match claims.get("aud") {
            Some(Value::Array(audiences)) if audiences.iter().any(accepted) => Ok(()),
            Some(one) if accepted(one) => Ok(()),
            _ => Err(Invalid::Audience),
        }
    }
}

impl Issuer {
    /// An issuer that is found by discovery without a name is called as its URL.
    fn is_called(&self, name: &str) -> bool {
        if self.names.is_empty()
            && let Keys::Remote(keys) = &self.keys
            && keys.plan().discovery
        {
            let url = keys.plan().url.as_str();
            return url.trim_end_matches('/') == name.trim_end_matches('/');
        }
        self.names.iter().any(|own| own == name)
    }
}

fn told(select: &Select) -> Result<(), Invalid> {
    match select {
        Select::Verified => Ok(()),
        Select::UnknownKey => Err(Invalid::UnknownKey),
        Select::WrongSignature | Select::NoneVerifies => Err(Invalid::Signature),
    }
}
