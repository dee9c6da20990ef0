//! Keys of signatures, and the MACs of Kong's scheme.

use crate::jose::{Algorithm, KeyError, VerifyingKey};
use aws_lc_rs::hmac;
use std::fmt;
use zeroize::Zeroizing;

/// A hash that a MAC is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MacAlgorithm {
    /// HMAC with SHA-1. Not broken as a MAC, and no longer made for anything new.
    Sha1,
    /// HMAC with SHA-256.
    Sha256,
    /// HMAC with SHA-384.
    Sha384,
    /// HMAC with SHA-512.
    Sha512,
}

impl MacAlgorithm {
    /// The algorithm of that name (`hmac-sha256`); case matters.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "hmac-sha1" => Self::Sha1,
            "hmac-sha256" => Self::Sha256,
            "hmac-sha384" => Self::Sha384,
            "hmac-sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn primitive(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// What verifies the signatures of a caller.
#[derive(Clone)]
pub enum SignatureKey {
    /// A secret that both sides know.
    Secret(Zeroizing<Vec<u8>>),
    /// A public key, used with one algorithm.
    Public(Box<VerifyingKey>),
}

/// The names of RFC 9421 section 6.2.2 for what JOSE names otherwise.
const NAMES: [(&str, Algorithm); 6] = [
    ("hmac-sha256", Algorithm::Hs256),
    ("ed25519", Algorithm::Ed25519),
    ("ecdsa-p256-sha256", Algorithm::Es256),
    ("ecdsa-p384-sha384", Algorithm::Es384),
    ("rsa-pss-sha512", Algorithm::Ps512),
    ("rsa-v1_5-sha256", Algorithm::Rs256),
];

impl SignatureKey {
    /// A shared secret.
    ///
    /// # Errors
    /// It is empty.
    pub fn secret(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.is_empty() { Err(KeyError::EmptySecret) } else { Ok(Self::Secret(bytes.to_vec().into())) }
    }

    /// A public key or a certificate in PEM. `algorithm` is a name of RFC 9421; without, an RSA key is used with
    /// `rsa-pss-sha512`, another with the one algorithm of its curve.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn pem(text: &str, algorithm: Option<&str>) -> Result<Self, KeyError> {
        let public = |(_, algorithm): &&(&str, Algorithm)| !algorithm.is_symmetric();
        let named = |(name, _): &&(&str, Algorithm)| algorithm.is_none_or(|wanted| wanted == *name);
        let usual = |(_, one): &&(&str, Algorithm)| algorithm.is_some() || *one != Algorithm::Rs256;
        let fitting: Vec<_> = NAMES.iter().filter(public).filter(named).filter(usual).collect();
        let accepted: Vec<_> = fitting.iter().map(|(_, algorithm)| *algorithm).collect();
        if accepted.is_empty() {
            return Err(KeyError::NoAlgorithm);
        }
        Ok(Self::Public(Box::new(VerifyingKey::pem(text, &accepted)?)))
    }

    /// The algorithm that it is used with in message signatures.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        let own = |algorithm: Algorithm| match self {
            Self::Secret(_) => algorithm == Algorithm::Hs256,
            Self::Public(key) => key.algorithms().any(|one| one == algorithm),
        };
        let named = NAMES.iter().find(|(_, algorithm)| own(*algorithm));
        named.map_or("", |(name, _)| name)
    }

    /// Whether it makes MACs.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// Whether the MAC over the message was made with this secret; a public key makes none. In constant time.
    #[must_use]
    pub fn verifies_mac(&self, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> bool {
        match self {
            Self::Secret(secret) => {
                hmac::verify(&hmac::Key::new(algorithm.primitive(), secret), message, mac).is_ok()
            }
            Self::Public(_) => false,
        }
    }

    /// Whether the signature over the message is this key's, by the one algorithm that it is used with.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret(_) => self.verifies_mac(MacAlgorithm::Sha256, message, signature),
            Self::Public(key) => {
                key.algorithms().next().is_some_and(|one| key.verifies_bytes(one, message, signature))
            }
        }
    }
}

impl fmt::Debug for SignatureKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SignatureKey({})", self.algorithm())
    }
}
