//! The breaker of a service: what counts, and the state kept over reloads.

use crate::changes;
use crate::registry::Registry;
use crate::resilience::UpstreamBreaker;
use crate::stale::Stale;
use crate::statuses::Statuses;
use bytes::Bytes;
use std::sync::Arc;
use torana_balance::{Breaker, BreakerSettings, WindowSettings};
use torana_config::written::{BreakerEvent, BreakerOn};
use torana_filters::FixedAnswer;
use torana_http::FieldName;
use torana_plan::BreakerPlan;
use torana_types::{Percent, TimeSpan};

pub(super) fn breaker(
    name: &Arc<str>,
    plan: &BreakerPlan,
    credentials: &Arc<[FieldName]>,
    registry: &mut Registry,
) -> UpstreamBreaker {
    let settings = BreakerSettings {
        failures: plan.failures,
        window: plan.window.as_ref().map(|window| WindowSettings {
            length: window.length.as_duration(),
            minimum_calls: window.minimum,
            failure_percent: Some(window.failure_share.as_percent()),
            slow_percent: window.slow_share.map(Percent::as_percent),
        }),
        open_for: plan.open_for.as_duration(),
        trials: plan.trials,
    };
    let on = |event| plan.on.contains(&BreakerOn::Event(event));
    let statuses = plan.on.iter().filter_map(|on| match on {
        BreakerOn::Status(range) => Some(range),
        BreakerOn::Event(_) => None,
    });
    UpstreamBreaker {
        breaker: registry
            .breakers
            .get_or((Arc::clone(name), settings), || Breaker::told(settings, changes::of_breaker(name))),
        statuses: Statuses::of(statuses),
        connections: on(BreakerEvent::Connection),
        timeouts: on(BreakerEvent::Timeout),
        slow_after: plan.window.as_ref().and_then(|window| window.slow_after).map(TimeSpan::as_duration),
        stale: plan.stale.map(|plan| {
            let key = (Arc::clone(name), plan, Arc::clone(credentials));
            registry.stale.get_or(key, || Stale::new(&plan, Arc::clone(credentials)))
        }),
        fallback: plan.fallback.as_ref().map(|fallback| {
            let body = Bytes::copy_from_slice(&fallback.body);
            FixedAnswer::new(fallback.status, fallback.headers.clone(), body)
        }),
    }
}
