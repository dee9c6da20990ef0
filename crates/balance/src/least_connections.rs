//! Least connections, weighted.
//!
//! Idle endpoints rank equal and before all busy ones; busy ones rank by `(in flight + 1) / weight`. Ties
//! share by weight, walked by the shared turn, so that sequential traffic to idle endpoints is a smooth
//! weighted rotation and not a burst on the first of the list. One scan finds the best rank, a second one
//! the winner among its ties: a lock-free scan costs about a nanosecond an endpoint, which for the lists a
//! service has is less than any index kept in order by all workers.

use crate::balancer::Endpoint;
use crate::rotation::Rotation;
use crate::turn::Turn;
use std::cmp::Ordering;

/// Orders endpoints by load; the lesser serves.
#[derive(Clone, Copy)]
struct Rank {
    in_flight: u32,
    weight: u32,
}

impl Rank {
    fn compare(self, other: Self) -> Ordering {
        match (self.in_flight, other.in_flight) {
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Less,
            (_, 0) => Ordering::Greater,
            // a/b < c/d as a·d < c·b; 33 bits times 32 bits fit a u128 with room.
            _ => self.cross(other.weight).cmp(&other.cross(self.weight)),
        }
    }

    fn cross(self, weight: u32) -> u128 {
        u128::from(self.in_flight).saturating_add(1).saturating_mul(u128::from(weight))
    }
}

pub(crate) fn pick(
    endpoints: &[Endpoint],
    rotation: &Rotation,
    turn: &Turn,
    eligible: impl Fn(usize) -> bool,
) -> Option<usize> {
    let rank = |index: usize, endpoint: &Endpoint| {
        let weight = rotation.weight(index);
        (weight > 0 && eligible(index)).then(|| Rank { in_flight: endpoint.load.in_flight(), weight })
    };
    let (mut best, mut first, mut tied) = (None::<Rank>, None, 0_u64);
    let mut alone = true;
    for (index, endpoint) in endpoints.iter().enumerate() {
        let Some(candidate) = rank(index, endpoint) else { continue };
        match best.map_or(Ordering::Less, |best| candidate.compare(best)) {
            Ordering::Less => {
                (best, first, tied, alone) =
                    (Some(candidate), Some(index), u64::from(candidate.weight), true);
            }
            Ordering::Equal => (tied, alone) = (tied.saturating_add(u64::from(candidate.weight)), false),
            Ordering::Greater => {}
        }
    }
    let best = best?;
    if alone {
        return first;
    }
    // The turn's point, scaled from the whole rotation to the tied part of it.
    let point = u64::from(rotation.point(turn.take())?);
    let mut rest = point.saturating_mul(tied).checked_div(u64::from(rotation.total()))?;
    for (index, endpoint) in endpoints.iter().enumerate() {
        let Some(candidate) = rank(index, endpoint) else { continue };
        // Counts move between the scans: whoever is now at most as loaded as the best was still serves well.
        if candidate.compare(best) == Ordering::Greater {
            continue;
        }
        match rest.checked_sub(u64::from(candidate.weight)) {
            Some(less) => rest = less,
            None => return Some(index),
        }
    }
    first
}
