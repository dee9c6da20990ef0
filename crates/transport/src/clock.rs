//! The one clock of the data plane: tokio's, so that tests can pause it.

use std::time::Duration;
use tokio::time::Instant;

/// Now.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// A point in time that no request will see: thirty years from `start`.
#[must_use]
pub fn far_future(start: Instant) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    start.checked_add(THIRTY_YEARS).unwrap_or(start)
}
