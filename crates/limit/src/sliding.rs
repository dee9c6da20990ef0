//! A sliding window: at most so many requests in *any* stretch of the period's length.
//!
//! The period is cut into segments that are counted apart. What is compared with the limit is the segment
//! under way and all those that the last period touches, the oldest in full even where the window has left
//! part of it. So never more than the limit passes in any stretch (a weighted guess of the oldest part, which
//! is common, would let up to twice as much through); the price is that under steady demand 20/21 of the
//! limit is used. Unlike [`crate::Gcra`] it needs no burst beside the limit.
//!
//! **Owing.** What is charged beyond the limit waits: as soon as the window leaves a segment, what was used in it is used
//! again for what is owed.

use crate::budget::MOST_OWED;
use crate::view::View;
use std::time::Duration;

/// Segments of a period.
const SEGMENTS: usize = 20;
/// One more, because a window that begins within a segment touches it too.
const TOUCHED: usize = SEGMENTS + 1;
/// After so many everything is gone, if less than the limit is owed.
const TWICE: u64 = 2 * TOUCHED as u64;

/// Counts by segment. The default is a caller never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The newest segment's number.
    newest: u64,
    /// What was charged and not there; then the whole limit is used.
    owed: u64,
    /// By number modulo their count.
    used: [u32; TOUCHED],
    /// The sum of them, which is at most the limit.
    total: u32,
}

impl State {
    /// What was used in a segment that is looked at.
    fn used(&self, number: u64) -> u32 {
        self.used.get(place(number)).copied().unwrap_or(0)
    }

    fn set(&mut self, number: u64, used: u32) {
        let slot = self.used.get_mut(place(number)).expect("a number modulo the length is a place");
        self.total = self.total.saturating_sub(*slot).saturating_add(used);
        *slot = used;
    }
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    limit: u32,
    /// In nanoseconds.
    segment: u64,
}

