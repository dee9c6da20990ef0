//! How exact shared limits are: several nodes, as many workers and connections, 64 clients and a real server.
//!
//! Every admission is put into the second of UTC it fell into: by the server's clock where the store decided, by
//! this machine's (the same) where a lease did. No second may hold more than the limit, also while the server is
//! paused, killed and started anew, while a node dies with permits that nobody has used, and with clocks of nodes
//! more than five seconds apart. Of a steady pace no stretch of tenths of a second may hold more than its burst and
//! what grew in it. Where nodes count their shares alone while the server is away, no second may hold more than
//! the limit and the shares of all.
//!
//! `cargo xtask limits` runs this for 30 seconds each, optimised, at three limits, asserts how much of the budget
//! is usable, and prints a table; `cargo test` runs it for a moment each. What disturbs is itself looked at: that the
//! server was missed, that the node that died held permits, and that a store which believed the clocks of nodes
//! would be found out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement fails by panicking"
)]

mod common;

use common::{PATIENCE, key, on_worker, settings};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;
use torana_limit::{Ask, Budget, FixedWindow, Gcra, Grant, Period, Window};
use torana_store::{Decided, Mode, NodeClock, OnFailure, RedisStore, SharedLimit, StoreSettings};
use torana_testkit::RedisServer;
use torana_testkit::measurement::{self, Disturbance, Seconds, utc};

const NODES: usize = 3;
const CLIENTS: usize = 64;
/// How far the clock of each node is ahead of the one before it, when they are apart: no whole number of windows.
const APART: Duration = Duration::from_millis(5_300);
/// What a steady pace is counted in.
const SLOT: Duration = Duration::from_millis(100);

