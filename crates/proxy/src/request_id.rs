//! An identifier for every request: 128 bits, unique and unguessable enough for logs, cheap to make.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Thirty-two hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// The digits.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A worker's source of identifiers and of random words for the balancers. Not for secrets.
///
/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014), seeded
/// from the operating system.
#[derive(Debug)]
pub struct RequestIds {
    state: Cell<u64>,
    stream: u64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // `RandomState` draws its keys from the operating system; hashing turns them into words.
        Self { state: Cell::new(RandomState::new().hash_one(1)), stream: RandomState::new().hash_one(2) }
    }
}

impl RequestIds {
    /// A random word.
    pub fn word(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A new identifier.
    #[allow(clippy::should_implement_trait, reason = "this never ends, so it is no iterator")]
    pub fn next(&self) -> RequestId {
        let mut digits = [0; 32];
        let words = [self.word() ^ self.stream, self.word()];
        let halves = words.into_iter().flat_map(|word| [word >> 32, word & 0xffff_ffff]);
        for (eight, half) in digits.chunks_exact_mut(8).zip(halves) {
            eight.copy_from_slice(&hexadecimal(half));
        }
        RequestId(digits)
    }
}

/// The eight digits of 32 bits, all at once: four bits to a byte, then to each its digit.
const fn hexadecimal(half: u64) -> [u8; 8] {
    const NIBBLES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const EVERY: u64 = 0x0101_0101_0101_0101;
    let spread = (half | half << 16) & 0x0000_ffff_0000_ffff;
    let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    let spread = (spread | spread << 4) & NIBBLES;
    // Adding six carries into the fifth bit of those above nine, which are letters.
    let letters = (spread.wrapping_add(EVERY.wrapping_mul(6)) >> 4) & EVERY;
    let above_digits = (b'a' - b'0' - 10) as u64;
    let digits =
        spread.wrapping_add(EVERY.wrapping_mul(b'0' as u64)).wrapping_add(letters.wrapping_mul(above_digits));
    digits.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn digits_are_those_of_the_library() {
        for half in [0, 9, 10, 15, 0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, 0xffff_ffff, 0xa0b1_00ff] {
            assert_eq!(std::str::from_utf8(&hexadecimal(half)).unwrap(), format!("{half:08x}"));
        }
    }

    #[test]
    fn identifiers_are_distinct_hexadecimal() {
        let ids = RequestIds::default();
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let id = ids.next();
            assert!(id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(seen.insert(id.as_str().to_owned()));
        }
    }
}
