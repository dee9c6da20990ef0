//! Counts of the recent past, without a lock.
//!
//! The window is cut into slices; a slice that is older than the window is begun anew by whoever writes to
//! it first. Each slice packs its epoch with its counts into one word, so that beginning anew and counting
//! are one compare-and-swap and no count can land in a slice of another time. Sources: the sliding window
//! of resilience4j; the packing is ours. Trade-off: the window's length is exact to one slice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SLICES: usize = 10;
const SLICES_WORD: u64 = 10;
/// Bits of each count; a slice that reaches this many calls stops counting (four million).
const COUNT: u32 = 22;
const MOST: u64 = (1 << COUNT) - 1;
/// Bits of the epoch. It wraps after a million slices; a slice that is exactly that old may be taken for
/// new, which needs traffic to pause for precisely that long.
const EPOCHS: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    slice_nanos: u64,
    slices: [Slice; SLICES],
}

/// On its own cache line: all workers write the slice of the moment.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slice {
    /// Epoch, calls, failures.
    calls: AtomicU64,
    /// Epoch, slow calls.
    slow: AtomicU64,
}

/// What happened in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self { slice_nanos: (nanos / SLICES_WORD).max(1), slices: Default::default() }
    }

    /// Counts a call.
    pub(super) fn add(&self, now_nanos: u64, failed: bool, slow: bool) {
        let epoch = self.epoch(now_nanos);
        let Some(slice) = self.slice(epoch) else { return };
        update(&slice.calls, epoch, 1, u64::from(failed));
        if slow {
            update(&slice.slow, epoch, 1, 0);
        }
    }

    /// What happened in the window that ends now.
    pub(super) fn counts(&self, now_nanos: u64) -> Counts {
        let epoch = self.epoch(now_nanos);
        let mut counts = Counts::default();
        for slice in &self.slices {
            let (calls, failures) = read(&slice.calls, epoch);
            let (slow, _) = read(&slice.slow, epoch);
            counts.calls = counts.calls.saturating_add(calls);
            counts.failures = counts.failures.saturating_add(failures);
            counts.slow = counts.slow.saturating_add(slow);
        }
        counts
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for slice in &self.slices {
            slice.calls.store(0, Ordering::Relaxed);
            slice.slow.store(0, Ordering::Relaxed);
        }
    }

    /// From 1 up, so that a word of zeroes is empty whatever its epoch says.
    const fn epoch(&self, now_nanos: u64) -> u64 {
        match now_nanos.checked_div(self.slice_nanos) {
            Some(number) => number.wrapping_add(1),
            None => 1,
        }
    }

    fn slice(&self, epoch: u64) -> Option<&Slice> {
        self.slices.get(usize::try_from(epoch % SLICES_WORD).unwrap_or(0))
    }
}

const fn pack(epoch: u64, first: u64, second: u64) -> u64 {
    (epoch % EPOCHS) << (2 * COUNT) | first << COUNT | second
}

const fn unpack(word: u64) -> (u64, u64, u64) {
    (word >> (2 * COUNT), word >> COUNT & MOST, word & MOST)
}

fn update(word: &AtomicU64, epoch: u64, first: u64, second: u64) {
    let _previous = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
        let (known, one, other) = unpack(old);
        let (one, other) = if known == epoch % EPOCHS { (one, other) } else { (0, 0) };
        (one < MOST).then(|| pack(epoch, one.saturating_add(first), other.saturating_add(second)))
    });
}

/// The counts of a word, if it belongs to the window that ends at `epoch`.
fn read(word: &AtomicU64, epoch: u64) -> (u64, u64) {
    let (known, one, other) = unpack(word.load(Ordering::Relaxed));
    let age = (epoch % EPOCHS).wrapping_sub(known) % EPOCHS;
    if age < SLICES_WORD { (one, other) } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    proptest! {
        #[test]
        fn what_is_younger_than_nine_tenths_counts_and_what_is_older_than_the_window_does_not(
            steps in prop::collection::vec((0_u64..4 * SECOND, any::<bool>(), any::<bool>()), 1..100),
        ) {
            let window = Window::new(Duration::from_secs(10));
            let mut now = 0;
            let mut known: Vec<(u64, bool, bool)> = Vec::new();
            for (pause, failed, slow) in steps {
                now += pause;
                window.add(now, failed, slow);
                known.push((now, failed, slow));
                let counts = window.counts(now);
                let of = |age: u64| known.iter().filter(move |(at, ..)| now - at < age);
                let surely = of(9 * SECOND).count() as u64;
                let possibly = of(10 * SECOND + 1).count() as u64;
                prop_assert!((surely..=possibly).contains(&counts.calls), "{:?}", counts);
                prop_assert!(counts.failures >= of(9 * SECOND).filter(|(_, failed, _)| *failed).count() as u64);
                prop_assert!(counts.slow >= of(9 * SECOND).filter(|(.., slow)| *slow).count() as u64);
                prop_assert!(counts.failures <= counts.calls && counts.slow <= counts.calls);
            }
        }
    }

    #[test]
    fn four_threads_lose_no_count() {
        let window = Window::new(Duration::from_secs(10));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let window = &window;
                scope.spawn(move || {
                    for call in 0..10_000_u64 {
                        window.add(call * 500_000, call % 2 == 0, thread == 0);
                    }
                });
            }
        });
        let counts = window.counts(5 * SECOND);
        assert_eq!(counts, Counts { calls: 40_000, failures: 20_000, slow: 10_000 });
        window.clear();
        assert_eq!(window.counts(5 * SECOND), Counts::default());
    }
}
