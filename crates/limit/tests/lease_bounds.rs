//! What one node holds for a caller and nobody uses: the bound that `docs/limits.md` states, against one node, a store that
//! answers after a while, and callers of every pace.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::collections::VecDeque;
use std::time::Duration;
use torana_limit::{Ask, Budget, FixedWindow, Grant, HORIZON, Lease, Ledger, Period, Step, Window};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// One node and its store.
struct World {
    budget: Budget,
    ledger: Ledger,
    lease: Lease,
    /// The store answers after so long.
    delay: Duration,
    /// When it was asked, what it says, what the request has of it, and whether it asked alone.
    answers: VecDeque<(Duration, Grant, u64, bool)>,
    waiting: u64,
    /// When the requests of the last 50 ms came; and the most that ever did in as long.
    recent: VecDeque<Duration>,
    most: u64,
    /// The most that was held.
    held: u64,
    passed: u64,
}

impl World {
    fn new(limit: u64, delay: Duration) -> Self {
        let month = Window::Fixed(FixedWindow::new(limit, Period::Month));
        let budget = Budget::new(month, Vec::new()).leased(Duration::from_millis(100));
        Self {
            ledger: budget.ledger(),
            budget,
            lease: Lease::default(),
            delay,
            answers: VecDeque::new(),
            waiting: 0,
            recent: VecDeque::new(),
            most: 0,
            held: 0,
            passed: 0,
        }
    }

    fn ask(&mut self, now: Duration, want: u64, own: u64, alone: bool) {
        let grant = self.budget.take(&mut self.ledger, now, Ask::up_to(want, 1));
        self.answers.push_back((now, grant, own, alone));
        if self.delay.is_zero() {
            self.answer(now);
        }
    }

    fn answer(&mut self, now: Duration) {
        let (sent, grant, own, alone) = self.answers.pop_front().unwrap();
        self.passed += own.min(grant.granted);
        if alone {
            return self.lease.told(now, sent, 1, &grant);
        }
        if let Some(back) = self.lease.granted(now, sent, own, &grant) {
            self.budget.give_back(&mut self.ledger, now, back.taken, back.permits);
        }
        for _ in 0..std::mem::take(&mut self.waiting) {
            self.request(now, true);
        }
    }

    fn request(&mut self, now: Duration, waited: bool) {
        match self.lease.step(now, 1, waited) {
            Step::Pass => {
                self.passed += 1;
                if let Some(want) = self.lease.refill(now) {
                    self.ask(now, want, 0, false);
                }
            }
            Step::Ask { want, .. } => self.ask(now, want, 1, false),
            Step::Own => self.ask(now, 1, 1, true),
            Step::Join => self.waiting += 1,
            // As if its client went away.
            Step::Wait(_) | Step::Refuse => {}
        }
    }

    /// One request comes, after what the store has said by then.
    fn arrive(&mut self, now: Duration) {
        while let Some(due) =
            self.answers.front().map(|(sent, ..)| *sent + self.delay).filter(|due| *due <= now)
        {
            self.answer(due);
            self.look(due);
        }
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|first| *first + HORIZON <= now) {
            self.recent.pop_front();
        }
        self.most = self.most.max(self.recent.len() as u64);
        self.request(now, false);
        self.look(now);
    }

    /// Holds what is held against what is promised.
    fn look(&mut self, now: Duration) {
        let held = self.lease.permits();
        self.held = self.held.max(held);
        let left = self.budget.look(&self.ledger, now).view.remaining;
        assert!(held <= (left + held) * 3 / 4 + 1, "{held} at {now:?}, and {left} left");
        assert!(held <= 2 * self.most + 2, "{held} at {now:?}, for {} in 50 ms", self.most);
    }
}

/// A time of day from which no month ends for long.
const START: Duration = Duration::from_secs(1_000_000);

#[test]
fn a_slow_caller_holds_next_to_nothing_all_day() {
    for (rate, hours) in [(1, 24), (3, 24), (15, 24), (7, 1), (19, 1), (21, 1), (30, 1), (50, 1)] {
        let mut world = World::new(50_000_000, 2 * MILLI);
        for number in 0..rate * 3_600 * hours {
            world.arrive(START + SECOND * number / rate);
        }
        // Who comes less often than each 50 ms has no lease at all.
        assert!(rate >= 20 || world.held == 0, "{rate} a second: {} were held", world.held);
        assert!(world.held <= 8, "{rate} a second: {} were held", world.held);
        // The last one has not been answered.
        assert!(world.passed + 1 >= u64::from(rate * 3_600 * hours), "{rate} a second: {}", world.passed);
    }
}

#[test]
fn a_node_holds_at_most_twice_what_its_requests_used_in_fifty_milliseconds_and_two() {
    for delay in [0, 1, 5, 20, 45, 60].map(|millis| MILLI * millis) {
        for rate in [20, 70, 200, 450, 1_000, 3_000, 20_000, 50_000] {
            let mut world = World::new(1_000_000_000, delay);
            for number in 0..rate * 3 {
                world.arrive(START + SECOND * number / rate);
            }
        }
        // Bursts with pauses between them.
        for (burst, pause) in [(2, 300), (5, 60), (10, 300), (33, 40), (64, 900), (1_000, 200)] {
            let mut world = World::new(1_000_000_000, delay);
            for number in 0..burst * 30 {
                let within = MILLI * (number % burst) / burst;
                world.arrive(START + MILLI * pause * (number / burst) + within);
            }
        }
    }
}

#[test]
fn a_node_holds_at_most_three_quarters_of_what_is_left() {
    for limit in [1, 2, 3, 10, 100, 1_000, 50_000] {
        for delay in [Duration::ZERO, 3 * MILLI] {
            let mut world = World::new(limit, delay);
            for number in 0..60_000 {
                world.arrive(START + MILLI * number / 20);
            }
            assert_eq!(world.passed, limit, "all of it is used in the end");
        }
    }
}
