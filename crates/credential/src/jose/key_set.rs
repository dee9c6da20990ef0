//! A set of keys (RFC 7517 section 5), and which of them may have signed a token.

use super::algorithm::Algorithm;
use super::json::strict_object;
use super::key::{KeyError, VerifyingKey};
use super::token::Token;
use serde_json::Value;
use std::collections::HashSet;

/// The most keys that a set may hold.
const MOST_KEYS: usize = 256;

/// Why a set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not an object with a list `keys` of objects.
    #[error("it is not a JSON Web Key Set")]
    Form,
    /// It holds more than 256 keys.
    #[error("it has more than {MOST_KEYS} keys")]
    TooMany,
    /// Two keys have one name: which of them is meant?
    #[error("two of its keys have the same `kid`")]
    DuplicateId,
    /// A secret stands beside public keys: whoever may read the set could sign.
    #[error("it has secret and public keys side by side")]
    Mixed,
    /// A secret in a set that was fetched.
    #[error("it has a secret key, which no set that is fetched may have")]
    Secret,
    /// None of its keys can be used; why the first cannot.
    #[error("it has no key that can be used{}", .0.map(|why| format!(": {why}")).unwrap_or_default())]
    Empty(Option<KeyError>),
}

/// What a set says of a token.
#[derive(Debug, PartialEq, Eq)]
pub enum Select {
    /// A key of the set verifies it.
    Verified,
    /// The set has no key of that name or algorithm: a newer set might.
    UnknownKey,
    /// The key that it names does not verify it.
    WrongSignature,
    /// Keys were tried that it does not name, since it names none or they have no names; none verifies it. A
    /// newer set might.
    NoneVerifies,
}

/// Keys, of which one has signed.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    left_out: Vec<LeftOut>,
}

/// A key of a set that cannot be used, though it is meant for signatures and may be used with what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub id: Option<Box<str>>,
    /// What is wrong with it.
    pub why: KeyError,
}

impl KeySet {
    /// A set of configured keys.
    ///
    /// # Errors
    /// Two have the same name.
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeySetError> {
        let mut ids = HashSet::new();
        if keys.iter().filter_map(VerifyingKey::id).any(|id| !ids.insert(id)) {
            return Err(KeySetError::DuplicateId);
        }
        Ok(Self { keys, left_out: Vec::new() })
    }

    /// Reads a JSON Web Key Set. Keys that are not understood, or not meant for signatures, are left out
    /// (RFC 7517 section 5). With `public_only`, as for a set that was fetched, a secret refuses the set, whether it could
    /// be used or not.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn parse(text: &[u8], accepted: &[Algorithm], public_only: bool) -> Result<Self, KeySetError> {
        let object = strict_object(text).ok_or(KeySetError::Form)?;
        let listed = object.get("keys").and_then(Value::as_array).ok_or(KeySetError::Form)?;
        if listed.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys = Vec::with_capacity(listed.len());
        let mut ids = HashSet::new();
        let mut first_error = None;
        let mut left_out = Vec::new();
        for jwk in listed {
            if public_only && jwk.get("kty").is_some_and(|kind| kind == "oct") {
                return Err(KeySetError::Secret);
            }
            // A key that cannot be used may still be the one that a name means.
            let encrypts = jwk.get("use").is_some_and(|purpose| purpose == "enc");
            let id = jwk.get("kid").and_then(Value::as_str).filter(|_| !encrypts);
            if id.is_some_and(|id| !ids.insert(id)) {
                return Err(KeySetError::DuplicateId);
            }
            match VerifyingKey::jwk(jwk.as_object().ok_or(KeySetError::Form)?, accepted) {
                Ok(key) => keys.push(key),
                Err(why) => {
                    first_error = first_error.or(Some(why));
                    if !matches!(why, KeyError::Use | KeyError::NoAlgorithm) {
                        left_out.push(LeftOut { id: id.map(Into::into), why });
                    }
                }
            }
        }
        let secrets = keys.iter().filter(|key| key.is_symmetric()).count();
        if secrets > 0 && secrets < keys.len() {
            return Err(KeySetError::Mixed);
        }
        if keys.is_empty() {
            return Err(KeySetError::Empty(first_error));
        }
        Ok(Self { left_out, ..Self::new(keys)? })
    }

    /// Keys of which no use is made because something is wrong with them.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Looks for the key that signed the token. A token that names a key is verified by that key, or by keys
    /// without a name; one that names none by any key of its algorithm.
    #[must_use]
    pub fn verify(&self, token: &Token<'_>) -> Select {
        let (mut tried, mut by_name) = (false, false);
        for key in &self.keys {
            let named = match (token.key_id(), key.id()) {
                (Some(wanted), Some(id)) => wanted == id,
                (None, _) | (_, None) => true,
            };
            if !named || !key.algorithms().any(|algorithm| algorithm == token.algorithm) {
                continue;
            }
            tried = true;
            by_name |= token.key_id().is_some() && key.id().is_some();
            if key.verifies(token) {
                return Select::Verified;
            }
        }
        match (tried, by_name) {
            (_, true) => Select::WrongSignature,
            (true, false) => Select::NoneVerifies,
            (false, false) => Select::UnknownKey,
        }
    }
}
