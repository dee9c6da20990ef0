//! Which endpoint takes a try.

use super::{Call, nanos_since_start};
use crate::upstream::Upstream;
use torana_balance::{Survey, Tried};
use torana_fault::{Fault, Reason};

/// The endpoint for a try, if one is left. `word` is random, or the hash of the request's key.
pub(super) fn endpoint(call: &Call<'_>, word: u64, tried: &Tried) -> Option<usize> {
    let upstream = call.upstream;
    let balancer = &upstream.balancer;
    let now = nanos_since_start();
    let Some(health) = &upstream.health else {
        return balancer.pick(word, now, tried, |_| false);
    };
    let panel = &health.panel;
    match panel.survey(|| now) {
        Survey::Quiet | Survey::Panic => balancer.pick(word, now, tried, |_| false),
        Survey::Mixed => balancer
            .pick(word, now, tried, |index| !panel.serves(index, now, call.random))
            .or_else(|| balancer.pick(word, now, tried, |index| !panel.is_in(index, now))),
        Survey::Down => None,
    }
}

/// Why there is no endpoint, in words for the log.
pub(super) fn nobody(upstream: &Upstream) -> Fault {
    let endpoints = upstream.balancer.endpoints();
    let drained = endpoints.iter().filter(|endpoint| endpoint.weight == 0).count();
    let (failing, ejected) =
        upstream.health.as_ref().map_or((0, 0), |health| health.panel.out(nanos_since_start()));
    let all = endpoints.len();
    Fault::new(Reason::NoEndpoint).because(format!(
        "of {all} endpoints {failing} fail their probes, {ejected} are ejected and {drained} have weight 0"
    ))
}
