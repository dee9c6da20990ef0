//! What a caller may be told about a limit.

use std::time::Duration;

/// Where a caller stands with one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The most that pass at once.
    pub limit: u64,
    /// What would pass now.
    pub remaining: u64,
    /// Until the next request would pass; zero when it would now.
    pub retry_after: Duration,
    /// Until the limit is whole again.
    pub reset_after: Duration,
}