impl SlidingWindow {
    /// `limit` requests in any stretch of `period`; zero counts as one.
    #[must_use]
    pub fn new(limit: u32, period: Duration) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        // Rounded up to microseconds, so that a store which counts in them has the same segments.
        let segment = period.div_ceil(SEGMENTS as u64).div_ceil(1_000).max(1).saturating_mul(1_000);
        Self { limit: limit.max(1), segment }
    }

    /// The most that pass in one period.
    #[must_use]
    pub fn limit(&self) -> u64 {
        u64::from(self.limit)
    }

    /// How long one segment is.
    #[must_use]
    pub fn segment(&self) -> Duration {
        Duration::from_nanos(self.segment)
    }

    /// How many segments are looked at.
    #[must_use]
    pub const fn segments() -> usize {
        TOUCHED
    }

    /// The most that is owed.
    #[must_use]
    pub fn most_owed(&self) -> u64 {
        self.limit().saturating_mul(MOST_OWED)
    }

    fn number(&self, now: Duration) -> u64 {
        nanos(now).checked_div(self.segment).unwrap_or(0)
    }

    /// Whether no segment has passed since the state was written, so that it stands as it is. By multiplication, since
    /// this is asked several times a decision and nearly always so.
    fn stands(&self, state: &State, now: Duration) -> bool {
        nanos(now) < state.newest.saturating_add(1).saturating_mul(self.segment)
    }

    /// Empties the segments that are past. A clock that goes back stays in the later segment.
    fn advance(&self, state: &mut State, now: Duration) {
        if !self.stands(state, now) {
            self.pass(state, self.number(now));
        }
    }

    fn pass(&self, state: &mut State, number: u64) {
        if state.owed > 0 {
            self.pay(state, number);
        } else if number.saturating_sub(state.newest) >= TOUCHED as u64 {
            *state = State { newest: number, ..State::default() };
        } else {
            while state.newest < number {
                state.newest = state.newest.saturating_add(1);
                state.set(state.newest, 0);
            }
        }
    }

    /// What `look` sees in the state as it stands at `now`.
    fn seen<T>(&self, state: &State, now: Duration, look: impl Fn(&State) -> T) -> T {
        if self.stands(state, now) {
            return look(state);
        }
        let mut moved = *state;
        self.pass(&mut moved, self.number(now));
        look(&moved)
    }

    /// [`SlidingWindow::pass`] where something is owed, for which what comes back is used.
    #[cold]
    fn pay(&self, state: &mut State, number: u64) {
        let mut passed = number.saturating_sub(state.newest);
        // Each period pays the whole limit, and then stands as the one before.
        let periods = passed.checked_div(TOUCHED as u64).unwrap_or(0).min(self.periods(state.owed));
        let segments = periods.saturating_mul(TOUCHED as u64);
        state.newest = state.newest.saturating_add(segments);
        state.owed = state.owed.saturating_sub(periods.saturating_mul(self.limit()));
        passed = passed.saturating_sub(segments);
        // What is owed then is used within a period, and gone within another.
        if passed >= TOUCHED as u64 && (state.owed == 0 || passed >= TWICE) {
            *state = State { newest: number, ..State::default() };
            return;
        }
        for _ in 0..passed {
            state.newest = state.newest.saturating_add(1);
            let left = state.used(state.newest).min(u32::try_from(state.owed).unwrap_or(u32::MAX));
            state.set(state.newest, left);
            state.owed = state.owed.saturating_sub(u64::from(left));
        }
    }

    /// How many periods give so much, rounded down.
    fn periods(&self, permits: u64) -> u64 {
        permits.checked_div(self.limit()).unwrap_or(0)
    }

    /// How many permits there are now.
    #[must_use]
    pub fn available(&self, state: &State, now: Duration) -> u64 {
        self.seen(state, now, |state| self.room(state))
    }

    fn room(&self, state: &State) -> u64 {
        self.limit().saturating_sub(u64::from(state.total))
    }

    /// Takes `permits`; more than there are leave nothing.
    pub fn commit(&self, state: &mut State, now: Duration, permits: u64) {
        self.advance(state, now);
        let permits = u32::try_from(permits.min(self.room(state))).unwrap_or(u32::MAX);
        state.set(state.newest, state.used(state.newest).saturating_add(permits));
    }

    /// Charges `permits` whether or not they are there. What is not is owed, up to [`SlidingWindow::most_owed`].
    pub fn charge(&self, state: &mut State, now: Duration, permits: u64) {
        let more = permits.saturating_sub(self.available(state, now));
        self.commit(state, now, permits);
        state.owed = state.owed.saturating_add(more).min(self.most_owed());
    }

    /// Takes back `permits` that were taken at `taken` and never used.
    pub fn give_back(&self, state: &mut State, now: Duration, taken: Duration, permits: u64) {
        self.advance(state, now);
        let number = self.number(taken);
        let oldest = state.newest.saturating_sub(SEGMENTS as u64);
        if number >= oldest && number <= state.newest {
            // As long as something is owed the whole limit is used.
            let owed = permits.min(state.owed);
            state.owed = state.owed.saturating_sub(owed);
            let permits = u32::try_from(permits.saturating_sub(owed)).unwrap_or(u32::MAX);
            state.set(number, state.used(number).saturating_sub(permits));
        }
    }

    /// How long permits that are taken now may be kept: while their segment lasts, so that they are used in
    /// the segment in which they were counted.
    #[must_use]
    pub fn hold(&self, now: Duration) -> Duration {
        self.start(self.number(now).saturating_add(1)).saturating_sub(now)
    }

    fn start(&self, number: u64) -> Duration {
        Duration::from_nanos(number.saturating_mul(self.segment))
    }

    /// What a caller may be told; `cost` is what the next request would take.
    #[must_use]
    pub fn view(&self, state: &State, now: Duration, cost: u64) -> View {
        self.seen(state, now, |state| self.view_of(state, now, cost))
    }

    fn view_of(&self, state: &State, now: Duration, cost: u64) -> View {
        let remaining = self.room(state);
        let missing = cost.clamp(1, self.limit()).saturating_sub(remaining);
        let view = View { limit: self.limit(), remaining, ..View::default() };
        if state.owed > 0 {
            return self.view_of_debt(state, now, missing, view);
        }
        let gone = |number: u64| self.start(number.saturating_add(TOUCHED as u64)).saturating_sub(now);
        let oldest = state.newest.saturating_sub(SEGMENTS as u64);
        let last = (oldest..=state.newest).rev().find(|number| state.used(*number) > 0);
        let reset_after = last.map(gone).unwrap_or_default();
        let retry_after = if missing > 0 { gone(first_back(state, oldest, missing)) } else { Duration::ZERO };
        View { retry_after, reset_after, ..view }
    }

    /// The times of a caller who owes.
    #[cold]
    fn view_of_debt(&self, state: &State, now: Duration, missing: u64, mut view: View) -> View {
        // What has to come back until the next request passes, and in all: so many whole periods, and so much.
        let within = |permits: u64| {
            let periods = self.periods(permits.saturating_sub(1));
            (periods, permits.saturating_sub(periods.saturating_mul(self.limit())))
        };
        let retry = within(if missing > 0 { missing.saturating_add(state.owed) } else { 0 });
        let reset = within(u64::from(state.total).saturating_add(state.owed));
        let mut back = 0_u64;
        for age in (0..TOUCHED as u64).rev() {
            let Some(number) = state.newest.checked_sub(age) else { continue };
            let used = u64::from(state.used(number));
            if used == 0 {
                continue;
            }
            let before = back;
            back = back.saturating_add(used);
            let gone = |(periods, permits): (u64, u64)| {
                let after = periods.saturating_add(1).saturating_mul(TOUCHED as u64);
                let gone = self.start(number.saturating_add(after)).saturating_sub(now);
                (before < permits && permits <= back).then_some(gone)
            };
            view.retry_after = gone(retry).unwrap_or(view.retry_after);
            view.reset_after = gone(reset).unwrap_or(view.reset_after);
        }
        view
    }

    /// Whether a state is that of a caller never seen.
    #[must_use]
    pub fn is_whole(&self, state: &State, now: Duration) -> bool {
        self.seen(state, now, |state| state.total == 0)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn place(number: u64) -> usize {
    usize::try_from(number.checked_rem(TOUCHED as u64).unwrap_or(0)).unwrap_or(0)
}

/// The segment with which `missing` permits have come back, when each gives back what was used in it, oldest first.
fn first_back(state: &State, oldest: u64, mut missing: u64) -> u64 {
    let (later, earlier) = state.used.split_at(place(oldest));
    let segments = (oldest..).zip(earlier.iter().chain(later));
    for (number, used) in segments {
        missing = missing.saturating_sub(u64::from(*used));
        if missing == 0 {
            return number;
        }
    }
    state.newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_used_comes_back_a_period_later_and_the_caller_is_told_when() {
        let window = SlidingWindow::new(10, Duration::from_secs(20));
        let mut state = State::default();
        let at = Duration::from_secs;
        window.commit(&mut state, at(100), 6);
        window.commit(&mut state, at(105), 4);
        let view = window.view(&state, at(105), 1);
        assert_eq!((view.remaining, view.retry_after, view.reset_after), (0, at(16), at(21)));
        assert_eq!(window.view(&state, at(105), 7).retry_after, at(21));
        assert_eq!(window.available(&state, at(120)), 0);
        assert_eq!(window.available(&state, at(121)), 6);
        assert_eq!(window.available(&state, at(126)), 10);
    }

    #[test]
    fn what_is_charged_beyond_the_limit_is_paid_as_segments_leave_the_window() {
        let window = SlidingWindow::new(10, Duration::from_secs(20));
        let mut state = State::default();
        let at = Duration::from_secs;
        window.commit(&mut state, at(100), 6);
        window.charge(&mut state, at(105), 11);
        // Four in the limit, seven beyond: the six come back at 121, the four at 126, and pay.
        assert_eq!(state.owed, 7);
        let view = window.view(&state, at(105), 1);
        assert_eq!((view.remaining, view.retry_after, view.reset_after), (0, at(21), at(42)));
        assert_eq!(window.view(&state, at(105), 4).retry_after, at(37));
        let left: Vec<u64> =
            [120, 121, 125, 126, 141, 142, 147].map(|now| window.available(&state, at(now))).to_vec();
        assert_eq!(left, [0, 0, 0, 3, 3, 9, 10]);
        window.give_back(&mut state, at(105), at(105), 7);
        assert_eq!((state.owed, window.available(&state, at(121))), (0, 6));
        window.charge(&mut state, at(130), u64::MAX);
        assert_eq!(state.owed, 1_000);
        let whole = window.view(&state, at(130), 1).reset_after;
        assert!(window.is_whole(&state, at(130) + whole) && !window.is_whole(&state, at(129) + whole));
    }

    proptest! {
        #[test]
        fn what_is_owed_is_paid_in_one_step_as_in_many(
            limit in 1_u32..40,
            charges in prop::collection::vec((0_u64..1_500, 1_u64..80, 0_u64..3, 1_u64..60), 1..40),
        ) {
            let window = SlidingWindow::new(limit, Duration::from_secs(4));
            let (mut one, mut many) = (State::default(), State::default());
            let mut now = Duration::from_secs(1_000);
            for (gap, cost, back, wanted) in charges {
                // Often not far, sometimes many periods.
                let gap = Duration::from_millis(if gap < 1_000 { gap } else { (gap - 1_000) * 400 });
                let end = now + gap;
                while now < end {
                    now = (now + Duration::from_millis(90)).min(end);
                    window.advance(&mut many, now);
                    prop_assert!(many.owed == 0 || many.total == limit);
                }
                window.advance(&mut one, now);
                window.advance(&mut many, now);
                prop_assert_eq!(one, many);
                prop_assert_eq!(one.used.iter().sum::<u32>(), one.total);
                for state in [&mut one, &mut many] {
                    window.charge(state, now, cost);
                }
                prop_assert_eq!(one, many);
                window.give_back(&mut one, now, now, back);
                window.give_back(&mut many, now, now, back);
                let view = window.view(&one, now, wanted);
                let wanted = wanted.min(u64::from(limit));
                prop_assert!(window.available(&one, now + view.retry_after) >= wanted);
                if !view.retry_after.is_zero() {
                    let before = now + view.retry_after - Duration::from_nanos(1);
                    prop_assert!(window.available(&one, before) < wanted);
                }
                prop_assert!(window.is_whole(&one, now + view.reset_after));
            }
        }

        #[test]
        fn no_stretch_of_the_period_lets_more_through(
            limit in 1_u32..40,
            takes in prop::collection::vec((0_u64..900, 1_u64..10, 0_u64..=100, any::<bool>()), 1..150),
        ) {
            let period = Duration::from_secs(4);
            let window = SlidingWindow::new(limit, period);
            let mut state = State::default();
            let mut now = Duration::from_secs(1_000);
            let mut used: Vec<Duration> = Vec::new();
            for (gap, want, late, unused) in takes {
                now += Duration::from_millis(gap);
                let permits = want.min(window.available(&state, now));
                window.commit(&mut state, now, permits);
                if unused {
                    window.give_back(&mut state, now, now, permits);
                } else {
                    let hold = window.hold(now) - Duration::from_nanos(1);
                    let late = hold * u32::try_from(late).unwrap() / 100;
                    used.extend((0..permits).map(|_| now + late));
                }
                let view = window.view(&state, now, 1);
                prop_assert!(window.available(&state, now + view.retry_after) > 0);
                prop_assert!(window.is_whole(&state, now + view.reset_after));
            }
            used.sort_unstable();
            for (index, from) in used.iter().enumerate() {
                let within = used.iter().skip(index).filter(|at| **at - *from <= period).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
