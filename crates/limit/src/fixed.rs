//! Fixed windows, aligned to UTC: so many requests in each second, minute, hour, day, month or year.
//!
//! Kong's algorithm, and the one for quotas that people read in a contract. At the border of two windows twice
//! the limit may pass within a moment; where that matters, use [`crate::Gcra`] or [`crate::SlidingWindow`].
//! Permits of a lease must be used before their window ends, so a lease admits no more than a single counter.
//!
//! **Owing.** What is charged beyond the limit is carried on: each window that follows pays as much of it as its limit
//! is, and lets through what is left.

use crate::budget::MOST_OWED;
use crate::calendar::Period;
use crate::view::View;
use std::time::Duration;

/// How much of which window is used. The default is a caller never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    index: u64,
    /// Beyond the limit: what the windows that follow have to pay.
    used: u64,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    limit: u64,
    period: Period,
}

impl FixedWindow {
    /// `limit` requests in each window of `period`; zero counts as one.
    #[must_use]
    pub fn new(limit: u64, period: Period) -> Self {
        Self { limit: limit.max(1), period }
    }

    /// The most that pass in one window.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// The most that is owed.
    #[must_use]
    pub const fn most_owed(&self) -> u64 {
        self.limit.saturating_mul(MOST_OWED)
    }

    /// The state moved on to the window of `now`. A clock that goes back stays in the later window.
    fn current(&self, state: State, now: Duration) -> State {
        let index = self.period.place(now).index;
        let paid = index.saturating_sub(state.index).saturating_mul(self.limit);
        State { index: index.max(state.index), used: state.used.saturating_sub(paid) }
    }

    /// How many permits there are now.
    #[must_use]
    pub fn available(&self, state: State, now: Duration) -> u64 {
        self.limit.saturating_sub(self.current(state, now).used)
    }

    /// Takes `permits`; more than there are leave nothing.
    pub fn commit(&self, state: &mut State, now: Duration, permits: u64) {
        self.add(state, now, permits, self.limit);
    }

    /// Charges `permits` whether or not they are there. What is not is owed.
    pub fn charge(&self, state: &mut State, now: Duration, permits: u64) {
        self.add(state, now, permits, self.limit.saturating_add(self.most_owed()));
    }

    fn add(&self, state: &mut State, now: Duration, permits: u64, most: u64) {
        *state = self.current(*state, now);
        state.used = state.used.saturating_add(permits).min(most.max(state.used));
    }

    /// Takes back `permits` that were taken at `taken` and never used.
    pub fn give_back(&self, state: &mut State, now: Duration, taken: Duration, permits: u64) {
        *state = self.current(*state, now);
        if self.period.place(taken).index == state.index {
            state.used = state.used.saturating_sub(permits);
        }
    }

    /// How long permits that are taken now may be kept.
    #[must_use]
    pub fn hold(&self, now: Duration) -> Duration {
        self.period.place(now).end.saturating_sub(now)
    }

    /// What a caller may be told; `cost` is what the next request would take.
    #[must_use]
    pub fn view(&self, state: State, now: Duration, cost: u64) -> View {
        let current = self.current(state, now);
        let remaining = self.limit.saturating_sub(current.used);
        let needed = cost.clamp(1, self.limit);
        // When the windows have paid so much.
        let after = |permits: u64| {
            let windows = permits.div_ceil(self.limit).max(1);
            self.period.end(current.index.saturating_add(windows).saturating_sub(1)).saturating_sub(now)
        };
        let retry_after = if remaining >= cost.max(1) {
            Duration::ZERO
        } else {
            after(current.used.saturating_add(needed).saturating_sub(self.limit))
        };
        View { limit: self.limit, remaining, retry_after, reset_after: after(current.used) }
    }

    /// Whether a state is that of a caller never seen.
    #[must_use]
    pub fn is_whole(&self, state: State, now: Duration) -> bool {
        self.current(state, now).used == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_minute_begins_anew_and_says_so() {
        let window = FixedWindow::new(3, Period::Span(at(60)));
        let mut state = State::default();
        window.commit(&mut state, at(110), 3);
        let view = window.view(state, at(110), 1);
        assert_eq!((view.remaining, view.retry_after, view.reset_after), (0, at(10), at(10)));
        assert_eq!(window.available(state, at(119)), 0);
        assert_eq!(window.available(state, at(120)), 3);
        assert!(window.is_whole(state, at(120)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let window = FixedWindow::new(3, Period::Span(at(60)));
        let mut state = State::default();
        window.commit(&mut state, at(120), 3);
        assert_eq!(window.available(state, at(119)), 0);
        window.commit(&mut state, at(119), 3);
        assert_eq!(window.available(state, at(121)), 0);
    }

    #[test]
    fn what_is_charged_beyond_the_limit_is_paid_by_the_windows_that_follow() {
        let window = FixedWindow::new(10, Period::Span(at(60)));
        let mut state = State::default();
        window.commit(&mut state, at(100), 1);
        window.charge(&mut state, at(100), 24);
        let view = window.view(state, at(100), 1);
        assert_eq!((view.remaining, view.retry_after, view.reset_after), (0, at(80), at(140)));
        assert_eq!(window.view(state, at(100), 6).retry_after, at(140));
        let left: Vec<u64> = [119, 120, 179, 180, 240].map(|now| window.available(state, at(now))).to_vec();
        assert_eq!(left, [0, 0, 0, 5, 10]);
        // A refused request that is counted adds nothing to it.
        window.commit(&mut state, at(100), 7);
        assert_eq!(window.available(state, at(180)), 5);
        window.give_back(&mut state, at(100), at(100), 5);
        assert_eq!(window.available(state, at(180)), 10);
        window.charge(&mut state, at(200), u64::MAX);
        assert_eq!(window.available(state, at(180 + 100 * 60)), 0);
        assert_eq!(window.available(state, at(180 + 101 * 60)), 10);
        let month = FixedWindow::new(10, Period::Month);
        let mut state = State::default();
        month.charge(&mut state, at(0), 31);
        assert_eq!(month.view(state, at(0), 1).retry_after, at((31 + 28 + 31) * 86_400));
    }

    #[test]
    fn only_what_was_taken_from_this_window_comes_back() {
        let window = FixedWindow::new(10, Period::Span(at(60)));
        let mut state = State::default();
        window.commit(&mut state, at(100), 6);
        window.give_back(&mut state, at(100), at(100), 2);
        assert_eq!(window.available(state, at(100)), 6);
        window.commit(&mut state, at(120), 5);
        window.give_back(&mut state, at(120), at(100), 4);
        assert_eq!(window.available(state, at(120)), 5);
    }
}
