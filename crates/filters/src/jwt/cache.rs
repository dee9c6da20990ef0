//! Tokens that were verified, so that a caller's next request costs one lookup.
//!
//! Only verified tokens enter, so a flood of made-up ones changes nothing. They are found by the end of their
//! signature, which is as good as random, and compared byte by byte.

use super::token::Verified;
use hashbrown::HashTable;
use std::sync::{Arc, Mutex, PoisonError};

/// A power of two.
const SHARDS: usize = 16;
/// Tokens in a shard.
const TOKENS: usize = 512;

#[derive(Debug)]
pub(super) struct Cache {
    shards: Box<[Mutex<HashTable<Entry>>]>,
}

#[derive(Debug)]
struct Entry {
    token: Box<[u8]>,
    verified: Arc<Verified>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Cache {
    pub(super) fn get(&self, token: &[u8]) -> Option<Arc<Verified>> {
        let hash = hash(token);
        let shard = self.shard(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.find(hash, |entry| *entry.token == *token)?;
        Some(Arc::clone(&entry.verified))
    }

    pub(super) fn insert(&self, token: &[u8], verified: &Arc<Verified>, now: u64) {
        let hash_of_token = hash(token);
        let Some(shard) = self.shard(hash_of_token) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.find(hash_of_token, |entry| *entry.token == *token).is_some() {
            return;
        }
        if shard.len() >= TOKENS {
            shard.retain(|entry| entry.verified.expires.is_none_or(|expires| expires > now));
        }
        if shard.len() >= TOKENS {
            // All are alive: every other one goes, and is verified anew when it comes again.
            let mut keep = false;
            shard.retain(|_| {
                keep = !keep;
                keep
            });
        }
        let entry = Entry { token: token.into(), verified: Arc::clone(verified) };
        shard.insert_unique(hash_of_token, entry, |entry| hash(&entry.token));
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<HashTable<Entry>>> {
        self.shards.get(usize::try_from(hash >> 16).unwrap_or(0) & SHARDS.saturating_sub(1))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

/// The last twelve characters carry 72 bits of the signature.
fn hash(token: &[u8]) -> u64 {
    let (mut word, end) = (0_u64, token.len().saturating_sub(12));
    for byte in token.get(end..).unwrap_or_default() {
        word = word.rotate_left(6) ^ u64::from(*byte);
    }
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}
