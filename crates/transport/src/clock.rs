//! The one clock of the data plane: tokio's, so that tests can pause it.
//!
//! Reading it costs as much as parsing a field, and a request would read it a dozen times. What happens
//! within one wake-up happens within microseconds, so the reading of the last wake-up serves them all.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::Instant;

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Longer than anything here lasts: thirty years.
pub const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

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

/// So long after `start`; where no clock goes as far, its [`far_future`].
#[must_use]
pub fn later(start: Instant, by: Duration) -> Instant {
    start.checked_add(by).unwrap_or_else(|| far_future(start))
}

/// So long after [`now`].
#[must_use]
pub fn after(time: Duration) -> Instant {
    later(now(), time)
}

/// [`recently`], as [`nanos_at`] counts.
#[must_use]
pub fn nanos_since_start() -> u64 {
    nanos_at(recently())
}

/// A time in nanoseconds since the process first asked this, for cores that are given the clock. What was before is 0.
#[must_use]
pub fn nanos_at(then: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(now);
    u64::try_from(then.duration_since(start).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_clock_reaches_is_in_the_far_future() {
        let start = now();
        assert_eq!(later(start, Duration::from_secs(1)), start + Duration::from_secs(1));
        assert_eq!(later(start, Duration::MAX), far_future(start));
        assert!(far_future(start) > start);
    }

    #[test]
    fn nanoseconds_are_counted_from_the_first_question() {
        let _ = nanos_since_start();
        let then = now();
        assert_eq!(nanos_since_start(), nanos_at(then));
        assert_eq!(nanos_at(then + Duration::from_nanos(7)), nanos_at(then) + 7);
    }
}
