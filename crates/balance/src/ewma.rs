//! A latency average that forgets with time and believes bad news at once.
//!
//! Formula: with `d` the time since the last sample and `τ` the time constant, `w = exp(-d/τ)` and
//! `average = average·w + sample·(1-w)`; a sample above the average replaces it ("peak"). Reading decays
//! the same way, towards zero, so that an endpoint shunned for a slow moment is asked again.
//! Source: Finagle's Peak EWMA. Trade-off: two atomics instead of one lock; a reader between the two
//! writes sees the older average with the newer time, which is a slightly cautious value, never a torn one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Marks "no sample yet": a bit pattern that no average has (a NaN).
const NONE: u64 = u64::MAX;

/// After this many time constants without a sample, what was learnt says nothing any more.
const STALE_AFTER: f64 = 10.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Ewma {
    /// τ in nanoseconds.
    time_constant: f64,
    /// The average in nanoseconds, as the bits of an `f64`.
    average: AtomicU64,
    /// When the last sample came, in the caller's nanoseconds.
    sampled_at: AtomicU64,
}

impl Ewma {
    pub(crate) fn new(time_constant: Duration) -> Self {
        Self {
            time_constant: (time_constant.as_secs_f64() * 1e9).max(1.0),
            average: AtomicU64::new(NONE),
            sampled_at: AtomicU64::new(0),
        }
    }

    /// Adds a sample. Clocks of several threads may be out of step: an earlier `now` counts as no time.
    pub(crate) fn record(&self, latency_nanos: u64, now_nanos: u64) {
        let sample = as_float(latency_nanos);
        // Each caller claims its own stretch of time, so racing samples do not decay the same one twice.
        let before = self.sampled_at.fetch_max(now_nanos, Ordering::Relaxed);
        let keep = kept_after(as_float(now_nanos.saturating_sub(before)) / self.time_constant);
        let _previous = self.average.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
            let average = f64::from_bits(bits);
            let next =
                if bits == NONE || sample > average { sample } else { sample + (average - sample) * keep };
            Some(next.to_bits())
        });
    }

    /// Adds what is only known to have taken so long or longer: nothing, if the average is above it.
    pub(crate) fn record_at_least(&self, latency_nanos: u64, now_nanos: u64) {
        if self.read(now_nanos).is_none_or(|average| as_float(latency_nanos) > average) {
            self.record(latency_nanos, now_nanos);
        }
    }

    /// The average in nanoseconds, decayed to `now`; `None` without a sample, or when the last one is stale.
    pub(crate) fn read(&self, now_nanos: u64) -> Option<f64> {
        let bits = self.average.load(Ordering::Relaxed);
        if bits == NONE {
            return None;
        }
        let age =
            as_float(now_nanos.saturating_sub(self.sampled_at.load(Ordering::Relaxed))) / self.time_constant;
        (age < STALE_AFTER).then(|| f64::from_bits(bits) * kept_after(age))
    }
}

/// What is left after so many time constants. For the moment between two requests of a busy endpoint the first terms
/// of the series are right to ten digits.
fn kept_after(age: f64) -> f64 {
    if age < 1e-3 { 1.0 - age + age * age / 2.0 } else { (-age).exp() }
}

/// Nanoseconds as a float; above 2⁵³ (104 days) the rounding is far below what an average can tell.
#[allow(clippy::cast_precision_loss, reason = "an average does not need more than 53 bits")]
const fn as_float(nanos: u64) -> f64 {
    nanos as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn believes_a_peak_at_once_and_forgets_it_by_the_time_constant() {
        let ewma = Ewma::new(Duration::from_secs(10));
        assert_eq!(ewma.read(0), None);
        ewma.record(1_000_000, SECOND);
        ewma.record(50_000_000, 2 * SECOND);
        assert_eq!(ewma.read(2 * SECOND), Some(50_000_000.0));
        let decayed = ewma.read(12 * SECOND).unwrap();
        assert!((decayed - 50_000_000.0 / std::f64::consts::E).abs() < 1.0, "{decayed}");
        assert_eq!(ewma.read(200 * SECOND), None, "stale");
    }

    #[test]
    fn what_is_left_after_a_moment_is_right_to_ten_digits() {
        for age in [0.0, 1e-9, 1e-6, 1e-4, 9.99e-4, 1e-3, 1.0] {
            assert!((kept_after(age) / (-age).exp() - 1.0).abs() < 1e-9, "{age}");
        }
    }

    #[test]
    fn converges_to_a_steady_latency_from_above() {
        let ewma = Ewma::new(Duration::from_secs(1));
        ewma.record(SECOND, 0);
        for step in 1..=2_000_u64 {
            ewma.record(5_000_000, step * 10_000_000);
        }
        let average = ewma.read(20 * SECOND).unwrap();
        assert!((average - 5_000_000.0).abs() < 1_000.0, "{average}");
    }

    #[test]
    fn what_took_at_least_so_long_only_raises_it() {
        let ewma = Ewma::new(Duration::from_secs(10));
        ewma.record(20_000_000, SECOND);
        ewma.record_at_least(10_000_000, SECOND);
        assert_eq!(ewma.read(SECOND), Some(20_000_000.0));
        ewma.record_at_least(2 * SECOND, 2 * SECOND);
        assert_eq!(ewma.read(2 * SECOND), Some(2_000_000_000.0));
        let new = Ewma::new(Duration::from_secs(10));
        new.record_at_least(7, SECOND);
        assert_eq!(new.read(SECOND), Some(7.0));
    }

    #[test]
    fn a_clock_that_steps_back_counts_as_no_time() {
        let ewma = Ewma::new(Duration::from_secs(1));
        ewma.record(2_000, 5 * SECOND);
        ewma.record(1_000, 4 * SECOND);
        assert_eq!(ewma.read(5 * SECOND), Some(2_000.0));
        assert_eq!(ewma.read(0), Some(2_000.0));
    }
}
