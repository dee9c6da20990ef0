//! One state for each caller, in a bounded table.
//!
//! The table is cut into shards, each behind its own lock, which is held for one lookup. The hash has a
//! random key, because callers choose what is hashed.
//!
//! **Full means shared, not forgotten.** A caller whose burst is whole again is removed without loss. When
//! all that are remembered are still under way, new ones share one overflow state per shard: together they
//! get what one caller would. So a flood of made-up callers can make the limiter strict towards newcomers,
//! but never makes it forget a count, which eviction would. Nor does a clock that is set back: whoever is not known then
//! begins in the latest window in which somebody was forgotten.

use crate::budget::{Ask, Budget, Grant, Ledger};
use crate::when::When;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A power of two.
const SHARDS: usize = 64;
/// Keys longer than this are replaced by a digest, so that memory is bounded by their number.
const LONGEST_KEY: usize = 64;
/// Bytes of a digest.
const DIGEST: usize = 16;
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
    budget: Budget,
    hasher: RandomState,
    /// A second hash, for digests of long keys.
    digest: RandomState,
    keys_per_shard: AtomicUsize,
    shards: Box<[Shard]>,
}

/// On cache lines of its own, so that workers do not disturb each other.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    table: Mutex<Table>,
    allowed: AtomicU64,
    denied: AtomicU64,
    overflow: AtomicU64,
}

#[derive(Debug)]
struct Table {
    entries: HashTable<Entry>,
    overflow: Ledger,
    next_sweep: Duration,
    /// The latest time of UTC at which callers were forgotten.
    swept: Duration,
}

#[derive(Debug)]
struct Entry {
    kind: u8,
    key: Box<[u8]>,
    ledger: Ledger,
}

impl Entry {
    fn is(&self, key: Key<'_>) -> bool {
        self.kind == key.kind && *self.key == *key.bytes
    }
}

impl Shard {
    fn new(budget: &Budget) -> Self {
        let table = Table {
            entries: HashTable::new(),
            overflow: budget.ledger(),
            next_sweep: Duration::ZERO,
            swept: Duration::ZERO,
        };
        Self {
            table: Mutex::new(table),
            allowed: AtomicU64::default(),
            denied: AtomicU64::default(),
            overflow: AtomicU64::default(),
        }
    }
}

