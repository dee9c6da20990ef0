//! The generic cell rate algorithm (ITU-T I.371), as a virtual schedule.
//!
//! A limit of `L` requests per period `P` with a burst of `B` lets a request through when, at the steady pace
//! of one per `P/L`, it is at most `B - 1` requests early. The state is the theoretical arrival time of the
//! next request on schedule; a caller that was not seen for long has the state of one never seen.
//!
//! Time is counted in units of `1/L` nanoseconds, so that `P/L` is a whole number of units (`P` of them) and
//! nothing is ever rounded: over any time `t` at most `B + L·t/P` requests pass, exactly.
//!
//! **Leases.** Permits that are taken now and used up to `hold` later would let `L·hold/P` more through in
//! some window. So a schedule made with [`Gcra::leased`] tolerates `hold` less: what is used in a time `t`
//! was taken in `t + hold`, at most `B - L·hold/P + L·(t + hold)/P`, which is the same bound.
//!
//! **Owing.** What a request turns out to have cost is charged whether or not it is there: the schedule moves on past
//! what the burst tolerates, and nothing passes until the pace has caught up.
//!
//! **Giving back.** Without the permits that come back, those who took later would have found the schedule
//! further behind, and what it is behind the clock is lost. That is at most the time from when the permits were
//! taken to when others last took some, so they are worth what they moved the schedule less that time: nothing is
//! admitted twice, and what comes back before anybody else has taken is worth all of it.

use crate::budget::MOST_OWED;
use crate::view::View;
use std::time::Duration;

/// The longest that permits of a steady pace are kept that were leased from a store.
pub const LONGEST_HOLD: Duration = Duration::from_millis(100);
/// A store counts microseconds in doubles: at most these (71 years) are owed.
const LONGEST_DEBT: u128 = 1 << 51;
/// A burst below this is small.
const FEW: u128 = 100;
/// Permits of a small burst that hold for less (in nanoseconds) are too few to be worth a lease.
const BRIEF: u128 = 20_000_000;

/// Where a caller stands. The default is one that was never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The theoretical arrival time, in units.
    scheduled: u128,
    /// When permits were last taken, in nanoseconds.
    last: u128,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Requests per period.
    limit: u128,
    /// The period in nanoseconds, which is the time between two requests in units.
    period: u128,
    burst: u128,
    /// How long permits may be kept, in nanoseconds; zero where they are used at once.
    hold: u128,
}

impl Gcra {
    /// `limit` requests per `period`, `burst` of them at once. Zeroes count as one (request, nanosecond).
    #[must_use]
    pub fn new(limit: u64, period: Duration, burst: u64) -> Self {
        Self {
            limit: u128::from(limit.max(1)),
            period: period.as_nanos().max(1),
            burst: u128::from(burst.max(1)),
            hold: 0,
        }
    }

    /// The same limit for permits that are kept up to `longest`, or for a fifth of what the burst stretches
    /// over where that is less. A small burst is worth more than keeping where permits would hold for less than
    /// 20 ms or less than one would: there they are for use at once, and nothing of the burst is lost.
    #[must_use]
    pub fn leased(mut self, longest: Duration) -> Self {
        let stretch = self.burst.saturating_sub(1).saturating_mul(self.period);
        let fifth = stretch.checked_div(self.limit.saturating_mul(5)).unwrap_or(0);
        self.hold = fifth.min(longest.as_nanos());
        if self.burst < FEW && (self.hold < BRIEF || self.hold_units() <= self.period) {
            self.hold = 0;
        }
        self
    }

    /// How long permits may be kept.
    #[must_use]
    pub fn hold(&self) -> Duration {
        nanos(self.hold)
    }

    /// The most that pass at once.
    #[must_use]
    pub fn burst(&self) -> u64 {
        whole(self.burst)
    }

