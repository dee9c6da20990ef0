//! A seeded simulation of nodes that lease from one budget: messages are delayed, lost and overtaken, nodes are
//! cut off, stop and start anew, and their clocks are years apart; some permits hold for less time than an answer
//! takes. Of every single use it is checked that all nodes together stayed within the limit. What a request has
//! from the store's answer to itself is used when the store decided, what it has from a lease when it takes it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]
#![allow(clippy::cast_possible_truncation, reason = "a test")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use torana_limit::{
    Ask, Budget, FixedWindow, Gcra, Grant, Lease, Ledger, Period, Returned, SlidingWindow, Step, Window,
};

/// A small generator with a good spread (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

enum Message {
    Ask(Question),
    Answer(Question, Grant),
    Return(Returned),
}

/// What a node asks.
#[derive(Clone, Copy)]
struct Question {
    node: usize,
    life: u64,
    sent: Duration,
    want: u64,
    least: u64,
    /// Permits for the request that asks.
    own: u64,
    /// For a request alone, beside any other.
    alone: bool,
}

struct Node {
    lease: Lease,
    /// What this node's clock shows at the true time zero.
    offset: Duration,
    /// Messages of an earlier life are not for this one.
    life: u64,
    cut_off: bool,
    /// Until when it gives up on a question.
    gives_up: Option<Duration>,
    /// What requests cost that wait for its answer.
    waiting: Vec<u64>,
}

/// What all uses together are held against.
enum Reference {
    Schedule(Budget, Ledger),
    Fixed(u64, Period, BTreeMap<u64, u64>),
    Sliding(u64, Duration, VecDeque<Duration>),
}

impl Reference {
    fn new(limit: u64, kind: u64) -> (Window, Self) {
        let second = Duration::from_secs(1);
        match kind {
            0 | 3 => {
                // The permits of the second hold for a fiftieth of a second, or far less.
                let burst = if kind == 0 { limit } else { limit.div_ceil(10).max(110) };
                let window = Window::Gcra(Gcra::new(limit, second, burst));
                let budget = Budget::new(window, Vec::new());
                let ledger = budget.ledger();
                (window, Self::Schedule(budget, ledger))
            }
            1 => {
                let period = Period::Span(second);
                (Window::Fixed(FixedWindow::new(limit, period)), Self::Fixed(limit, period, BTreeMap::new()))
            }
            _ => (
                // Of a tenth of a second too: those permits hold for 5 ms.
                Window::Sliding(SlidingWindow::new(limit as u32, second / if kind == 2 { 1 } else { 10 })),
                Self::Sliding(limit, second / if kind == 2 { 1 } else { 10 }, VecDeque::new()),
            ),
        }
    }

    fn used(&mut self, now: Duration, permits: u64) -> bool {
        match self {
            Self::Schedule(budget, ledger) => {
                budget.take(ledger, now, Ask::exactly(permits)).granted == permits
            }
            Self::Fixed(limit, period, windows) => {
                let used = windows.entry(period.place(now).index).or_default();
                *used += permits;
                *used <= *limit
            }
            Self::Sliding(limit, period, uses) => {
                uses.extend((0..permits).map(|_| now));
                while uses.front().is_some_and(|first| *first + *period < now) {
                    uses.pop_front();
                }
                uses.len() as u64 <= *limit
            }
        }
    }
}

