//! Consumers and their credentials, found in constant time however many there are.
//!
//! Keys are not kept: only what they are known by in this process (`keys.rs`). Names are found through the consumers
//! themselves, so they are kept once. The identity of a key is made with it, that of other credentials when it is
//! first used; it is shared from then on.
//!
//! Built once and never changed; [`Consumers`] exchanges one for another.

mod build;
mod certificate;
mod keys;
mod password;
mod swap;

pub use build::{Builder, Refusal};
pub use certificate::{Ambiguous, NameKind};
pub use keys::KeyPrint;
pub use password::{Password, PasswordError};
pub use swap::Consumers;

use crate::jose::VerifyingKey;
use crate::signature::SignatureKey;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, OnceLock};
use torana_identity::{Consumer, Credential, CredentialKind, Identity};
use torana_types::Secret;

/// Consumers and their credentials.
pub struct Directory {
    consumers: Vec<Arc<Consumer>>,
    /// Places of consumers by identifier, user name and custom identifier.
    ids: HashTable<u32>,
    usernames: HashTable<u32>,
    custom_ids: HashTable<u32>,
    keys: keys::Keys,
    basic: HashMap<Box<str>, Known<Password>>,
    decoy: Option<Password>,
    hmac: HashMap<Box<str>, Known<SignatureKey>>,
    /// One of these keys for each algorithm.
    signature_decoys: Vec<SignatureKey>,
    jwt: HashMap<Box<str>, Known<VerifyingKey>>,
    certificates: HashMap<[u8; 32], Known<()>>,
    certificate_names: certificate::CertificateNames,
    sigv4: HashMap<Box<str>, Known<AccessSecret>>,
    hasher: RandomState,
    /// Changes with anything in it, within one run of the program.
    fingerprint: u64,
}

/// A credential and whose it is.
#[derive(Debug)]
pub struct Known<T> {
    /// What verifies it.
    pub proof: T,
    consumer: u32,
    identity: OnceLock<Arc<Identity>>,
}

/// The secret of an access key.
#[derive(Clone, Debug)]
pub struct AccessSecret {
    /// The secret access key.
    pub secret: Secret,
    /// The token of its session, which requests then have to carry.
    pub session_token: Option<Secret>,
}

impl Directory {
    /// The consumer that the key of a print belongs to, at `now` in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn by_print(&self, print: &KeyPrint, now: u64) -> Option<&Arc<Identity>> {
        self.keys.find(print, now)
    }

    /// What verifies the password of a user.
    #[must_use]
    pub fn password(&self, username: &str) -> Option<&Known<Password>> {
        self.basic.get(username)
    }

    /// The costliest of the slow hashes, for user names that nobody has and passwords that are refused sooner:
    /// whether a name exists is then not told by time.
    #[must_use]
    pub const fn decoy(&self) -> Option<&Password> {
        self.decoy.as_ref()
    }

    /// What verifies the signatures of a user.
    #[must_use]
    pub fn signature_key(&self, username: &str) -> Option<&Known<SignatureKey>> {
        self.hmac.get(username)
    }

    /// What else is computed with where a signature is wrong, beside the key of who is named, if anybody is: a key of
    /// each other algorithm that names have. Every refusal then costs the same, and whether a name exists and what kind
    /// of key it has is not told by time.
    pub fn signature_decoys(&self, known: Option<&SignatureKey>) -> impl Iterator<Item = &SignatureKey> {
        let own = known.map(SignatureKey::algorithm);
        self.signature_decoys.iter().filter(move |decoy| own != Some(decoy.algorithm()))
    }

    /// The key of tokens that carry this name.
    #[must_use]
    pub fn token_key(&self, name: &str) -> Option<&Known<VerifyingKey>> {
        self.jwt.get(name)
    }

    /// The secret of an access key.
    #[must_use]
    pub fn sigv4_secret(&self, access_key: &str) -> Option<&Known<AccessSecret>> {
        self.sigv4.get(access_key)
    }

    /// The consumer of a certificate, by the SHA-256 of its DER.
    #[must_use]
    pub fn by_certificate(&self, fingerprint: &[u8; 32]) -> Option<Arc<Identity>> {
        let known = self.certificates.get(fingerprint)?;
        let id = || short_name(fingerprint);
        Some(self.identity(&known.identity, known.consumer, CredentialKind::Certificate, id))
    }

    /// The identity behind a credential of this directory.
    #[must_use]
    pub fn identity_of<T>(&self, known: &Known<T>, kind: CredentialKind, id: &str) -> Arc<Identity> {
        self.identity(&known.identity, known.consumer, kind, || id.into())
    }

    /// The consumer of that identifier or user name.
    #[must_use]
    pub fn consumer(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.by_id(name).or_else(|| self.by_username(name))
    }

    /// The consumer of that identifier.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Consumer>> {
        self.find(&self.ids, id, |consumer| *consumer.id == *id)
    }

    /// The consumer of that user name.
    #[must_use]
    pub fn by_username(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.find(&self.usernames, name, |consumer| consumer.username.as_deref() == Some(name))
    }

    /// The consumer of that custom identifier.
    #[must_use]
    pub fn by_custom_id(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.find(&self.custom_ids, name, |consumer| consumer.custom_id.as_deref() == Some(name))
    }

    /// How many consumers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.consumers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consumers.is_empty()
    }

    fn find(
        &self,
        table: &HashTable<u32>,
        name: &str,
        same: impl Fn(&Consumer) -> bool,
    ) -> Option<&Arc<Consumer>> {
        let at = |place: &u32| self.at(*place);
        let found = table.find(self.hasher.hash_one(name), |place| at(place).is_some_and(|one| same(one)))?;
        at(found)
    }

    fn at(&self, place: u32) -> Option<&Arc<Consumer>> {
        self.consumers.get(usize::try_from(place).ok()?)
    }

    fn identity(
        &self,
        made: &OnceLock<Arc<Identity>>,
        consumer: u32,
        kind: CredentialKind,
        id: impl FnOnce() -> Arc<str>,
    ) -> Arc<Identity> {
        Arc::clone(made.get_or_init(|| Arc::new(identity(self.at(consumer), kind, id()))))
    }
}

/// The identity behind a credential.
fn identity(consumer: Option<&Arc<Consumer>>, kind: CredentialKind, id: Arc<str>) -> Identity {
    let credential = Credential { kind, id };
    match consumer {
        Some(record) => Identity::of_consumer(record, credential),
        None => Identity { credential: Some(credential), ..Identity::default() },
    }
}

/// A name for something that has only a digest: enough to find it again, too little to use it.
fn short_name(digest: &[u8]) -> Arc<str> {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

impl fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Directory({} consumers, {} keys)", self.consumers.len(), self.keys.len())
    }
}

impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Directory {}

impl Hash for Directory {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl Default for Directory {
    fn default() -> Self {
        Builder::default().build()
    }
}
