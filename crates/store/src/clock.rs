//! The clocks of this node. Whatever a store's limits know of the time is read here, but for what the server says and
//! for deadlines, so that a node can be set apart from others by as much as a test likes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use torana_limit::When;

/// A node's clocks.
#[derive(Clone, Copy, Debug)]
pub struct NodeClock {
    origin: Instant,
    ahead: Duration,
}

impl NodeClock {
    /// Those of the machine, ahead by so much.
    #[must_use]
    pub fn ahead(ahead: Duration) -> Self {
        Self { origin: Instant::now(), ahead }
    }

    /// Time that never goes back, from some moment on.
    #[must_use]
    pub fn since_start(&self) -> Duration {
        self.origin.elapsed().saturating_add(self.ahead)
    }

    /// Since 1970-01-01 UTC, as this node believes.
    #[must_use]
    pub fn utc(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(self.ahead)
    }

    /// Both, for what this node counts alone.
    #[must_use]
    pub fn when(&self) -> When {
        When { steady: self.since_start(), utc: self.utc() }
    }
}

impl Default for NodeClock {
    fn default() -> Self {
        Self::ahead(Duration::ZERO)
    }
}
