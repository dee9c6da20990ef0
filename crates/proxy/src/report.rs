//! Numbers of pools, endpoints and limits, for the metrics page.

use crate::shared::Shared;
use crate::upstream::Upstream;
use std::sync::Weak;
use torana_observe::{Samples, Source, names};

/// Reads what the pipeline in force holds.
#[derive(Debug)]
pub struct Report(Weak<Shared>);

impl Report {
    /// A report on `shared`, for as long as that lives.
    #[must_use]
    pub const fn new(shared: Weak<Shared>) -> Self {
        Self(shared)
    }
}

#[allow(clippy::cast_precision_loss, reason = "the text format has doubles")]
impl Source for Report {
    fn collect(&self, samples: &mut Samples) {
        let Some(shared) = self.0.upgrade() else { return };
        let pipeline = shared.pipeline();
        for upstream in &pipeline.upstreams {
            guards(upstream, samples);
            for (endpoint, balanced) in upstream.endpoints.iter().zip(upstream.balancer.endpoints()) {
                let usage = &endpoint.endpoint.usage;
                let labels = [("service", &*upstream.name), ("endpoint", endpoint.authority.as_str())];
                samples.add(names::POOL_OPEN, &labels, usage.open() as f64);
                samples.add(names::POOL_IDLE, &labels, usage.idle() as f64);
                samples.add(names::POOL_WAITING, &labels, usage.waiting() as f64);
                samples.add(names::POOL_CREATED, &labels, usage.created() as f64);
                samples.add(names::POOL_REUSED, &labels, usage.reused() as f64);
                samples.add(names::ENDPOINT_IN_FLIGHT, &labels, f64::from(balanced.load.in_flight()));
            }
        }
        for limiter in &pipeline.limiters {
            let usage = limiter.state.usage();
            let labels = [("limit", &*limiter.id)];
            samples.add(names::LIMITER_KEYS, &labels, usage.keys as f64);
            samples.add(names::LIMITER_ALLOWED, &labels, usage.allowed as f64);
            samples.add(names::LIMITER_DENIED, &labels, usage.denied as f64);
            samples.add(names::LIMITER_OVERFLOW, &labels, usage.overflow as f64);
        }
    }
}

/// What guards a service.
fn guards(upstream: &Upstream, samples: &mut Samples) {
    let labels = [("service", &*upstream.name)];
    if let Some(budget) = &upstream.retries.budget {
        samples.add(names::RETRIES_ACTIVE, &labels, f64::from(budget.active()));
        samples.add(names::RETRIES, &labels, number(budget.granted()));
        samples.add(names::RETRIES_REFUSED, &labels, number(budget.refused()));
    }
}

#[allow(clippy::cast_precision_loss, reason = "the text format has doubles")]
const fn number(count: u64) -> f64 {
    count as f64
}
