//! The leases of one node, by caller, in a bounded table.
//!
//! A lease is forgotten when nothing is lost by it. When the table is full of leases that are in use, new
//! callers have none: their requests ask the store one by one, which is slower and just as exact.

use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use torana_limit::{Grant, Key, Lease, Returned, Step, View};

/// A power of two.
const SHARDS: usize = 64;
/// A full shard is searched for what can be removed at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Leases {
    hasher: RandomState,
    keys_per_shard: usize,
    shards: Box<[Shard]>,
}

/// On cache lines of its own, so that workers do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    table: Mutex<Table>,
    answered: Notify,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashTable<Entry>,
    next_sweep: Duration,
}

#[derive(Debug)]
struct Entry {
    kind: u8,
    key: Box<[u8]>,
    lease: Lease,
    watched: bool,
}

/// What a request wants of its caller's lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) cost: u64,
    /// Every window is reported.
    pub(crate) details: bool,
    /// Whether it has waited already.
    pub(crate) waited: bool,
}

/// What a request has to do.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) step: Step,
    /// How many permits to ask for beside.
    pub(crate) refill: Option<u64>,
    /// Which window leaves least, and how it stands.
    pub(crate) view: (usize, View),
    /// Every window, if that was asked for.
    pub(crate) all: Vec<View>,
    /// Of which grant the permits were, if it passes.
    pub(crate) lot: Duration,
}

impl Leases {
    pub(crate) fn new(max_keys: u32) -> Self {
        let max_keys = usize::try_from(max_keys).unwrap_or(usize::MAX);
        let keys_per_shard = max_keys.div_ceil(SHARDS).max(1);
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { hasher: RandomState::new(), keys_per_shard, shards }
    }

    /// Decides about a request; `None` when there is no room for this caller's lease, or no permit in it and nobody to
    /// be asked: `is_away`, which is looked at only then.
    pub(crate) fn step(
        &self,
        key: Key<'_>,
        now: Duration,
        ask: Wanted,
        is_away: impl Fn() -> bool,
    ) -> Option<Stepped> {
        let (shard, hash) = self.shard(key);
        let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        let decide = |lease: &mut Lease| {
            let step = if lease.pass(now, ask.cost) {
                Step::Pass
            } else if is_away() {
                return None;
            } else {
                lease.step(now, ask.cost, ask.waited)
            };
            let lot = lease.lot();
            let refill = if step == Step::Pass { lease.refill(now) } else { None };
            let all = if ask.details { lease.views(now) } else { Vec::new() };
            Some(Stepped { step, refill, view: lease.view(now), all, lot })
        };
        if let Some(entry) = table.entries.find_mut(hash, |entry| entry.is(key)) {
            return decide(&mut entry.lease);
        }
        if table.entries.len() >= self.keys_per_shard && now >= table.next_sweep {
            table.next_sweep = now.saturating_add(SWEEP_INTERVAL);
            table.entries.retain(|entry| !entry.lease.is_empty(now));
        }
        if table.entries.len() >= self.keys_per_shard {
            return None;
        }
        let mut lease = Lease::default();
        let stepped = decide(&mut lease)?;
        let entry = Entry { kind: key.kind, key: key.bytes.into(), lease, watched: false };
        table.entries.insert_unique(hash, entry, |entry| self.hash(entry.kind, &entry.key));
        Some(stepped)
    }

    /// Waits until the question that is under way for this caller has been answered, if there is one.
    pub(crate) async fn answered(&self, key: Key<'_>) {
        let (shard, _) = self.shard(key);
        let question = || self.with(key, |lease| lease.question()).flatten();
        let awaited = question();
        loop {
            let mut answered = std::pin::pin!(shard.answered.notified());
            // Registered before looking, so that no answer in between is missed.
            answered.as_mut().enable();
            // Answers to others of this shard are told here too.
            if awaited.is_none() || question() != awaited {
                break;
            }
            answered.await;
        }
        // Whom another worker has woken the event loop takes one by one, and between them what each has begun: without
        // this each would be a command of his own. After a turn they all come one after another.
        tokio::task::yield_now().await;
    }

    /// Puts what the store gave into the lease, but for the asker's `own`; gives what goes back. What is told of the
    /// budget is completed by what is held here.
    pub(crate) fn granted(
        &self,
        key: Key<'_>,
        (sent, now): (Duration, Duration),
        own: u64,
        grant: &mut Grant,
    ) -> Option<Returned> {
        let back = self.with(key, |lease| {
            let back = lease.granted(now, sent, own, grant);
            complete(grant, lease);
            back
        });
        self.shard(key).0.answered.notify_waiters();
        back.flatten()
    }

