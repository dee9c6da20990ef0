//! What decides where requests of a service go, besides the balancer.

use crate::affinity::{KeySource, Sticky};
use crate::resilience::Zones;
use std::sync::Arc;
use torana_plan::{HashKeyPlan, ServicePlan, StickyPlan};

/// `HttpOnly`, because no script has a use for it.
const ATTRIBUTES: &str = "; HttpOnly; SameSite=Lax";

pub(crate) fn key_source(plan: &HashKeyPlan) -> KeySource {
    match plan {
        HashKeyPlan::Address => KeySource::Address,
        HashKeyPlan::Consumer => KeySource::Consumer,
        HashKeyPlan::Path => KeySource::Path,
        HashKeyPlan::Header(name) => KeySource::Header(name.clone()),
        HashKeyPlan::Cookie { name, path } => {
            KeySource::Cookie { name: name.clone(), attributes: format!("; Path={path}{ATTRIBUTES}") }
        }
        HashKeyPlan::Argument(name) => KeySource::Argument(name.clone()),
        HashKeyPlan::Segment(number) => KeySource::Segment(usize::from(*number)),
    }
}

pub(super) fn sticky(service: &Arc<str>, plan: &StickyPlan) -> Sticky {
    let keep = plan.keep.map(|keep| format!("; Max-Age={}", keep.as_millis() / 1_000)).unwrap_or_default();
    let attributes = format!("; Path={}{keep}{ATTRIBUTES}", plan.path);
    Sticky::new(plan.cookie.clone(), plan.secret.clone(), Arc::clone(service), attributes)
}

pub(super) fn zones(service: &ServicePlan) -> Option<Zones> {
    let zone = service.balance.zone.as_ref()?;
    let local = service.endpoints.iter().map(|endpoint| endpoint.zone.as_ref() == Some(&zone.own));
    let local: Box<[bool]> = local.collect();
    // Where all or none are in the zone there is nothing to prefer.
    let mixed = local.contains(&true) && local.contains(&false);
    mixed.then(|| Zones { local, at_least_percent: zone.at_least.as_percent() })
}
