//! Whether a kept-alive connection had just been closed when a request was sent on it.
//!
//! Who closes an idle connection may not know yet of a request that is on its way to it, so its end says nothing
//! about the service (RFC 9112 section 9.3.1). It may close until the request has come, and its end needs its own way
//! back: the two take a round trip, after which the service had the request, and broke the connection while it worked
//! on it.

use crate::clock::{now, recently};
use std::time::Duration;
use tokio::time::Instant;

/// How long after a request was sent the end of its connection may still be that of an idle one: a round trip to nearly
/// anywhere on earth, and the time until it is looked at here. Longer would hide services that break while they work.
const ROUND_TRIP: Duration = Duration::from_millis(300);

/// Which use of a connection it is: the first one, or another one since then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reuse(Option<Instant>);

impl Reuse {
    /// Nothing was sent on it before.
    pub(crate) const FIRST: Self = Self(None);

    /// It has carried requests before, and gets another one now: just after something has arrived, or the end of a
    /// wait, so that the last look at the clock will do.
    pub(crate) fn again() -> Self {
        Self(Some(recently()))
    }

    /// Whether it has carried requests before.
    pub(crate) const fn is_again(self) -> bool {
        self.0.is_some()
    }

    /// Whether its end, which was found this moment, may be that of an idle connection.
    pub(crate) fn had_just_ended(self) -> bool {
        self.0.is_some_and(|since| now().duration_since(since) <= ROUND_TRIP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_ends_at_once_had_ended_before() {
        let _ = now();
        let (first, again) = (Reuse::FIRST, Reuse::again());
        assert!(!first.is_again() && !first.had_just_ended());
        assert!(again.is_again() && again.had_just_ended());
        tokio::time::advance(ROUND_TRIP).await;
        assert!(again.had_just_ended());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(again.is_again() && !again.had_just_ended());
    }
}
