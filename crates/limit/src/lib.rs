//! Limits: the algorithms, several of them decided as one, and the bounded table of those who are counted.
//!
//! - [`Gcra`], [`FixedWindow`] and [`SlidingWindow`] each decide about one window, in exact integers.
//! - [`Budget`] decides about several windows: all of them give, or none does.
//! - [`KeyedLimiter`] keeps one [`Ledger`] for each caller, in a table that no flood of callers can make grow
//!   or forget.
//! - [`Concurrency`] counts what is under way.
//! - [`Lease`] is one node's part of a budget that lies in a store.
//! - [`Connections`], [`Memory`] and [`Pressure`] keep the whole process within what it can bear.
//! - [`Heavy`] remembers who asks most.
//!
//! Time is passed in, by two clocks ([`When`]). Not here: who is counted, and what a refused caller is told.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod budget;
mod calendar;
mod concurrency;
mod connections;
mod fixed;
mod gcra;
mod heavy;
mod keyed;
mod lease;
mod memory;
mod pressure;
mod sliding;
mod view;
mod when;

pub use budget::{Ask, Budget, Grant, Ledger, Window};
pub use calendar::{Period, Place as CalendarPlace};
pub use concurrency::{Concurrency, ConcurrencyUsage, UnderWay};
pub use connections::{ConnectionCaps, Connections, Crowded, Seat};
pub use fixed::FixedWindow;
pub use gcra::{Gcra, LONGEST_HOLD, Micros};
pub use heavy::{Heavy, Heavyweight, TopKeys};
pub use keyed::{Key, KeyedLimiter, Usage};
pub use lease::{ASKS_AT_ONCE, ASKS_PER_SECOND, HORIZON, IDLE, Lease, Returned, Step};
pub use memory::{Memory, NoRoom, Reserved};
pub use pressure::{Importance, Pressure, QueueDelay, sheds};
pub use sliding::SlidingWindow;
pub use view::View;
pub use when::When;
