//! How much work one evaluation may do.
//!
//! A step is one node visited, or sixteen bytes of text looked at. Steps are counted rather than time taken,
//! so that the same request always has the same outcome.

use crate::error::EvaluationError;
use std::cell::Cell;

/// Steps of one evaluation: far more than a sensible rule takes, and still below a millisecond.
pub const BUDGET: u32 = 10_000;

/// What is left of the budget.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<u32>,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self { left: Cell::new(BUDGET) }
    }

    /// Pays for one node.
    pub(crate) fn step(&self) -> Result<(), EvaluationError> {
        self.pay(1)
    }

    /// Pays for text that is looked at.
    pub(crate) fn text(&self, bytes: usize) -> Result<(), EvaluationError> {
        self.pay(u32::try_from(bytes / 16).unwrap_or(u32::MAX))
    }

    fn pay(&self, steps: u32) -> Result<(), EvaluationError> {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(EvaluationError::OverBudget)
    }
}
