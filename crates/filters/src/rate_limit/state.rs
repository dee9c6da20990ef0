//! Where a limit counts.
//!
//! Counts outlive a configuration that changes what is told of them, who is counted where a key is missing, what a request
//! costs or what follows from a refusal. They begin anew with what shapes them: rates and shares, and for the table of those
//! under way nothing but who is counted.

use super::principal;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use torana_config::written::StoreFailure;
use torana_filter::Moment;
use torana_limit::View;
use torana_limit::{Ask, Budget, Concurrency, Grant, Key, KeyedLimiter, TopKeys, UnderWay, When};
use torana_plan::{RateLimitPlan, SharingPlan};
use torana_store::{Decided, Mode, OnFailure, RedisStore, SharedLimit, Source, StoreError};

/// The counters of a limit.
#[derive(Debug)]
pub struct LimiterState {
    /// Here alone; beside a shared limit this is what an explanation counts in.
    windows: Option<Arc<KeyedLimiter>>,
    shared: Option<Shared>,
    concurrency: Option<Arc<Concurrency>>,
    noted: Arc<Noted>,
    /// What costs more never passes.
    largest: u64,
    /// How many callers are remembered from when this is in force.
    max_keys: u32,
    /// How many requests may be under way from then.
    most: u32,
}

/// A limit over a store, and what it was made from.
#[derive(Debug)]
struct Shared {
    limit: Arc<SharedLimit>,
    /// What counts while the store does not answer.
    share: Arc<KeyedLimiter>,
    plan: SharingPlan,
    max_keys: u32,
}

/// What is only noted: nothing is decided by it.
#[derive(Debug, Default)]
struct Noted {
    would_refuse: AtomicU64,
    top: TopKeys,
}

/// What was taken for a request.
pub(super) enum Taken {
    /// There is nothing to take from, or nothing could be counted and that is to be passed over.
    Nothing,
    /// This, from there.
    Grant(Grant, Origin),
    /// The store does not answer.
    Unavailable,
}

/// Where permits came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// The windows of this process.
    Here,
    /// A limit over the store.
    Shared(Source),
}

/// Counts since the start, and how many callers are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterUsage {
    /// Callers that are remembered.
    pub keys: u64,
    /// Requests that passed.
    pub allowed: u64,
    /// Requests that were refused, or would have been.
    pub denied: u64,
    /// Requests that were counted on a shared state because the table was full.
    pub overflow: u64,
    /// Requests that passed only because the limit is in shadow.
    pub would_refuse: u64,
    /// Requests under way that are counted as such.
    pub under_way: u64,
    /// Requests that were decided without the store because it did not answer.
    pub without_store: u64,
}

/// One of those who ask most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopCaller {
    /// What it is counted by: `address`, `consumer`, ….
    pub kind: &'static str,
    /// Its name; where that may be secret, `#` and a hash with a key of this process.
    pub name: String,
    /// What it asked for, at most.
    pub asked: u64,
    /// How much of that may be others'.
    pub error: u64,
    /// How much of it was refused.
    pub refused: u64,
    /// How it stands with the narrowest window, where that is known here.
    pub view: Option<View>,
}

impl LimiterState {
    /// Counters over the store, if the plan shares them. What the limit has counted `before`, of the same identity and with
    /// the same callers, they go on from; nothing of that is changed before [`LimiterState::take_over`].
    #[must_use]
    pub fn new(plan: &RateLimitPlan, store: Option<&RedisStore>, before: Option<&Self>) -> Self {
        let sharing = plan.sharing.zip(store);
        let parts = if sharing.is_some() { 1 } else { plan.parts.get() };
        // What counts beside a shared limit is another thing than what counts alone.
        let alike = before.filter(|before| before.shared.is_some() == sharing.is_some());
        let windows = plan.budget(parts).map(|budget| {
            continued(alike.and_then(|before| before.windows.as_ref()), budget, plan.max_keys.get())
        });
        let shared = sharing.zip(windows.as_ref()).map(|((sharing, store), windows)| {
            let same =
                alike.filter(|before| before.windows.as_ref().is_some_and(|old| Arc::ptr_eq(old, windows)));
            let alike = alike.and_then(|before| before.shared.as_ref());
            Shared::new(plan, (sharing, store), windows.budget(), (alike, same.is_some()))
        });
        let counts = shared.as_ref().map(|shared| shared.limit.budget());
        let counts = counts.or_else(|| windows.as_ref().map(|windows| windows.budget()));
        let largest = counts.map_or(u64::MAX, Budget::largest);
        let concurrency = plan.concurrency.map(|most| {
            let known = before.and_then(|before| before.concurrency.as_ref()).map(Arc::clone);
            known.unwrap_or_else(|| Concurrency::new(most.get()))
        });
        Self {
            windows,
            shared,
            concurrency,
            noted: before.map(|before| Arc::clone(&before.noted)).unwrap_or_default(),
            largest,
            max_keys: plan.max_keys.get(),
            most: plan.concurrency.map_or(u32::MAX, NonZeroU32::get),
        }
    }

