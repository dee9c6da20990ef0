//! Whose tokens are accepted, and by which keys.

use super::claims::Verified;
use super::invalid::Invalid;
use super::remote::RemoteKeys;
use std::sync::Arc;
use torana_credential::jose::{Algorithm, KeySet, Select, Token};
use torana_filter::{Claims, Json};
use torana_plan::{IssuerPlan, KeysPlan, RemoteKeysPlan};

#[derive(Debug)]
pub(super) struct Issuers(Vec<Issuer>);

#[derive(Debug)]
struct Issuer {
    names: Vec<Arc<str>>,
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
            names: plan.names.iter().map(|name| name.as_str().into()).collect(),
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

    /// The keys that are fetched.
    pub(super) fn remote(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        self.0.iter().filter_map(|issuer| match &issuer.keys {
            Keys::Remote(keys) => Some(keys),
            Keys::Fixed(_) => None,
        })
    }

    /// Whether what was verified is so still: its issuer's keys have not been replaced.
    pub(super) fn is_current(&self, verified: &Verified) -> bool {
        match self.0.get(verified.issuer).map(|issuer| &issuer.keys) {
            Some(Keys::Fixed(_)) => true,
            Some(Keys::Remote(keys)) => keys.generation() == verified.generation,
            None => false,
        }
    }

    /// Verifies the signature of an issuer's token by the keys that are known now; gives their generation. Nothing
    /// where others may have to be waited for.
    pub(super) fn verify_at_once(&self, place: usize, token: &Token<'_>) -> Option<Result<u64, Invalid>> {
        let Some(issuer) = self.0.get(place) else { return Some(Err(Invalid::Issuer)) };
        match &issuer.keys {
            Keys::Fixed(keys) => Some(told(&keys.verify(token)).map(|()| 0)),
            Keys::Remote(keys) => {
                let (generation, set) = keys.current()?;
                let known = set.verify(token);
                (!may_be_newer(&known)).then(|| told(&known).map(|()| generation))
            }
        }
    }

    /// Verifies the signature of an issuer's token; gives the generation of the keys.
    pub(super) async fn verify(&self, place: usize, token: &Token<'_>) -> Result<u64, Invalid> {
        let issuer = self.0.get(place).ok_or(Invalid::Issuer)?;
        match &issuer.keys {
            Keys::Fixed(keys) => told(&keys.verify(token)).map(|()| 0),
            Keys::Remote(keys) => {
                let (generation, set) = keys.current_or_first().await.map_err(Invalid::KeysUnavailable)?;
                let known = set.verify(token);
                if !may_be_newer(&known) {
                    return told(&known).map(|()| generation);
                }
                match keys.newer_than(generation).await.map_err(Invalid::KeysOutdated)? {
                    Some((generation, set)) => told(&set.verify(token)).map(|()| generation),
                    None => told(&known).map(|()| generation),
                }
            }
        }
    }

    /// The issuer whose tokens alone are accepted, whatever they say; nothing where a token has to name its own.
    pub(super) fn only(&self) -> Option<usize> {
        matches!(self.0.as_slice(), [only] if only.names.is_empty()).then_some(0)
    }

    /// The issuer that a token names. That name is believed for nothing but this choice.
    pub(super) fn named(&self, claims: &Claims) -> Result<usize, Invalid> {
        let name = claims.get("iss").and_then(Json::as_str).ok_or(Invalid::Issuer)?;
        self.0.iter().position(|issuer| issuer.is_called(name)).ok_or(Invalid::Issuer)
    }

    /// What a token's issuer calls itself: one text for all of its tokens where its name is configured.
    pub(super) fn shared_name(&self, place: usize, claims: &Claims) -> Arc<str> {
        let name = claims.get("iss").and_then(Json::as_str).unwrap_or_default();
        let names = self.0.get(place).map_or(&[][..], |issuer| &issuer.names);
        names.iter().find(|own| ***own == *name).map_or_else(|| name.into(), Arc::clone)
    }

    /// Checks what the issuer's tokens must say whose signature is right.
    pub(super) fn check_claims(&self, place: usize, claims: &Claims) -> Result<(), Invalid> {
        let issuer = self.0.get(place).ok_or(Invalid::Issuer)?;
        let name = claims.get("iss").and_then(Json::as_str);
        let called = name.is_some_and(|name| issuer.is_called(name));
        if !issuer.names.is_empty() && !called {
            return Err(Invalid::OtherIssuer);
        }
        if let Keys::Remote(keys) = &issuer.keys
            && let Some(own) = keys.issuer()
            && name != Some(&*own)
        {
            return Err(Invalid::OtherIssuer);
        }
        if issuer.audiences.is_empty() {
            return Ok(());
        }
        let accepted = |value: Json<'_>| {
            value.as_str().is_some_and(|audience| issuer.audiences.iter().any(|own| own == audience))
        };
        match claims.get("aud") {
            Some(Json::List(audiences)) if audiences.values().any(accepted) => Ok(()),
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
        self.names.iter().any(|own| **own == *name)
    }
}

/// Whether a newer set of keys might verify what this one does not.
const fn may_be_newer(select: &Select) -> bool {
    matches!(select, Select::UnknownKey | Select::NoneVerifies)
}

fn told(select: &Select) -> Result<(), Invalid> {
    match select {
        Select::Verified => Ok(()),
        Select::UnknownKey => Err(Invalid::UnknownKey),
        Select::WrongSignature | Select::NoneVerifies => Err(Invalid::Signature),
    }
}
