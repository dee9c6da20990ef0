//! What is known about one endpoint at this moment, and the guard that counts a request in flight.

use crate::ewma::Ewma;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How fast latency is forgotten unless configured otherwise.
pub const DEFAULT_TIME_CONSTANT: Duration = Duration::from_secs(10);

/// Requests in flight and latency of one endpoint, shared by all workers.
///
/// Keep it by the endpoint's identity (its address within its service), not by its place in a list: it then
/// survives reordering, a refresh from discovery and a reload.
#[derive(Debug)]
pub struct EndpointLoad {
    in_flight: AtomicU32,
    latency: Ewma,
}

impl EndpointLoad {
    /// Nothing in flight, no latency known; latency will be forgotten with this time constant
    /// (after one time constant about a third of an old value is left; zero counts as one nanosecond).
    #[must_use]
    pub fn new(time_constant: Duration) -> Self {
        Self { in_flight: AtomicU32::new(0), latency: Ewma::new(time_constant) }
    }

    /// Requests begun and not yet ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The average latency in nanoseconds, decayed to `now_nanos`; `None` when nothing recent is known.
    #[must_use]
    pub fn latency_nanos(&self, now_nanos: u64) -> Option<f64> {
        self.latency.read(now_nanos)
    }

    /// Adds a latency sample without a guard (an active health check may).
    pub fn record(&self, latency_nanos: u64, now_nanos: u64) {
        self.latency.record(latency_nanos, now_nanos);
    }

    /// Counts one request in flight for as long as the guard lives.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { load: Arc::clone(self) }
    }
}

impl Default for EndpointLoad {
    fn default() -> Self {
        Self::new(DEFAULT_TIME_CONSTANT)
    }
}

/// One request in flight. Dropping it ends the count, however the request ended: answered, failed or
/// cancelled by the client.
#[derive(Debug)]
#[must_use = "the request counts as in flight only while the guard lives"]
pub struct InFlight {
    load: Arc<EndpointLoad>,
}

impl InFlight {
    /// Records the latency of an answer and ends the count.
    pub fn complete(self, latency_nanos: u64, now_nanos: u64) {
        self.load.record(latency_nanos, now_nanos);
    }

    /// Records the latency (to the first byte, say) while the request stays in flight.
    pub fn record(&self, latency_nanos: u64, now_nanos: u64) {
        self.load.record(latency_nanos, now_nanos);
    }

    /// Records that nobody waits for the answer any more, which would have taken longer.
    pub fn record_at_least(&self, latency_nanos: u64, now_nanos: u64) {
        self.load.latency.record_at_least(latency_nanos, now_nanos);
    }

    /// The endpoint that serves this request.
    #[must_use]
    pub const fn load(&self) -> &Arc<EndpointLoad> {
        &self.load
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.load.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
