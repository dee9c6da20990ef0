//! What else happens to a route's requests.

use super::routes::timeouts;
use super::upstreams::affinity::key_source;
use crate::registry::Registry;
use crate::traffic::{Arm, Faults, Mirror, Split, Traffic};
use std::sync::Arc;
use torana_observe::Metrics;
use torana_plan::{Plan, RoutePlan};

pub(super) fn traffic(
    route: &RoutePlan,
    plan: &Plan,
    registry: &mut Registry,
    metrics: &Arc<Metrics>,
) -> Traffic {
    let planned = &route.traffic;
    let split = planned.split.as_ref().map(|split| Split {
        by: split.by.iter().map(key_source).collect(),
        arms: split
            .arms
            .iter()
            .map(|arm| Arm {
                upstream: arm.service.index(),
                identity: torana_balance::hash(
                    plan.service(arm.service).map_or(&[][..], |service| service.name.as_bytes()),
                ),
                share: arm.share,
                timeouts: timeouts(&arm.timeouts),
                metrics: metrics.route(&route.name, plan.service(arm.service).map(|service| &*service.name)),
            })
            .collect(),
    });
    let mirror = planned.mirror.as_ref().map(|mirror| Mirror {
        upstream: mirror.service.index(),
        share: mirror.config.share,
        body: mirror.config.body.as_u64(),
        at_once: mirror.config.at_once,
        timeout: mirror.config.timeout.as_duration(),
        counts: registry.mirrors.get_or(Arc::clone(&route.name), Default::default),
    });
    let faults = planned.faults.as_ref().map(|faults| Faults {
        delay: faults.delay.as_ref().map(|delay| (delay.time.as_duration(), delay.share)),
        abort: faults.abort.as_ref().map(|abort| (abort.status, abort.share)),
        header: faults.header.clone(),
    });
    Traffic { split, mirror, faults }
}
