//! Several windows decided as one: all of them give, or none does.
//!
//! A hundred a minute and a thousand an hour are one budget. A request that one window refuses takes nothing
//! from the others, because what is taken is known to be there in all of them before any is touched.

use crate::fixed::{self, FixedWindow};
use crate::gcra::{self, Gcra};
use crate::sliding::{self, SlidingWindow};
use crate::view::View;
use crate::when::When;
use std::time::Duration;

/// What is charged though it is not there is owed up to so many times the limit (or the burst, where that is larger), so
/// that no caller is shut out without end by what one answer says.
pub(crate) const MOST_OWED: u64 = 100;

/// One window of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A steady pace with a burst.
    Gcra(Gcra),
    /// Aligned to the clock.
    Fixed(FixedWindow),
    /// In any stretch.
    Sliding(SlidingWindow),
}

/// At least one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    first: Window,
    rest: Box<[Window]>,
}

/// Where one caller stands with every window of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    first: Cell,
    rest: Box<[Cell]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Gcra(gcra::State),
    Fixed(fixed::State),
    Sliding(Box<sliding::State>),
}

/// What is wanted of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Permits.
    pub want: u64,
    /// With fewer than these nothing is taken. A request wants its cost and nothing less; a lease wants more
    /// than it needs, and then is given at most half of what is left, so that others find some too.
    pub least: u64,
    /// A refused request is charged `least` all the same.
    pub charge_refused: bool,
    /// Every window is reported, not only the one that leaves least.
    pub details: bool,
}

impl Ask {
    /// A request that costs this much.
    #[must_use]
    pub const fn exactly(cost: u64) -> Self {
        Self { want: cost, least: cost, charge_refused: false, details: false }
    }

    /// Between `least` and `want` permits, to be kept.
    #[must_use]
    pub const fn up_to(want: u64, least: u64) -> Self {
        Self { want, least, charge_refused: false, details: false }
    }
}

/// What a budget gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Permits; zero is a refusal, unless nothing was wanted.
    pub granted: u64,
    /// How long they may be kept, from the moment of the decision.
    pub hold: Duration,
    /// When it was decided, by the steady clock of the one who decided.
    pub at: Duration,
    /// Which window leaves least, and how it stands.
    pub window: usize,
    /// How that window stands, after what was taken.
    pub view: View,
    /// Every window, if that was asked for.
    pub all: Vec<View>,
}

impl Grant {
    /// A grant with how the windows stand after it, in their order; the one that leaves least is shown, and of
    /// those that refuse the one that refuses longest.
    #[must_use]
    pub fn of(granted: u64, least: u64, views: impl Iterator<Item = View>) -> Self {
        let refused = granted < least;
        let mut grant = Self { granted, ..Self::default() };
        for (index, view) in views.enumerate() {
            let narrower = if refused {
                view.retry_after > grant.view.retry_after
            } else {
                (view.remaining, std::cmp::Reverse(view.reset_after))
                    < (grant.view.remaining, std::cmp::Reverse(grant.view.reset_after))
            };
            if index == 0 || narrower {
                (grant.window, grant.view) = (index, view);
            }
        }
        grant
    }
}

