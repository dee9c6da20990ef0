//! What the admin pages see.

use serde_json::{Map, Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use torana_admin::{Changed, Control, Permission, Readiness};
use torana_observe::Metrics;
use torana_proxy::{Chores, Reset, Shared, limits, one_limit, overload, reset_limit, restore, services};
use torana_types::Secret;
use tracing::{info, warn};

/// What a reload did not change although the file did.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) needs_restart: Vec<&'static str>,
}

/// What brings the rest of a changed file into force.
const NOT_IN_FORCE: &str = "an upgrade (SIGUSR2) or a restart brings what is not in force";

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

/// The configuration in force.
#[derive(Debug, Default)]
struct Known {
    generation: u64,
    written: Value,
    /// Where clients connect, as URLs with real ports.
    listening: Vec<String>,
    /// What the file says by now and a successor will do.
    waiting: Map<String, Value>,
}

/// Shared with the admin listener.
#[derive(Debug)]
pub(super) struct State {
    phase: AtomicU8,
    configuration: Mutex<Known>,
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

    /// A configuration came into force, all but these keys: they stay as they are until a successor takes
    /// over.
    pub(super) fn configured(
        &self,
        mut written: Value,
        listening: Vec<String>,
        fixed: &[&'static str],
        token: Option<&Secret>,
    ) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token.cloned();
        let mut known = self.configuration.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = Map::new();
        if let Some(members) = written.as_object_mut() {
            for key in fixed {
                waiting.insert((*key).to_owned(), members.remove(*key).unwrap_or_default());
                if let Some(before) = known.written.get(*key) {
                    members.insert((*key).to_owned(), before.clone());
                }
            }
        }
        let generation = known.generation.saturating_add(1);
        *known = Known { generation, written, listening, waiting };
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
        let mut page = json!({
            "generation": known.generation,
            "listening": known.listening,
            "configuration": known.written,
        });
        if let Some(page) = page.as_object_mut().filter(|_| !known.waiting.is_empty()) {
            page.insert("not_in_force".into(), known.waiting.clone().into());
            page.insert("help".into(), NOT_IN_FORCE.into());
        }
        let mut text = format!("{page:#}");
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

    fn restore(&self, service: &str, endpoint: &str) -> bool {
        let restored = self.shared.upgrade().is_some_and(|shared| restore(&shared, service, endpoint));
        if restored {
            info!("an administrator has put {endpoint} of {service} back into service");
        }
        restored
    }

    fn reset_limit<'a>(&'a self, id: &'a str) -> Pin<Box<dyn Future<Output = Changed> + Send + 'a>> {
        Box::pin(async move {
            let Some(shared) = self.shared.upgrade() else { return Changed::Unknown };
            let reset = reset_limit(&shared, &self.chores, id).await;
            match reset {
                Reset::Done => {
                    info!("an administrator has reset the limit {id}");
                    Changed::Done
                }
                Reset::Unknown => {
                    info!("an administrator wanted to reset the limit {id}, which there is not");
                    Changed::Unknown
                }
                Reset::StoreAway => {
                    warn!("an administrator has reset the limit {id} here, but the store did not answer");
                    Changed::StoreAway
                }
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
