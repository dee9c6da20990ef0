//! A draw by weight among the endpoints that may serve, by one scan.

use crate::rotation::Rotation;

/// Draws an endpoint with a chance in proportion to its weight; `None` when none is eligible.
///
/// Two passes over the list. An endpoint may become ineligible between them (ejection is concurrent): the
/// draw then falls on another one that was eligible in the second pass.
pub(crate) fn by_weight(
    rotation: &Rotation,
    random: u64,
    eligible: impl Fn(usize) -> bool,
    length: usize,
) -> Option<usize> {
    let weight = |index: &usize| u64::from(rotation.weight(*index));
    let total: u64 = (0..length).filter(|index| eligible(*index)).map(|index| weight(&index)).sum();
    let mut rest = scale(random, total);
    let mut last = None;
    for index in (0..length).filter(|index| rotation.weight(*index) > 0 && eligible(*index)) {
        last = Some(index);
        match rest.checked_sub(weight(&index)) {
            Some(less) => rest = less,
            None => return last,
        }
    }
    last
}

/// Maps a random word evenly to `0..bound` (Lemire's multiply-and-shift); 0 for an empty range.
pub(crate) fn scale(random: u64, bound: u64) -> u64 {
    let product = u128::from(random).wrapping_mul(u128::from(bound)) >> 64;
    u64::try_from(product).unwrap_or(0)
}

/// Another word from a random word, so that one word passed in serves for several draws.
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (SplitMix64).
pub(crate) const fn remix(random: u64) -> u64 {
    let mut word = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
