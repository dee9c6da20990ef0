//! Ring hash (ketama): every endpoint owns points on a ring, a key goes to the next point clockwise.
//!
//! An endpoint has 160 points for each unit of its weight, each the xxHash64 of the endpoint's identity and the
//! point's number. They depend on nothing but itself, so an endpoint that comes, leaves or gets another weight
//! moves only keys to itself or from itself; so does ejecting one, because the walk goes on to the next point
//! whose endpoint may serve. Source: Karger et al., "Consistent Hashing and Random Trees" (STOC 1997); Jones,
//! libketama. Trade-off: shares deviate by some percent (about 1/√160); [`crate::Algorithm::Maglev`] is more even
//! and moves a few more keys.
//!
//! Memory has a bound, and there the others come in: while the heaviest endpoint would have more than 1,280 points,
//! or all together more than 2²⁰, every endpoint has half as many. So as long as the heaviest weight stays between
//! the same two of 8, 16, 32 and so on nothing else moves; where it leaves them about half of all keys do. Equal
//! weights, whatever they are, are not affected by how many endpoints there are, up to 819 at least.

use crate::hash::hash_numbered;

/// Points for a unit of weight.
const POINTS: u64 = 160;
/// Points of one endpoint at most.
const HEAVIEST: u64 = 8 * POINTS;
/// Points on the whole ring at most, not counting that each endpoint has one.
const MOST: u64 = 1 << 20;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// Where each point is, ascending, and whose it is.
    points: Box<[(u64, u32)]>,
}

impl Ring {
    /// A ring of endpoints, by identity and weight.
    pub(crate) fn new(endpoints: impl Iterator<Item = (u64, u32)>) -> Self {
        let endpoints: Vec<(u64, u32)> = endpoints.collect();
        let halvings = halvings(&endpoints);
        let mut points = Vec::new();
        for (index, (identity, weight)) in (0_u32..).zip(&endpoints).filter(|(_, (_, weight))| *weight > 0) {
            let numbers = 0..points_of(*weight, halvings);
            points.extend(numbers.map(|number| (hash_numbered(*identity, number), index)));
        }
        points.sort_unstable();
        Self { points: points.into() }
    }

    /// The endpoint for a hash: the next one clockwise that may serve.
    pub(crate) fn find(&self, hash: u64, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.points.partition_point(|(point, _)| *point < hash);
        let (before, after) = self.points.split_at_checked(start)?;
        let mut refused = None;
        for (_, index) in after.iter().chain(before) {
            if refused == Some(*index) {
                continue;
            }
            let candidate = usize::try_from(*index).ok()?;
            if eligible(candidate) {
                return Some(candidate);
            }
            refused = Some(*index);
        }
        None
    }
}

/// How many points an endpoint has, one at least.
fn points_of(weight: u32, halvings: u32) -> u64 {
    u64::from(weight).saturating_mul(POINTS).checked_shr(halvings).unwrap_or(0).max(1)
}

/// How often the points of all are halved for the bounds to hold.
fn halvings(endpoints: &[(u64, u32)]) -> u32 {
    let weights = || endpoints.iter().map(|(_, weight)| *weight).filter(|weight| *weight > 0);
    let heaviest = weights().max().unwrap_or(0);
    let exceeds = |halvings: u32| {
        let all = weights().map(|weight| points_of(weight, halvings).saturating_sub(1));
        points_of(heaviest, halvings) > HEAVIEST || all.fold(0_u64, u64::saturating_add) > MOST
    };
    // After so many an endpoint of any weight has one.
    (0..u64::BITS).find(|halvings| !exceeds(*halvings)).unwrap_or(u64::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_by_weight_alone_until_the_heaviest_has_too_many() {
        let of = |weights: &[u32]| {
            let list: Vec<_> = (0..).zip(weights.iter().copied()).collect();
            let halvings = halvings(&list);
            weights.iter().map(|weight| points_of(*weight, halvings)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[1, 2, 8]), [160, 320, 1_280]);
        assert_eq!(of(&[1, 2, 9]), [80, 160, 720]);
        assert_eq!(of(&[100, 100, 50]), [1_000, 1_000, 500]);
        assert_eq!(of(&[1, 65_535]), [1, 1_279]);
        assert_eq!(of(&[u32::MAX]).len(), 1);
    }

    #[test]
    fn memory_is_bounded_whatever_the_list() {
        let points = |weights: &mut dyn Iterator<Item = u32>| Ring::new((0..).zip(weights)).points.len();
        assert_eq!(points(&mut std::iter::repeat_n(1, 6_000)), 960_000);
        assert_eq!(points(&mut std::iter::repeat_n(16, 819)), 819 * 1_280, "as many as fit");
        assert!(points(&mut std::iter::repeat_n(1, 10_000)) <= 1_048_576 + 10_000);
        assert!(points(&mut (0..3_000).map(|index| index * 20)) <= 1_048_576 + 3_000);
    }
}