    /// The most that ever pass at once; where permits are kept this is less than the burst.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.available(State::default(), Duration::ZERO)
    }

    /// In what time so many permits grow, rounded down.
    #[must_use]
    pub fn pace(&self, permits: u64) -> Duration {
        nanos(u128::from(permits).saturating_mul(self.period).checked_div(self.limit).unwrap_or(0))
    }

    /// The schedule as numbers of microseconds with remainders, for a store that counts in them: the step of
    /// one permit and the tolerance, each as whole microseconds and units of `1/denominator` of one.
    #[must_use]
    pub fn in_micros(&self) -> Micros {
        // A microsecond holds 1000·limit units; a common divisor keeps the numbers small.
        let denominator = self.limit.saturating_mul(1_000);
        let divisor = common_divisor(common_divisor(denominator, self.period), self.hold_units());
        let parts = |units: u128| units.checked_div(divisor).unwrap_or(units);
        Micros {
            step: parts(self.period),
            tolerance: parts(self.tolerance()),
            denominator: parts(denominator),
        }
    }

    /// For how long at most nothing passes for what is owed, in whole microseconds.
    #[must_use]
    pub fn most_owed(&self) -> Duration {
        let burst = self.burst.saturating_mul(self.period).checked_div(self.limit).unwrap_or(0);
        let longest = burst.max(self.period).saturating_mul(u128::from(MOST_OWED)) / 1_000;
        Duration::from_micros(whole(longest.min(LONGEST_DEBT)))
    }

    fn hold_units(&self) -> u128 {
        self.hold.saturating_mul(self.limit)
    }

    /// How early a request may be.
    fn tolerance(&self) -> u128 {
        let whole = self.burst.saturating_sub(1).saturating_mul(self.period);
        whole.saturating_sub(self.hold_units())
    }

    /// How many permits there are now.
    #[must_use]
    pub fn available(&self, state: State, now: Duration) -> u64 {
        let early = state.scheduled.saturating_sub(self.units(now));
        let Some(room) = self.tolerance().checked_sub(early) else { return 0 };
        whole(room.checked_div(self.period).unwrap_or(0).saturating_add(1))
    }

    /// Takes `permits`, which the caller knows to be available. A clock that goes back only delays.
    pub fn commit(&self, state: &mut State, now: Duration, permits: u64) {
        state.last = state.last.max(now.as_nanos());
        let step = u128::from(permits).saturating_mul(self.period);
        state.scheduled = state.scheduled.max(self.units(now)).saturating_add(step);
    }

    /// Charges a refused request, but never further than nothing being left.
    pub fn punish(&self, state: &mut State, now: Duration, permits: u64) {
        self.commit_up_to(state, now, permits, 0);
    }

    /// Charges `permits` whether or not they are there. What is not is owed, up to [`Gcra::most_owed`].
    pub fn charge(&self, state: &mut State, now: Duration, permits: u64) {
        self.commit_up_to(state, now, permits, self.units(self.most_owed()));
    }

    /// Takes permits until nothing is left and so many units are owed, and no more.
    fn commit_up_to(&self, state: &mut State, now: Duration, permits: u64, owed: u128) {
        let spent = self.units(now).saturating_add(self.tolerance()).saturating_add(self.period);
        let before = state.scheduled;
        self.commit(state, now, permits);
        state.scheduled = state.scheduled.min(spent.saturating_add(owed)).max(before);
    }

    /// Takes back `permits` that were taken at `taken` and never used, but for what may have grown again.
    pub fn give_back(&self, state: &mut State, taken: Duration, permits: u64) {
        let step = u128::from(permits).saturating_mul(self.period);
        let grown = state.last.saturating_sub(taken.as_nanos()).saturating_mul(self.limit);
        state.scheduled = state.scheduled.saturating_sub(step.saturating_sub(grown));
    }

    /// What a caller may be told; `cost` is what the next request would take.
    #[must_use]
    pub fn view(&self, state: State, now: Duration, cost: u64) -> View {
        let used = state.scheduled.saturating_sub(self.units(now));
        let needed = u128::from(cost.max(1)).saturating_sub(1).saturating_mul(self.period);
        View {
            limit: whole(self.burst),
            remaining: self.available(state, now),
            retry_after: self.duration(used.saturating_add(needed).saturating_sub(self.tolerance())),
            reset_after: self.duration(used),
        }
    }

    /// Whether a state is that of a caller never seen: it can be forgotten without loss.
    #[must_use]
    pub fn is_whole(&self, state: State, now: Duration) -> bool {
        state.scheduled <= self.units(now)
    }

    fn units(&self, time: Duration) -> u128 {
        time.as_nanos().saturating_mul(self.limit)
    }

    /// Rounded up: whoever waits so long is not told to wait again.
    fn duration(&self, units: u128) -> Duration {
        nanos(units.div_ceil(self.limit))
    }
}

