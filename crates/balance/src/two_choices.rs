//! The power of two choices over expected wait.
//!
//! Two distinct endpoints are drawn by weight; the lower cost serves. Cost is peak-sensitive EWMA latency ×
//! (in flight + 1) / weight. Drawing two keeps concurrent pickers from all running to the same best
//! endpoint. An endpoint without recent samples costs nothing while it is idle and more than anything known
//! while it is busy: it gets one probing request at a time until an answer tells, instead of a herd.

use crate::balancer::Endpoint;
use crate::choice;
use crate::rotation::Rotation;

/// Nanoseconds that stand for "unknown and busy": about 31,000 years, above any latency, far from infinity.
const UNKNOWN: f64 = 1e21;

pub(crate) fn pick(
    endpoints: &[Endpoint],
    rotation: &Rotation,
    random: u64,
    now_nanos: u64,
    eligible: impl Fn(usize) -> bool,
) -> Option<usize> {
    let (first, second) = offer(endpoints.len(), rotation, random, eligible)?;
    let cost = |index| cost(endpoints, rotation, index, now_nanos);
    Some(second.filter(|second| cost(*second) < cost(first)).unwrap_or(first))
}

/// The two candidates; one when only one is eligible.
pub(crate) fn offer(
    length: usize,
    rotation: &Rotation,
    random: u64,
    eligible: impl Fn(usize) -> bool,
) -> Option<(usize, Option<usize>)> {
    let total = rotation.total();
    let first = draw(rotation, random, total, None)
        .filter(|first| eligible(*first))
        .or_else(|| choice::by_weight(rotation, choice::remix(random), &eligible, length))?;
    let other = choice::remix(random ^ 0x5851_f42d_4c95_7f2d);
    let second = draw(rotation, other, total.saturating_sub(rotation.weight(first)), Some(first))
        .filter(|second| *second != first && eligible(*second))
        .or_else(|| {
            choice::by_weight(
                rotation,
                choice::remix(other),
                |index| index != first && eligible(index),
                length,
            )
        });
    Some((first, second))
}

/// One endpoint by weight in constant time, leaving out the interval of one already drawn.
fn draw(rotation: &Rotation, random: u64, bound: u32, without: Option<usize>) -> Option<usize> {
    if bound == 0 {
        return None;
    }
    let mut point = u32::try_from(choice::scale(random, u64::from(bound))).ok()?;
    if let Some(drawn) = without.filter(|drawn| point >= rotation.start(*drawn)) {
        point = point.saturating_add(rotation.weight(drawn));
    }
    rotation.at(point)
}

/// The expected wait of one more request, in nanoseconds for each unit of weight.
pub(crate) fn cost(endpoints: &[Endpoint], rotation: &Rotation, index: usize, now_nanos: u64) -> f64 {
    let Some(endpoint) = endpoints.get(index) else { return f64::MAX };
    let in_flight = endpoint.load.in_flight();
    let latency = match endpoint.load.latency_nanos(now_nanos) {
        Some(latency) => latency,
        None if in_flight == 0 => 0.0,
        None => UNKNOWN,
    };
    latency * (f64::from(in_flight) + 1.0) / f64::from(rotation.weight(index).max(1))
}
