//! A seeded simulation of nodes that lease from one budget: messages are delayed, lost and overtaken, nodes are
//! cut off, stop and start anew, and their clocks are years apart. After every single use it is checked that
//! all nodes together stayed within the limit.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
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
    Ask { node: usize, life: u64, sent: Duration, want: u64, least: u64 },
    Answer { node: usize, life: u64, sent: Duration, grant: Grant },
    Return(Returned),
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
            0 => {
                let window = Window::Gcra(Gcra::new(limit, second, limit));
                let budget = Budget::new(window, Vec::new());
                let ledger = budget.ledger();
                (window, Self::Schedule(budget, ledger))
            }
            1 => {
                let period = Period::Span(second);
                (Window::Fixed(FixedWindow::new(limit, period)), Self::Fixed(limit, period, BTreeMap::new()))
            }
            _ => (
                Window::Sliding(SlidingWindow::new(limit as u32, second)),
                Self::Sliding(limit, second, VecDeque::new()),
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
    passed: u64,
    asked: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let limit = [11, 40, 200, 5_000][random.below(4) as usize];
        let (window, reference) = Reference::new(limit, random.below(3));
        let budget = Budget::new(window, Vec::new()).leased(Duration::from_millis(100));
        let ledger = budget.ledger();
        let nodes = (0..1 + random.below(5))
            .map(|_| Node {
                lease: Lease::default(),
                offset: Duration::from_millis(random.below(1_000_000_000)),
                life: 0,
                cut_off: false,
                gives_up: None,
            })
            .collect();
        let slow = [1, 5, 40, 400][random.below(4) as usize];
        let now = Duration::from_secs(1_000);
        let (under_way, sent, passed, asked) = (BTreeMap::new(), 0, 0, 0);
        Self { random, now, budget, ledger, reference, nodes, under_way, sent, slow, passed, asked }
    }

    fn send(&mut self, node: usize, message: Message) {
        if self.nodes[node].cut_off || self.random.once_in(30) {
            return;
        }
        let delay = Duration::from_micros(1 + self.random.below(1_000 * self.slow));
        self.sent += 1;
        self.under_way.insert((self.now + delay, self.sent), message);
    }

    fn ask(&mut self, node: usize, want: u64, least: u64) {
        let clock = self.now + self.nodes[node].offset;
        let life = self.nodes[node].life;
        self.asked += 1;
        self.nodes[node].gives_up = Some(clock + Duration::from_millis(10));
        self.send(node, Message::Ask { node, life, sent: clock, want, least });
    }

    fn request(&mut self, node: usize) {
        let cost = if self.random.once_in(10) { 2 } else { 1 };
        let clock = self.now + self.nodes[node].offset;
        match self.nodes[node].lease.step(clock, cost) {
            Step::Pass => {
                self.passed += cost;
                assert!(self.reference.used(self.now, cost), "too many at {:?}", self.now);
                if let Some(want) = self.nodes[node].lease.refill(clock) {
                    self.ask(node, want, 1);
                }
            }
            Step::Ask { want, least } => self.ask(node, want, least),
            Step::Refuse | Step::Join | Step::Wait(_) => {}
        }
    }

    fn arrive(&mut self, message: Message) {
        match message {
            Message::Ask { node, life, sent, want, least } => {
                let grant = self.budget.take(&mut self.ledger, self.now, Ask::up_to(want, least));
                self.send(node, Message::Answer { node, life, sent, grant });
            }
            Message::Answer { node, life, sent, grant } => {
                let now = self.now;
                let node = &mut self.nodes[node];
                if node.life == life && !node.cut_off && node.gives_up.take().is_some() {
                    node.lease.granted(now + node.offset, sent, &grant);
                }
            }
            Message::Return(back) => self.budget.give_back(&mut self.ledger, back.taken, back.permits),
        }
    }

    fn upset(&mut self) {
        let node = self.random.below(self.nodes.len() as u64) as usize;
        let clock = self.now + self.nodes[node].offset;
        match self.random.below(400) {
            0 => self.nodes[node].cut_off = true,
            1..=8 => self.nodes[node].cut_off = false,
            9 => {
                let fresh = &mut self.nodes[node];
                (fresh.lease, fresh.gives_up) = (Lease::default(), None);
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
                self.request(node);
            }
        }
    }
}

#[test]
fn no_schedule_of_messages_and_failures_admits_more_than_the_budget() {
    let mut passed = 0;
    for seed in 0..5_000 {
        let mut world = World::new(seed);
        world.run(600);
        passed += world.passed;
        let seconds = (world.now - Duration::from_secs(1_000)).as_secs() + 1;
        let nodes = world.nodes.iter().map(|node| node.life + 1).sum::<u64>();
        // Where each request asks for its own, questions are bounded by what is admitted and by the refusals.
        let bound = nodes * (20 + 100 * seconds) + world.passed;
        assert!(world.asked <= bound, "seed {seed}: {} questions", world.asked);
    }
    assert!(passed > 1_000_000, "the simulation admits too little to prove anything: {passed}");
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
        let mut answer = |lease: &mut Lease, want, least| {
            asked += 1;
            let grant = budget.take(&mut ledger, now, Ask::up_to(want, least));
            lease.granted(now, now, &grant);
        };
        loop {
            match lease.step(now, 1) {
                Step::Ask { want, least } => answer(&mut lease, want, least),
                Step::Pass => {
                    passed += 1;
                    if let Some(want) = lease.refill(now) {
                        answer(&mut lease, want, 1);
                    }
                    break;
                }
                _ => break,
            }
        }
    }
    assert!((117_000..=120_000).contains(&passed), "{passed}");
    assert!(asked <= 20 + 5 * 100, "{asked}");
}
