//! Numbers of pools, endpoints and limits, for the metrics page.

use crate::key_fetching;
use crate::shared::Shared;
use crate::upstream::Upstream;
use std::sync::Weak;
use torana_balance::BreakerState;
use torana_observe::{Samples, Source, names};
use torana_transport::{Usage, nanos_since_start, now};

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
        // This thread may not have looked at the clock for long.
        let _ = now();
        let held = Usage::now();
        samples.add(names::REQUESTS_IN_FLIGHT, &[], held.requests as f64);
        samples.add(names::BUFFERS_LENT, &[], held.buffers as f64);
        let pipeline = shared.pipeline();
        shared.handshakes.collect(samples);
        shared.overload.collect(samples);
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
                samples.add(names::POOL_LOST, &labels, number(usage.lost()));
                for (cause, count) in usage.broken() {
                    let [service, endpoint] = labels;
                    samples.add(names::POOL_BROKEN, &[service, endpoint, ("cause", cause)], number(count));
                }
                samples.add(names::ENDPOINT_IN_FLIGHT, &labels, f64::from(balanced.load.in_flight()));
            }
        }
        key_fetching::collect(&pipeline, samples);
        for route in &pipeline.routes {
            let Some(mirror) = &route.traffic.mirror else { continue };
            for (result, count) in mirror.counts.read() {
                let labels = [("route", &*route.name), ("result", result)];
                samples.add(names::MIRRORED, &labels, number(count));
            }
        }
        for limiter in &pipeline.limiters {
            let usage = limiter.state.usage();
            let labels = [("limit", &*limiter.id)];
            samples.add(names::LIMITER_KEYS, &labels, usage.keys as f64);
            samples.add(names::LIMITER_ALLOWED, &labels, usage.allowed as f64);
            samples.add(names::LIMITER_DENIED, &labels, usage.denied as f64);
            samples.add(names::LIMITER_OVERFLOW, &labels, usage.overflow as f64);
            samples.add(names::LIMITER_WOULD_REFUSE, &labels, usage.would_refuse as f64);
            samples.add(names::LIMITER_UNDER_WAY, &labels, usage.under_way as f64);
            samples.add(names::LIMITER_WITHOUT_STORE, &labels, usage.without_store as f64);
        }
        if let Some(store) = &pipeline.store {
            let usage = store.usage();
            samples.add(names::STORE_QUESTIONS, &[], usage.questions as f64);
            samples.add(names::STORE_FAILURES, &[], usage.failures as f64);
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
    if let Some(hedge) = &upstream.retries.hedge {
        for (result, count) in hedge.counts.read() {
            let labels = [("service", &*upstream.name), ("result", result)];
            samples.add(names::HEDGES, &labels, number(count));
        }
    }
    if let Some(limit) = &upstream.adaptive {
        samples.add(names::ADAPTIVE_LIMIT, &labels, f64::from(limit.limit()));
        samples.add(names::ADAPTIVE_UNDER_WAY, &labels, f64::from(limit.under_way()));
        samples.add(names::ADAPTIVE_REFUSED, &labels, number(limit.refused()));
    }
    if let Some(rules) = &upstream.breaker {
        for state in BreakerState::ALL {
            let now = f64::from(u8::from(rules.breaker.state() == state));
            samples.add(names::BREAKER_STATE, &[("service", &*upstream.name), ("state", state.label())], now);
            let entered = number(rules.breaker.entered(state));
            samples.add(
                names::BREAKER_TRANSITIONS,
                &[("service", &*upstream.name), ("to", state.label())],
                entered,
            );
        }
        samples.add(names::BREAKER_REFUSED, &labels, number(rules.breaker.refused()));
        if let Some(stale) = &rules.stale {
            samples.add(names::BREAKER_STALE, &labels, number(stale.given()));
            samples.add(names::BREAKER_STALE_BYTES, &labels, number(stale.usage().0 as u64));
        }
    }
    health(upstream, samples);
}

/// What guards its endpoints.
fn health(upstream: &Upstream, samples: &mut Samples) {
    let Some(health) = &upstream.health else { return };
    let now = nanos_since_start();
    for (index, (endpoint, (state, _))) in upstream.endpoints.iter().zip(&health.panel.endpoints).enumerate()
    {
        let labels = [("service", &*upstream.name), ("endpoint", endpoint.authority.as_str())];
        let serves = f64::from(u8::from(health.panel.is_in(index, now)));
        samples.add(names::ENDPOINT_IN_SERVICE, &labels, serves);
        samples.add(names::ENDPOINT_EJECTIONS, &labels, number(state.ejections()));
    }
    for (endpoint, prober) in upstream.endpoints.iter().zip(&health.probers) {
        let (succeeded, failed) = prober.counts();
        for (result, count) in [("ok", succeeded), ("failed", failed)] {
            let labels =
                [("service", &*upstream.name), ("endpoint", endpoint.authority.as_str()), ("result", result)];
            samples.add(names::PROBES, &labels, number(count));
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "the text format has doubles")]
const fn number(count: u64) -> f64 {
    count as f64
}
