//! What all workers share: the pipeline in force, and where things are counted.

use crate::handshakes::Handshakes;
use crate::key_fetching;
use crate::overload::Overload;
use crate::pipeline::Pipeline;
use crate::probing;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use torana_filter::Moment;
use torana_observe::{Metrics, RouteMetrics};
use torana_transport::{nanos_since_start, now};

/// The pipeline in force behind one atomic pointer.
#[derive(Debug)]
pub struct Shared {
    pipeline: ArcSwap<Pipeline>,
    started: Instant,
    /// When that was by the wall clock, as far as it is known.
    epoch: AtomicU64,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) handshakes: Handshakes,
    pub(crate) overload: Overload,
    /// Where requests are counted that found no route.
    pub(crate) unrouted: Arc<RouteMetrics>,
}

impl Shared {
    /// Begins with this pipeline.
    #[must_use]
    pub fn new(pipeline: Pipeline, metrics: Arc<Metrics>) -> Arc<Self> {
        let unrouted = metrics.unrouted();
        let overload = Overload::new(&pipeline.overload);
        probing::take_over(None, &pipeline);
        key_fetching::take_over(None, &pipeline);
        let (pipeline, started) = (ArcSwap::from_pointee(pipeline), now());
        Arc::new(Self {
            pipeline,
            started,
            epoch: AtomicU64::new(epoch(started)),
            metrics,
            handshakes: Handshakes::default(),
            overload,
            unrouted,
        })
    }

    /// Puts a new pipeline in force for every request that begins from now on. Requests under way end with
    /// the one they began with.
    pub fn replace(&self, pipeline: Pipeline) {
        self.overload.apply(&pipeline.overload);
        let pipeline = Arc::new(pipeline);
        let before = self.pipeline.swap(Arc::clone(&pipeline));
        probing::take_over(Some(&before), &pipeline);
        key_fetching::take_over(Some(&before), &pipeline);
        pipeline.limiters.iter().for_each(|limiter| limiter.state.take_over());
        let _ = now();
        for health in pipeline.upstreams.iter().filter_map(|upstream| upstream.health.as_ref()) {
            health.panel.take_over(nanos_since_start());
        }
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
        let since_start = start.duration_since(self.started);
        let unix = Duration::from_nanos(self.epoch.load(Ordering::Relaxed)).saturating_add(since_start);
        Moment { since_start, unix_seconds: unix.as_secs(), unix_nanos: unix.subsec_nanos() }
    }

    /// Looks at the wall clock, which people may set while the process runs. Each worker does once a second,
    /// so that no request has to.
    pub(crate) fn look_at_the_wall(&self) {
        self.epoch.store(epoch(self.started), Ordering::Relaxed);
    }
}

/// Nanoseconds from 1970-01-01 UTC to `started`.
fn epoch(started: Instant) -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let at_start = unix.saturating_sub(now().duration_since(started));
    u64::try_from(at_start.as_nanos()).unwrap_or(u64::MAX)
}
