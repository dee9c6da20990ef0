//! When a store that does not answer is left alone, and when it is tried again.
//!
//! After [`FAILURES`] failures in a row nothing is sent any more until a trial succeeds. Trials are made by one
//! task of each worker, not by requests, at times that double and are spread by chance, so that all workers of
//! all gateways do not come back in the same moment.

use std::time::Duration;

/// So many failures in a row, and the store is taken to be gone.
pub(crate) const FAILURES: u32 = 3;
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// How long to wait before a trial: doubled with each, and between half and the whole of that by chance.
pub(crate) fn pause(trial: u32, random: u64) -> Duration {
    let whole = FIRST.saturating_mul(1_u32.checked_shl(trial.min(16)).unwrap_or(u32::MAX)).min(LONGEST);
    let half = whole.checked_div(2).unwrap_or(whole);
    let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half.saturating_add(Duration::from_nanos(random.checked_rem(spread).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_become_rarer_and_are_spread() {
        for trial in 0..40 {
            let whole = FIRST.saturating_mul(1 << trial.min(10)).min(LONGEST);
            for random in [0, 1, u64::MAX / 3, u64::MAX] {
                let pause = pause(trial, random);
                assert!(pause >= whole / 2 && pause <= whole, "{trial} {pause:?}");
            }
        }
        assert_ne!(pause(5, 1), pause(5, 999_999));
    }
}
