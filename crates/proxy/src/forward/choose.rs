//! Which endpoint takes a try.

use crate::upstream::{Upstream, UpstreamEndpoint};
use torana_balance::{Survey, Tried};
use torana_fault::{Fault, Reason};
use torana_transport::nanos_since_start;
use torana_types::counted;

/// By what an endpoint is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    /// For the balancer: random, or the hash of what it goes by.
    pub(crate) key: u64,
    /// Random, the same for all tries of a request.
    pub(crate) random: u64,
    /// The endpoint that the client has had.
    pub(crate) preferred: Option<usize>,
}

impl By {
    /// By chance alone.
    pub(crate) const fn chance(random: u64) -> Self {
        Self { key: random, random, preferred: None }
    }
}

/// The endpoint for a try and its index, if one is left.
pub(crate) fn pick<'a>(
    upstream: &'a Upstream,
    by: By,
    tried: &Tried,
) -> Option<(usize, &'a UpstreamEndpoint)> {
    at(upstream, serving(upstream, by, tried)?)
}

/// The endpoint for another try of a request that all in service have failed: one that is ejected for a time may have come
/// back since.
pub(crate) fn pick_resting<'a>(
    upstream: &'a Upstream,
    by: By,
    tried: &Tried,
) -> Option<(usize, &'a UpstreamEndpoint)> {
    let panel = &upstream.health.as_ref()?.panel;
    let now = nanos_since_start();
    // Whether anybody serves is not for a request to say.
    (panel.survey(|| now) == Survey::Mixed).then_some(())?;
    at(upstream, upstream.balancer.pick(by.key, now, tried, |index| !panel.is_resting(index, now))?)
}

fn at(upstream: &Upstream, index: usize) -> Option<(usize, &UpstreamEndpoint)> {
    Some((index, upstream.endpoints.get(index)?))
}

/// The index of one in service, in this order: the endpoint that the client has had; those of the own zone, while enough
/// of it is in service; any in service, those that start slowly with their part of the requests; any in service. While
/// health is ignored zones are, too: how much of the own one is in service is part of it.
fn serving(upstream: &Upstream, by: By, tried: &Tried) -> Option<usize> {
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
        let near = balancer.pick(by.key, now, tried, |index| !zones.is_local(index) || !serves(index));
        if near.is_some() {
            return near;
        }
    }
    let picked = balancer.pick(by.key, now, tried, |index| !serves(index));
    if picked.is_some() || mixed.is_none() {
        return picked;
    }
    balancer.pick(by.key, now, tried, |index| !is_in(index))
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
