//! The generic cell rate algorithm (ITU-T I.371), as a virtual schedule.
//!
//! A limit of `L` requests per period `P` with a burst of `B` lets a request through when, at the steady pace
//! of one per `P/L`, it is at most `B - 1` requests early. The only state is the theoretical arrival time of
//! the next request on schedule; a caller that was not seen for long has the state of one never seen.
//!
//! Time is counted in units of `1/L` nanoseconds, so that `P/L` is a whole number of units (`P` of them) and
//! nothing is ever rounded: over any time `t` at most `B + L·t/P` requests pass, exactly.

use std::time::Duration;

/// Where a caller stands. The default is one that was never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State(u128);

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Requests per period.
    limit: u128,
    /// The period in nanoseconds, which is the time between two requests in units.
    period: u128,
    burst: u128,
}

/// What was decided, and what the caller may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request passes.
    pub allowed: bool,
    /// Requests that would pass at once after this one.
    pub remaining: u64,
    /// Until a request would pass; zero when one would now.
    pub retry_after: Duration,
    /// Until the caller has the whole burst again.
    pub reset_after: Duration,
}

impl Gcra {
    /// `limit` requests per `period`, `burst` of them at once. Zeroes count as one (request, nanosecond).
    #[must_use]
    pub fn new(limit: u64, period: Duration, burst: u32) -> Self {
        Self {
            limit: u128::from(limit.max(1)),
            period: period.as_nanos().max(1),
            burst: u128::from(burst.max(1)),
        }
    }

    /// Decides about a request at `now`, and moves the state on if it passes. A clock that goes back only
    /// delays.
    pub fn decide(&self, state: &mut State, now: Duration) -> Decision {
        let now = self.units(now);
        let scheduled = state.0.max(now);
        let early = scheduled.saturating_sub(now);
        let tolerance = self.burst.saturating_sub(1).saturating_mul(self.period);
        let allowed = early <= tolerance;
        if allowed {
            state.0 = scheduled.saturating_add(self.period);
        }
        let used = state.0.saturating_sub(now);
        let whole = self.burst.saturating_mul(self.period);
        let remaining = whole.saturating_sub(used).checked_div(self.period).unwrap_or(0);
        Decision {
            allowed,
            remaining: u64::try_from(remaining).unwrap_or(u64::MAX),
            retry_after: self.duration(used.saturating_sub(tolerance)),
            reset_after: self.duration(used),
        }
    }

    /// Whether a state is that of a caller never seen: it can be forgotten without loss.
    #[must_use]
    pub fn is_whole(&self, state: State, now: Duration) -> bool {
        state.0 <= self.units(now)
    }

    fn units(&self, time: Duration) -> u128 {
        time.as_nanos().saturating_mul(self.limit)
    }

    /// Rounded up: whoever waits so long is not told to wait again.
    fn duration(&self, units: u128) -> Duration {
        let nanos = units.div_ceil(self.limit);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let gcra = Gcra::new(3, Duration::from_secs(1), 3);
        let mut state = State::default();
        let at = Duration::from_secs(10);
        let remaining: Vec<u64> = (0..3).map(|_| gcra.decide(&mut state, at).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = gcra.decide(&mut state, at);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, Duration::from_nanos(333_333_334));
        assert_eq!(refused.reset_after, Duration::from_secs(1));
        assert!(!gcra.decide(&mut state, at + Duration::from_nanos(333_333_333)).allowed);
        assert!(gcra.decide(&mut state, at + Duration::from_nanos(333_333_334)).allowed);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let gcra = Gcra::new(1, Duration::from_secs(1), 1);
        let mut state = State::default();
        assert!(gcra.decide(&mut state, Duration::from_secs(100)).allowed);
        assert!(!gcra.decide(&mut state, Duration::from_secs(1)).allowed);
        assert!(!gcra.is_whole(state, Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn no_window_lets_more_through_than_the_limit(
            limit in 1_u64..200, period in 1_u64..5_000, burst in 1_u32..50,
            gaps in prop::collection::vec(0_u64..2_000, 1..200),
        ) {
            let period = Duration::from_millis(period);
            let gcra = Gcra::new(limit, period, burst);
            let mut state = State::default();
            let mut now = Duration::ZERO;
            let mut passed: Vec<u128> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                let decision = gcra.decide(&mut state, now);
                if decision.allowed {
                    passed.push(now.as_nanos());
                } else {
                    // What was promised holds, and not a nanosecond less does.
                    let mut later = state;
                    prop_assert!(gcra.decide(&mut later, now + decision.retry_after).allowed);
                    let mut sooner = state;
                    let early = now + decision.retry_after - Duration::from_nanos(1);
                    prop_assert!(!gcra.decide(&mut sooner, early).allowed);
                }
            }
            for (index, from) in passed.iter().enumerate() {
                for (count, to) in passed.iter().skip(index).enumerate() {
                    // count + 1 requests in to - from: at most burst + limit * t / period.
                    let allowed = u128::from(burst) * period.as_nanos() + u128::from(limit) * (to - from);
                    prop_assert!((count as u128 + 1) * period.as_nanos() <= allowed);
                }
            }
        }
    }
}
