//! The services at this moment, for people: who serves, who does not and why.

use crate::changes;
use crate::shared::Shared;
use crate::upstream::Upstream;
use serde_json::{Map, Value, json};
use torana_transport::{nanos_since_start, now};

/// Every service with its endpoints, breaker and retries, as JSON.
#[must_use]
pub fn services(shared: &Shared) -> Value {
    // This thread may not have looked at the clock for long.
    let _ = now();
    let pipeline = shared.pipeline();
    let services = pipeline.upstreams.iter();
    Value::Object(services.map(|upstream| (upstream.name.to_string(), service(upstream))).collect())
}

/// Puts the endpoints of that authority back into service; whether there are any whose health is kept.
#[must_use]
pub fn restore(shared: &Shared, service: &str, authority: &str) -> bool {
    let _ = now();
    let pipeline = shared.pipeline();
    let named = pipeline.upstreams.iter().find(|upstream| &*upstream.name == service);
    let Some((upstream, health)) = named.and_then(|upstream| Some((upstream, upstream.health.as_ref()?)))
    else {
        return false;
    };
    let mut found = false;
    for (endpoint, (state, _)) in upstream.endpoints.iter().zip(&health.panel.endpoints) {
        if endpoint.authority == authority {
            state.restore(nanos_since_start());
            found = true;
        }
    }
    found
}

fn service(upstream: &Upstream) -> Value {
    let mut shown = Map::new();
    if let Some(rules) = &upstream.breaker {
        let breaker = &rules.breaker;
        shown.insert(
            "breaker".into(),
            json!({
                "state": breaker.state().label(),
                "refused": breaker.refused(),
                "since": breaker.last_change().map(|change| changes::time(change.at_nanos)),
                "why": breaker.last_change().map(|change| change.why.to_string()),
            }),
        );
        if let Some(stale) = &rules.stale {
            let (bytes, answers) = stale.usage();
            shown.insert(
                "stale".into(),
                json!({ "answers": answers, "bytes": bytes, "given": stale.given() }),
            );
        }
    }
    if let Some(budget) = &upstream.retries.budget {
        let retries =
            json!({ "active": budget.active(), "granted": budget.granted(), "refused": budget.refused() });
        shown.insert("retries".into(), retries);
    }
    if let Some(hedge) = &upstream.retries.hedge {
        let [(taken, first), (not_taken, second)] = hedge.counts.read();
        shown.insert("hedges".into(), json!({ taken: first, not_taken: second }));
    }
    let endpoints = (0..upstream.endpoints.len()).filter_map(|index| endpoint(upstream, index));
    shown.insert("endpoints".into(), endpoints.collect());
    Value::Object(shown)
}

fn endpoint(upstream: &Upstream, index: usize) -> Option<Value> {
    let endpoint = upstream.endpoints.get(index)?;
    let balanced = upstream.balancer.endpoints().get(index)?;
    let usage = &endpoint.endpoint.usage;
    let mut shown = Map::new();
    shown.insert("endpoint".into(), endpoint.authority.clone().into());
    shown.insert("weight".into(), balanced.weight.into());
    shown.insert("in_flight".into(), balanced.load.in_flight().into());
    shown.insert(
        "connections".into(),
        json!({ "open": usage.open(), "idle": usage.idle(), "waiting": usage.waiting() }),
    );
    let Some(health) = &upstream.health else { return Some(shown.into()) };
    if let Some((state, _)) = health.panel.endpoints.get(index) {
        let out = health.panel.out_of(index, nanos_since_start());
        shown.insert("in_service".into(), out.is_none().into());
        if let Some(why) = out {
            shown.insert("why".into(), why.label().into());
        }
        if let Some(change) = state.last_change() {
            let change = json!({ "at": changes::time(change.at_nanos), "why": change.why.to_string() });
            shown.insert("last_change".into(), change);
        }
        shown.insert("ejections".into(), state.ejections().into());
    }
    if let Some(prober) = health.probers.get(index) {
        let (succeeded, failed) = prober.counts();
        let probes =
            json!({ "succeeded": succeeded, "failed": failed, "last_failure": prober.last_failure() });
        shown.insert("probes".into(), probes);
    }
    Some(shown.into())
}
