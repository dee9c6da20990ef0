//! Ring hash (ketama): every endpoint owns points on a ring, a key goes to the next point clockwise.
//!
//! An endpoint has about 160 points times its weight over the mean weight, each the xxHash64 of the
//! endpoint's identity and the point's number. Removing an endpoint moves only the keys that were its own;
//! so does ejecting one, because the walk goes on to the next point whose endpoint may serve. Source: Karger
//! et al., "Consistent Hashing and Random Trees" (STOC 1997); Jones, libketama. Trade-off: shares deviate by
//! some percent (about 1/√160); [`crate::Algorithm::Maglev`] is more even and moves a few more keys.

use crate::hash::hash_numbered;

/// Points of an endpoint of mean weight.
const POINTS: u64 = 160;
/// Points on the whole ring at most; with more endpoints each has fewer.
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
        let total: u64 = endpoints.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let serving = endpoints.iter().filter(|(_, weight)| *weight > 0).count() as u64;
        let all = serving.saturating_mul(POINTS).min(MOST);
        let mut points = Vec::new();
        for (index, (identity, weight)) in (0_u32..).zip(&endpoints).filter(|(_, (_, weight))| *weight > 0) {
            let share = u128::from(all).saturating_mul(u128::from(*weight)).checked_div(u128::from(total));
            let count = share.and_then(|share| u64::try_from(share).ok()).unwrap_or(0).max(1);
            points.extend((0..count).map(|number| (hash_numbered(*identity, number), index)));
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
