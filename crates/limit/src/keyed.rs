//! One state for each caller, in a bounded table.
//!
//! The table is cut into shards, each behind its own lock, which is held for one lookup. The hash has a
//! random key, because callers choose what is hashed.
//!
//! **Full means shared, not forgotten.** A caller whose burst is whole again is removed without loss. When
//! all that are remembered are still under way, new ones share one overflow state per shard: together they
//! get what one caller would. So a flood of made-up callers can make the limiter strict towards newcomers,
//! but never makes it forget a count, which eviction would.

use crate::gcra::{Decision, Gcra, State};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A power of two.
const SHARDS: usize = 64;
/// Keys longer than this are replaced by a digest, so that memory is bounded by their number.
const LONGEST_KEY: usize = 64;
/// A full shard is searched for what can be removed at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// What the bytes mean: keys of different kinds never meet.
    pub kind: u8,
    /// Who.
    pub bytes: &'a [u8],
}

/// Counts since the start, and how many callers are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Callers that are remembered.
    pub keys: u64,
    /// Requests that passed.
    pub allowed: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// Requests that were counted on the shared state because the table was full.
    pub overflow: u64,
}

/// A limit with one state for each caller.
#[derive(Debug)]
pub struct KeyedLimiter {
    gcra: Gcra,
    hasher: RandomState,
    /// A second hash, for digests of long keys.
    digest: RandomState,
    keys_per_shard: usize,
    shards: Box<[Shard]>,
}

/// On cache lines of its own, so that workers do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    table: Mutex<Table>,
    allowed: AtomicU64,
    denied: AtomicU64,
    overflow: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashTable<Entry>,
    overflow: State,
    next_sweep: Duration,
}

#[derive(Debug)]
struct Entry {
    kind: u8,
    key: Box<[u8]>,
    state: State,
}

impl KeyedLimiter {
    /// A limiter that remembers at most about `max_keys` callers (at least one in each of its 64 shards).
    #[must_use]
    pub fn new(gcra: Gcra, max_keys: u32) -> Self {
        let max_keys = usize::try_from(max_keys).unwrap_or(usize::MAX);
        Self {
            gcra,
            hasher: RandomState::new(),
            digest: RandomState::new(),
            keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }

    /// Decides about a request of `key` at `now`, and counts it if it passes.
    pub fn decide(&self, key: Key<'_>, now: Duration) -> Decision {
        let digest;
        let key = if key.bytes.len() > LONGEST_KEY {
            digest = self.digest_of(key.bytes);
            Key { kind: key.kind ^ 0x80, bytes: &digest }
        } else {
            key
        };
        let hash = self.hash(key.kind, key.bytes);
        let place = usize::try_from(hash >> 32).unwrap_or(0) & SHARDS.saturating_sub(1);
        let Some(shard) = self.shards.get(place) else {
            // There are as many shards as the mask lets through.
            return self.gcra.decide(&mut State::default(), now);
        };
        let decision = self.decide_in(shard, key, hash, now);
        let counter = if decision.allowed { &shard.allowed } else { &shard.denied };
        counter.fetch_add(1, Ordering::Relaxed);
        decision
    }

    /// What would be decided about a request of `key` at `now`, without counting anything.
    pub fn peek(&self, key: Key<'_>, now: Duration) -> Decision {
        let digest;
        let key = if key.bytes.len() > LONGEST_KEY {
            digest = self.digest_of(key.bytes);
            Key { kind: key.kind ^ 0x80, bytes: &digest }
        } else {
            key
        };
        let hash = self.hash(key.kind, key.bytes);
        let place = usize::try_from(hash >> 32).unwrap_or(0) & SHARDS.saturating_sub(1);
        let mut state = State::default();
        if let Some(shard) = self.shards.get(place) {
            let table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |entry: &Entry| entry.kind == key.kind && *entry.key == *key.bytes;
            match table.entries.find(hash, same) {
                Some(entry) => state = entry.state,
                None if table.entries.len() >= self.keys_per_shard => state = table.overflow,
                None => {}
            }
        }
        self.gcra.decide(&mut state, now)
    }

    fn decide_in(&self, shard: &Shard, key: Key<'_>, hash: u64, now: Duration) -> Decision {
        let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        let same = |entry: &Entry| entry.kind == key.kind && *entry.key == *key.bytes;
        if let Some(entry) = table.entries.find_mut(hash, same) {
            return self.gcra.decide(&mut entry.state, now);
        }
        if table.entries.len() >= self.keys_per_shard && now >= table.next_sweep {
            table.next_sweep = now.saturating_add(SWEEP_INTERVAL);
            table.entries.retain(|entry| !self.gcra.is_whole(entry.state, now));
        }
        if table.entries.len() >= self.keys_per_shard {
            shard.overflow.fetch_add(1, Ordering::Relaxed);
            return self.gcra.decide(&mut table.overflow, now);
        }
        let mut state = State::default();
        let decision = self.gcra.decide(&mut state, now);
        let entry = Entry { kind: key.kind, key: key.bytes.into(), state };
        table.entries.insert_unique(hash, entry, |entry| self.hash(entry.kind, &entry.key));
        decision
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind);
        hasher.write(bytes);
        hasher.finish()
    }

