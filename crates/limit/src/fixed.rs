//! Fixed windows, aligned to UTC: so many requests in each second, minute, hour, day, month or year.
//!
//! Kong's algorithm, and the one for quotas that people read in a contract. At the border of two windows twice
//! the limit may pass within a moment; where that matters, use [`crate::Gcra`] or [`crate::SlidingWindow`].
//! Permits of a lease must be used before their window ends, so a lease admits no more than a single counter.

use crate::calendar::Period;
use crate::view::View;
use std::time::Duration;

/// How much of which window is used. The default is a caller never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    index: u64,
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

    /// The state moved on to the window of `now`. A clock that goes back stays in the later window.
    fn current(&self, state: State, now: Duration) -> State {
        let index = self.period.place(now).index;
        if index > state.index { State { index, used: 0 } } else { state }
    }

    /// How many permits there are now.
    #[must_use]
    pub fn available(&self, state: State, now: Duration) -> u64 {
        self.limit.saturating_sub(self.current(state, now).used)
    }

    /// Takes `permits`; more than there are leave nothing.
    pub fn commit(&self, state: &mut State, now: Duration, permits: u64) {
        *state = self.current(*state, now);
        state.used = state.used.saturating_add(permits).min(self.limit);
    }

    /// Takes back `permits` that were taken at `taken` and never used.
    pub fn give_back(&self, state: &mut State, taken: Duration, permits: u64) {
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
        let remaining = self.available(state, now);
        let reset_after = self.hold(now);
        let retry_after = if remaining >= cost.max(1) { Duration::ZERO } else { reset_after };
        View { limit: self.limit, remaining, retry_after, reset_after }
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
    fn only_what_was_taken_from_this_window_comes_back() {
        let window = FixedWindow::new(10, Period::Span(at(60)));
        let mut state = State::default();
        window.commit(&mut state, at(100), 6);
        window.give_back(&mut state, at(100), 2);
        assert_eq!(window.available(state, at(100)), 6);
        window.commit(&mut state, at(120), 5);
        window.give_back(&mut state, at(100), 4);
        assert_eq!(window.available(state, at(120)), 5);
    }
}
