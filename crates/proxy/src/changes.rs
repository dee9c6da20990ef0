//! Lines in the log when a breaker or an endpoint changes sides: who, from what, to what, why. One line for each
//! change, however many requests meet it, written by whoever made it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};
use torana_balance::{BreakerChange, BreakerState, Changes, HealthChange, Out};
use torana_transport::nanos_since_start;
use tracing::{info, warn};

/// Tells of a service's breaker.
pub(crate) fn of_breaker(service: &Arc<str>) -> Changes<BreakerChange> {
    let service = Arc::clone(service);
    Changes::told_to(move |change: &BreakerChange| {
        let (from, to, why) = (change.from.label(), change.to.label(), change.why);
        if change.to == BreakerState::Open {
            warn!(%service, from, to, "the breaker has opened: {why}");
        } else {
            info!(%service, from, to, "the breaker has changed: {why}");
        }
    })
}

/// Tells of an endpoint of a service.
pub(crate) fn of_endpoint(service: &Arc<str>, endpoint: &str) -> Changes<HealthChange> {
    let (service, endpoint) = (Arc::clone(service), endpoint.to_owned());
    Changes::told_to(move |change: &HealthChange| {
        let state = |out: Option<Out>| match out {
            None => "in service",
            Some(Out::Probes) => "failing",
            Some(Out::Ejected) => "ejected",
        };
        let (from, to, why) = (state(change.from), state(change.to), change.why);
        if change.to.is_some() {
            warn!(%service, %endpoint, from, to, "the endpoint is out of service: {why}");
        } else {
            info!(%service, %endpoint, from, to, "the endpoint is in service again: {why}");
        }
    })
}

/// A moment in RFC 3339, to the second.
pub(crate) fn time(at_nanos: u64) -> String {
    let ago = Duration::from_nanos(nanos_since_start().saturating_sub(at_nanos));
    let now = SystemTime::now();
    humantime::format_rfc3339_seconds(now.checked_sub(ago).unwrap_or(now)).to_string()
}