/// How long each measurement takes, and whether it is the long one.
fn length() -> (Duration, bool) {
    measurement::length(Duration::from_millis(1_500))
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Case {
    limit: u64,
    mode: Mode,
    /// A steady pace, with a burst as large as the limit; else a window of a second.
    steady: bool,
    /// What nodes do while the server is away.
    on_failure: OnFailure,
    disturbance: Disturbance,
}

impl Case {
    const fn new(limit: u64, mode: Mode, disturbance: Disturbance) -> Self {
        Self { limit, mode, steady: false, on_failure: OnFailure::Closed, disturbance }
    }

    fn budget(self, parts: u64) -> Budget {
        let (limit, second) = (self.limit / parts, Duration::from_secs(1));
        let window = if self.steady {
            Window::Gcra(Gcra::new(limit, second, limit))
        } else {
            Window::Fixed(FixedWindow::new(limit, Period::Span(second)))
        };
        Budget::new(window, Vec::new())
    }

    /// The most that may be admitted in a second, beside what nodes count alone.
    fn most(self) -> u64 {
        let shares = if self.on_failure == OnFailure::LocalShare { NODES as u64 } else { 0 };
        self.limit + shares * (self.limit / NODES as u64)
    }
}

/// What came of a measurement.
#[derive(Debug, Default)]
struct Measured {
    seconds: Seconds,
    /// Admissions by tenth of a second.
    slots: BTreeMap<u64, u64>,
    asked: u64,
    questions: u64,
    /// Questions that the server did not answer.
    failures: u64,
    /// Requests that were decided without it.
    alone: u64,
    /// Permits that a node died with.
    orphans: u64,
}

impl Measured {
    fn add(&mut self, other: Self) {
        self.seconds.add(other.seconds);
        for (slot, count) in other.slots {
            *self.slots.entry(slot).or_default() += count;
        }
        self.asked += other.asked;
        self.questions += other.questions;
        self.failures += other.failures;
        self.alone += other.alone;
        self.orphans += other.orphans;
    }

    /// Notes an answer that was asked for and had at these times of this machine.
    fn note(&mut self, decided: &Decided, before: Duration, after: Duration) {
        self.asked += 1;
        let Decided::Granted(grant) = decided else { return };
        if grant.granted == 0 {
            return;
        }
        // What the store has decided was decided when it says. A lease gives no time, and a share that of a clock which
        // began with the node.
        let by_store = grant.at > before / 2;
        let (before, after) = if by_store { (grant.at, grant.at) } else { (before, after) };
        let slot = |at: Duration| u64::try_from(at.as_millis() / SLOT.as_millis()).unwrap();
        self.seconds.note(before, after);
        if slot(before) == slot(after) {
            *self.slots.entry(slot(after)).or_default() += 1;
        }
    }

    /// By how much some stretch of tenths of a second has more than so many a second and as many at once.
    fn above_pace(&self, limit: u64) -> u64 {
        let (Some(first), Some(last)) = (self.slots.keys().next(), self.slots.keys().next_back()) else {
            return 0;
        };
        let counts: Vec<u64> =
            (*first..=*last).map(|slot| self.slots.get(&slot).copied().unwrap_or(0)).collect();
        let per_slot = limit as f64 * SLOT.as_secs_f64();
        let mut worst = 0.0_f64;
        for from in 0..counts.len() {
            let mut used = 0;
            for (index, count) in counts.iter().skip(from).enumerate() {
                used += count;
                worst = worst.max(used as f64 - (limit as f64 + per_slot * (index + 1) as f64));
            }
        }
        worst.ceil() as u64
    }
}

/// Who decides about a node's requests.
#[derive(Clone)]
enum Decider {
    Shared(Arc<SharedLimit>),
    Trusting(Arc<Trusting>, NodeClock),
}

/// A store as it must not be: it counts in the seconds that nodes believe in.
#[derive(Default)]
struct Trusting(Mutex<BTreeMap<u64, u64>>);

impl Decider {
    async fn decide(&self, limit: u64) -> Decided {
        match self {
            Self::Shared(shared) => shared.decide(key("all"), Ask::exactly(1)).await,
            Self::Trusting(store, clock) => {
                let mut seconds = store.0.lock().unwrap();
                let used = seconds.entry(clock.utc().as_secs()).or_default();
                let granted = u64::from(*used < limit);
                *used += granted;
                Decided::Granted(Grant { granted, ..Grant::default() })
            }
        }
    }

    /// Whether it is worth dying now: where permits are leased, with some that nobody has used.
    fn holds(&self, case: Case) -> bool {
        match self {
            Self::Shared(shared) => case.mode == Mode::Exact || case.limit < 1_000 || shared.held() > 0,
            Self::Trusting(..) => true,
        }
    }
}

/// How long nodes go on.
#[derive(Clone)]
struct Until {
    end: Instant,
    /// Whether the node that is to die has died. Where it has had nothing to die with in all the time, because others
    /// were quicker, they go on until it has.
    died: Arc<AtomicBool>,
}

impl Until {
    fn is_over(&self) -> bool {
        let now = Instant::now();
        now >= self.end && (self.died.load(Ordering::Relaxed) || now >= self.end + PATIENCE)
    }
}

/// One node: its own worker and clients, until told to stop or to die.
fn node(decider: &Decider, case: Case, number: usize, until: &Until, dead: &Arc<AtomicBool>) -> Measured {
    let measured = Rc::new(RefCell::new(Measured::default()));
    let gone = Rc::new(Cell::new(false));
    let all = Rc::new(RefCell::new(Vec::new()));
    on_worker(async {
        let count = CLIENTS / NODES + usize::from(number < CLIENTS % NODES);
        let clients: Vec<_> = (0..count)
            .map(|_| {
                let gone = Gone { dead: Arc::clone(dead), gone: Rc::clone(&gone), all: Rc::clone(&all) };
                tokio::task::spawn_local(client(
                    decider.clone(),
                    case,
                    until.clone(),
                    gone,
                    Rc::clone(&measured),
                ))
            })
            .collect();
        all.borrow_mut().extend(clients.iter().map(tokio::task::JoinHandle::abort_handle));
        while !gone.get() && !clients.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for client in clients {
            client.abort();
            assert!(client.await.err().is_none_or(|error| error.is_cancelled()), "a client panicked");
        }
    });
    let mut measured = measured.take();
    if let Decider::Shared(shared) = decider {
        let (store, usage) = (shared.store().usage(), shared.usage());
        (measured.questions, measured.failures) = (store.questions, store.failures);
        measured.alone = usage.without_store;
        measured.orphans = if gone.get() { shared.held() } else { 0 };
    }
    measured
}

/// Whether a node is to die, and whether it has.
struct Gone {
    dead: Arc<AtomicBool>,
    gone: Rc<Cell<bool>>,
    /// Its clients, which end with it wherever they are: what is held then none of them uses.
    all: Rc<RefCell<Vec<AbortHandle>>>,
}

/// Asks until the end, or until the node dies: at once, so that what is held then nobody uses or returns.
async fn client(decider: Decider, case: Case, until: Until, gone: Gone, measured: Rc<RefCell<Measured>>) {
    while !until.is_over() && !gone.gone.get() {
        let before = utc();
        let decided = decider.decide(case.limit).await;
        measured.borrow_mut().note(&decided, before, utc());
        if gone.dead.load(Ordering::Relaxed) && decider.holds(case) {
            gone.gone.set(true);
            gone.all.borrow().iter().for_each(AbortHandle::abort);
            until.died.store(true, Ordering::Relaxed);
        }
        tokio::task::yield_now().await;
    }
}

/// Runs all nodes, and beside them what disturbs them.
fn run(
    case: Case,
    length: Duration,
    decider: impl Fn(NodeClock) -> Decider,
    disturb: impl FnOnce(&AtomicBool),
) -> Measured {
    let nobody_dies = case.disturbance != Disturbance::Death;
    let until = Until { end: Instant::now() + length, died: Arc::new(AtomicBool::new(nobody_dies)) };
    let (dead, alive) = (Arc::default(), Arc::default());
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..NODES)
            .map(|number| {
                let apart = if case.disturbance == Disturbance::Clocks { number } else { 0 };
                let clock = NodeClock::ahead(APART * u32::try_from(apart).unwrap());
                let (decider, flag) = (decider(clock), if number == 0 { &dead } else { &alive });
                let until = &until;
                scope.spawn(move || node(&decider, case, number, until, flag))
            })
            .collect();
        disturb(&dead);
        let mut measured = Measured::default();
        for node in nodes {
            measured.add(node.join().unwrap());
        }
        measured
    })
}

