//! What guards a service, beside its balancer: prepared once, its state kept over reloads.

use crate::probing::Prober;
use crate::stale::Stale;
use crate::statuses::Statuses;
use std::sync::Arc;
use std::time::Duration;
use torana_balance::{Breaker, Endpoint, Panel};
use torana_filters::FixedAnswer;

/// A service's breaker, and what counts for it.
#[derive(Debug)]
pub struct UpstreamBreaker {
    /// The state, shared by all routes and workers.
    pub breaker: Arc<Breaker>,
    /// Answers that count as failures.
    pub statuses: Statuses,
    /// Whether connections that fail or break count.
    pub connections: bool,
    /// Whether timeouts count.
    pub timeouts: bool,
    /// From which time to the first byte an answer counts as slow.
    pub slow_after: Option<Duration>,
    /// Answers that are kept, and given while it refuses.
    pub stale: Option<Arc<Stale>>,
    /// What is answered while it refuses, instead of a fault, where no kept answer is.
    pub fallback: Option<FixedAnswer>,
}

/// The health of a service's endpoints, and which answers say what about it.
#[derive(Debug)]
pub struct UpstreamHealth {
    /// The endpoints, in the order of the balancer's.
    pub panel: Panel,
    /// Answers that speak against an endpoint.
    pub bad: Statuses,
    /// Answers that speak for it.
    pub good: Statuses,
    /// Who asks the endpoints, in their order; nobody without probes.
    pub probers: Vec<Arc<Prober>>,
}

/// Which endpoints are in the gateway's own zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zones {
    /// By the balancer's indices; some are and some are not.
    pub local: Box<[bool]>,
    /// With less than this percent of the zone's weight in service all zones are asked.
    pub at_least_percent: u32,
}

impl Zones {
    /// Whether an endpoint is in the own zone.
    pub(crate) fn is_local(&self, index: usize) -> bool {
        self.local.get(index).copied().unwrap_or(false)
    }

    /// Whether enough of the own zone is in service.
    pub(crate) fn is_enough(&self, endpoints: &[Endpoint], is_in: impl Fn(usize) -> bool) -> bool {
        let (mut all, mut serving) = (0_u64, 0_u64);
        for (index, endpoint) in endpoints.iter().enumerate().filter(|(index, _)| self.is_local(*index)) {
            let weight = u64::from(endpoint.weight);
            all = all.saturating_add(weight);
            serving = serving.saturating_add(if is_in(index) { weight } else { 0 });
        }
        serving > 0 && serving.saturating_mul(100) >= all.saturating_mul(u64::from(self.at_least_percent))
    }
}
