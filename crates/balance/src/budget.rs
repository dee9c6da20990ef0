//! How much of a service's work may be done twice.
//!
//! At any moment the retries under way are at most `max(minimum, ratio × requests under way)`, over all
//! workers. When everything fails, a service therefore sees a bounded multiple of its load instead of
//! `attempts` times it, and the bound follows the load without a window or a clock. Source: Envoy's
//! `retry_budget`. Nothing is counted for requests that are not retried: the requests under way are what
//! the balancer counts anyway, read only when somebody asks for a retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What shapes a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BudgetSettings {
    /// Percent of the requests under way that may be retries.
    pub percent: u32,
    /// Retries at once that are always allowed.
    pub minimum: u32,
}

/// A service's budget, shared by all workers and routes.
#[derive(Debug)]
pub struct RetryBudget {
    settings: BudgetSettings,
    active: AtomicU32,
    granted: AtomicU64,
    refused: AtomicU64,
}

impl RetryBudget {
    /// A budget of which nothing is used.
    #[must_use]
    pub fn new(settings: BudgetSettings) -> Self {
        Self { settings, active: AtomicU32::new(0), granted: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// Takes a place for a retry while `under_way` requests are at the service; `None` when there is none.
    #[must_use]
    pub fn begin(self: &Arc<Self>, under_way: u32) -> Option<Retrying> {
        let share = u64::from(under_way).saturating_mul(u64::from(self.settings.percent)) / 100;
        let allowed = u32::try_from(share).unwrap_or(u32::MAX).max(self.settings.minimum);
        let taken = self.active.fetch_update(Ordering::AcqRel, Ordering::Acquire, |active| {
            (active < allowed).then(|| active.saturating_add(1))
        });
        if taken.is_ok() {
            self.granted.fetch_add(1, Ordering::Relaxed);
            Some(Retrying(Arc::clone(self)))
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            None
        }
    }

    /// Retries under way.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// Retries granted since the start.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    /// Retries refused since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// A retry under way. Dropping it gives its place back, however the retry ended.
#[derive(Debug)]
#[must_use = "the retry counts against the budget only while this lives"]
pub struct Retrying(Arc<RetryBudget>);

impl Drop for Retrying {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_bound_holds_at_every_step(
            percent in 0_u32..=100, minimum in 0_u32..10,
            steps in prop::collection::vec((any::<bool>(), 0_u32..200), 1..200),
        ) {
            let budget = Arc::new(RetryBudget::new(BudgetSettings { percent, minimum }));
            let mut held = Vec::new();
            for (begin, under_way) in steps {
                let allowed = (under_way * percent / 100).max(minimum);
                let before = budget.active();
                if begin {
                    let got = budget.begin(under_way);
                    prop_assert_eq!(got.is_some(), before < allowed);
                    held.extend(got);
                } else {
                    held.pop();
                }
                prop_assert_eq!(budget.active() as usize, held.len());
            }
            drop(held);
            prop_assert_eq!(budget.active(), 0);
        }
    }

    #[test]
    fn four_threads_never_hold_more_than_the_bound_together() {
        let budget = Arc::new(RetryBudget::new(BudgetSettings { percent: 20, minimum: 1 }));
        let most = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let held = budget.begin(10);
                        most.fetch_max(budget.active(), Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert_eq!(budget.active(), 0);
        assert_eq!(budget.granted() + budget.refused(), 20_000);
    }
}