impl Window {
    /// Permits there are now; a cell of another kind has none.
    fn available(&self, cell: &Cell, now: When) -> u64 {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.available(*state, now.steady),
            (Self::Fixed(window), Cell::Fixed(state)) => window.available(*state, now.utc),
            (Self::Sliding(window), Cell::Sliding(state)) => window.available(state, now.steady),
            _ => 0,
        }
    }

    fn commit(&self, cell: &mut Cell, now: When, permits: u64) {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.commit(state, now.steady, permits),
            (Self::Fixed(window), Cell::Fixed(state)) => window.commit(state, now.utc, permits),
            (Self::Sliding(window), Cell::Sliding(state)) => window.commit(state, now.steady, permits),
            _ => {}
        }
    }

    fn punish(&self, cell: &mut Cell, now: When, permits: u64) {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.punish(state, now.steady, permits),
            // What these take goes no further than their limit.
            (window, cell) => window.commit(cell, now, permits),
        }
    }

    fn charge(&self, cell: &mut Cell, now: When, permits: u64) {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.charge(state, now.steady, permits),
            (Self::Fixed(window), Cell::Fixed(state)) => window.charge(state, now.utc, permits),
            (Self::Sliding(window), Cell::Sliding(state)) => window.charge(state, now.steady, permits),
            _ => {}
        }
    }

    fn give_back(&self, cell: &mut Cell, now: When, taken: When, permits: u64) {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.give_back(state, taken.steady, permits),
            (Self::Fixed(window), Cell::Fixed(state)) => window.give_back(state, now.utc, taken.utc, permits),
            (Self::Sliding(window), Cell::Sliding(state)) => {
                window.give_back(state, now.steady, taken.steady, permits);
            }
            _ => {}
        }
    }

    fn view(&self, cell: &Cell, now: When, cost: u64) -> View {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.view(*state, now.steady, cost),
            (Self::Fixed(window), Cell::Fixed(state)) => window.view(*state, now.utc, cost),
            (Self::Sliding(window), Cell::Sliding(state)) => window.view(state, now.steady, cost),
            _ => View::default(),
        }
    }

    fn is_whole(&self, cell: &Cell, now: When) -> bool {
        match (self, cell) {
            (Self::Gcra(window), Cell::Gcra(state)) => window.is_whole(*state, now.steady),
            (Self::Fixed(window), Cell::Fixed(state)) => window.is_whole(*state, now.utc),
            (Self::Sliding(window), Cell::Sliding(state)) => window.is_whole(state, now.steady),
            _ => true,
        }
    }

    fn hold(&self, now: When) -> Duration {
        match self {
            Self::Gcra(window) => window.hold(),
            Self::Fixed(window) => window.hold(now.utc),
            Self::Sliding(window) => window.hold(now.steady),
        }
    }

    fn cell(&self) -> Cell {
        match self {
            Self::Gcra(_) => Cell::Gcra(gcra::State::default()),
            Self::Fixed(_) => Cell::Fixed(fixed::State::default()),
            Self::Sliding(_) => Cell::Sliding(Box::default()),
        }
    }

    /// The most that ever passes at once.
    #[must_use]
    pub fn most(&self) -> u64 {
        match self {
            Self::Gcra(window) => window.burst(),
            Self::Fixed(window) => window.limit(),
            Self::Sliding(window) => window.limit(),
        }
    }

    /// The most that a request can cost and still pass, when its caller has used nothing.
    #[must_use]
    pub fn largest(&self) -> u64 {
        match self {
            Self::Gcra(window) => window.largest(),
            window => window.most(),
        }
    }

    /// The window for permits that are kept for a while; see [`Gcra::leased`].
    #[must_use]
    pub fn leased(self, longest: Duration) -> Self {
        match self {
            Self::Gcra(window) => Self::Gcra(window.leased(longest)),
            // Their permits end with the window or segment they were counted in.
            window => window,
        }
    }
}

impl Budget {
    /// A budget of these windows.
    #[must_use]
    pub fn new(first: Window, rest: Vec<Window>) -> Self {
        Self { first, rest: rest.into() }
    }

