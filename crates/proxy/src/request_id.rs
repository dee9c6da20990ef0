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
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let words = [self.word() ^ self.stream, self.word()];
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(words.iter().flat_map(|word| word.to_be_bytes())) {
            if let [high, low] = pair {
                *high = DIGITS.get(usize::from(byte >> 4)).copied().unwrap_or_default();
                *low = DIGITS.get(usize::from(byte & 15)).copied().unwrap_or_default();
            }
        }
        RequestId(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

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
