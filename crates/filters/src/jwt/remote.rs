//! Keys that are fetched: what is known of them, and what is still wanted.
//!
//! Requests read the keys that are in force without waiting. They wait in two cases only, each bounded: when
//! no keys were ever fetched, and when no known key fits a token and asking again is allowed. The
//! last good keys stay in force for as long as they cannot be fetched again, and for requests under way when their
//! configuration is no longer in force and nobody fetches them any more.
//!
//! Fetching itself is a chore of the proxy; it hands its outcome in by [`RemoteKeys::store`].

use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, watch};
use torana_credential::jose::KeySet;
use torana_plan::RemoteKeysPlan;
use torana_types::ResourceUrl;

/// Keys that are fetched.
#[derive(Debug)]
pub struct RemoteKeys {
    plan: RemoteKeysPlan,
    current: ArcSwapOption<Fetched>,
    generation: AtomicU64,
    /// What tells who fetches when to: nobody when a configuration is only looked at, or was replaced.
    fetcher: ArcSwapOption<Notify>,
    /// How many attempts have ended.
    attempts: watch::Sender<u64>,
    last: Mutex<Last>,
}

/// What discovery found besides the keys.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// The issuer, as it calls itself.
    pub issuer: Arc<str>,
    /// Where callers log in; `None` where it offers no login.
    pub places: Option<Arc<Places>>,
}

/// Where a provider has callers log in (OpenID Connect Discovery 1.0 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The issuer, as it calls itself.
    pub issuer: Arc<str>,
    /// Where browsers are sent to log in.
    pub authorization: ResourceUrl,
    /// Where tokens are asked for.
    pub token: ResourceUrl,
    /// Where browsers are sent to log out.
    pub end_session: Option<ResourceUrl>,
    /// Whether browsers always come back with its name (RFC 9207).
    pub names_issuer: bool,
}

#[derive(Debug)]
struct Fetched {
    discovered: Option<Discovered>,
    keys: Arc<KeySet>,
}

#[derive(Debug, Default)]
struct Last {
    ended: Option<Instant>,
    error: Option<String>,
    usage: KeysUsage,
}

/// How fetching goes, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysUsage {
    /// When the keys in force were fetched; `None`: none ever were.
    pub fetched: Option<SystemTime>,
    /// Attempts that have failed.
    pub failures: u64,
}

impl RemoteKeys {
    /// Keys of which nothing is known yet.
    #[must_use]
    pub fn new(plan: &RemoteKeysPlan) -> Self {
        Self {
            plan: plan.clone(),
            current: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            fetcher: ArcSwapOption::empty(),
            attempts: watch::Sender::new(0),
            last: Mutex::default(),
        }
    }

    /// The keys of the same place, fetched in another way: the last good ones of before stay in force until there are newer.
    #[must_use]
    pub fn after(plan: &RemoteKeysPlan, before: &Self) -> Self {
        let keys = Self::new(plan);
        // Read before the keys, as in `current`.
        keys.generation.store(before.generation(), Ordering::Release);
        keys.current.store(before.current.load_full());
        let usage = before.usage();
        keys.last.lock().unwrap_or_else(PoisonError::into_inner).usage = usage;
        keys
    }

    /// Whether what is fetched there is what would be fetched by that plan.
    #[must_use]
    pub fn are_those_of(&self, plan: &RemoteKeysPlan) -> bool {
        let source = |plan: &RemoteKeysPlan| (plan.url.clone(), plan.discovery, plan.algorithms.clone());
        source(&self.plan) == source(plan)
    }

    /// Where they are and how they are fetched.
    #[must_use]
    pub const fn plan(&self) -> &RemoteKeysPlan {
        &self.plan
    }

    /// Says that somebody fetches from now on; gives what tells when to. `None` where somebody does already.
    pub fn begin(&self) -> Option<Arc<Notify>> {
        if self.fetcher.load().is_some() {
            return None;
        }
        let wanted = Arc::<Notify>::default();
        self.fetcher.store(Some(Arc::clone(&wanted)));
        Some(wanted)
    }

