//! What all workers share: the pipeline in force, and where things are counted.

use crate::pipeline::Pipeline;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use torana_filter::Moment;
use torana_observe::{Metrics, RouteMetrics};
use torana_transport::now;

/// The pipeline in force behind one atomic pointer.
#[derive(Debug)]
pub struct Shared {
    pipeline: ArcSwap<Pipeline>,
    started: Instant,
    pub(crate) metrics: Arc<Metrics>,
    /// Where requests are counted that found no route.
    pub(crate) unrouted: Arc<RouteMetrics>,
}

impl Shared {
    /// Begins with this pipeline.
    #[must_use]
    pub fn new(pipeline: Pipeline, metrics: Arc<Metrics>) -> Arc<Self> {
        let unrouted = metrics.unrouted();
        Arc::new(Self { pipeline: ArcSwap::from_pointee(pipeline), started: now(), metrics, unrouted })
    }

    /// Puts a new pipeline in force for every request that begins from now on. Requests under way end with
    /// the one they began with.
    pub fn replace(&self, pipeline: Pipeline) {
        self.pipeline.store(Arc::new(pipeline));
    }

    /// The pipeline in force.
    #[must_use]
    pub fn pipeline(&self) -> Arc<Pipeline> {
        self.pipeline.load_full()
    }

    /// The pipeline in force, if it is another one than `known`.
    pub(crate) fn changed_from(&self, known: &Arc<Pipeline>) -> Option<Arc<Pipeline>> {
        let latest = self.pipeline.load();
        (!Arc::ptr_eq(&latest, known)).then(|| Arc::clone(&latest))
    }

    /// Both clocks, for a request that began at `start`.
    pub(crate) fn moment(&self, start: Instant) -> Moment {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment { since_start: start.duration_since(self.started), unix_seconds: unix.as_secs() }
    }
}
