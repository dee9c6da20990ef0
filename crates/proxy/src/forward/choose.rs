//! Which endpoint takes a try.

use crate::upstream::Upstream;
use torana_balance::{Survey, Tried};
use torana_fault::{Fault, Reason};
use torana_transport::nanos_since_start;
use torana_types::counted;

/// By what an endpoint is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// For the balancer: random, or the hash of the request's key.
    pub(crate) word: u64,
    /// Random, the same for all tries of a request.
    pub(crate) random: u64,
    /// The endpoint that the client has had.
    pub(crate) preferred: Option<usize>,
}

/// The endpoint for a try, if one is left.
///
/// In this order: the endpoint that the client has had; those of the own zone, while enough of it is in
/// service; any in service, those that start slowly with their part of the requests; any in service. While health
/// is ignored zones are, too: how much of the own one is in service is part of it.
pub(crate) fn endpoint(upstream: &Upstream, by: Word, tried: &Tried) -> Option<usize> {
    let word = by.word;
    let balancer = &upstream.balancer;
    let now = nanos_since_start();
    let survey = upstream.health.as_ref().map_or(Survey::Quiet, |health| health.panel.survey(|| now));
    if survey == Survey::Down {
        return None;
    }
    let mixed = upstream.health.as_ref().filter(|_| survey == Survey::Mixed).map(|health| &health.panel);
    let is_in = |index: usize| mixed.is_none_or(|panel| panel.is_in(index, now));
    if let Some(preferred) = by.preferred.filter(|index| !tried.contains(*index) && is_in(*index)) {
        return Some(preferred);
    }
    let serves = |index: usize| mixed.is_none_or(|panel| panel.serves(index, now, by.random));
    if let Some(zones) = upstream.zones.as_ref().filter(|_| survey != Survey::Panic)
        && zones.is_enough(balancer.endpoints(), is_in)
    {
        let near = balancer.pick(word, now, tried, |index| !zones.is_local(index) || !serves(index));
        if near.is_some() {
            return near;
        }
    }
    let picked = balancer.pick(word, now, tried, |index| !serves(index));
    if picked.is_some() || mixed.is_none() {
        return picked;
    }
    balancer.pick(word, now, tried, |index| !is_in(index))
}

/// The endpoint for another try of a request that all in service have failed: one that is ejected for a time may have come
/// back since.
pub(crate) fn resting(upstream: &Upstream, by: Word, tried: &Tried) -> Option<usize> {
    let panel = &upstream.health.as_ref()?.panel;
    let now = nanos_since_start();
    // Whether anybody serves is not for a request to say.
    (panel.survey(|| now) == Survey::Mixed).then_some(())?;
    upstream.balancer.pick(by.word, now, tried, |index| !panel.is_resting(index, now))
}

/// Why there is no endpoint, in words for the log.
pub(crate) fn nobody(upstream: &Upstream) -> Fault {
    let endpoints = upstream.balancer.endpoints();
    let drained = endpoints.iter().filter(|endpoint| endpoint.weight == 0).count();
    let (failing, ejected) =
        upstream.health.as_ref().map_or((0, 0), |health| health.panel.out(nanos_since_start()));
    let all = endpoints.len();
    let mut why = format!(
        "of {}: {failing} with failing probes, {ejected} ejected, {drained} of weight 0",
        counted(all, "endpoint")
    );
    let probers = upstream.health.iter().flat_map(|health| &health.probers);
    if let Some(last) = probers.filter_map(|prober| prober.last_failure()).next() {
        why.push_str("; a probe failed: ");
        why.push_str(&last);
    }
    Fault::new(Reason::NoEndpoint).because(why)
}
