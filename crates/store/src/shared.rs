//! A limit over a store: how it is asked, and what happens when it does not answer.
//!
//! | Mode | Worst over-admission | Worst unused | Questions to the store |
//! | --- | --- | --- | --- |
//! | exact | 0 | 0 | at most one a request, and one for what is given back or charged later |
//! | leased | 0 | of a steady pace its last fifth of a burst or tenth of a second; what a node holds of a caller when it dies: twice what its requests used in 50 ms and two requests more, at most three quarters of what was left | 20 at once and 100 a second for each caller and node, after each one of each worker and cost for all that it left without a permit, one for what is returned or charged later; one a request where permits hold for less than two round trips |

use crate::StoreError;
use crate::clock::NodeClock;
use crate::leases::{Leases, Stepped, Wanted};
use crate::limits::{LimitStore, StoredLimit};
use crate::redis_store::RedisStore;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use torana_limit::{Ask, Budget, Grant, IDLE, Key, KeyedLimiter, LONGEST_HOLD, Returned, Step, View, When};

/// Leases that are returned at the same time.
const RETURNED_AT_ONCE: usize = 128;

/// How a store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// For every request.
    Exact,
    /// For batches of permits that are used here afterwards.
    Leased,
}

/// What happens to a request while the store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// It passes uncounted.
    Open,
    /// It is refused.
    Closed,
    /// This gateway's share of the limit is counted here.
    LocalShare,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// By the store, by a lease from it, or by the local share.
    Granted(Grant),
    /// The store does not answer, and the request passes uncounted.
    Uncounted,
    /// The store does not answer, and nothing may pass.
    Unavailable,
}

/// Where permits came from, to be given back there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The store gave them for this request, then, by its clock.
    Store(Duration),
    /// A lease, from a grant of then.
    Lease(Duration),
    /// What this gateway counts alone, then.
    Share(When),
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedUsage {
    /// Callers with a lease.
    pub leases: u64,
    /// Requests that were let through.
    pub allowed: u64,
    /// Requests that were refused because the budget is used up.
    pub denied: u64,
    /// Requests that were decided without the store because it did not answer.
    pub without_store: u64,
}

/// A limit over a store. Must run where `tokio::task::spawn_local` works.
#[derive(Debug)]
pub struct SharedLimit {
    store: RedisStore,
    limit: StoredLimit,
    mode: Mode,
    on_failure: OnFailure,
    share: Arc<KeyedLimiter>,
    leases: Leases,
    clock: NodeClock,
    allowed: AtomicU64,
    denied: AtomicU64,
    without_store: AtomicU64,
}

impl SharedLimit {
    /// A limit. `share` is this gateway's part of the budget while the store does not answer; `max_keys`
    /// callers have leases at a time.
    #[must_use]
    pub fn new(
        store: RedisStore,
        id: &str,
        budget: Budget,
        share: Budget,
        mode: Mode,
        on_failure: OnFailure,
        max_keys: u32,
    ) -> Arc<Self> {
        let share = Arc::new(KeyedLimiter::new(share, max_keys));
        Self::with_share(store, id, budget, share, mode, on_failure, max_keys)
    }

    /// The same with a share that has counted before.
    #[must_use]
    pub fn with_share(
        store: RedisStore,
        id: &str,
        budget: Budget,
        share: Arc<KeyedLimiter>,
        mode: Mode,
        on_failure: OnFailure,
        max_keys: u32,
    ) -> Arc<Self> {
        let budget = if mode == Mode::Leased { budget.leased(LONGEST_HOLD) } else { budget };
        let clock = store.clock();
        Arc::new(Self {
            store,
            limit: StoredLimit::new(id, budget),
            mode,
            on_failure,
            share,
            leases: Leases::new(max_keys),
            clock,
            allowed: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            without_store: AtomicU64::new(0),
        })
    }

    /// What every caller has, as the store counts it.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        self.limit.budget()
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &RedisStore {
        &self.store
    }

    /// Counts, for metrics.
    #[must_use]
    pub fn usage(&self) -> SharedUsage {
        SharedUsage {
            leases: self.leases.len() as u64,
            allowed: self.allowed.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
            without_store: self.without_store.load(Ordering::Relaxed),
        }
    }

