//! Credentials that were verified, so that a caller's next request costs one lookup.
//!
//! Only verified credentials enter, so a flood of made-up ones changes nothing. They are found by their last
//! bytes, which for signatures, keys and digests are as good as random, and compared byte by byte. An entry
//! ends with its credential.

use hashbrown::HashTable;
use std::sync::{Arc, Mutex, PoisonError};

/// A power of two.
const SHARDS: usize = 16;
/// Entries in a shard.
const ENTRIES: usize = 512;

/// What was verified, by the bytes that were shown.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    shards: Box<[Mutex<HashTable<Entry<V>>>]>,
}

#[derive(Debug)]
struct Entry<V> {
    key: Box<[u8]>,
    /// The first second at which it is no longer good, since 1970-01-01 UTC.
    expires: u64,
    value: Arc<V>,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(HashTable::new())).collect() }
    }
}

impl<V> Cache<V> {
    /// What is known of these bytes at `now`, in seconds since 1970-01-01 UTC.
    pub(crate) fn get(&self, key: &[u8], now: u64) -> Option<Arc<V>> {
        let hash = hash(key);
        let shard = self.shard(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.find(hash, |entry| *entry.key == *key)?;
        (entry.expires > now).then(|| Arc::clone(&entry.value))
    }

    /// Remembers what was verified, in place of what was known.
    pub(crate) fn insert(&self, key: &[u8], value: &Arc<V>, expires: u64, now: u64) {
        let hash_of_key = hash(key);
        let Some(shard) = self.shard(hash_of_key) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.find_mut(hash_of_key, |entry| *entry.key == *key) {
            (entry.value, entry.expires) = (Arc::clone(value), expires);
            return;
        }
        if shard.len() >= ENTRIES {
            shard.retain(|entry| entry.expires > now);
        }
        if shard.len() >= ENTRIES {
            // All are alive: every other one goes, and is verified anew when it comes again.
            let mut keep = false;
            shard.retain(|_| {
                keep = !keep;
                keep
            });
        }
        let entry = Entry { key: key.into(), expires, value: Arc::clone(value) };
        shard.insert_unique(hash_of_key, entry, |entry| hash(&entry.key));
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<HashTable<Entry<V>>>> {
        self.shards.get(usize::try_from(hash >> 16).unwrap_or(0) & SHARDS.saturating_sub(1))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

/// Of a token, the last twelve characters carry 72 bits of the signature.
fn hash(key: &[u8]) -> u64 {
    let (mut word, end) = (0_u64, key.len().saturating_sub(12));
    for byte in key.get(end..).unwrap_or_default() {
        word = word.rotate_left(6) ^ u64::from(*byte);
    }
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_ends_with_its_credential_and_their_number_is_bounded() {
        let cache = Cache::default();
        cache.insert(b"token", &Arc::new(1), 10, 0);
        assert_eq!(cache.get(b"token", 9).as_deref(), Some(&1));
        assert_eq!(cache.get(b"token", 10), None);
        assert_eq!(cache.get(b"tokem", 9), None);
        cache.insert(b"token", &Arc::new(2), 20, 9);
        assert_eq!(cache.get(b"token", 15).as_deref(), Some(&2));
        for number in 0..50_000_u64 {
            cache.insert(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(), &Arc::new(3), 99, 20);
        }
        assert!(cache.len() <= SHARDS * ENTRIES);
    }
}