    /// The windows, in the order in which they were given.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// The most that a request can cost and still pass, when its caller has used nothing.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.windows().map(Window::largest).min().unwrap_or(0)
    }

    /// The budget for permits that are kept up to `longest`.
    #[must_use]
    pub fn leased(&self, longest: Duration) -> Self {
        Self {
            first: self.first.leased(longest),
            rest: self.rest.iter().map(|window| window.leased(longest)).collect(),
        }
    }

    /// A caller that was never seen.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger { first: self.first.cell(), rest: self.rest.iter().map(Window::cell).collect() }
    }

    /// Takes what is asked for from every window, or nothing from any.
    pub fn take(&self, ledger: &mut Ledger, now: impl Into<When>, ask: Ask) -> Grant {
        let now = now.into();
        let available = self.pairs(ledger).map(|(window, cell)| window.available(cell, now)).min();
        let available = available.unwrap_or(0);
        let granted = if available < ask.least {
            0
        } else if ask.want > ask.least {
            ask.want.min((available / 2).max(ask.least))
        } else {
            ask.want
        };
        if granted > 0 {
            self.each(ledger, |window, cell| window.commit(cell, now, granted));
        } else if ask.charge_refused && available < ask.least {
            self.each(ledger, |window, cell| window.punish(cell, now, ask.least));
        }
        self.grant(ledger, now, ask, granted)
    }

    fn grant(&self, ledger: &Ledger, now: When, ask: Ask, granted: u64) -> Grant {
        let views = || self.pairs(ledger).map(|(window, cell)| window.view(cell, now, ask.least));
        let mut grant = Grant::of(granted, ask.least, views());
        grant.at = now.steady;
        grant.hold = self.windows().map(|window| window.hold(now)).min().unwrap_or_default();
        if ask.details {
            grant.all = views().collect();
        }
        grant
    }

    /// Charges what a request turned out to cost beyond what it took. What is not there is owed: nothing passes until
    /// the windows have paid it.
    pub fn charge(&self, ledger: &mut Ledger, now: impl Into<When>, permits: u64) {
        let now = now.into();
        self.each(ledger, |window, cell| window.charge(cell, now, permits));
    }

    /// Takes back permits that were taken at `taken` and never used.
    pub fn give_back(&self, ledger: &mut Ledger, now: impl Into<When>, taken: impl Into<When>, permits: u64) {
        let (now, taken) = (now.into(), taken.into());
        self.each(ledger, |window, cell| window.give_back(cell, now, taken, permits));
    }

    /// How the budget stands, without taking anything.
    #[must_use]
    pub fn look(&self, ledger: &Ledger, now: impl Into<When>) -> Grant {
        let now = now.into();
        // As if one had passed: the narrowest window is shown, not the one that refuses longest.
        let grant = self.grant(ledger, now, Ask { details: true, ..Ask::exactly(1) }, 1);
        Grant { granted: 0, ..grant }
    }

    /// Whether a ledger is that of a caller never seen: it can be forgotten without loss.
    #[must_use]
    pub fn is_whole(&self, ledger: &Ledger, now: impl Into<When>) -> bool {
        let now = now.into();
        self.pairs(ledger).all(|(window, cell)| window.is_whole(cell, now))
    }

    fn pairs<'a>(&'a self, ledger: &'a Ledger) -> impl Iterator<Item = (&'a Window, &'a Cell)> {
        std::iter::once((&self.first, &ledger.first)).chain(self.rest.iter().zip(&ledger.rest))
    }

    fn each(&self, ledger: &mut Ledger, mut act: impl FnMut(&Window, &mut Cell)) {
        act(&self.first, &mut ledger.first);
        for (window, cell) in self.rest.iter().zip(&mut ledger.rest) {
            act(window, cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Period;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn budget() -> Budget {
        let hour = Period::Span(Duration::from_secs(3_600));
        Budget::new(
            Window::Gcra(Gcra::new(100, Duration::from_secs(60), 100)),
            vec![Window::Fixed(FixedWindow::new(150, hour))],
        )
    }

    #[test]
    fn what_one_window_refuses_takes_nothing_from_the_other() {
        let budget = budget();
        let mut ledger = budget.ledger();
        let start = Duration::from_secs(7_200);
        assert_eq!(budget.take(&mut ledger, start, Ask::exactly(100)).granted, 100);
        for _ in 0..500 {
            assert_eq!(budget.take(&mut ledger, start, Ask::exactly(1)).granted, 0);
        }
        let later = start + Duration::from_secs(60);
        let grant = budget.take(&mut ledger, later, Ask::exactly(50));
        assert_eq!((grant.granted, grant.window, grant.view.remaining), (50, 1, 0));
        let refused = budget.take(&mut ledger, later, Ask::exactly(1));
        assert_eq!((refused.granted, refused.window), (0, 1));
        assert_eq!(refused.view.retry_after, Duration::from_secs(3_540));
        // The pace has not been charged for it.
        assert_eq!(budget.look(&ledger, later).all[0].remaining, 50);
    }

    #[test]
    fn a_lease_is_given_at_most_half_of_what_is_left() {
        let budget = budget();
        let mut ledger = budget.ledger();
        let given: Vec<u64> =
            (0..8).map(|_| budget.take(&mut ledger, SECOND, Ask::up_to(80, 1)).granted).collect();
        assert_eq!(given, [50, 25, 12, 6, 3, 2, 1, 1]);
        assert_eq!(budget.take(&mut ledger, SECOND, Ask::up_to(80, 1)).granted, 0);
    }

    #[test]
    fn what_costs_more_than_the_largest_never_passes_and_the_largest_does() {
        let second = Window::Gcra(Gcra::new(1_000, SECOND, 1_000));
        let sliding = Window::Sliding(SlidingWindow::new(950, SECOND));
        for (budget, largest) in [
            (budget(), 100),
            (Budget::new(second, Vec::new()), 1_000),
            (Budget::new(second, Vec::new()).leased(SECOND / 10), 900),
            (Budget::new(second, vec![sliding]), 950),
        ] {
            assert_eq!(budget.largest(), largest);
            let take = |cost| budget.take(&mut budget.ledger(), SECOND, Ask::exactly(cost)).granted;
            assert_eq!((take(largest), take(largest + 1)), (largest, 0));
        }
    }

    #[test]
    fn refused_requests_are_charged_only_when_asked() {
        let window = Window::Fixed(FixedWindow::new(10, Period::Span(SECOND)));
        let budget = Budget::new(window, Vec::new());
        let mut ledger = budget.ledger();
        assert_eq!(budget.take(&mut ledger, SECOND, Ask::exactly(20)).granted, 0);
        assert_eq!(budget.look(&ledger, SECOND).view.remaining, 10);
        let charged = Ask { charge_refused: true, ..Ask::exactly(20) };
        assert_eq!(budget.take(&mut ledger, SECOND, charged).granted, 0);
        assert_eq!(budget.look(&ledger, SECOND).view.remaining, 0);
    }

    proptest! {
        /// Requests that take one and turn out to cost far more: whoever sees only whether they pass still gets no more
        /// than the rate, one burst and the cost of one.
        #[test]
        fn what_responses_cost_is_owed_so_the_rate_holds(
            kind in 0_u8..4, limit in 1_u32..30, largest in 1_u64..200,
            steps in prop::collection::vec((0_u64..3_000, 0_u64..=100), 1..300),
        ) {
            let period = Duration::from_secs(10);
            let windows = [
                Window::Gcra(Gcra::new(u64::from(limit), period, 7)),
                Window::Fixed(FixedWindow::new(u64::from(limit), Period::Span(period))),
                Window::Sliding(SlidingWindow::new(limit, period)),
            ];
            let largest = largest.min(u64::from(limit) * 100);
            let budget = match windows.get(usize::from(kind)) {
                Some(window) => Budget::new(*window, Vec::new()),
                None => Budget::new(windows[0], windows[1..].to_vec()),
            };
            let mut ledger = budget.ledger();
            let start = Duration::from_secs(1_000);
            let (mut now, mut cost) = (start, 0_u128);
            for (gap, percent) in steps {
                now += Duration::from_millis(gap);
                if budget.take(&mut ledger, now, Ask::exactly(1)).granted == 0 {
                    let wait = budget.look(&ledger, now).all.iter().map(|view| view.retry_after).max().unwrap();
                    prop_assert!(wait > Duration::ZERO);
                    let mut then = ledger.clone();
                    prop_assert_eq!(budget.take(&mut then, now + wait, Ask::exactly(1)).granted, 1);
                    continue;
                }
                let whole = (largest * percent / 100).max(1);
                budget.charge(&mut ledger, now, whole - 1);
                cost += u128::from(whole);
                let beyond = cost.saturating_sub(u128::from(largest));
                let (passed, period) = ((now - start).as_nanos(), period.as_nanos());
                let limit = u128::from(limit);
                // A burst of seven and the pace; each window of the calendar that was touched; each period that began.
                let pace = 7 * period + limit * passed;
                let calendar = limit * (now.as_nanos() / period - start.as_nanos() / period + 1);
                let sliding = limit * (passed / period + 1);
                let holds = [beyond * period <= pace, beyond <= calendar, beyond <= sliding];
                match holds.get(usize::from(kind)) {
                    Some(holds) => prop_assert!(holds, "{} of {}", cost, largest),
                    None => prop_assert_eq!(holds, [true; 3]),
                }
            }
        }

        #[test]
        fn all_windows_agree_with_each_of_them_alone(
            steps in prop::collection::vec((0_u64..20_000, 1_u64..20), 1..200),
        ) {
            let windows = [
                Window::Gcra(Gcra::new(7, Duration::from_secs(10), 9)),
                Window::Fixed(FixedWindow::new(30, Period::Span(Duration::from_secs(60)))),
                Window::Sliding(SlidingWindow::new(25, Duration::from_secs(50))),
            ];
            let together = Budget::new(windows[0], windows[1..].to_vec());
            let mut ledger = together.ledger();
            let mut alone: Vec<_> =
                windows.iter().map(|window| Budget::new(*window, Vec::new())).map(|b| (b.ledger(), b)).collect();
            let mut now = Duration::from_secs(1_000);
            for (gap, cost) in steps {
                now += Duration::from_millis(gap);
                let all = alone.iter().all(|(ledger, budget)| {
                    let mut copy = ledger.clone();
                    budget.take(&mut copy, now, Ask::exactly(cost)).granted == cost
                });
                prop_assert_eq!(together.take(&mut ledger, now, Ask::exactly(cost)).granted == cost, all);
                for (ledger, budget) in &mut alone {
                    if all {
                        budget.take(ledger, now, Ask::exactly(cost));
                    }
                }
            }
        }
    }
}