struct World {
    random: Random,
    now: Duration,
    budget: Budget,
    ledger: Ledger,
    reference: Reference,
    nodes: Vec<Node>,
    /// By the time of arrival.
    under_way: BTreeMap<(Duration, u64), Message>,
    sent: u64,
    slow: u64,
    patience: Duration,
    /// When permits were used, and how many.
    used: Vec<(Duration, u64)>,
    asked: u64,
    asked_alone: u64,
    wanted: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let limit = [11, 40, 200, 5_000, 50_000][random.below(5) as usize];
        let (window, reference) = Reference::new(limit, random.below(5));
        let budget = Budget::new(window, Vec::new()).leased(Duration::from_millis(100));
        let ledger = budget.ledger();
        let nodes = (0..1 + random.below(5))
            .map(|_| Node {
                lease: Lease::default(),
                offset: Duration::from_millis(random.below(1_000_000_000)),
                life: 0,
                cut_off: false,
                gives_up: None,
                waiting: Vec::new(),
            })
            .collect();
        let slow = [1, 5, 40, 400][random.below(4) as usize];
        let now = Duration::from_secs(1_000);
        let patience = Duration::from_millis([10, 100][random.below(2) as usize]);
        Self {
            random,
            now,
            budget,
            ledger,
            reference,
            nodes,
            under_way: BTreeMap::new(),
            sent: 0,
            slow,
            patience,
            used: Vec::new(),
            asked: 0,
            asked_alone: 0,
            wanted: 0,
        }
    }

    fn send(&mut self, node: usize, message: Message) {
        if self.nodes[node].cut_off || self.random.once_in(30) {
            return;
        }
        let delay = Duration::from_micros(1 + self.random.below(1_000 * self.slow));
        self.sent += 1;
        self.under_way.insert((self.now + delay, self.sent), message);
    }

    fn ask(&mut self, node: usize, (want, least): (u64, u64), own: u64, alone: bool) {
        let (clock, life) = (self.now + self.nodes[node].offset, self.nodes[node].life);
        if alone {
            self.asked_alone += 1;
        } else {
            self.asked += 1;
            self.nodes[node].gives_up = Some(clock + self.patience);
        }
        self.send(node, Message::Ask(Question { node, life, sent: clock, want, least, own, alone }));
    }

    fn request(&mut self, node: usize, cost: u64, waited: bool) {
        let clock = self.now + self.nodes[node].offset;
        match self.nodes[node].lease.step(clock, cost, waited) {
            Step::Pass => {
                self.used.push((self.now, cost));
                if let Some(want) = self.nodes[node].lease.refill(clock) {
                    self.ask(node, (want, 1), 0, false);
                }
            }
            Step::Ask { want, least } => self.ask(node, (want, least), cost, false),
            Step::Own => self.ask(node, (cost, cost), cost, true),
            Step::Join => {
                assert!(!waited, "nobody waits twice");
                self.nodes[node].waiting.push(cost);
            }
            Step::Wait(_) => assert!(!waited, "nobody waits twice"),
            Step::Refuse => {}
        }
    }

    /// Those who waited for an answer look what there is.
    fn wake(&mut self, node: usize) {
        for cost in std::mem::take(&mut self.nodes[node].waiting) {
            self.request(node, cost, true);
        }
    }

    fn arrive(&mut self, message: Message) {
        match message {
            Message::Ask(question) => {
                let ask = Ask::up_to(question.want, question.least);
                let grant = self.budget.take(&mut self.ledger, self.now, ask);
                self.send(question.node, Message::Answer(question, grant));
            }
            Message::Answer(question, grant) => self.answer(question, &grant),
            Message::Return(back) => {
                self.budget.give_back(&mut self.ledger, self.now, back.taken, back.permits)
            }
        }
    }

    fn answer(&mut self, Question { node: number, life, sent, own, alone, .. }: Question, grant: &Grant) {
        let node = &mut self.nodes[number];
        let clock = self.now + node.offset;
        let awaited = if alone { clock < sent + self.patience } else { node.gives_up.is_some() };
        if node.life != life || node.cut_off || !awaited {
            return;
        }
        if grant.granted > 0 && own > 0 {
            self.used.push((grant.at, own));
        }
        if alone {
            return node.lease.told(clock, sent, own, grant);
        }
        node.gives_up = None;
        if let Some(back) = node.lease.granted(clock, sent, own, grant) {
            self.send(number, Message::Return(back));
        }
        self.wake(number);
    }

    fn upset(&mut self) {
        let node = self.random.below(self.nodes.len() as u64) as usize;
        let clock = self.now + self.nodes[node].offset;
        match self.random.below(400) {
            0 => self.nodes[node].cut_off = true,
            1..=8 => self.nodes[node].cut_off = false,
            9 => {
                let fresh = &mut self.nodes[node];
                (fresh.lease, fresh.gives_up, fresh.waiting) = (Lease::default(), None, Vec::new());
                fresh.life += 1;
                fresh.offset = Duration::from_millis(self.random.below(1_000_000_000));
            }
            10..=20 => {
                let end = self.random.once_in(2);
                if let Some(back) = self.nodes[node].lease.give_back(clock, end) {
                    self.send(node, Message::Return(back));
                }
            }
            _ => {}
        }
        if self.nodes[node].gives_up.is_some_and(|end| clock >= end) {
            self.nodes[node].gives_up = None;
            self.nodes[node].lease.failed();
            self.wake(node);
        }
    }

    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            let gap = if self.random.once_in(100) { 700_000 } else { 400 };
            self.now += Duration::from_micros(self.random.below(gap));
            while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= self.now) {
                let message = first.remove();
                self.arrive(message);
            }
            self.upset();
            let node = self.random.below(self.nodes.len() as u64) as usize;
            for _ in 0..self.random.below(16) {
                let cost = if self.random.once_in(10) { 2 } else { 1 };
                self.wanted += 1;
                self.request(node, cost, false);
            }
        }
    }

    /// Holds every use against the limit, in the order of their times; gives how many permits were used.
    fn judge(&mut self, seed: u64) -> u64 {
        self.used.sort_unstable();
        for (at, cost) in &self.used {
            assert!(self.reference.used(*at, *cost), "seed {seed}: too many at {at:?}");
        }
        self.used.iter().map(|(_, cost)| cost).sum()
    }
}

#[test]
fn no_schedule_of_messages_and_failures_admits_more_than_the_budget() {
    let (mut passed, mut alone) = (0, 0);
    for seed in 0..5_000 {
        let mut world = World::new(seed);
        world.run(400);
        passed += world.judge(seed);
        alone += world.asked_alone;
        let seconds = (world.now - Duration::from_secs(1_000)).as_secs() + 1;
        let nodes = world.nodes.iter().map(|node| node.life + 1).sum::<u64>();
        let bound = nodes * (20 + 100 * seconds);
        assert!(world.asked <= bound, "seed {seed}: {} questions", world.asked);
        assert!(world.asked_alone <= world.wanted, "seed {seed}: a request asks once");
    }
    assert!(passed > 1_000_000, "the simulation admits too little to prove anything: {passed}");
    assert!(alone > 100_000, "nobody asks alone: {alone}");
}