/// Measures against a real server, and holds what comes of it against what is promised.
fn measure(server: &mut RedisServer, case: Case) {
    assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    let (length, long) = length();
    let settings = StoreSettings { timeout: Duration::from_millis(150), ..settings(server) };
    let shared = |clock| {
        let store = RedisStore::on_node(settings.clone(), clock);
        let (whole, share) = (case.budget(1), case.budget(NODES as u64));
        let shared = SharedLimit::new(store, "accuracy", whole, share, case.mode, case.on_failure, 1_000);
        Decider::Shared(shared)
    };
    let begun = Instant::now();
    let measured = run(case, length, shared, |dead| {
        case.disturbance.disturb(server, 3, length, || dead.store(true, Ordering::Relaxed));
    });
    report(&measured, case, begun.elapsed(), long);
}

/// One line of the table, and what is asserted of it.
fn report(measured: &Measured, case: Case, length: Duration, long: bool) {
    let Case { limit, mode, steady, on_failure, disturbance } = case;
    let rate = measured.questions as f64 / length.as_secs_f64() / NODES as f64;
    let (seconds, used) = (&measured.seconds, measured.seconds.used(limit));
    let leased = mode == Mode::Leased;
    let shares = on_failure == OnFailure::LocalShare;
    let hard = long && leased && limit == 20_000;
    let calm = disturbance.is_calm();
    // What cannot be told to one of two seconds fits into what both have left.
    let most = case.most() * (length.as_secs() + 2);
    // Twenty at once and a hundred a second, and one after each for those whom it left without.
    let leases = ((length.as_secs_f64() * 100.0 + 20.0) * 2.0 + 5.0) * NODES as f64;
    // A lease that is used up for the rest of its second asks nothing until then.
    let noticed = !leased || length > Duration::from_secs(10);
    let away = disturbance.takes_server_away() && noticed;
    let dies = disturbance == Disturbance::Death && leased && limit >= 1_000;
    let faults = [
        (!steady && seconds.worst() > case.most(), "more than the limit in a second"),
        (steady && measured.above_pace(limit) > 0, "more than the burst and the pace in some stretch"),
        (seconds.total() > most, "more than the limit in all"),
        (seconds.count() == 0, "nothing was admitted"),
        (leased && measured.questions as f64 > leases, "more questions than leases need"),
        // The first ones find that the server does not know the script.
        (
            calm && !leased && measured.questions > measured.asked + 5 * NODES as u64,
            "more questions than requests",
        ),
        (hard && rate > 200.0, "more than 200 questions a second"),
        (hard && calm && used < 0.97, "less than 97 % used"),
        (away && measured.failures == 0, "nobody noticed that the server was away"),
        (away && shares && measured.alone == 0, "nobody counted a share alone"),
        (seconds.count() > length.as_secs() + 2, "seconds that were not"),
        (dies && measured.orphans == 0, "the node died without permits"),
        // And loses at most three quarters of what was left; `crates/limit/tests/lease_bounds.rs` holds what that is for a
        // given demand.
        (measured.orphans > limit * 3 / 4 + 1, "the node died with more permits than it may hold"),
    ];
    let row = format!(
        "{mode:?}\t{}\t{limit}/s\t{disturbance:?}{}\t{}\t{}\t{:.1} %\t{rate:.0}\t{}\t{}",
        if steady { "steady" } else { "fixed" },
        if shares { ", shares" } else { "" },
        seconds.count(),
        seconds.worst(),
        used * 100.0,
        measured.asked,
        measured.failures,
    );
    measurement::report(&row, &faults, measured);
}

