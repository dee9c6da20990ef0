//! Results in a row, four counters in one word.

use super::{Finding, Thresholds};
use std::sync::atomic::{AtomicU32, Ordering};

/// Successes, bad statuses, failed connections, timeouts: a byte each, from the lowest.
#[derive(Debug, Default)]
pub(super) struct Counts(AtomicU32);

impl Counts {
    /// Counts a result; `true` when its counter has reached its threshold.
    pub(super) fn note(&self, finding: Finding, thresholds: Thresholds) -> bool {
        let (place, most) = match finding {
            Finding::Success => (0, thresholds.successes),
            Finding::BadStatus => (1, thresholds.statuses),
            Finding::ConnectFailed => (2, thresholds.connects),
            Finding::TimedOut => (3, thresholds.timeouts),
        };
        let next = |word: u32| {
            let mut bytes = word.to_le_bytes();
            if place == 0 {
                bytes = [bytes.first().copied().unwrap_or(0), 0, 0, 0];
            } else if let Some(successes) = bytes.first_mut() {
                *successes = 0;
            }
            if let Some(count) = bytes.get_mut(place) {
                // Beyond the threshold nothing is learnt, so steady success writes nothing.
                *count = count.saturating_add(1).min(most);
            }
            u32::from_le_bytes(bytes)
        };
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let new = next(word);
            if new == word {
                break;
            }
            match self.0.compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    word = new;
                    break;
                }
                Err(now) => word = now,
            }
        }
        most > 0 && word.to_le_bytes().get(place).is_some_and(|count| *count >= most)
    }

    /// Begins anew.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}