    /// The configuration that this was made for is in force: its bounds hold for what was counted before.
    pub fn take_over(&self) {
        if let Some(concurrency) = &self.concurrency {
            concurrency.set_most(self.most);
        }
        let share = self.shared.as_ref().map(|shared| &shared.share);
        for table in self.windows.iter().chain(share) {
            table.set_max_keys(self.max_keys);
        }
    }

    /// Counts, for metrics.
    #[must_use]
    pub fn usage(&self) -> LimiterUsage {
        let would_refuse = self.noted.would_refuse.load(Ordering::Relaxed);
        let mut usage = LimiterUsage { would_refuse, ..LimiterUsage::default() };
        let crowd = self.concurrency.as_ref().map(|limit| limit.usage()).unwrap_or_default();
        if let Some(shared) = self.shared() {
            let shared = shared.usage();
            (usage.keys, usage.allowed, usage.denied) = (shared.leases, shared.allowed, shared.denied);
            usage.without_store = shared.without_store;
        } else if let Some(windows) = &self.windows {
            let windows = windows.usage();
            (usage.keys, usage.allowed, usage.denied) = (windows.keys, windows.allowed, windows.denied);
            usage.overflow = windows.overflow;
        } else {
            (usage.keys, usage.allowed) = (crowd.keys, crowd.entered);
        }
        usage.under_way = crowd.under_way;
        // Who found no place was not asked about by the windows.
        usage.denied = usage.denied.saturating_add(crowd.refused);
        usage
    }

    /// Permits of the store that are leased here and that nobody has used yet.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.shared().map_or(0, |shared| shared.held())
    }

    /// A place among those under way; `None` where they are not bounded.
    pub(super) fn enter(&self, key: Key<'_>, cost: u64) -> Option<Option<UnderWay>> {
        let place = self.concurrency.as_ref()?.enter(key);
        // Whoever goes on to windows is counted there.
        if place.is_none() || self.windows.is_none() {
            self.noted.top.count(key, cost, place.is_none());
        }
        Some(place)
    }

    /// Who asks most, as far as the sample shows, with a name that can be shown: secret ones are hashed. How they stand
    /// is told as of this moment.
    #[must_use]
    pub fn top(&self, most: usize, moment: Moment) -> Vec<TopCaller> {
        let now = when(moment);
        let mut shown = Vec::new();
        for one in self.noted.top.top(most) {
            let key = Key { kind: one.kind, bytes: &one.key };
            let (kind, name) = principal::shown(key);
            // A digest in place of a long key cannot be looked up; a shared limit would have to ask the store.
            let here = self.windows.as_ref().filter(|_| self.shared.is_none() && one.kind & 0x80 == 0);
            let hashed = || format!("#{:016x}", self.noted.top.name(one.kind, &one.key));
            shown.push(TopCaller {
                kind,
                name: name.unwrap_or_else(hashed),
                asked: one.count,
                error: one.error,
                refused: one.refused,
                view: here.map(|windows| windows.look(key, now).view),
            });
        }
        shown
    }

    /// Takes from the caller's windows. Where nothing is `there`, a shared limit is left alone.
    pub(super) async fn take(&self, key: Key<'_>, moment: Moment, ask: Ask, there: bool) -> Taken {
        let taken = if let Some(shared) = self.shared().filter(|_| there) {
            // Boxed: who asks no store must not hold room for it.
            match Box::pin(shared.decide_from(key, ask)).await {
                (Decided::Granted(grant), source) => Taken::Grant(grant, Origin::Shared(source)),
                (Decided::Uncounted, _) => Taken::Nothing,
                (Decided::Unavailable, _) => Taken::Unavailable,
            }
        } else if let Some(windows) = &self.windows {
            Taken::Grant(windows.take(key, when(moment), ask), Origin::Here)
        } else {
            Taken::Nothing
        };
        if let Taken::Grant(grant, _) = &taken {
            self.noted.top.count(key, ask.least, grant.granted < ask.least);
        }
        taken
    }

    /// Takes back what a request took that another limit refused.
    pub(super) fn refund(&self, key: Key<'_>, moment: Moment, permits: u64, origin: Origin) {
        let at = when(moment);
        match (origin, self.shared(), &self.windows) {
            (Origin::Shared(source), Some(shared), _) => shared.refund(key, permits, source),
            (Origin::Here, _, Some(windows)) => windows.give_back(key, at, at, permits),
            _ => {}
        }
    }

    /// Returns what is held of a shared limit when the gateway ends; gives how many permits.
    /// Must run where `tokio::task::spawn_local` works; to be called with a deadline.
    pub async fn drain(&self) -> u64 {
        match self.shared() {
            Some(shared) => shared.drain().await,
            None => 0,
        }
    }

    /// Forgets what every caller has used, here and in the store.
    /// Must run where `tokio::task::spawn_local` works.
    ///
    /// # Errors
    /// The store did not answer; what is here is forgotten all the same.
    pub async fn reset(&self) -> Result<(), StoreError> {
        self.noted.top.clear();
        if let Some(windows) = &self.windows {
            windows.clear();
        }
        match self.shared() {
            Some(shared) => shared.reset().await,
            None => Ok(()),
        }
    }

    /// Charges what a request turned out to cost beyond what it took.
    pub(super) fn charge(&self, key: Key<'_>, moment: Moment, cost: u64, origin: Origin) {
        match (origin, self.shared(), &self.windows) {
            (Origin::Shared(source), Some(shared), _) => shared.charge(key, cost, source),
            (Origin::Here, _, Some(windows)) => windows.charge(key, when(moment), cost),
            _ => {}
        }
    }

    /// The most that a request can cost and still pass.
    pub(super) const fn largest(&self) -> u64 {
        self.largest
    }

    pub(super) fn would_refuse(&self) {
        self.noted.would_refuse.fetch_add(1, Ordering::Relaxed);
    }

    fn shared(&self) -> Option<&Arc<SharedLimit>> {
        self.shared.as_ref().map(|shared| &shared.limit)
    }
}