fn in_every_mode(disturbance: Disturbance) {
    let mut server = RedisServer::start();
    let all = [10, 1_000, 20_000];
    // A moment is enough for one of them.
    let limits = if length().1 || disturbance == Disturbance::Nothing { &all[..] } else { &all[1..2] };
    for limit in limits {
        for mode in [Mode::Exact, Mode::Leased] {
            measure(&mut server, Case::new(*limit, mode, disturbance));
        }
    }
}

#[test]
fn no_second_admits_more_than_the_limit_and_leases_use_it_up() {
    in_every_mode(Disturbance::Nothing);
}

#[test]
fn no_second_admits_more_while_the_server_is_paused() {
    in_every_mode(Disturbance::Pause);
}

#[test]
fn no_second_admits_more_while_the_server_is_killed_and_forgets() {
    in_every_mode(Disturbance::Restart);
}

#[test]
fn no_second_admits_more_when_a_node_dies_with_its_permits() {
    in_every_mode(Disturbance::Death);
}

#[test]
fn no_second_admits_more_though_the_clocks_of_nodes_are_seconds_apart() {
    in_every_mode(Disturbance::Clocks);
}

#[test]
fn a_store_that_believed_the_clocks_of_nodes_would_be_found_out() {
    let store = Arc::new(Trusting::default());
    for (disturbance, is_found_out) in [(Disturbance::Clocks, true), (Disturbance::Nothing, false)] {
        let case = Case::new(1_000, Mode::Exact, disturbance);
        let trusting = |clock| Decider::Trusting(Arc::clone(&store), clock);
        let measured = run(case, Duration::from_millis(2_500), trusting, |_| {});
        assert_eq!(measured.seconds.worst() > case.limit, is_found_out, "{measured:?}");
    }
}

#[test]
fn no_stretch_admits_more_than_burst_and_pace() {
    let mut server = RedisServer::start();
    for (limit, disturbance) in
        [(1_000, Disturbance::Nothing), (20_000, Disturbance::Nothing), (1_000, Disturbance::Clocks)]
    {
        for mode in [Mode::Exact, Mode::Leased] {
            measure(&mut server, Case { steady: true, ..Case::new(limit, mode, disturbance) });
        }
    }
}

#[test]
fn shares_that_are_counted_alone_add_at_most_one_more_limit() {
    let mut server = RedisServer::start();
    for disturbance in [Disturbance::Pause, Disturbance::Restart] {
        for mode in [Mode::Exact, Mode::Leased] {
            let on_failure = OnFailure::LocalShare;
            measure(&mut server, Case { on_failure, ..Case::new(1_000, mode, disturbance) });
        }
    }
}