    /// Notes what the store said to a request that asked for itself alone.
    pub(crate) fn told(&self, key: Key<'_>, (sent, now): (Duration, Duration), cost: u64, grant: &mut Grant) {
        self.with(key, |lease| {
            lease.told(now, sent, cost, grant);
            complete(grant, lease);
        });
    }

    pub(crate) fn failed(&self, key: Key<'_>) {
        self.with(key, Lease::failed);
        self.shard(key).0.answered.notify_waiters();
    }

    /// Whether the caller's lease now wants somebody who returns it when it lies idle; said once.
    pub(crate) fn watch(&self, key: Key<'_>) -> bool {
        self.with_entry(key, |entry| entry.lease.holds() && !std::mem::replace(&mut entry.watched, true))
            .unwrap_or(false)
    }

    /// Permits that lie idle; `Err` when there is nothing more to watch.
    pub(crate) fn idle(&self, key: Key<'_>, now: Duration) -> Result<Option<Returned>, ()> {
        let look = |entry: &mut Entry| {
            let returned = entry.lease.give_back(now, false);
            entry.watched = entry.lease.holds();
            if returned.is_some() || entry.watched { Ok(returned) } else { Err(()) }
        };
        self.with_entry(key, look).unwrap_or(Err(()))
    }

    /// Puts permits back into the lease that they were taken from, if they still hold.
    pub(crate) fn put_back(&self, key: Key<'_>, now: Duration, lot: Duration, permits: u64) -> bool {
        self.with(key, |lease| lease.put_back(now, lot, permits)).unwrap_or(false)
    }

    /// Takes every permit out, to be returned when the gateway ends.
    pub(crate) fn drain(&self, now: Duration) -> Vec<(u8, Box<[u8]>, Returned)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in table.entries.iter_mut() {
                while let Some(returned) = entry.lease.give_back(now, true) {
                    all.push((entry.kind, entry.key.clone(), returned));
                }
            }
        }
        all
    }

    /// How many permits are held.
    pub(crate) fn held(&self) -> u64 {
        let held = |shard: &Shard| {
            let table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.entries.iter().map(|entry| entry.lease.permits()).sum::<u64>()
        };
        self.shards.iter().map(held).sum()
    }

    /// Forgets every lease.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            shard.table.lock().unwrap_or_else(PoisonError::into_inner).entries.clear();
            shard.answered.notify_waiters();
        }
    }

    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Shard| shard.table.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
        self.shards.iter().map(count).sum()
    }

    /// The `most` callers whose leases leave least.
    pub(crate) fn top(&self, now: Duration, most: usize) -> Vec<(u8, Box<[u8]>, View)> {
        let mut top: Vec<(u8, Box<[u8]>, View)> = Vec::new();
        for shard in &self.shards {
            let table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
            top.extend(
                table.entries.iter().map(|entry| (entry.kind, entry.key.clone(), entry.lease.view(now).1)),
            );
            drop(table);
            top.sort_by_key(|(_, _, view)| view.remaining);
            top.truncate(most);
        }
        top
    }

    fn with<T>(&self, key: Key<'_>, act: impl FnOnce(&mut Lease) -> T) -> Option<T> {
        self.with_entry(key, |entry| act(&mut entry.lease))
    }

    fn with_entry<T>(&self, key: Key<'_>, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let (shard, hash) = self.shard(key);
        let mut table = shard.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.entries.find_mut(hash, |entry| entry.is(key)).map(act)
    }

    fn shard(&self, key: Key<'_>) -> (&Shard, u64) {
        let hash = self.hash(key.kind, key.bytes);
        let place = usize::try_from(hash >> 32).unwrap_or(0) & SHARDS.saturating_sub(1);
        (self.shards.get(place).expect("there are as many shards as the mask lets through"), hash)
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// What the store says is left is not all: some is here.
fn complete(grant: &mut Grant, lease: &Lease) {
    for view in grant.all.iter_mut().chain([&mut grant.view]) {
        view.remaining = view.remaining.saturating_add(lease.permits());
    }
}

impl Entry {
    fn is(&self, key: Key<'_>) -> bool {
        self.kind == key.kind && *self.key == *key.bytes
    }
}
