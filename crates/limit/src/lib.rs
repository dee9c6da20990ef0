//! Rate limits: the algorithm and the bounded table of those it is applied to.
//!
//! - [`Gcra`] decides about one request, in exact integers.
//! - [`KeyedLimiter`] keeps one state for each caller, in a table that no flood of callers can make grow or
//!   forget.
//!
//! Time is passed in. Not here: who is counted, and what a refused caller is told.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod gcra;
mod keyed;

pub use gcra::{Decision, Gcra, State};
pub use keyed::{Key, KeyedLimiter, Usage};