impl KeyedLimiter {
    /// A limiter that remembers at most about `max_keys` callers (at least one in each of its 64 shards).
    #[must_use]
    pub fn new(budget: Budget, max_keys: u32) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::new(&budget)).collect();
        Self {
            budget,
            hasher: RandomState::new(),
            digest: RandomState::new(),
            keys_per_shard: AtomicUsize::new(keys_per_shard(max_keys)),
            shards,
        }
    }

    /// The budget that each caller has.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Remembers so many from now on. Who is remembered beyond that stays until its burst is whole.
    pub fn set_max_keys(&self, max_keys: u32) {
        self.keys_per_shard.store(keys_per_shard(max_keys), Ordering::Relaxed);
    }

    fn is_full(&self, table: &Table) -> bool {
        table.entries.len() >= self.keys_per_shard.load(Ordering::Relaxed)
    }

    /// Decides about a request of `key` at `now`, and counts it if it passes.
    pub fn take(&self, key: Key<'_>, now: impl Into<When>, ask: Ask) -> Grant {
        let mut room = [0; DIGEST];
        let key = self.short(key, &mut room);
        let (shard, hash) = self.shard(key);
        let take = |ledger: &mut Ledger, now: When| self.budget.take(ledger, now, ask);
        let grant = self.in_shard(shard, hash, key, now.into(), take);
        let counter = if grant.granted >= ask.least { &shard.allowed } else { &shard.denied };
        counter.fetch_add(1, Ordering::Relaxed);
        grant
    }

    /// Takes back permits that were taken at `taken` and never used.
    pub fn give_back(&self, key: Key<'_>, now: impl Into<When>, taken: impl Into<When>, permits: u64) {
        let taken = taken.into();
        self.with_ledger(key, now.into(), |ledger, now| self.budget.give_back(ledger, now, taken, permits));
    }

    /// Charges what a request turned out to cost beyond what it took; see [`Budget::charge`].
    pub fn charge(&self, key: Key<'_>, now: impl Into<When>, cost: u64) {
        self.with_ledger(key, now.into(), |ledger, now| self.budget.charge(ledger, now, cost));
    }

    /// How a caller stands, without taking anything.
    #[must_use]
    pub fn look(&self, key: Key<'_>, now: impl Into<When>) -> Grant {
        let now = now.into();
        let mut room = [0; DIGEST];
        let key = self.short(key, &mut room);
        let (shard, hash) = self.shard(key);
        let table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
        match table.entries.find(hash, |entry| entry.is(key)) {
            Some(entry) => self.budget.look(&entry.ledger, now),
            None if self.is_full(&table) => self.budget.look(&table.overflow, now),
            None => self.budget.look(&self.budget.ledger(), now),
        }
    }

    /// Forgets one caller. `false` when it was not known.
    pub fn forget(&self, key: Key<'_>) -> bool {
        let mut room = [0; DIGEST];
        let key = self.short(key, &mut room);
        let (shard, hash) = self.shard(key);
        let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
        match table.entries.find_entry(hash, |entry| entry.is(key)) {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }

    /// Forgets everybody.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.entries.clear();
            table.overflow = self.budget.ledger();
            table.swept = Duration::ZERO;
        }
    }

    /// The `most` callers that have least left, each with how it stands. Takes each shard's lock in turn.
    #[must_use]
    pub fn top(&self, now: impl Into<When>, most: usize) -> Vec<(u8, Box<[u8]>, Grant)> {
        let now = now.into();
        let mut top: Vec<(u8, Box<[u8]>, Grant)> = Vec::new();
        let remaining = |(_, _, grant): &(u8, Box<[u8]>, Grant)| grant.view.remaining;
        for shard in &self.shards {
            let table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
            let used = table.entries.iter().filter(|entry| !self.budget.is_whole(&entry.ledger, now));
            top.extend(
                used.map(|entry| (entry.kind, entry.key.clone(), self.budget.look(&entry.ledger, now))),
            );
            drop(table);
            top.sort_by_key(remaining);
            top.truncate(most);
        }
        top
    }

    /// The shard of a short key, and its hash.
    fn shard(&self, key: Key<'_>) -> (&Shard, u64) {
        let hash = self.hash(key.kind, key.bytes);
        let place = usize::try_from(hash >> 32).unwrap_or(0) & SHARDS.saturating_sub(1);
        (self.shards.get(place).expect("there are as many shards as the mask lets through"), hash)
    }

    /// The key itself, or a digest of a long one.
    fn short<'a>(&self, key: Key<'a>, room: &'a mut [u8; DIGEST]) -> Key<'a> {
        if key.bytes.len() <= LONGEST_KEY {
            return key;
        }
        *room = self.digest_of(key.bytes);
        Key { kind: key.kind ^ 0x80, bytes: room }
    }

    fn with_ledger<T>(&self, key: Key<'_>, now: When, act: impl FnOnce(&mut Ledger, When) -> T) -> T {
        let mut room = [0; DIGEST];
        let key = self.short(key, &mut room);
        let (shard, hash) = self.shard(key);
        self.in_shard(shard, hash, key, now, act)
    }

    fn in_shard<T>(
        &self,
        shard: &Shard,
        hash: u64,
        key: Key<'_>,
        now: When,
        act: impl FnOnce(&mut Ledger, When) -> T,
    ) -> T {
        let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        if let Some(entry) = table.entries.find_mut(hash, |entry| entry.is(key)) {
            return act(&mut entry.ledger, now);
        }
        if self.is_full(table) && now.steady >= table.next_sweep {
            table.next_sweep = now.steady.saturating_add(SWEEP_INTERVAL);
            table.swept = table.swept.max(now.utc);
            table.entries.retain(|entry| !self.budget.is_whole(&entry.ledger, now));
        }
        if self.is_full(table) {
            shard.overflow.fetch_add(1, Ordering::Relaxed);
            return act(&mut table.overflow, now);
        }
        let mut ledger = self.budget.ledger();
        let result = act(&mut ledger, When { utc: now.utc.max(table.swept), ..now });
        let entry = Entry { kind: key.kind, key: key.bytes.into(), ledger };
        table.entries.insert_unique(hash, entry, |entry| self.hash(entry.kind, &entry.key));
        result
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind);
        hasher.write(bytes);
        hasher.finish()
    }

    /// 128 bits under two random keys: whoever does not know them cannot make two callers meet.
    fn digest_of(&self, bytes: &[u8]) -> [u8; DIGEST] {
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

fn keys_per_shard(max_keys: u32) -> usize {
    usize::try_from(max_keys).unwrap_or(usize::MAX).div_ceil(SHARDS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Window;
    use crate::calendar::Period;
    use crate::fixed::FixedWindow;
    use crate::gcra::Gcra;
    use std::sync::atomic::AtomicU32;

    fn limiter(burst: u32, max_keys: u32) -> KeyedLimiter {
        let gcra = Gcra::new(u64::from(burst), Duration::from_secs(60), u64::from(burst));
        KeyedLimiter::new(Budget::new(Window::Gcra(gcra), Vec::new()), max_keys)
    }

    fn passes(limiter: &KeyedLimiter, key: Key<'_>, now: Duration) -> bool {
        limiter.take(key, now, Ask::exactly(1)).granted == 1
    }

    fn key(bytes: &[u8]) -> Key<'_> {
        Key { kind: 1, bytes }
    }

    #[test]
    fn callers_are_counted_apart_and_kinds_too() {
        let limiter = limiter(1, 1_000);
        let now = Duration::from_secs(5);
        assert!(passes(&limiter, key(b"a"), now));
        assert!(!passes(&limiter, key(b"a"), now));
        assert!(passes(&limiter, key(b"b"), now));
        assert!(passes(&limiter, Key { kind: 2, bytes: b"a" }, now));
        let long = [b'x'; 5_000];
        assert!(passes(&limiter, key(&long), now));
        assert!(!passes(&limiter, key(&long), now));
        let usage = limiter.usage();
        assert_eq!((usage.keys, usage.allowed, usage.denied, usage.overflow), (4, 4, 2, 0));
    }

    #[test]
    fn a_flood_of_callers_makes_nobody_forgotten() {
        let limiter = limiter(2, 640);
        let now = Duration::from_secs(5);
        assert!(passes(&limiter, key(b"victim"), now));
        assert!(passes(&limiter, key(b"victim"), now));
        let passed = (0..100_000_u32).filter(|n| passes(&limiter, key(&n.to_be_bytes()), now)).count();
        assert!(!passes(&limiter, key(b"victim"), now));
        let usage = limiter.usage();
        assert!(usage.keys <= 640 && usage.overflow > 0);
        // Each remembered caller once, and what the shared states let through.
        assert!(passed <= 640 + 64 * 2, "{passed}");
        // Later all are whole again, and the table has room.
        let later = now + Duration::from_secs(120);
        assert!(passes(&limiter, key(b"new"), later));
        assert!(passes(&limiter, key(b"victim"), later));
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_window_twice() {
        let minute = Period::Span(Duration::from_secs(60));
        let window = Window::Fixed(FixedWindow::new(2, minute));
        let limiter = KeyedLimiter::new(Budget::new(window, Vec::new()), 1);
        let at = |steady, utc| When { steady: Duration::from_secs(steady), utc: Duration::from_secs(utc) };
        let passed = |key: Key<'_>, when: When| {
            (0..4).filter(|_| limiter.take(key, when, Ask::exactly(1)).granted == 1).count()
        };
        assert_eq!(passed(key(b"a"), at(1, 100)), 2);
        // A minute on by the wall, not by the clock that never goes back; and there again.
        assert_eq!((passed(key(b"a"), at(2, 130)), passed(key(b"a"), at(3, 100))), (2, 0));
        assert_eq!((passed(key(b"a"), at(4, 170)), passed(key(b"a"), at(5, 180))), (0, 2));
        // Others come in a later minute, and who has used up nothing then is forgotten.
        let others: Vec<[u8; 4]> = (0..500_u32).map(u32::to_be_bytes).collect();
        for other in &others {
            limiter.take(key(other), at(6, 250), Ask::exactly(1));
        }
        assert!(!limiter.forget(key(b"a")), "each shard has room for one");
        limiter.clear();
        assert_eq!(passed(key(b"a"), at(10, 180)), 2);
        let same = others
            .iter()
            .find(|other| std::ptr::eq(limiter.shard(key(*other)).0, limiter.shard(key(b"a")).0));
        assert_eq!(passed(key(same.unwrap()), at(11, 250)), 2, "which makes the other forgotten");
        assert!(limiter.forget(key(same.unwrap())));
        let back = passed(key(b"a"), at(12, 190));
        assert_eq!((back, passed(key(b"a"), at(13, 250))), (2, 0), "what it has then is of the later minute");
    }

    #[test]
    fn threads_together_get_the_burst_and_no_more() {
        let limiter = limiter(1_000, 10);
        let passed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if passes(&limiter, key(b"all"), Duration::from_secs(1)) {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1_000);
    }

    #[test]
    fn one_caller_or_all_can_be_forgotten_and_those_with_least_are_shown_first() {
        let limiter = limiter(3, 1_000);
        let now = Duration::from_secs(5);
        for (name, times) in [(&b"a"[..], 1), (b"b", 3), (b"c", 2)] {
            for _ in 0..times {
                passes(&limiter, key(name), now);
            }
        }
        let top = limiter.top(now, 2);
        let shown: Vec<_> = top.iter().map(|(_, key, grant)| (&**key, grant.view.remaining)).collect();
        assert_eq!(shown, [(&b"b"[..], 0), (b"c", 1)]);
        assert!(limiter.forget(key(b"b")) && !limiter.forget(key(b"b")));
        assert!(passes(&limiter, key(b"b"), now));
        limiter.clear();
        assert_eq!(limiter.usage().keys, 0);
        limiter.charge(key(b"a"), now, 5);
        // Two of the five are owed, and one has to come.
        assert!(!passes(&limiter, key(b"a"), now + Duration::from_secs(59)));
        assert!(passes(&limiter, key(b"a"), now + Duration::from_secs(60)));
    }
}
