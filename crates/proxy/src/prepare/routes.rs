//! Routes: filters and action.

use super::filters::{Limiters, filter};
use super::traffic::traffic;
use crate::demands::Demands;
use crate::pipeline::{Action, Route};
use crate::registry::Registry;
use crate::upstream::UpstreamTimeouts;
use bytes::Bytes;
use std::sync::Arc;
use torana_filters::{Echo, EchoPlace, FixedAnswer};
use torana_observe::Metrics;
use torana_plan::{Action as Planned, Plan, RoutePlan};

pub(super) fn route(
    planned: &RoutePlan,
    demands: Demands,
    plan: &Plan,
    registry: &mut Registry,
    metrics: &Arc<Metrics>,
    limiters: &mut Limiters,
) -> Route {
    let service = match &planned.action {
        Planned::Forward { service, .. } => plan.service(*service).map(|service| &*service.name),
        Planned::Respond { .. } | Planned::Echo { .. } => None,
    };
    Route {
        metrics: metrics.route(&planned.name, service),
        traffic: traffic(planned, plan, registry, metrics),
        name: Arc::clone(&planned.name),
        importance: super::overload::importance(planned.importance),
        demands,
        exact: planned.matching.path.is_exact(),
        filters: planned
            .policies
            .iter()
            .enumerate()
            .map(|(position, policy)| filter(&policy.policy, planned, position, service, registry, limiters))
            .collect(),
        action: action(&planned.action, || echo_place(planned, None)),
    }
}

/// Deadlines as the data plane has them.
pub(super) fn timeouts(planned: &torana_plan::UpstreamTimeouts) -> UpstreamTimeouts {
    UpstreamTimeouts {
        first_byte: planned.first_byte.as_duration(),
        idle: planned.idle.as_duration(),
        total: planned.total.map(torana_types::TimeSpan::as_duration),
        tunnel: planned.tunnel.as_duration(),
    }
}

/// Where requests are answered that are shown.
pub(super) fn echo_place(planned: &RoutePlan, service: Option<&str>) -> EchoPlace {
    EchoPlace {
        route: Arc::clone(&planned.name),
        path: planned.matching.path.clone(),
        service: service.map(Arc::from),
    }
}

fn action(planned: &Planned, place: impl FnOnce() -> EchoPlace) -> Action {
    match planned {
        Planned::Forward { service, strip_prefix, timeouts } => Action::Forward {
            upstream: service.index(),
            strip_prefix: strip_prefix.clone(),
            timeouts: self::timeouts(timeouts),
        },
        Planned::Echo { status, headers, message } => {
            Action::Echo(Echo::new(*status, headers.clone(), Some(Arc::clone(message)), place()))
        }
        Planned::Respond { status, headers, body } => {
            Action::Respond(FixedAnswer::new(*status, headers.clone(), Bytes::copy_from_slice(body)))
        }
    }
}
