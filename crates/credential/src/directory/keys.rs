//! Keys, each found with one miss of the cache however many there are.
//!
//! A key is looked for by a fast hash under a secret of this process, so that nobody can choose where it falls, and
//! is taken only if its SHA-256 is the one that was kept. While memory answers, the digest is computed. A key that
//! nobody has costs no digest; what that tells is nothing about keys, for the hash is as good as random to who does
//! not know its secret.

use super::{Duplicate, short_name};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use hashbrown::HashTable;
use std::cell::OnceCell;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use torana_identity::{Consumer, Identity};

/// The first half of a SHA-256.
type KeyDigest = [u8; 16];

/// Keys and whose they are.
#[derive(Default)]
pub(super) struct Keys {
    table: HashTable<ApiKey>,
    /// Names of those keys that have one.
    ids: Vec<Box<str>>,
    hasher: RandomState,
}

/// One line of the cache.
#[repr(align(64))]
pub(super) struct ApiKey {
    /// The fast hash.
    hash: u64,
    digest: KeyDigest,
    /// The first second at which it is no longer good, since 1970-01-01 UTC.
    expires: u64,
    /// Its place among the names; beyond them where it has none.
    id: u32,
    /// Whose it is.
    pub(super) consumer: Arc<Consumer>,
    /// Made when it is first used.
    pub(super) identity: OnceLock<Arc<Identity>>,
}

const _: () = assert!(size_of::<ApiKey>() == 64);

impl Keys {
    /// The entry of a key that is good at `now`, in seconds since 1970-01-01 UTC.
    pub(super) fn find(&self, key: &[u8], now: u64) -> Option<&ApiKey> {
        let hash = self.hasher.hash_one(key);
        let digest = OnceCell::new();
        let found = self.table.find(hash, |entry| {
            entry.hash == hash && {
                let wanted = digest.get_or_init(|| key_digest(key));
                verify_slices_are_equal(&entry.digest, wanted).is_ok()
            }
        })?;
        (found.expires > now).then_some(found)
    }

    pub(super) fn add(
        &mut self,
        key: &[u8],
        expires: u64,
        id: Option<&str>,
        consumer: &Arc<Consumer>,
    ) -> Result<(), Duplicate> {
        let (hash, digest) = (self.hasher.hash_one(key), key_digest(key));
        let same = |entry: &ApiKey| entry.digest == digest;
        match self.table.entry(hash, same, |entry| entry.hash) {
            hashbrown::hash_table::Entry::Occupied(_) => Err(Duplicate("key")),
            hashbrown::hash_table::Entry::Vacant(free) => {
                let place = id.and_then(|_| u32::try_from(self.ids.len()).ok());
                self.ids.extend(id.map(Into::into));
                let (id, consumer) = (place.unwrap_or(u32::MAX), Arc::clone(consumer));
                free.insert(ApiKey { hash, digest, expires, id, consumer, identity: OnceLock::new() });
                Ok(())
            }
        }
    }

    /// What a key is called.
    pub(super) fn name(&self, key: &ApiKey) -> Box<str> {
        let id = usize::try_from(key.id).ok().and_then(|place| self.ids.get(place));
        id.cloned().unwrap_or_else(|| short_name(&key.digest))
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

/// What a key is known by.
fn key_digest(key: &[u8]) -> KeyDigest {
    let whole = digest(&SHA256, key);
    let mut short = KeyDigest::default();
    short.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
    short
}
