//! How long to wait before a retry.
//!
//! Full jitter: the wait before retry `n` (from 0) is drawn evenly from `0 ..= min(max, base × 2ⁿ)`.
//! Source: Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015), which finds that of the
//! usual forms this one makes the fewest calls while clients compete. Trade-off: a single retry may follow
//! at once.

use crate::choice::scale;
use std::time::Duration;

/// Bounds of the waits before retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The ceiling of the first wait. Zero never waits.
    pub base: Duration,
    /// The ceiling of every wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait before a retry, counted from 0, from a random word.
    #[must_use]
    pub fn delay(&self, retry: u32, random: u64) -> Duration {
        let factor = 1_u32.checked_shl(retry).unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(factor).min(self.max);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(scale(random, nanos.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_never_above_its_ceiling_and_reaches_all_below_it(
            base in 0_u64..10_000, max in 0_u64..100_000, retry in 0_u32..80, random in any::<u64>(),
        ) {
            let backoff = Backoff { base: Duration::from_millis(base), max: Duration::from_millis(max) };
            let ceiling = u128::from(base).saturating_mul(1_u128 << retry.min(60)).min(u128::from(max));
            prop_assert!(backoff.delay(retry, random).as_millis() <= ceiling);
            prop_assert_eq!(backoff.delay(retry, 0), Duration::ZERO);
            prop_assert_eq!(backoff.delay(retry, u64::MAX).as_millis(), ceiling);
        }
    }
}