/// One node, a store that answers after so long, and a request each quarter of a millisecond: how many passed, how
/// many were refused, and how often the store was asked.
fn with_slow_store(window: Window, answers_after: Duration, length: Duration) -> (u64, u64, u64) {
    let budget = Budget::new(window, Vec::new()).leased(Duration::from_millis(100));
    let (mut ledger, mut lease) = (budget.ledger(), Lease::default());
    let (start, gap) = (Duration::from_secs(50), Duration::from_micros(250));
    let (mut now, mut passed, mut refused, mut asked) = (start, 0, 0, 0);
    let mut answers: VecDeque<(Duration, Grant, u64, bool)> = VecDeque::new();
    let mut due: Vec<bool> = Vec::new();
    let (mut waiting, mut later) = (0, 0);
    while now < start + length {
        while answers.front().is_some_and(|(sent, ..)| *sent + answers_after <= now) {
            let (sent, grant, own, alone) = answers.pop_front().unwrap();
            *if grant.granted == 0 { &mut refused } else { &mut passed } += own;
            if alone {
                lease.told(now, sent, 1, &grant);
                continue;
            }
            if let Some(back) = lease.granted(now, sent, own, &grant) {
                budget.give_back(&mut ledger, now, back.taken, back.permits);
            }
            due.extend(std::iter::repeat_n(true, std::mem::take(&mut waiting)));
        }
        due.push(false);
        for waited in std::mem::take(&mut due) {
            let mut ask = |want, least, own, alone| {
                asked += 1;
                answers.push_back((now, budget.take(&mut ledger, now, Ask::up_to(want, least)), own, alone));
            };
            match lease.step(now, 1, waited) {
                Step::Pass => {
                    passed += 1;
                    if let Some(want) = lease.refill(now) {
                        ask(want, 1, 0, false);
                    }
                }
                Step::Ask { want, least } => ask(want, least, 1, false),
                Step::Own => ask(1, 1, 1, true),
                Step::Join => waiting += 1,
                Step::Wait(_) => later += 1,
                Step::Refuse => refused += 1,
            }
        }
        due.extend(std::iter::repeat_n(true, std::mem::take(&mut later)));
        now += gap;
    }
    (passed, refused, asked)
}

#[test]
fn a_store_that_answers_later_than_permits_hold_serves_everybody() {
    let second = Duration::from_secs(1);
    let windows = [
        // Permits hold for 5 ms; in segments of 50 ms and 5 ms; until the end of each 10 ms.
        ("steady", Window::Gcra(Gcra::new(20_000, second, 500))),
        ("sliding", Window::Sliding(SlidingWindow::new(20_000, second))),
        ("short", Window::Sliding(SlidingWindow::new(2_000, second / 10))),
        ("fixed", Window::Fixed(FixedWindow::new(400, Period::Span(second / 100)))),
    ];
    for (name, window) in windows {
        for answers_after in [1, 3, 4, 6, 15, 40].map(Duration::from_millis) {
            let (passed, refused, asked) = with_slow_store(window, answers_after, second);
            // Four thousand come, and the last are still under way.
            assert!(refused == 0, "{name}, {answers_after:?}: {refused} refused though nothing is used up");
            assert!(passed >= 3_800, "{name}, {answers_after:?}: {passed}");
            assert!(asked <= 4_200, "{name}, {answers_after:?}: {asked} questions");
        }
    }
}

#[test]
fn one_busy_node_uses_its_whole_budget_with_few_questions() {
    let second = Duration::from_secs(1);
    let window = Window::Gcra(Gcra::new(20_000, second, 20_000));
    let budget = Budget::new(window, Vec::new()).leased(Duration::from_millis(100));
    let (mut ledger, mut lease) = (budget.ledger(), Lease::default());
    let start = Duration::from_secs(50);
    let (mut passed, mut asked) = (0_u64, 0_u64);
    // Forty thousand requests a second against twenty thousand permits, for five seconds.
    for tick in 0..200_000_u64 {
        let now = start + Duration::from_micros(tick * 25);
        let mut answer = |lease: &mut Lease, want, least, own| {
            asked += 1;
            let grant = budget.take(&mut ledger, now, Ask::up_to(want, least));
            assert_eq!(lease.granted(now, now, own, &grant), None, "it comes at once");
            grant.granted.min(own)
        };
        match lease.step(now, 1, false) {
            Step::Ask { want, least } => passed += answer(&mut lease, want, least, 1),
            Step::Pass => {
                passed += 1;
                if let Some(want) = lease.refill(now) {
                    answer(&mut lease, want, 1, 0);
                }
            }
            Step::Own => panic!("nothing is slow"),
            Step::Refuse | Step::Join | Step::Wait(_) => {}
        }
    }
    assert!((117_000..=120_000).contains(&passed), "{passed}");
    assert!(asked <= 20 + 5 * 100, "{asked}");
}
