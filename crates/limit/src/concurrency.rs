//! How many requests of one caller are under way at the same time.
//!
//! A place is taken before a request goes on and given back when its [`UnderWay`] is dropped, so also when the
//! request fails or its client goes away. Callers with nothing under way are not remembered, so the table is
//! as large as the number of requests under way, which has a bound of its own.

use crate::keyed::Key;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A power of two.
const SHARDS: usize = 16;

/// A limit on requests under way, with one count for each caller.
#[derive(Debug)]
pub struct Concurrency {
    most: AtomicU32,
    hasher: RandomState,
    shards: Box<[Mutex<Table>]>,
}

/// Counts since the start, and how many requests and callers are under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConcurrencyUsage {
    /// Callers with requests under way.
    pub keys: u64,
    /// Requests under way, of all callers.
    pub under_way: u64,
    /// Requests that found a place.
    pub entered: u64,
    /// Requests that found none.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashTable<Entry>,
    entered: u64,
    refused: u64,
}

#[derive(Debug)]
struct Entry {
    kind: u8,
    key: Box<[u8]>,
    under_way: u32,
}

/// A request under way.
#[derive(Debug)]
pub struct UnderWay {
    limit: Arc<Concurrency>,
    kind: u8,
    key: Box<[u8]>,
}

impl Concurrency {
    /// At most this many at the same time; zero counts as one.
    #[must_use]
    pub fn new(most: u32) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { most: AtomicU32::new(most.max(1)), hasher: RandomState::new(), shards })
    }

    /// The most at the same time.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }

    /// Changes that; zero counts as one. Who is beyond it stays until it ends.
    pub fn set_most(&self, most: u32) {
        self.most.store(most.max(1), Ordering::Relaxed);
    }

    /// A place for a request, unless all are taken.
    #[must_use]
    pub fn enter(self: &Arc<Self>, key: Key<'_>) -> Option<UnderWay> {
        let hash = self.hash(key.kind, key.bytes);
        let mut table = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        let same = |entry: &Entry| entry.kind == key.kind && *entry.key == *key.bytes;
        if let Some(entry) = table.entries.find_mut(hash, same) {
            if entry.under_way >= self.most() {
                table.refused = table.refused.saturating_add(1);
                return None;
            }
            entry.under_way = entry.under_way.saturating_add(1);
        } else {
            let entry = Entry { kind: key.kind, key: key.bytes.into(), under_way: 1 };
            table.entries.insert_unique(hash, entry, |entry| self.hash(entry.kind, &entry.key));
        }
        table.entered = table.entered.saturating_add(1);
        Some(UnderWay { limit: Arc::clone(self), kind: key.kind, key: key.bytes.into() })
    }

    /// Counts for metrics. Takes each shard's lock for a moment.
    #[must_use]
    pub fn usage(&self) -> ConcurrencyUsage {
        self.shards.iter().fold(ConcurrencyUsage::default(), |sum, shard| {
            let table = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let under_way = table.entries.iter().map(|entry| u64::from(entry.under_way)).sum::<u64>();
            ConcurrencyUsage {
                keys: sum.keys.saturating_add(table.entries.len() as u64),
                under_way: sum.under_way.saturating_add(under_way),
                entered: sum.entered.saturating_add(table.entered),
                refused: sum.refused.saturating_add(table.refused),
            }
        })
    }

    fn leave(&self, kind: u8, key: &[u8]) {
        let hash = self.hash(kind, key);
        let mut table = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let same = |entry: &Entry| entry.kind == kind && *entry.key == *key;
        if let Ok(mut entry) = table.entries.find_entry(hash, same) {
            let left = entry.get().under_way.saturating_sub(1);
            if left == 0 {
                entry.remove();
            } else {
                entry.get_mut().under_way = left;
            }
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Table> {
        let place = usize::try_from(hash >> 32).unwrap_or(0) & SHARDS.saturating_sub(1);
        self.shards.get(place).expect("there are as many shards as the mask lets through")
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind);
        hasher.write(bytes);
        hasher.finish()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.limit.leave(self.kind, &self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped_and_nobody_is_remembered() {
        let limit = Concurrency::new(2);
        let key = |bytes| Key { kind: 1, bytes };
        let first = limit.enter(key(b"a")).unwrap();
        let second = limit.enter(key(b"a")).unwrap();
        assert!(limit.enter(key(b"a")).is_none());
        let other = limit.enter(key(b"b")).unwrap();
        assert_eq!(limit.usage(), ConcurrencyUsage { keys: 2, under_way: 3, entered: 3, refused: 1 });
        drop(first);
        assert!(limit.enter(key(b"a")).is_some());
        limit.set_most(3);
        let third = (limit.enter(key(b"a")).unwrap(), limit.enter(key(b"a")).unwrap());
        assert!(limit.enter(key(b"a")).is_none());
        limit.set_most(0);
        assert_eq!((limit.most(), limit.usage().under_way), (1, 4), "who is there stays");
        drop((second, other, third));
        assert_eq!(limit.usage().under_way, 0);
        assert!(limit.shards.iter().all(|shard| shard.lock().unwrap().entries.is_empty()));
    }

    #[test]
    fn threads_never_hold_more_places_than_there_are() {
        let limit = Concurrency::new(3);
        let (now, worst) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Some(_place) = limit.enter(Key { kind: 1, bytes: b"all" }) else { continue };
                        worst.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=3).contains(&worst.into_inner()));
        assert_eq!(limit.usage().under_way, 0);
    }
}
