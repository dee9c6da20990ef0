//! When something is decided, by two clocks.

use std::time::Duration;

/// One reading of two clocks, which are one where only a time is given: a store decides by its own alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// A time that never goes back: paces and sliding windows count by it.
    pub steady: Duration,
    /// Since 1970-01-01 UTC, which people may set: fixed windows lie in it.
    pub utc: Duration,
}

impl From<Duration> for When {
    fn from(time: Duration) -> Self {
        Self { steady: time, utc: time }
    }
}