    /// 128 bits under two random keys: whoever does not know them cannot make two callers meet.
    fn digest_of(&self, bytes: &[u8]) -> [u8; 16] {
        let (one, other) = (self.digest.hash_one(bytes), self.hasher.hash_one(bytes));
        (u128::from(one) << 64 | u128::from(other)).to_be_bytes()
    }

    /// Counts for metrics. Takes each shard's lock for a moment.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.shards.iter().fold(Usage::default(), |sum, shard| {
            let keys = shard.table.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
            Usage {
                keys: sum.keys.saturating_add(keys as u64),
                allowed: sum.allowed.saturating_add(shard.allowed.load(Ordering::Relaxed)),
                denied: sum.denied.saturating_add(shard.denied.load(Ordering::Relaxed)),
                overflow: sum.overflow.saturating_add(shard.overflow.load(Ordering::Relaxed)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn limiter(burst: u32, max_keys: u32) -> KeyedLimiter {
        KeyedLimiter::new(Gcra::new(u64::from(burst), Duration::from_secs(60), burst), max_keys)
    }

    fn key(bytes: &[u8]) -> Key<'_> {
        Key { kind: 1, bytes }
    }

    #[test]
    fn callers_are_counted_apart_and_kinds_too() {
        let limiter = limiter(1, 1_000);
        let now = Duration::from_secs(5);
        assert!(limiter.decide(key(b"a"), now).allowed);
        assert!(!limiter.decide(key(b"a"), now).allowed);
        assert!(limiter.decide(key(b"b"), now).allowed);
        assert!(limiter.decide(Key { kind: 2, bytes: b"a" }, now).allowed);
        let long = [b'x'; 5_000];
        assert!(limiter.decide(key(&long), now).allowed);
        assert!(!limiter.decide(key(&long), now).allowed);
        let usage = limiter.usage();
        assert_eq!((usage.keys, usage.allowed, usage.denied, usage.overflow), (4, 4, 2, 0));
    }

    #[test]
    fn a_flood_of_callers_makes_nobody_forgotten() {
        let limiter = limiter(2, 640);
        let now = Duration::from_secs(5);
        assert!(limiter.decide(key(b"victim"), now).allowed);
        assert!(limiter.decide(key(b"victim"), now).allowed);
        let passed = (0..100_000_u32).filter(|n| limiter.decide(key(&n.to_be_bytes()), now).allowed).count();
        assert!(!limiter.decide(key(b"victim"), now).allowed);
        let usage = limiter.usage();
        assert!(usage.keys <= 640 && usage.overflow > 0);
        // Each remembered caller once, and what the shared states let through.
        assert!(passed <= 640 + 64 * 2, "{passed}");
        // Later all are whole again, and the table has room.
        let later = now + Duration::from_secs(120);
        assert!(limiter.decide(key(b"new"), later).allowed);
        assert!(limiter.decide(key(b"victim"), later).allowed);
    }

    #[test]
    fn threads_together_get_the_burst_and_no_more() {
        let limiter = limiter(1_000, 10);
        let passed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if limiter.decide(key(b"all"), Duration::from_secs(1)).allowed {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1_000);
    }
}
