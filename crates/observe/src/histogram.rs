//! Distributions of durations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in microseconds; one more bucket takes the rest.
const BOUNDS: [u64; 16] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];
const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts by bucket, and the sum.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// The sum of several histograms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    counts: [u64; BUCKETS],
    sum_nanos: u64,
}

impl Total {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (count, bucket) in self.counts.iter_mut().zip(&histogram.buckets) {
            *count = count.saturating_add(bucket.load(Ordering::Relaxed));
        }
        self.sum_nanos = self.sum_nanos.saturating_add(histogram.sum_nanos.load(Ordering::Relaxed));
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    #[allow(clippy::cast_precision_loss, reason = "a sum of seconds needs no more than 53 bits")]
    pub(crate) fn sum_seconds(&self) -> f64 {
        self.sum_nanos as f64 / 1e9
    }

    /// Upper bound in seconds and count of each bucket; the last bound is `f64::MAX`.
    #[allow(clippy::cast_precision_loss, reason = "bounds are small")]
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e6).chain(std::iter::once(f64::MAX));
        bounds.zip(self.counts).collect()
    }
}
