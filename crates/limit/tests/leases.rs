//! A seeded simulation of nodes that lease from one budget: messages are delayed, lost and overtaken, nodes are
//! cut off, stop and start anew, and their clocks are years apart; some permits hold for less time than an answer
//! takes; requests give back what another limit refused, or turn out to have cost more; and the store loses its memory,
//! after which it takes what was used for all there is. At every single use it is checked that all nodes together have
//! stayed within every window of the budget, and whenever the store gives something that all it ever gave and charged is
//! what the windows have given by then. What a request has from the store's answer to itself is used when the store
//! decides, what it has from a lease when it takes it.
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
    Charge(u64),
}

/// What goes back because another limit has refused the request, when that has become known.
struct Refund {
    due: Duration,
    node: usize,
    life: u64,
    permits: u64,
    /// When the store gave them.
    lot: Duration,
    leased: bool,
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
    /// Another limit will refuse the request.
    refunded: bool,
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

/// A window of the budget, and what it may have given since the store was last without memory.
struct Given {
    window: Window,
    since: Duration,
}

impl Given {
    /// The most that may have been given and charged when something is given.
    fn most(&self, now: Duration) -> u128 {
        let passed = (now - self.since).as_nanos();
        match self.window {
            Window::Gcra(gcra) => {
                let pace = gcra.pace(1_000_000_000).as_nanos();
                u128::from(gcra.burst()) + 1 + passed * 1_000_000_000 / pace
            }
            Window::Fixed(fixed) => {
                let place = |at| u128::from(fixed.period().place(at).index);
                (place(now) - place(self.since) + 1) * u128::from(fixed.limit())
            }
            Window::Sliding(sliding) => {
                let period =
                    (sliding.segment() * u32::try_from(SlidingWindow::segments()).unwrap()).as_nanos();
                (passed / period + 2) * u128::from(sliding.limit())
            }
        }
    }
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
            1 | 5 => {
                // Of a tenth of a second too: what is given at its end has little time.
                let period = Period::Span(second / if kind == 1 { 1 } else { 10 });
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
    references: Vec<Reference>,
    given: Vec<Given>,
    /// What the store gave and charged, less what came back, since it was last without memory.
    debited: i128,
    refunds: Vec<Refund>,
    nodes: Vec<Node>,
    /// By the time of arrival.
    under_way: BTreeMap<(Duration, u64), Message>,
    sent: u64,
    /// Mostly between two steps, in microseconds.
    gap: u64,
    slow: u64,
    patience: Duration,
    seed: u64,
    used: u64,
    back: u64,
    charged: u64,
    forgotten: u64,
    asked: u64,
    asked_alone: u64,
    wanted: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let count = if random.once_in(2) { 1 } else { 2 + random.below(2) };
        let (windows, references): (Vec<Window>, Vec<Reference>) = (0..count)
            .map(|_| {
                let limit = [11, 40, 200, 5_000, 50_000][random.below(5) as usize];
                Reference::new(limit, random.below(6))
            })
            .unzip();
        let budget = Budget::new(windows[0], windows[1..].to_vec()).leased(Duration::from_millis(100));
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
        let gap = [400, 400, 8_000][random.below(3) as usize];
        let slow = [1, 5, 40, 400][random.below(4) as usize];
        let now = Duration::from_secs(1_000);
        let given = windows.into_iter().map(|window| Given { window, since: now }).collect();
        let patience = Duration::from_millis([10, 100][random.below(2) as usize]);
        Self {
            random,
            now,
            budget,
            ledger,
            references,
            given,
            debited: 0,
            refunds: Vec::new(),
            nodes,
            under_way: BTreeMap::new(),
            sent: 0,
            gap,
            slow,
            patience,
            seed,
            used: 0,
            back: 0,
            charged: 0,
            forgotten: 0,
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

    /// A request goes on with what it has: all windows have so much now.
    fn uses(&mut self, node: usize, permits: u64) {
        let (now, seed) = (self.now, self.seed);
        self.used += permits;
        for reference in &mut self.references {
            assert!(reference.used(now, permits), "seed {seed}: too many at {now:?}");
        }
        if self.random.once_in(25) {
            let more = 1 + self.random.below(12);
            self.send(node, Message::Charge(more));
        }
    }

    /// The request is refused elsewhere, now or later.
    fn refunds(&mut self, node: usize, permits: u64, lot: Duration, leased: bool) {
        let late = if self.random.once_in(2) { 0 } else { self.random.below(200_000) };
        let (due, life) = (self.now + Duration::from_micros(late), self.nodes[node].life);
        self.refunds.push(Refund { due, node, life, permits, lot, leased });
    }

    fn refund_what_is_due(&mut self) {
        let now = self.now;
        let all = std::mem::take(&mut self.refunds);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|refund| refund.due <= now);
        self.refunds = later;
        for Refund { node, life, permits, lot, leased, .. } in due {
            let clock = now + self.nodes[node].offset;
            if self.nodes[node].life != life {
                continue;
            }
            self.back += permits;
            if !(leased && self.nodes[node].lease.put_back(clock, lot, permits)) {
                self.send(node, Message::Return(Returned { permits, taken: lot }));
            }
        }
    }

    /// The store starts without its memory. Whoever knew its earlier life makes it take everything for used.
    fn forget(&mut self) {
        self.forgotten += 1;
        self.ledger = self.budget.ledger();
        let all = Ask { charge_refused: true, ..Ask::exactly(1 << 40) };
        assert_eq!(self.budget.take(&mut self.ledger, self.now, all).granted, 0);
        self.debited = 0;
        for given in &mut self.given {
            given.since = self.now;
        }
    }

    fn ask(&mut self, node: usize, (want, least): (u64, u64), own: u64, alone: bool) {
        let (clock, life) = (self.now + self.nodes[node].offset, self.nodes[node].life);
        if alone {
            self.asked_alone += 1;
        } else {
            self.asked += 1;
            self.nodes[node].gives_up = Some(clock + self.patience);
        }
        let refunded = own > 0 && self.random.once_in(12);
        self.send(
            node,
            Message::Ask(Question { node, life, sent: clock, want, least, own, alone, refunded }),
        );
    }

    fn request(&mut self, node: usize, cost: u64, waited: bool) {
        let clock = self.now + self.nodes[node].offset;
        match self.nodes[node].lease.step(clock, cost, waited) {
            Step::Pass => {
                let lot = self.nodes[node].lease.lot();
                if let Some(want) = self.nodes[node].lease.refill(clock) {
                    self.ask(node, (want, 1), 0, false);
                }
                if self.random.once_in(12) {
                    self.refunds(node, cost, lot, true);
                } else {
                    self.uses(node, cost);
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
                if grant.granted > 0 {
                    self.debited += i128::from(grant.granted);
                    for given in &self.given {
                        let (now, seed) = (self.now, self.seed);
                        let within = self.debited <= i128::try_from(given.most(now)).unwrap();
                        assert!(within, "seed {seed}: {} at {now:?}, of {:?}", self.debited, given.window);
                    }
                    // Used now, whether or not its node hears of it.
                    if question.own > 0 && !question.refunded {
                        self.uses(question.node, question.own);
                    }
                }
                self.send(question.node, Message::Answer(question, grant));
            }
            Message::Answer(question, grant) => self.answer(question, &grant),
            Message::Return(back) => {
                self.debited -= i128::from(back.permits);
                self.budget.give_back(&mut self.ledger, self.now, back.taken, back.permits);
            }
            Message::Charge(cost) => {
                self.charged += cost;
                self.debited += i128::from(cost);
                self.budget.charge(&mut self.ledger, self.now, cost);
            }
        }
    }

    fn answer(&mut self, question: Question, grant: &Grant) {
        let Question { node: number, life, sent, own, alone, refunded, .. } = question;
        let node = &mut self.nodes[number];
        let clock = self.now + node.offset;
        let awaited = if alone { clock < sent + self.patience } else { node.gives_up.is_some() };
        if node.life != life || node.cut_off || !awaited {
            return;
        }
        if alone {
            node.lease.told(clock, sent, own, grant);
        } else {
            node.gives_up = None;
            if let Some(back) = node.lease.granted(clock, sent, own, grant) {
                self.send(number, Message::Return(back));
            }
        }
        if grant.granted > 0 && refunded {
            self.refunds(number, own, grant.at, !alone);
        }
        if !alone {
            self.wake(number);
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
                (fresh.lease, fresh.gives_up, fresh.waiting) = (Lease::default(), None, Vec::new());
                fresh.life += 1;
                fresh.offset = Duration::from_millis(self.random.below(1_000_000_000));
            }
            21 if self.random.once_in(2) => self.forget(),
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
            let gap = if self.random.once_in(100) { 700_000 } else { self.gap };
            self.now += Duration::from_micros(self.random.below(gap));
            while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= self.now) {
                let message = first.remove();
                self.arrive(message);
            }
            self.refund_what_is_due();
            self.upset();
            let node = self.random.below(self.nodes.len() as u64) as usize;
            for _ in 0..self.random.below(16) {
                let cost = if self.random.once_in(10) { 2 } else { 1 };
                self.wanted += 1;
                self.request(node, cost, false);
            }
        }
    }
}

#[test]
fn no_schedule_of_messages_and_failures_admits_more_than_the_budget() {
    let (mut passed, mut alone, mut back, mut charged, mut forgotten) = (0, 0, 0, 0, 0);
    for seed in 0..4_000 {
        let mut world = World::new(seed);
        world.run(400);
        passed += world.used;
        alone += world.asked_alone;
        (back, charged, forgotten) =
            (back + world.back, charged + world.charged, forgotten + world.forgotten);
        let seconds = (world.now - Duration::from_secs(1_000)).as_secs() + 1;
        let nodes = world.nodes.iter().map(|node| node.life + 1).sum::<u64>();
        let bound = nodes * (20 + 100 * seconds);
        assert!(world.asked <= bound, "seed {seed}: {} questions", world.asked);
        assert!(world.asked_alone <= world.wanted, "seed {seed}: a request asks once");
    }
    assert!(passed > 1_000_000, "the simulation admits too little to prove anything: {passed}");
    assert!(alone > 100_000, "nobody asks alone: {alone}");
    assert!(back > 50_000 && charged > 50_000 && forgotten > 1_000, "{back} {charged} {forgotten}");
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
