//! Where several gateways count together.
//!
//! - [`LimitStore`] is what a store can do for a limit; [`MemoryStore`] and [`RedisStore`] do the same, which one
//!   suite of tests holds against both.
//! - [`SharedLimit`] is a limit over a store: asked for each request, or leased from; and what happens when the
//!   store is slow or gone.
//!
//! Every worker has its own connection, on which the questions of all its requests are pipelined, those of the
//! same moment in one command; a decision never waits for another thread. Not here: who is counted and what a caller is told.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod batch;
mod breaker;
mod clock;
mod error;
mod leases;
mod limits;
mod link;
mod memory;
mod outbox;
mod principal;
mod redis_store;
mod servers;
mod settings;
mod shared;
mod topology;
mod wire;

pub use clock::NodeClock;
pub use error::StoreError;
pub use limits::{LimitStore, StoredLimit};
pub use memory::MemoryStore;
pub use redis_store::{RedisStore, StoreUsage};
pub use settings::{StoreAddress, StoreSettings, Topology};
pub use shared::{Decided, Mode, OnFailure, SharedLimit, SharedUsage, Source};
pub use wire::fits;