    /// How many permits are held here that nobody has used yet.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.leases.held()
    }

    /// The callers of this gateway that have least left, as far as is known here.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(u8, Box<[u8]>, View)> {
        self.leases.top(self.now(), most)
    }

    fn now(&self) -> Duration {
        self.clock.since_start()
    }

    /// Decides about a request.
    pub async fn decide(self: &Arc<Self>, key: Key<'_>, ask: Ask) -> Decided {
        self.decide_from(key, ask).await.0
    }

    /// Decides about a request, and says where its permits came from.
    pub async fn decide_from(self: &Arc<Self>, key: Key<'_>, ask: Ask) -> (Decided, Source) {
        let mut room = None;
        let key = self.store.short(key, &mut room);
        let decided = match self.mode {
            Mode::Exact => self.exact(key, ask).await,
            Mode::Leased => self.leased(key, ask).await,
        };
        let (decided, source) = decided.unwrap_or_else(|_| self.without_store(key, ask));
        let counter = match &decided {
            Decided::Granted(grant) if grant.granted < ask.least => &self.denied,
            Decided::Granted(_) | Decided::Uncounted => &self.allowed,
            Decided::Unavailable => return (decided, source),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        (decided, source)
    }

    /// Gives back what a request has taken that another limit refused; no request waits for it.
    pub fn refund(self: &Arc<Self>, key: Key<'_>, permits: u64, source: Source) {
        let mut room = None;
        let key = self.store.short(key, &mut room);
        let taken = match source {
            Source::Share(at) => return self.share.give_back(key, self.clock.when(), at, permits),
            Source::Lease(lot) if self.leases.put_back(key, self.now(), lot, permits) => return,
            Source::Lease(at) | Source::Store(at) => at,
        };
        self.send_back(key, Returned { permits, taken });
    }

    async fn exact(&self, key: Key<'_>, ask: Ask) -> Result<(Decided, Source), StoreError> {
        let grant = self.store.take(&self.limit, key, ask).await?;
        let source = Source::Store(grant.at);
        Ok((Decided::Granted(grant), source))
    }

    async fn leased(self: &Arc<Self>, key: Key<'_>, ask: Ask) -> Result<(Decided, Source), StoreError> {
        let cost = ask.least;
        let patience = self.store.settings().timeout;
        // Nearly every request is decided the first time, by one look at the clock.
        let began = self.now();
        let mut now = began;
        let mut wanted = Wanted { cost, details: ask.details, waited: false };
        loop {
            let Some(stepped) = self.leases.step(key, now, wanted, || self.store.is_away(&self.limit, key))
            else {
                return self.exact(key, ask).await;
            };
            if let Some(want) = stepped.refill {
                self.refill(key, now, Ask { details: ask.details, ..Ask::up_to(want, 1) });
            }
            match stepped.step {
                Step::Pass => return Ok(granted(cost, stepped)),
                Step::Refuse => return Ok(granted(0, stepped)),
                Step::Ask { want, least } => {
                    let ask = Ask { details: ask.details, ..Ask::up_to(want, least) };
                    let grant = self.question(key, now, cost, ask).await?;
                    // The rest is in the lease, and there its own comes back to as well.
                    let source = Source::Lease(grant.at);
                    return Ok((
                        Decided::Granted(Grant { granted: grant.granted.min(cost), ..grant }),
                        source,
                    ));
                }
                Step::Own => {
                    let mut grant = self.store.take(&self.limit, key, ask).await?;
                    self.leases.told(key, (now, self.now()), cost, &mut grant);
                    let source = Source::Store(grant.at);
                    return Ok((Decided::Granted(grant), source));
                }
                Step::Join => {
                    let answered = self.leases.answered(key);
                    timeout(patience, answered).await.map_err(|_| StoreError::Late)?;
                    wanted.waited = true;
                }
                Step::Wait(wait) => tokio::time::sleep(wait.min(patience)).await,
            }
            now = self.now();
            wanted.waited |= now.saturating_sub(began) >= patience;
        }
    }

    /// Asks for permits and puts them into the lease, but for those of the request that asks.
    async fn question(
        self: &Arc<Self>,
        key: Key<'_>,
        sent: Duration,
        own: u64,
        ask: Ask,
    ) -> Result<Grant, StoreError> {
        // Also when the request that asks goes away while it waits: others may be waiting for its answer.
        let unanswered = Unanswered { leases: &self.leases, key };
        let mut grant = self.store.take(&self.limit, key, ask).await?;
        std::mem::forget(unanswered);
        if let Some(back) = self.leases.granted(key, (sent, self.now()), own, &mut grant) {
            self.send_back(key, back);
        }
        if grant.hold > IDLE.saturating_mul(2) && self.leases.watch(key) {
            self.watch(key);
        }
        Ok(grant)
    }

    /// Returns permits to the store; no request waits for it. A store that does not answer keeps them: what is
    /// lost is not used.
    fn send_back(self: &Arc<Self>, key: Key<'_>, back: Returned) {
        let (limit, kind, bytes) = (Arc::clone(self), key.kind, Box::<[u8]>::from(key.bytes));
        tokio::task::spawn_local(async move {
            let _ = limit.store.give_back(&limit.limit, Key { kind, bytes: &bytes }, back).await;
        });
    }

    /// Asks for more permits while there are still some; no request waits for it.
    fn refill(self: &Arc<Self>, key: Key<'_>, sent: Duration, ask: Ask) {
        let (limit, kind, bytes) = (Arc::clone(self), key.kind, Box::<[u8]>::from(key.bytes));
        tokio::task::spawn_local(async move {
            // When it fails, the next request without a permit finds it out.
            let _ = limit.question(Key { kind, bytes: &bytes }, sent, 0, ask).await;
        });
    }

    /// Returns what lies idle, until the lease is empty. A limit that nobody needs any more is there so long, since what
    /// it holds is of the store's and others' use.
    fn watch(self: &Arc<Self>, key: Key<'_>) {
        let (limit, kind, bytes) = (Arc::clone(self), key.kind, Box::<[u8]>::from(key.bytes));
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(IDLE).await;
                let key = Key { kind, bytes: &bytes };
                let Ok(idle) = limit.leases.idle(key, limit.now()) else { return };
                if let Some(returned) = idle {
                    // When this fails the permits are lost, not used.
                    let _ = limit.store.give_back(&limit.limit, key, returned).await;
                }
            }
        });
    }

    fn without_store(&self, key: Key<'_>, ask: Ask) -> (Decided, Source) {
        self.without_store.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.when();
        let decided = match self.on_failure {
            OnFailure::Open => Decided::Uncounted,
            OnFailure::Closed => Decided::Unavailable,
            OnFailure::LocalShare => Decided::Granted(self.share.take(key, now, ask)),
        };
        (decided, Source::Share(now))
    }

    /// Charges what a request turned out to cost beyond what it took, where that came from; no request waits for it.
    /// While the store does not answer the share owes it, if that is what counts then.
    pub fn charge(self: &Arc<Self>, key: Key<'_>, cost: u64, source: Source) {
        let mut room = None;
        let key = self.store.short(key, &mut room);
        if let Source::Share(at) = source {
            return self.share.charge(key, at, cost);
        }
        let (limit, kind, bytes) = (Arc::clone(self), key.kind, Box::<[u8]>::from(key.bytes));
        tokio::task::spawn_local(async move {
            let key = Key { kind, bytes: &bytes };
            let charged = limit.store.charge(&limit.limit, key, cost).await;
            if charged.is_err() && limit.on_failure == OnFailure::LocalShare {
                limit.share.charge(key, limit.clock.when(), cost);
            }
        });
    }

    /// Forgets what every caller has used, here and in the store.
    ///
    /// # Errors
    /// The store did not answer; what is here is forgotten all the same.
    pub async fn reset(&self) -> Result<(), StoreError> {
        self.share.clear();
        // Before, so that it is done whatever becomes of the store; and after, for what was leased meanwhile.
        self.leases.clear();
        let done = self.store.reset(&self.limit).await;
        self.leases.clear();
        done
    }

    /// Returns every permit that is held here, when the gateway ends; gives how many. Many are under way at a
    /// time; the caller sets the deadline. What a store does not take back ends by itself.
    pub async fn drain(self: &Arc<Self>) -> u64 {
        let store = self.store.patient();
        // This thread may have had nothing to do with the store, or not for long.
        if self.held() == 0 || store.ready().await.is_err() {
            return 0;
        }
        let mut returned = 0_u64;
        for batch in self.leases.drain(self.now()).chunks(RETURNED_AT_ONCE) {
            let mut tasks = JoinSet::new();
            for (kind, bytes, back) in batch.iter().cloned() {
                let (limit, store) = (Arc::clone(self), store.clone());
                tasks.spawn_local(async move {
                    let done = store.give_back(&limit.limit, Key { kind, bytes: &bytes }, back).await;
                    done.map(|()| back.permits)
                });
            }
            while let Some(done) = tasks.join_next().await {
                match done {
                    Ok(Ok(permits)) => returned = returned.saturating_add(permits),
                    // That is the matter of one caller.
                    Ok(Err(StoreError::Unreadable)) => {}
                    // The store is away: the rest would only wait for it too.
                    _ => return returned,
                }
            }
        }
        returned
    }
}

fn granted(permits: u64, stepped: Stepped) -> (Decided, Source) {
    let (window, view) = stepped.view;
    let grant = Grant { granted: permits, window, view, all: stepped.all, ..Grant::default() };
    (Decided::Granted(grant), Source::Lease(stepped.lot))
}

/// A question without an answer; forgotten when there is one.
struct Unanswered<'a> {
    leases: &'a Leases,
    key: Key<'a>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.leases.failed(self.key);
    }
}
