//! A wait for a connection that others use: whoever judges a service by time leaves it out.

use crate::clock::now;
use std::cell::Cell;
use tokio::time::Instant;

/// Whether a try waits, or has waited, for a connection that others use.
#[derive(Clone, Debug, Default)]
pub struct Queueing {
    waits: Cell<bool>,
    left: Cell<Option<Instant>>,
}

impl Queueing {
    /// It waits.
    pub const fn is_waiting(&self) -> bool {
        self.waits.get()
    }

    /// When it had waited, if it had to.
    pub const fn left(&self) -> Option<Instant> {
        self.left.get()
    }

    pub(super) fn begin(&self) {
        self.waits.set(true);
    }

    pub(super) fn end(&self) {
        self.waits.set(false);
        self.left.set(Some(now()));
    }
}
