//! Building a directory, one consumer after the other, so that a large file needs no second copy in memory.

use super::{AccessSecret, Directory, Known, NameKind, Password};
use crate::jose::VerifyingKey;
use crate::signature::SignatureKey;
use hashbrown::HashTable;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, OnceLock};
use torana_identity::Consumer;

/// Why something of a consumer cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It stands twice: its kind, never the thing itself, and the name of who has it.
    #[error("the consumer `{by}` has this {what} already")]
    Taken {
        /// The kind of thing.
        what: &'static str,
        /// What the consumer is called that has it.
        by: Box<str>,
    },
    /// There is no place for it.
    #[error("there are too many {0}")]
    TooMany(&'static str),
    /// There is no consumer that it could belong to.
    #[error("there is no consumer yet")]
    NoConsumer,
}

impl Refusal {
    pub(super) fn taken(what: &'static str, by: &str) -> Self {
        Self::Taken { what, by: by.into() }
    }
}

/// One of the names of a consumer.
type NameOf = fn(&Consumer) -> Option<&str>;

/// A directory in the making.
pub struct Builder {
    made: Directory,
    /// Texts that many consumers share, such as groups.
    shared: HashSet<Arc<str>>,
    print: DefaultHasher,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            made: Directory {
                consumers: Vec::new(),
                ids: HashTable::new(),
                usernames: HashTable::new(),
                custom_ids: HashTable::new(),
                keys: super::keys::Keys::default(),
                basic: HashMap::new(),
                decoy: None,
                hmac: HashMap::new(),
                signature_decoys: Vec::new(),
                jwt: HashMap::new(),
                certificates: HashMap::new(),
                certificate_names: HashMap::new(),
                sigv4: HashMap::new(),
                hasher: RandomState::new(),
                fingerprint: 0,
            },
            shared: HashSet::default(),
            print: DefaultHasher::new(),
        }
    }
}

impl Builder {
    /// One copy of a text, however many consumers have it.
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.shared.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.shared.insert(Arc::clone(&text));
        text
    }

    /// Adds a consumer; credentials are added for it until the next one comes. `print` is whatever tells it
    /// and its credentials from others.
    ///
    /// # Errors
    /// Its identifier, user name or custom identifier is taken.
    pub fn consumer(&mut self, consumer: Consumer, print: &impl Hash) -> Result<(), Refusal> {
        let made = &mut self.made;
        let place = u32::try_from(made.consumers.len()).map_err(|_| Refusal::TooMany("consumers"))?;
        // The identifier comes last: where none is written it is one of the others.
        let kinds: [(_, _, NameOf); 3] = [
            ("username", &made.usernames, |one| one.username.as_deref()),
            ("custom_id", &made.custom_ids, |one| one.custom_id.as_deref()),
            ("id", &made.ids, |one| Some(&one.id)),
        ];
        for (what, table, of) in kinds {
            if let Some(name) = of(&consumer)
                && let Some(other) = made.find(table, name, |other| of(other) == Some(name))
            {
                return Err(Refusal::taken(what, other.name()));
            }
        }
        print.hash(&mut self.print);
        made.consumers.push(Arc::new(consumer));
        let consumers = &made.consumers;
        let hasher = &made.hasher;
        let index = |table: &mut HashTable<u32>, of: NameOf| {
            let hash = |place: &u32| {
                let consumer = consumers.get(usize::try_from(*place).unwrap_or(usize::MAX));
                hasher.hash_one(consumer.and_then(|consumer| of(consumer)).unwrap_or_default())
            };
            let named = consumers.last().is_some_and(|consumer| of(consumer).is_some());
            if named {
                table.insert_unique(hash(&place), place, hash);
            }
        };
        index(&mut made.ids, |consumer| Some(&consumer.id));
        index(&mut made.usernames, |consumer| consumer.username.as_deref());
        index(&mut made.custom_ids, |consumer| consumer.custom_id.as_deref());
        Ok(())
    }

    /// Adds a key, good before the second `expires` since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Another consumer has it.
    pub fn key(&mut self, key: &[u8], expires: u64, id: Option<&str>) -> Result<(), Refusal> {
        let consumer = self.made.consumers.last().ok_or(Refusal::NoConsumer)?;
        self.made.keys.add(key, expires, id, consumer)
    }

    /// Adds a user name with its password.
    ///
    /// # Errors
    /// The user name is taken.
    pub fn basic(&mut self, username: &str, password: Password) -> Result<(), Refusal> {
        let made = &mut self.made;
        if password.cost() > made.decoy.as_ref().map_or(0, Password::cost) {
            made.decoy = Some(password.clone());
        }
        add(&mut made.basic, username.into(), password, &made.consumers, "basic user name")
    }

    /// Adds a user name with the key of its signatures.
    ///
    /// # Errors
    /// The user name is taken.
    pub fn hmac(&mut self, username: &str, key: SignatureKey) -> Result<(), Refusal> {
        let made = &mut self.made;
        if made.signature_decoys.iter().all(|decoy| decoy.algorithm() != key.algorithm()) {
            made.signature_decoys.push(key.clone());
        }
        add(&mut made.hmac, username.into(), key, &made.consumers, "hmac user name")
    }

    /// Adds a key of tokens by the name that they carry.
    ///
    /// # Errors
    /// The name is taken.
    pub fn token_key(&mut self, name: &str, key: VerifyingKey) -> Result<(), Refusal> {
        let made = &mut self.made;
        add(&mut made.jwt, name.into(), key, &made.consumers, "jwt key")
    }

    /// Adds a certificate by the SHA-256 of its DER.
    ///
    /// # Errors
    /// Another consumer has it.
    pub fn certificate(&mut self, fingerprint: [u8; 32]) -> Result<(), Refusal> {
        let made = &mut self.made;
        add(&mut made.certificates, fingerprint, (), &made.consumers, "certificate")
    }

    /// Adds a name of certificates, of one issuer alone where that is given.
    ///
    /// # Errors
    /// Another consumer has it.
    pub fn certificate_name(
        &mut self,
        kind: NameKind,
        name: &str,
        issuer: Option<&str>,
    ) -> Result<(), Refusal> {
        let name = (kind, name.into(), issuer.map(Into::into));
        let made = &mut self.made;
        add(&mut made.certificate_names, name, (), &made.consumers, "name of certificates")
    }

    /// Adds an access key with its secret.
    ///
    /// # Errors
    /// The access key is taken.
    pub fn sigv4(&mut self, access_key: &str, secret: AccessSecret) -> Result<(), Refusal> {
        let made = &mut self.made;
        add(&mut made.sigv4, access_key.into(), secret, &made.consumers, "access key")
    }

    /// The directory.
    #[must_use]
    pub fn build(mut self) -> Directory {
        self.made.consumers.shrink_to_fit();
        self.made.fingerprint = self.print.finish();
        self.made
    }
}

/// Adds what belongs to the consumer that was added last.
fn add<K: Eq + Hash, T>(
    table: &mut HashMap<K, Known<T>>,
    name: K,
    proof: T,
    consumers: &[Arc<Consumer>],
    what: &'static str,
) -> Result<(), Refusal> {
    match table.entry(name) {
        Entry::Occupied(taken) => {
            let by = usize::try_from(taken.get().consumer).ok().and_then(|place| consumers.get(place));
            Err(Refusal::taken(what, by.map_or("", |consumer| consumer.name())))
        }
        Entry::Vacant(free) => {
            let consumer = u32::try_from(consumers.len().saturating_sub(1)).unwrap_or(0);
            free.insert(Known { proof, consumer, identity: OnceLock::new() });
            Ok(())
        }
    }
}