impl Shared {
    /// `before`: what was shared until now, and whether of the same budget. It goes on with its leases where nothing about
    /// how the store is asked has changed, else its share does.
    fn new(
        plan: &RateLimitPlan,
        (sharing, store): (SharingPlan, &RedisStore),
        whole: &Budget,
        (before, same_budget): (Option<&Self>, bool),
    ) -> Self {
        let max_keys = plan.max_keys.get();
        let budget = plan.budget(plan.parts.get()).unwrap_or_else(|| whole.clone());
        let share = continued(before.map(|before| &before.share), budget, max_keys);
        let same = before.filter(|before| {
            let is_asked_alike = before.plan == sharing && before.limit.store().is(store);
            same_budget && is_asked_alike && before.max_keys == max_keys && Arc::ptr_eq(&before.share, &share)
        });
        let limit = same.map(|before| Arc::clone(&before.limit)).unwrap_or_else(|| {
            let mode = if sharing.leased { Mode::Leased } else { Mode::Exact };
            let has_share = plan.smallest().is_some_and(|smallest| smallest >= plan.parts);
            let on_failure = match sharing.on_failure {
                StoreFailure::Open => OnFailure::Open,
                StoreFailure::LocalShare if has_share => OnFailure::LocalShare,
                // A share of nothing lets nothing pass.
                StoreFailure::LocalShare | StoreFailure::Closed => OnFailure::Closed,
            };
            let (whole, share) = (whole.clone(), Arc::clone(&share));
            SharedLimit::with_share(store.clone(), &plan.id, whole, share, mode, on_failure, max_keys)
        });
        Self { limit, share, plan: sharing, max_keys }
    }
}

/// What has counted before, where it counts the same.
fn continued(before: Option<&Arc<KeyedLimiter>>, budget: Budget, max_keys: u32) -> Arc<KeyedLimiter> {
    let before = before.filter(|before| *before.budget() == budget);
    before.map_or_else(|| Arc::new(KeyedLimiter::new(budget, max_keys)), Arc::clone)
}

/// Both clocks: paces count by the one that never goes back, fixed windows are those of UTC as it is now.
const fn when(moment: Moment) -> When {
    When { steady: moment.since_start, utc: moment.utc() }
}
