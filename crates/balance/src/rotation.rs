//! A weighted rotation without state: turn number in, endpoint out.
//!
//! Every endpoint owns an interval of the integers below the total weight `W`, as long as its weight. Turn
//! `n` falls on the point `n·s mod W`, with a step `s` that is coprime to `W`. Because `s` is coprime, any
//! `W` consecutive turns visit every point once: **each endpoint gets exactly its weight in any `W`
//! consecutive turns**. Because `s/W` is close to the golden ratio (more precisely: because the continued
//! fraction of `s/W` has small partial quotients), consecutive points spread evenly over every interval
//! (Weyl's equidistribution; Ostrowski bounds the deviation from the ideal share by the sum of the partial
//! quotients, that is by the logarithm of `W`; the tests hold it below 6 turns for all they try, of totals up
//! to 24,000), so heavy
//! endpoints do not get bursts and light ones do not starve.
//!
//! Trade-off: nginx's smooth weighted round robin and deadline scheduling stay within one turn of the ideal,
//! but need a lock or a scan of all endpoints for each pick, or a schedule as long as `W` (65 million
//! entries for a thousand endpoints of weight 65,535). This is one atomic increment, two divisions and a
//! binary search, in memory proportional to the list.

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    /// Reduced weights, in the order of the list.
    weights: Box<[u32]>,
    /// Where each interval ends (exclusive); equal to its predecessor for weight 0.
    ends: Box<[u32]>,
    total: u32,
    step: u32,
}

/// Candidates tried for the step; more would gain nothing measurable.
const STEP_CANDIDATES: usize = 256;
/// 1/φ, the number hardest to approximate by fractions.
const GOLDEN: f64 = 0.618_033_988_749_895;

impl Rotation {
    /// Weights are reduced by their greatest common divisor. Should their sum still exceed 2³² they are
    /// scaled down, none below 1, which changes shares by less than one part in 2³¹.
    pub(crate) fn new(weights: impl Iterator<Item = u32>) -> Self {
        let weights = reduce(weights.collect());
        let mut total: u32 = 0;
        let ends = weights
            .iter()
            .map(|weight| {
                total = total.saturating_add(*weight);
                total
            })
            .collect();
        Self { step: choose_step(total), weights: weights.into(), ends, total }
    }

    /// The sum of the reduced weights; 0 when no endpoint serves.
    pub(crate) const fn total(&self) -> u32 {
        self.total
    }

    /// The reduced weight of an endpoint; 0 beyond the list.
    pub(crate) fn weight(&self, index: usize) -> u32 {
        self.weights.get(index).copied().unwrap_or(0)
    }

    /// Where an endpoint's interval begins.
    pub(crate) fn start(&self, index: usize) -> u32 {
        self.ends.get(index).map_or(self.total, |end| end.saturating_sub(self.weight(index)))
    }

    /// The point (below the total) on which a turn falls; `None` when no endpoint serves.
    pub(crate) fn point(&self, turn: u64) -> Option<u32> {
        let total = u64::from(self.total);
        let folded = turn.checked_rem(total)?;
        // Both factors are below 2³².
        folded
            .wrapping_mul(u64::from(self.step))
            .checked_rem(total)
            .and_then(|point| u32::try_from(point).ok())
    }

    /// The endpoint whose interval holds the point.
    pub(crate) fn at(&self, point: u32) -> Option<usize> {
        let index = self.ends.partition_point(|end| *end <= point);
        (index < self.ends.len()).then_some(index)
    }
}

fn reduce(mut weights: Vec<u32>) -> Vec<u32> {
    let divisor = weights.iter().fold(0, |divisor, weight| greatest_common_divisor(divisor, *weight));
    for weight in &mut weights {
        *weight = weight.checked_div(divisor).unwrap_or(0);
    }
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if sum > u64::from(u32::MAX) {
        for weight in weights.iter_mut().filter(|weight| **weight > 0) {
            let scaled = (u64::from(*weight) << 31).checked_div(sum).unwrap_or(0);
            *weight = u32::try_from(scaled.max(1)).unwrap_or(u32::MAX);
        }
    }
    weights
}

/// The coprime step near the golden section whose continued fraction has the smallest sum.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.618 of a u32 is within a u32")]
fn choose_step(total: u32) -> u32 {
    let middle = (f64::from(total) * GOLDEN).round() as u32;
    let below = (1..=middle).rev();
    let above = middle.saturating_add(1)..total;
    let mut best = (u64::MAX, 1);
    for step in interleave(below, above)
        .filter(|step| greatest_common_divisor(*step, total) == 1)
        .take(STEP_CANDIDATES)
    {
        // Of equally good steps the one nearest to the golden section stays.
        let sum = partial_quotients(step, total);
        if sum < best.0 {
            best = (sum, step);
        }
    }
    best.1
}