    /// Says that nobody fetches any more. What is on its way may still be stored.
    pub fn end(&self) {
        if let Some(fetcher) = self.fetcher.swap(None) {
            // It looks, finds that it is not the one that fetches, and ends.
            fetcher.notify_one();
        }
    }

    /// Who fetches, as [`RemoteKeys::begin`] gave it.
    pub fn fetcher(&self) -> Option<Arc<Notify>> {
        self.fetcher.load_full()
    }

    /// Takes the outcome of an attempt: the keys with the issuer that they were found by, or why not.
    pub fn store(&self, outcome: Result<(KeySet, Option<Discovered>), String>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.ended = Some(Instant::now());
        match outcome {
            Ok((keys, discovered)) => {
                last.error = None;
                last.usage.fetched = Some(SystemTime::now());
                let fetched = Fetched { discovered, keys: Arc::new(keys) };
                self.current.store(Some(Arc::new(fetched)));
                self.generation.fetch_add(1, Ordering::AcqRel);
            }
            Err(error) => {
                last.error = Some(error);
                last.usage.failures = last.usage.failures.saturating_add(1);
            }
        }
        drop(last);
        self.attempts.send_modify(|attempts| *attempts = attempts.wrapping_add(1));
    }

    /// How fetching has gone.
    pub fn usage(&self) -> KeysUsage {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).usage
    }

    /// Changes with every set of keys that was fetched.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The issuer that discovery found.
    pub(super) fn issuer(&self) -> Option<Arc<str>> {
        self.current
            .load()
            .as_ref()
            .and_then(|fetched| Some(Arc::clone(&fetched.discovered.as_ref()?.issuer)))
    }

    /// Where callers log in, if discovery found that.
    pub(crate) fn places(&self) -> Option<Arc<Places>> {
        self.current.load().as_ref().and_then(|fetched| fetched.discovered.as_ref()?.places.clone())
    }

    /// The keys in force, and their generation.
    pub(super) fn current(&self) -> Option<(u64, Arc<KeySet>)> {
        // Read before the keys: keys that come in between only look older than they are.
        let generation = self.generation();
        self.current.load().as_ref().map(|fetched| (generation, Arc::clone(&fetched.keys)))
    }

    /// The keys in force; where none were ever fetched, those of the first attempt that ends now.
    pub(crate) async fn current_or_first(&self) -> Result<(u64, Arc<KeySet>), String> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        if self.may_ask() {
            self.attempt().await;
        }
        self.current().ok_or_else(|| {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.error.clone().unwrap_or_else(|| "no answer yet".into())
        })
    }

    /// Keys that are newer than those of a generation, fetched now if that is allowed.
    ///
    /// # Errors
    /// There may be newer ones: the last attempt to fetch them failed, and why, or has not ended.
    pub(super) async fn newer_than(&self, generation: u64) -> Result<Option<(u64, Arc<KeySet>)>, String> {
        let ended = self.generation() != generation || !self.may_ask() || self.attempt().await;
        if let Some(newer) = self.current().filter(|(current, _)| *current != generation) {
            return Ok(Some(newer));
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &last.error {
            Some(error) => Err(error.clone()),
            None if !ended => Err("no answer in time".into()),
            None => Ok(None),
        }
    }

    /// Whether the last attempt ended long enough ago, or none has ended.
    fn may_ask(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let cooldown = if self.generation() == 0 {
            // Nobody can be let in at all: the chore's own pace holds, and requests join it.
            self.plan.cooldown.as_duration().min(Duration::from_secs(1))
        } else {
            self.plan.cooldown.as_duration()
        };
        self.fetcher.load().is_some() && last.ended.is_none_or(|ended| ended.elapsed() >= cooldown)
    }

    /// Asks for an attempt and waits until one has ended, bounded by what an attempt may take. Whether one has.
    async fn attempt(&self) -> bool {
        let mut attempts = self.attempts.subscribe();
        if let Some(fetcher) = &*self.fetcher.load() {
            fetcher.notify_one();
        }
        let patience = self.plan.timeout.as_duration().saturating_add(Duration::from_millis(200));
        tokio::time::timeout(patience, attempts.changed()).await.is_ok()
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        self.end();
    }
}
