//! What the admin pages see.

use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use torana_admin::{Changed, Control, Permission, Readiness};
use torana_observe::Metrics;
use torana_proxy::{Chores, Reset, Shared, limits, one_limit, overload, reset_limit, services};
use torana_types::Secret;
use tracing::info;

/// What a reload did not change although the file did.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) needs_restart: Vec<&'static str>,
}

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

/// Shared with the admin listener.
#[derive(Debug)]
pub(super) struct State {
    phase: AtomicU8,
    configuration: Mutex<(u64, Value)>,
    pub(super) metrics: Arc<Metrics>,
    shared: Weak<Shared>,
    chores: Chores,
    token: Mutex<Option<Secret>>,
}

impl State {
    pub(super) fn new(metrics: Arc<Metrics>, shared: Weak<Shared>, chores: Chores) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(STARTING),
            configuration: Mutex::default(),
            metrics,
            shared,
            chores,
            token: Mutex::default(),
        })
    }

    pub(super) fn ready(&self) {
        self.phase.store(READY, Ordering::Release);
    }

    pub(super) fn draining(&self) {
        self.phase.store(DRAINING, Ordering::Release);
    }

    /// A configuration came into force.
    pub(super) fn configured(&self, redacted: Value, token: Option<&Secret>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token.cloned();
        let mut known = self.configuration.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (known.0.saturating_add(1), redacted);
        self.metrics.reloads().succeeded();
    }
}

impl Control for State {
    fn readiness(&self) -> Readiness {
        match self.phase.load(Ordering::Acquire) {
            READY => Readiness::Ready,
            STARTING => Readiness::NotReady("starting"),
            _ => Readiness::NotReady("draining"),
        }
    }

    fn configuration(&self) -> String {
        let known = self.configuration.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = format!("{:#}", json!({ "generation": known.0, "configuration": known.1 }));
        text.push('\n');
        text
    }

    fn services(&self) -> String {
        let services = self.shared.upgrade().map(|shared| services(&shared)).unwrap_or_default();
        let mut text = format!("{services:#}");
        text.push('\n');
        text
    }

    fn limits(&self) -> String {
        let shown = self.shared.upgrade().map(|shared| limits(&shared)).unwrap_or_default();
        format!("{shown:#}\n")
    }

    fn limit(&self, id: &str) -> Option<String> {
        let shown = one_limit(&*self.shared.upgrade()?, id)?;
        Some(format!("{shown:#}\n"))
    }

    fn may_change(&self, token: Option<&str>) -> Permission {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, token) {
            (None, _) => Permission::Nobody,
            // Compared in the same time whatever the first difference is.
            (Some(known), Some(shown)) if *known == Secret::new(shown) => Permission::Granted,
            _ => Permission::Wrong,
        }
    }

    fn reset_limit<'a>(&'a self, id: &'a str) -> Pin<Box<dyn Future<Output = Changed> + Send + 'a>> {
        Box::pin(async move {
            let Some(shared) = self.shared.upgrade() else { return Changed::Unknown };
            let reset = reset_limit(&shared, &self.chores, id).await;
            info!("the limit {id} was reset by an administrator: {reset:?}");
            match reset {
                Reset::Done => Changed::Done,
                Reset::Unknown => Changed::Unknown,
                Reset::StoreAway => Changed::StoreAway,
            }
        })
    }

    fn overload(&self) -> String {
        let shown = self.shared.upgrade().map(|shared| overload(&shared)).unwrap_or_default();
        let mut text = format!("{shown:#}");
        text.push('\n');
        text
    }

    fn metrics(&self) -> String {
        with_allocations(self.metrics.render())
    }
}

#[cfg(not(feature = "count-allocations"))]
const fn with_allocations(page: String) -> String {
    page
}

/// The page of a build that counts allocations.
#[cfg(feature = "count-allocations")]
fn with_allocations(page: String) -> String {
    let stats = stats_alloc::INSTRUMENTED_SYSTEM.stats();
    let count = stats.allocations.saturating_add(stats.reallocations);
    page.replace(
        "# EOF",
        &format!("# TYPE torana_allocations counter\ntorana_allocations_total {count}\n# EOF"),
    )
}
