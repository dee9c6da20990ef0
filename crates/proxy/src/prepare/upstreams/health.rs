//! The health of a service's endpoints: states kept over reloads, and a prober for each.

use super::super::PrepareError;
use super::tls;
use crate::changes;
use crate::probing::Prober;
use crate::registry::{Reached, Registry};
use crate::resilience::UpstreamHealth;
use crate::statuses::Statuses;
use std::sync::Arc;
use tokio::sync::Semaphore;
use torana_balance::{Calm, EjectionSettings, EndpointHealth, Panel, Thresholds};
use torana_config::written::{EjectionConfig, FailuresConfig};
use torana_plan::{HealthPlan, ProbeTlsPlan, ServicePlan};
use torana_transport::{Endpoint, nanos_since_start};
use torana_types::TimeSpan;

/// An endpoint as it is asked.
pub(super) struct Asked {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) authority: String,
    pub(super) reached: Reached,
}

/// `endpoints`: in the order of the plan. `known`: the service was there before.
///
/// # Errors
/// TLS of the probes cannot be prepared.
pub(super) fn health(
    service: &ServicePlan,
    plan: &HealthPlan,
    endpoints: &[Asked],
    known: bool,
    registry: &mut Registry,
) -> Result<UpstreamHealth, PrepareError> {
    let name = &service.name;
    let alarm = registry.alarms.get_or(Arc::clone(name), Default::default);
    let mut watched = Vec::with_capacity(endpoints.len());
    let mut probers = Vec::new();
    for (planned, Asked { endpoint, authority, reached }) in service.endpoints.iter().zip(endpoints) {
        let key = (Arc::clone(name), endpoint.address.clone());
        let since = if known { nanos_since_start().max(1) } else { 0 };
        let health = registry.health.get(&key).unwrap_or_else(|| {
            let made = EndpointHealth::told(Arc::clone(&alarm), since, changes::of_endpoint(name, authority));
            registry.health.keep(key.clone(), &made);
            made
        });
        if let Some(probes) = &plan.probes {
            let key = (key.0, authority.clone(), Arc::clone(probes), reached.clone());
            let prober = match registry.probers.get(&key) {
                Some(prober) => prober,
                None => {
                    let secured = match &probes.tls {
                        ProbeTlsPlan::AsRequests => endpoint.tls.clone(),
                        ProbeTlsPlan::Off => None,
                        ProbeTlsPlan::Own(own) => {
                            Some(tls::of_probes(own, probes.kind, service, &planned.url, registry)?)
                        }
                    };
                    let chores = registry.chores();
                    let made = Prober::new(probes, endpoint, secured, authority, &health, chores);
                    let rooms = (Arc::clone(name), Arc::clone(probes));
                    let room = probes.at_once.map(|most| {
                        registry.probe_rooms.get_or(rooms, || Semaphore::new(most.get() as usize))
                    });
                    let made = Arc::new(made.within(room));
                    registry.probers.keep(key, &made);
                    made
                }
            };
            probers.push(prober);
        }
        watched.push((health, planned.weight));
    }
    Ok(UpstreamHealth {
        panel: Panel {
            endpoints: watched.into(),
            alarm,
            calm: Calm::default(),
            probed: plan.probes.is_some(),
            ejection: plan.ejection.as_ref().map(ejection),
            panic_percent: plan.panic_below.as_percent(),
            minimum_percent: plan.down_at.as_percent(),
            slow_start: plan.slow_start.as_duration(),
        },
        bad: plan.ejection.as_ref().map(|ejection| Statuses::of(&ejection.bad)).unwrap_or_default(),
        good: plan.ejection.as_ref().map(|ejection| Statuses::of(&ejection.good)).unwrap_or_default(),
        probers,
    })
}

fn ejection(config: &EjectionConfig) -> EjectionSettings {
    EjectionSettings {
        thresholds: thresholds(config.failures.each(), 0),
        eject_for: config.eject_for.on().copied().map(TimeSpan::as_duration),
        at_most: config.at_most.as_duration(),
        max_percent: config.max_share.as_percent(),
    }
}

pub(crate) const fn thresholds(failures: FailuresConfig, successes: u8) -> Thresholds {
    let FailuresConfig { statuses, connections, timeouts } = failures;
    Thresholds { successes, statuses, connects: connections, timeouts }
}
