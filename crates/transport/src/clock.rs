//! The one clock of the data plane: tokio's, so that tests can pause it.
//!
//! Reading it costs as much as parsing a field, and a request would read it a dozen times. What happens
//! within one wake-up happens within microseconds, so the reading of the last wake-up serves them all.

use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Longer than any request: thirty years.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Now. Also what [`recently`] says from here on.
#[must_use]
pub fn now() -> Instant {
    let now = Instant::now();
    LAST.set(Some(now));
    now
}

/// When this thread last looked at the clock, which it does whenever something has arrived. For moments
/// right after that; never to find out whether a deadline has passed after a wait.
#[must_use]
pub fn recently() -> Instant {
    LAST.get().unwrap_or_else(now)
}

/// A point in time that no request will see: thirty years from `start`.
#[must_use]
pub fn far_future(start: Instant) -> Instant {
    start.checked_add(FOREVER).unwrap_or(start)
}
