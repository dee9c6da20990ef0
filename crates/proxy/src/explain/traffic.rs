//! What splits, mirrors and faults would do to a request, in words. What is drawn by chance is said as such; what
//! the request itself decides is decided by the code that serves.

use crate::affinity::key;
use crate::pipeline::{Pipeline, Route};
use crate::request_id::RequestIds;
use crate::traffic::Split;
use torana_filter::Exchange;

/// The service that gets the request, where that is certain, else the route's own; and a line for each thing
/// that may happen.
pub(super) fn describe(
    pipeline: &Pipeline,
    route: &Route,
    own: usize,
    exchange: &Exchange,
) -> (usize, Vec<String>) {
    let name = |upstream: usize| pipeline.upstreams.get(upstream).map_or("?", |service| &*service.name);
    let mut lines = Vec::new();
    let mut upstream = own;
    if let Some(split) = &route.traffic.split {
        let arms: Vec<String> =
            split.arms.iter().map(|arm| format!("{} to {}", arm.share, name(arm.upstream))).collect();
        let decided = decided(split, exchange);
        upstream = decided.flatten().unwrap_or(own);
        let by = match decided {
            Some(_) => format!("what this request carries decides for {}", name(upstream)),
            None => "drawn by chance".to_owned(),
        };
        lines.push(format!("split: {}, the rest to {}; {by}", arms.join(", "), name(own)));
    }
    if let Some(mirror) = &route.traffic.mirror {
        lines.push(format!("mirror: {} copied to {}", mirror.share, name(mirror.upstream)));
    }
    if let Some(faults) = &route.traffic.faults {
        let lacks = faults.header.as_ref().filter(|name| !exchange.request.fields.contains(name.as_str()));
        let delay = faults.delay.map(|(time, share)| format!("{share} delayed by {} ms", time.as_millis()));
        let abort = faults.abort.map(|(status, share)| format!("{share} answered {status}"));
        let all: Vec<String> = [delay, abort].into_iter().flatten().collect();
        let none = lacks.map(|name| format!("; not this request, which lacks {name}"));
        lines.push(format!("faults: {}{}", all.join(", "), none.unwrap_or_default()));
    }
    (upstream, lines)
}

/// `Some` when the request itself decides: for another service, or for the route's own.
fn decided(split: &Split, exchange: &Exchange) -> Option<Option<usize>> {
    let ids = RequestIds::default();
    let key = key(&split.by, exchange, || ids.next());
    // A cookie that is to be set has been drawn.
    (key.hash.is_some() && key.set_cookie.is_none())
        .then(|| split.choose(exchange, &ids).0.map(|arm| arm.upstream))
}
