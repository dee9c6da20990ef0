//! What is counted for each route.

use crate::histogram::{Histogram, Total};
use crate::shard::{SHARDS, own};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use torana_fault::Reason;

/// Pairs of status and reason that are told apart for one route and thread; the rest is counted together.
const OUTCOMES: usize = 24;

/// One request, as it ended.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// The status that was answered, or would have been.
    pub status: u16,
    /// Why it failed, if it did.
    pub reason: Option<Reason>,
    /// From its beginning to its end.
    pub total: Duration,
    /// Until a service began to answer.
    pub upstream: Option<Duration>,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the response.
    pub sent: u64,
}

/// The counters of one route.
#[derive(Debug)]
pub struct RouteMetrics {
    pub(crate) route: Box<str>,
    pub(crate) service: Box<str>,
    /// Made when a thread first counts.
    shards: [OnceLock<Box<Shard>>; SHARDS],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    /// Status and reason, packed; zero is free.
    keys: [AtomicU32; OUTCOMES],
    counts: [AtomicU64; OUTCOMES],
    others: AtomicU64,
    total: Histogram,
    upstream: Histogram,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The sum over all threads.
#[derive(Debug, Default)]
pub(crate) struct RouteTotals {
    /// By status and reason's label; status 0 stands for all that were not told apart.
    pub(crate) outcomes: BTreeMap<(u32, &'static str), u64>,
    pub(crate) total: Total,
    pub(crate) upstream: Total,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl RouteMetrics {
    pub(crate) fn new(route: &str, service: &str) -> Self {
        Self { route: route.into(), service: service.into(), shards: Default::default() }
    }

    /// Counts a request.
    pub fn record(&self, observation: &Observation) {
        let Some(shard) = self.shards.get(own()) else { return };
        let shard = shard.get_or_init(Box::default);
        shard.outcome(pack(observation.status, observation.reason)).fetch_add(1, Ordering::Relaxed);
        shard.total.record(observation.total);
        if let Some(upstream) = observation.upstream {
            shard.upstream.record(upstream);
        }
        if observation.received > 0 {
            shard.received.fetch_add(observation.received, Ordering::Relaxed);
        }
        shard.sent.fetch_add(observation.sent, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> RouteTotals {
        let mut totals = RouteTotals::default();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            for (key, count) in shard.keys.iter().zip(&shard.counts) {
                let key = key.load(Ordering::Acquire);
                if key != 0 {
                    let sum = totals.outcomes.entry(unpack(key)).or_default();
                    *sum = sum.saturating_add(count.load(Ordering::Relaxed));
                }
            }
            let others = shard.others.load(Ordering::Relaxed);
            if others > 0 {
                let sum = totals.outcomes.entry((0, "")).or_default();
                *sum = sum.saturating_add(others);
            }
            totals.total.add(&shard.total);
            totals.upstream.add(&shard.upstream);
            totals.received = totals.received.saturating_add(shard.received.load(Ordering::Relaxed));
            totals.sent = totals.sent.saturating_add(shard.sent.load(Ordering::Relaxed));
        }
        totals
    }
}

impl Shard {
    fn outcome(&self, wanted: u32) -> &AtomicU64 {
        for (key, count) in self.keys.iter().zip(&self.counts) {
            let known = match key.load(Ordering::Acquire) {
                0 => key
                    .compare_exchange(0, wanted, Ordering::AcqRel, Ordering::Acquire)
                    .map_or_else(|taken| taken, |_| wanted),
                known => known,
            };
            if known == wanted {
                return count;
            }
        }
        &self.others
    }
}

fn pack(status: u16, reason: Option<Reason>) -> u32 {
    let reason = reason.map_or(0, |reason| reason.index().saturating_add(1));
    u32::from(status) | u32::try_from(reason).unwrap_or(0) << 16 | 1 << 31
}

fn unpack(key: u32) -> (u32, &'static str) {
    let reason = usize::try_from((key & !(1 << 31)) >> 16).unwrap_or(0);
    let label = reason.checked_sub(1).and_then(|index| Reason::LABELS.get(index)).copied();
    (key & 0xFFFF, label.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(route: &RouteMetrics, status: u16, reason: Option<Reason>) {
        let total = Duration::from_millis(3);
        route.record(&Observation { status, reason, total, upstream: None, received: 1, sent: 2 });
    }

    #[test]
    fn outcomes_are_told_apart_up_to_a_bound() {
        let route = RouteMetrics::new("r", "s");
        observe(&route, 200, None);
        observe(&route, 200, None);
        observe(&route, 429, Some(Reason::RateLimited));
        let totals = route.totals();
        assert_eq!(totals.outcomes.get(&(200, "")), Some(&2));
        assert_eq!(totals.outcomes.get(&(429, "rate_limited")), Some(&1));
        assert_eq!((totals.total.count(), totals.received, totals.sent), (3, 3, 6));
        for status in 200..300 {
            observe(&route, status, None);
        }
        let totals = route.totals();
        assert_eq!(totals.outcomes.values().sum::<u64>(), 103);
        assert!(totals.outcomes.len() <= OUTCOMES + 1);
    }

    #[test]
    fn threads_add_up() {
        let route = RouteMetrics::new("r", "s");
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| (0..1_000).for_each(|_| observe(&route, 200, None)));
            }
        });
        assert_eq!(route.totals().outcomes.get(&(200, "")), Some(&12_000));
    }
}
