//! Which part of a divided counter a thread adds to.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parts; with more threads than that some share one.
pub(crate) const SHARDS: usize = 8;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
}

/// The thread's part, below [`SHARDS`].
pub(crate) fn own() -> usize {
    OWN.with(Cell::get)
}