fn interleave(
    mut below: impl Iterator<Item = u32>,
    mut above: impl Iterator<Item = u32>,
) -> impl Iterator<Item = u32> {
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        if turn { below.next().or_else(|| above.next()) } else { above.next().or_else(|| below.next()) }
    })
}

/// The sum of the partial quotients of the continued fraction of `step / total`.
fn partial_quotients(step: u32, total: u32) -> u64 {
    let (mut larger, mut smaller, mut sum) = (total, step, 0_u64);
    while let (Some(quotient), Some(rest)) = (larger.checked_div(smaller), larger.checked_rem(smaller)) {
        sum = sum.saturating_add(u64::from(quotient));
        (larger, smaller) = (smaller, rest);
    }
    sum
}

fn greatest_common_divisor(left: u32, right: u32) -> u32 {
    let (mut larger, mut smaller) = (left, right);
    while let Some(rest) = larger.checked_rem(smaller) {
        (larger, smaller) = (smaller, rest);
    }
    larger
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sequence(weights: &[u32]) -> (Rotation, Vec<usize>) {
        let rotation = Rotation::new(weights.iter().copied());
        let turns = (0..u64::from(rotation.total()))
            .map(|turn| rotation.at(rotation.point(turn).unwrap()).unwrap())
            .collect();
        (rotation, turns)
    }

    /// The largest distance between what an endpoint has got after any number of turns and its ideal share,
    /// and the longest wait of an endpoint in multiples of its ideal interval.
    fn smoothness(weights: &[u32]) -> (f64, f64) {
        let (rotation, turns) = sequence(weights);
        let total = f64::from(rotation.total());
        let mut deviation: f64 = 0.0;
        let mut wait: f64 = 0.0;
        for index in 0..weights.len().min(50) {
            let share = f64::from(rotation.weight(index)) / total;
            if share == 0.0 {
                continue;
            }
            let (mut got, mut last) = (0.0, 0_usize);
            for (turn, picked) in turns.iter().chain(turns.iter()).enumerate() {
                if *picked == index {
                    got += 1.0;
                    wait = wait.max((turn - last) as f64 * share);
                    last = turn;
                }
                deviation = deviation.max((got - (turn + 1) as f64 * share).abs());
            }
        }
        (deviation, wait)
    }

    #[test]
    fn small_weights_are_interleaved() {
        assert_eq!(sequence(&[1, 1, 1]).1.len(), 3);
        let letters = |weights: &[u32]| -> String {
            sequence(weights).1.iter().map(|index| ['a', 'b', 'c'][*index]).collect()
        };
        assert_eq!(letters(&[50, 50]), "ab");
        assert_eq!(letters(&[3, 1]), "abaa");
        assert_eq!(letters(&[5, 1, 1]), "aaabaca");
    }

    #[test]
    fn huge_lists_and_weights_need_no_schedule() {
        let rotation = Rotation::new((0..1_000).map(|index| 65_535 - index % 2));
        assert_eq!(rotation.total(), 65_534_500);
        let mut counts = vec![0_u32; 1_000];
        for turn in 0..100_000 {
            counts[rotation.at(rotation.point(turn).unwrap()).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (97..=103).contains(count)), "{counts:?}");
        let rotation = Rotation::new([u32::MAX, u32::MAX - 1, 0, 1].into_iter());
        assert!(rotation.weight(3) == 1 && rotation.weight(2) == 0);
        assert!(rotation.point(u64::MAX).is_some());
    }

    #[test]
    fn nothing_to_rotate_gives_nothing() {
        assert_eq!(Rotation::new([].into_iter()).point(7), None);
        assert_eq!(Rotation::new([0, 0].into_iter()).point(7), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_window_of_one_cycle_is_exact(
            weights in prop::collection::vec(0_u32..200, 1..12), offset in any::<u64>(),
        ) {
            let rotation = Rotation::new(weights.iter().copied());
            let mut counts = vec![0_u32; weights.len()];
            let offset = offset >> 1;
            for turn in offset..offset + u64::from(rotation.total()) {
                counts[rotation.at(rotation.point(turn).unwrap()).unwrap()] += 1;
            }
            let reduced: Vec<u32> = (0..weights.len()).map(|index| rotation.weight(index)).collect();
            prop_assert_eq!(counts, reduced);
        }

        #[test]
        fn no_burst_and_no_starvation(weights in prop::collection::vec(0_u32..3_000, 2..8)) {
            let (deviation, wait) = smoothness(&weights);
            prop_assert!(deviation < 6.0, "deviation {} of {:?}", deviation, weights);
            prop_assert!(wait < 6.0, "wait {} of {:?}", wait, weights);
        }
    }
}