/// A schedule in microseconds: every number is a count of `1/denominator` microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micros {
    /// Between two permits.
    pub step: u128,
    /// How early a request may be.
    pub tolerance: u128,
    /// Units in a microsecond.
    pub denominator: u128,
}

fn common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other > 0 {
        (one, other) = (other, one.checked_rem(other).unwrap_or(0));
    }
    one.max(1)
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(gcra: &Gcra, state: &mut State, now: Duration) -> bool {
        let allowed = gcra.available(*state, now) > 0;
        if allowed {
            gcra.commit(state, now, 1);
        }
        allowed
    }

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let gcra = Gcra::new(3, Duration::from_secs(1), 3);
        let mut state = State::default();
        let at = Duration::from_secs(10);
        for left in [2, 1, 0] {
            assert!(take(&gcra, &mut state, at));
            assert_eq!(gcra.view(state, at, 1).remaining, left);
        }
        assert!(!take(&gcra, &mut state, at));
        let view = gcra.view(state, at, 1);
        assert_eq!(view.retry_after, Duration::from_nanos(333_333_334));
        assert_eq!(gcra.view(state, at, 2).retry_after, Duration::from_nanos(666_666_667));
        assert_eq!(view.reset_after, Duration::from_secs(1));
        assert!(!take(&gcra, &mut state, at + Duration::from_nanos(333_333_333)));
        assert!(take(&gcra, &mut state, at + Duration::from_nanos(333_333_334)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let gcra = Gcra::new(1, Duration::from_secs(1), 1);
        let mut state = State::default();
        assert!(take(&gcra, &mut state, Duration::from_secs(100)));
        assert!(!take(&gcra, &mut state, Duration::from_secs(1)));
        assert!(!gcra.is_whole(state, Duration::from_secs(1)));
    }

    #[test]
    fn what_has_grown_again_cannot_be_given_back() {
        let gcra = Gcra::new(10, Duration::from_secs(1), 10);
        let mut state = State::default();
        let at = |seconds| Duration::from_secs(seconds);
        gcra.commit(&mut state, at(1), 6);
        gcra.give_back(&mut state, at(1), 6);
        assert_eq!(gcra.available(state, at(1)), 10);
        gcra.commit(&mut state, at(1), 6);
        gcra.commit(&mut state, at(5), 4);
        gcra.give_back(&mut state, at(1), 6);
        assert_eq!(gcra.available(state, at(5)), 6);
    }

    #[test]
    fn what_comes_back_late_is_worth_no_more_than_what_has_not_grown_again() {
        let gcra = Gcra::new(10, Duration::from_secs(1), 10);
        let at = Duration::from_millis;
        let mut state = State::default();
        gcra.commit(&mut state, at(10_000), 10);
        gcra.commit(&mut state, at(10_800), 8);
        for _ in 0..10 {
            gcra.give_back(&mut state, at(10_000), 1);
        }
        // Had nobody taken the ten, there would be two beside the eight.
        assert!(gcra.available(state, at(10_800)) <= 2);
        let mut state = State::default();
        gcra.commit(&mut state, at(10_000), 10);
        gcra.commit(&mut state, at(10_200), 2);
        gcra.give_back(&mut state, at(10_000), 10);
        assert_eq!(gcra.available(state, at(10_200)), 8, "all but two have not grown again");
    }

    #[test]
    fn a_refused_request_is_charged_no_further_than_nothing_left() {
        let gcra = Gcra::new(10, Duration::from_secs(1), 10);
        let mut state = State::default();
        let at = Duration::from_secs(1);
        for _ in 0..50 {
            gcra.punish(&mut state, at, 7);
        }
        assert_eq!(gcra.available(state, at), 0);
        assert_eq!(gcra.available(state, at + Duration::from_millis(100)), 1);
    }

    #[test]
    fn what_is_charged_beyond_the_burst_is_owed_and_has_an_end() {
        let gcra = Gcra::new(10, Duration::from_secs(1), 5);
        let at = Duration::from_millis;
        let mut state = State::default();
        gcra.charge(&mut state, at(1_000), 25);
        assert_eq!(gcra.available(state, at(3_000)), 0);
        assert_eq!(gcra.view(state, at(1_000), 1).retry_after, at(2_100));
        // A refused request that is counted adds nothing to it.
        gcra.punish(&mut state, at(1_000), 3);
        assert_eq!(gcra.available(state, at(3_100)), 1);
        gcra.charge(&mut state, at(1_000), u64::MAX);
        assert_eq!(gcra.most_owed(), at(100_000));
        assert_eq!(gcra.available(state, at(101_000)), 0);
        assert_eq!(gcra.available(state, at(101_100)), 1);
    }

    proptest! {
        #[test]
        fn no_window_lets_more_through_than_the_limit(
            limit in 1_u64..200, period in 1_u64..5_000, burst in 1_u64..50,
            gaps in prop::collection::vec(0_u64..2_000, 1..200),
        ) {
            let period = Duration::from_millis(period);
            let gcra = Gcra::new(limit, period, burst);
            let mut state = State::default();
            let mut now = Duration::ZERO;
            let mut passed: Vec<u128> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if take(&gcra, &mut state, now) {
                    passed.push(now.as_nanos());
                } else {
                    // What was promised holds, and not a nanosecond less does.
                    let wait = gcra.view(state, now, 1).retry_after;
                    prop_assert!(gcra.available(state, now + wait) > 0);
                    prop_assert!(gcra.available(state, now + wait - Duration::from_nanos(1)) == 0);
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

        #[test]
        fn permits_that_come_back_late_let_no_more_through(
            limit in 1_u64..200, burst in 1_u64..50,
            steps in prop::collection::vec((0_u64..200, 1_u64..6, prop::option::of(1_usize..12)), 1..80),
        ) {
            let second = Duration::from_secs(1);
            let gcra = Gcra::new(limit, second, burst);
            let mut state = State::default();
            let mut now = Duration::from_secs(100);
            let mut used: Vec<u128> = Vec::new();
            let mut coming_back: Vec<(usize, Duration, u64)> = Vec::new();
            for (step, (gap, want, back)) in steps.into_iter().enumerate() {
                now += Duration::from_millis(gap);
                coming_back.retain(|(due, taken, permits)| {
                    if *due <= step {
                        gcra.give_back(&mut state, *taken, *permits);
                    }
                    *due > step
                });
                let permits = want.min(gcra.available(state, now));
                gcra.commit(&mut state, now, permits);
                match back {
                    // One by one, as the requests that took them are refused elsewhere.
                    Some(later) => coming_back.extend((0..permits).map(|_| (step + later, now, 1))),
                    None => used.extend((0..permits).map(|_| now.as_nanos())),
                }
            }
            for (index, from) in used.iter().enumerate() {
                for (count, to) in used.iter().skip(index).enumerate() {
                    let allowed = u128::from(burst) * second.as_nanos() + u128::from(limit) * (to - from);
                    prop_assert!((count as u128 + 1) * second.as_nanos() <= allowed);
                }
            }
        }

        #[test]
        fn permits_kept_as_long_as_they_may_be_still_respect_every_window(
            limit in 1_u64..2_000, burst in 2_u64..500,
            takes in prop::collection::vec((0_u64..300, 1_u64..40, 0_u64..=100), 1..100),
        ) {
            let second = Duration::from_secs(1);
            let gcra = Gcra::new(limit, second, burst).leased(Duration::from_millis(100));
            let mut state = State::default();
            let mut now = Duration::from_secs(100);
            let mut used: Vec<u128> = Vec::new();
            for (gap, want, late) in takes {
                now += Duration::from_millis(gap);
                let permits = want.min(gcra.available(state, now));
                gcra.commit(&mut state, now, permits);
                let late = gcra.hold().as_nanos() * u128::from(late) / 100;
                used.extend((0..permits).map(|_| now.as_nanos() + late));
            }
            used.sort_unstable();
            for (index, from) in used.iter().enumerate() {
                for (count, to) in used.iter().skip(index).enumerate() {
                    let allowed = u128::from(burst) * second.as_nanos() + u128::from(limit) * (to - from);
                    prop_assert!((count as u128 + 1) * second.as_nanos() <= allowed);
                }
            }
        }
    }
}
