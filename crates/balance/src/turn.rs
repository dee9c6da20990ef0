//! The shared turn: a counter that every worker advances.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts turns. Alone on its cache lines (two, as processors fetch them in pairs), because every worker
/// writes it while all of them read the snapshot beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Turn(AtomicU64);

impl Turn {
    /// This caller's turn; no other caller gets the same number (until the counter wraps after 2⁶⁴).
    pub(crate) fn take(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
