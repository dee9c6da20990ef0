//! A certificate chain and the private key of its first certificate.

use crate::certificate::{Certificate, Purpose};
use crate::pem::{PemError, certificates, private_key};
use crate::problem::Problem;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A private key that can be used. Never shown.
#[derive(Clone)]
pub struct PrivateKey {
    der: Arc<PrivateKeyDer<'static>>,
    /// The subject public key info that belongs to it.
    public_key: Arc<[u8]>,
}

impl PrivateKey {
    pub(crate) fn read(der: PrivateKeyDer<'static>, line: usize) -> Result<Self, PemError> {
        let invalid = |what: &str| PemError::Invalid { line, what: what.into() };
        let key = any_supported_type(&der)
            .map_err(|_| invalid("the private key cannot be used: RSA from 2048 bits, ECDSA on P-256, P-384 or P-521, and Ed25519 can"))?;
        let public_key = key.public_key().ok_or_else(|| invalid("the private key has no public part"))?;
        let public_key = public_key.as_ref().into();
        Ok(Self { der: Arc::new(der), public_key })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A chain and its key.
#[derive(Clone, Debug)]
pub struct CertifiedPair {
    chain: Vec<Certificate>,
    key: PrivateKey,
}

impl CertifiedPair {
    /// Puts them together.
    ///
    /// # Errors
    /// The key is not that of the first certificate.
    pub fn new(chain: Vec<Certificate>, key: PrivateKey) -> Result<Self, Problem> {
        let belongs = |certificate: &&Certificate| certificate.public_key() == &*key.public_key;
        let first = chain.first().ok_or(Problem::KeyMismatch { belongs_to: None, subject: String::new() })?;
        if !belongs(&first) {
            let belongs_to = chain.iter().find(belongs).map(Certificate::line);
            return Err(Problem::KeyMismatch { belongs_to, subject: first.subject().to_owned() });
        }
        Ok(Self { chain, key })
    }

    /// Reads both from PEM.
    ///
    /// # Errors
    /// In words, without content.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, String> {
        let chain = certificates(chain).map_err(|error| format!("the certificate: {error}"))?;
        let key = private_key(key).map_err(|error| format!("the key: {error}"))?;
        Self::new(chain, key).map_err(|problem| problem.to_string())
    }

    /// The certificate itself.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        self.chain.first().expect("a chain without certificates was refused")
    }

    /// All certificates, as they are sent.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The DNS names of the certificate, in lower case.
    #[must_use]
    pub fn names(&self) -> Vec<Box<str>> {
        self.leaf().dns_names().map(Box::from).collect()
    }

    /// The kind of its key, to tell certificates of one name apart: the bytes of its algorithm identifier.
    #[must_use]
    pub fn same_kind_of_key(&self, other: &Self) -> bool {
        let kind = |pair: &Self| pair.key.public_key.get(..12).map(<[u8]>::to_vec);
        kind(self) == kind(other)
    }

    /// The certificates' bytes.
    #[must_use]
    pub fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        self.chain.iter().map(|certificate| certificate.der().clone()).collect()
    }

    /// The key's bytes, for the one place that signs with it.
    #[must_use]
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        self.key.der.clone_key()
    }

    /// What is odd about it, shown as that, at this time (seconds since 1970-01-01 UTC), though it can be used.
    #[must_use]
    pub fn problems(&self, purpose: Purpose, now: i64) -> Vec<Problem> {
        Problem::of_chain(&self.chain, purpose, now)
    }
}

impl PartialEq for CertifiedPair {
    fn eq(&self, other: &Self) -> bool {
        // One public key has one private key.
        self.chain == other.chain && self.key.public_key == other.key.public_key
    }
}

impl Eq for CertifiedPair {}

impl Hash for CertifiedPair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.chain.hash(state);
    }
}

/// Reads the authorities of a text, and says what is odd about them at this time.
///
/// # Errors
/// There is none, or one that cannot be read.
pub fn authorities(text: &str, now: i64) -> Result<(Vec<Certificate>, Vec<Problem>), PemError> {
    let authorities = certificates(text)?;
    let problems = Problem::of_authorities(&authorities, now);
    Ok((authorities, problems))
}
