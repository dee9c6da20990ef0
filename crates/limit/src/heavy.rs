//! Who asks most, in a fixed number of places.
//!
//! Space-Saving (Metwally, Agrawal, El Abbadi, 2005): a newcomer takes the place of the one with the least count
//! and goes on from that count. With `n` places and `N` counts everybody with more than `N / n` is there, and no
//! count is more than its `error` too high.

use crate::keyed::Key;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// One in so many requests is counted, for all of them: on average, because limits that are asked in turn would
/// else have one counted and never the other.
const SAMPLE: u64 = 16;
/// Keys longer than this are replaced by a digest.
const LONGEST_KEY: usize = 64;
/// Callers that are remembered.
const PLACES: usize = 128;

thread_local! {
    /// How many requests of this thread are passed over, and what the next number is made of.
    static SKIP: Cell<(u64, u64)> = const { Cell::new((0, 0x9e37_79b9_7f4a_7c15)) };
}

/// Who asks most, counted by all threads: a sample of the requests, so that most of them cost a thread's own
/// counter and none of them waits.
#[derive(Debug)]
pub struct TopKeys {
    heavy: Mutex<Heavy>,
    digest: RandomState,
}

impl Default for TopKeys {
    fn default() -> Self {
        Self { heavy: Mutex::new(Heavy::new(PLACES)), digest: RandomState::new() }
    }
}

impl TopKeys {
    /// Counts what a caller asked for. The first request of a thread is counted, and then one in sixteen, at the
    /// latest the thirty-first after it.
    pub fn count(&self, key: Key<'_>, weight: u64, refused: bool) {
        let (left, mut word) = SKIP.get();
        if left > 0 {
            return SKIP.set((left.saturating_sub(1), word));
        }
        // Marsaglia's xorshift; from none to twice the mean.
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        SKIP.set(((word >> 32) % (2 * SAMPLE - 1), word));
        // Who holds it is counting or reading; one more in the sample makes no difference.
        let Ok(mut heavy) = self.heavy.try_lock() else { return };
        let weight = weight.saturating_mul(SAMPLE);
        if key.bytes.len() > LONGEST_KEY {
            heavy.count(key.kind ^ 0x80, &self.digest.hash_one(key.bytes).to_be_bytes(), weight, refused);
        } else {
            heavy.count(key.kind, key.bytes, weight, refused);
        }
    }

    /// Those who ask most, the most first.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<Heavyweight> {
        self.heavy.lock().unwrap_or_else(PoisonError::into_inner).top(most)
    }

    /// A name for a caller that tells nothing about it, the same for as long as the process runs.
    #[must_use]
    pub fn name(&self, kind: u8, key: &[u8]) -> u64 {
        self.digest.hash_one((kind, key))
    }

    /// Forgets everybody.
    pub fn clear(&self) {
        self.heavy.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A bounded list of who asks most.
#[derive(Debug)]
pub struct Heavy {
    places: usize,
    entries: Vec<Heavyweight>,
}

/// One of those who ask most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heavyweight {
    /// What the bytes mean.
    pub kind: u8,
    /// Who.
    pub key: Box<[u8]>,
    /// How much was asked for, at most.
    pub count: u64,
    /// How much of that may be somebody else's.
    pub error: u64,
    /// How much of it was refused since this caller has its place.
    pub refused: u64,
}

impl Heavy {
    /// Nobody; at most so many at a time, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { places: places.max(1), entries: Vec::new() }
    }

    /// Counts what a caller asked for. Keys should be short: they are kept.
    pub fn count(&mut self, kind: u8, key: &[u8], weight: u64, refused: bool) {
        let refused = if refused { weight } else { 0 };
        if let Some(known) = self.entries.iter_mut().find(|entry| entry.kind == kind && *entry.key == *key) {
            known.count = known.count.saturating_add(weight);
            known.refused = known.refused.saturating_add(refused);
        } else if self.entries.len() < self.places {
            self.entries.push(Heavyweight { kind, key: key.into(), count: weight, error: 0, refused });
        } else if let Some(least) = self.entries.iter_mut().min_by_key(|entry| entry.count) {
            let error = least.count;
            *least =
                Heavyweight { kind, key: key.into(), count: error.saturating_add(weight), error, refused };
        }
    }

    /// Those who ask most, the most first.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<Heavyweight> {
        let mut top = self.entries.clone();
        top.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        top.truncate(most);
        top
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_sample_shows_who_asks_most_and_long_keys_are_not_kept() {
        let top = TopKeys::default();
        for number in 0..16_000_u32 {
            let long = [b'x'; 500];
            top.count(Key { kind: 1, bytes: if number % 4 == 0 { &long } else { b"big" } }, 1, false);
            top.count(Key { kind: 2, bytes: &number.to_be_bytes() }, 1, true);
            top.count(Key { kind: 1, bytes: b"big" }, 1, true);
        }
        let shown = top.top(2);
        assert_eq!(&*shown[0].key, b"big");
        // Of 28,000; a thousand and more are in the sample.
        assert!((24_000..32_000).contains(&shown[0].count), "{shown:?}");
        assert!(shown.iter().all(|one| one.key.len() <= LONGEST_KEY));
        assert_ne!(top.name(1, b"big"), TopKeys::default().name(1, b"big"));
        top.clear();
        assert!(top.top(1).is_empty());
    }

    #[test]
    fn limits_that_are_asked_in_turn_are_all_counted() {
        let tops = [TopKeys::default(), TopKeys::default()];
        for _ in 0..16_000 {
            tops.iter().for_each(|top| top.count(Key { kind: 1, bytes: b"a" }, 1, false));
        }
        for top in &tops {
            assert!((13_000..19_000).contains(&top.top(1)[0].count), "{:?}", top.top(1));
        }
    }

    #[test]
    fn a_flood_of_callers_does_not_hide_who_asks_most() {
        let mut heavy = Heavy::new(10);
        for number in 0..10_000_u32 {
            heavy.count(1, &number.to_be_bytes(), 1, false);
            heavy.count(1, b"big", 1, true);
        }
        let top = heavy.top(1);
        assert_eq!(&*top[0].key, b"big");
        assert!(top[0].count - top[0].error <= 10_000 && top[0].count >= 10_000, "{top:?}");
        assert_eq!(heavy.top(100).len(), 10);
        heavy.clear();
        assert!(heavy.top(5).is_empty());
    }

    proptest! {
        #[test]
        fn counts_are_never_too_low_and_at_most_their_error_too_high(
            asked in prop::collection::vec((0_u8..40, 1_u64..5), 1..600),
        ) {
            let mut heavy = Heavy::new(8);
            let mut exact: HashMap<u8, u64> = HashMap::new();
            for (who, weight) in &asked {
                heavy.count(1, &[*who], *weight, false);
                *exact.entry(*who).or_default() += weight;
            }
            let all: u64 = exact.values().sum();
            let top = heavy.top(8);
            for entry in &top {
                let known = exact[&entry.key[0]];
                prop_assert!(entry.count >= known && entry.count - entry.error <= known);
                prop_assert!(entry.error <= all / 8);
            }
            for (who, count) in exact {
                if count > all / 8 {
                    prop_assert!(top.iter().any(|entry| entry.key[0] == who));
                }
            }
        }
    }
}
