//! How exact shared limits are: several nodes, as many workers and connections, 64 clients and a real server.
//!
//! Every admission is put into the second of UTC it fell into: by the server's clock where the store decided, by
//! this machine's (the same) where a lease did. No second may hold more than the limit, also while the server is
//! paused, killed and started anew, while a node dies with its leases, and with clocks of nodes five seconds apart.
//!
//! `cargo xtask limits` runs this for 30 seconds each, optimised, at three limits, asserts how much of the budget
//! is usable, and prints a table; `cargo test` runs it for a moment each. What disturbs is itself looked at: that the
//! server was missed, and that the node that died had leases.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement fails by panicking"
)]

mod common;

use common::{key, on_worker, settings};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use torana_limit::{Ask, Budget, FixedWindow, Period, Window};
use torana_store::{Decided, Mode, OnFailure, RedisStore, SharedLimit, StoreSettings};
use torana_testkit::RedisServer;

const NODES: usize = 3;
const CLIENTS: usize = 64;

/// How long each measurement takes, and whether it is the long one.
fn length() -> (Duration, bool) {
    match std::env::var("TORANA_LIMITS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => (Duration::from_secs(seconds), true),
        None => (Duration::from_millis(1_500), false),
    }
}

/// What came of a measurement.
#[derive(Debug, Default)]
struct Measured {
    /// Admissions by second.
    seconds: BTreeMap<u64, u64>,
    /// Admissions on the border of two seconds, which cannot be told to either.
    between: u64,
    asked: u64,
    questions: u64,
    /// Questions that the server did not answer.
    failures: u64,
    /// Callers whose leases a node died with.
    orphans: u64,
}

impl Measured {
    fn add(&mut self, other: Self) {
        for (second, count) in other.seconds {
            *self.seconds.entry(second).or_default() += count;
        }
        self.between += other.between;
        self.asked += other.asked;
        self.questions += other.questions;
        self.failures += other.failures;
        self.orphans += other.orphans;
    }

    /// Notes an answer that was asked for and had in these seconds of this machine.
    fn note(&mut self, decided: &Decided, before: u64, after: u64) {
        self.asked += 1;
        let Decided::Granted(grant) = decided else { return };
        let by_store = grant.at.as_secs();
        if grant.granted == 0 {
            return;
        }
        if by_store > 0 {
            *self.seconds.entry(by_store).or_default() += 1;
        } else if before == after {
            *self.seconds.entry(after).or_default() += 1;
        } else {
            self.between += 1;
        }
    }

    fn worst(&self) -> u64 {
        self.seconds.values().copied().max().unwrap_or(0)
    }

    /// The share of the budget that was used in whole seconds, those without any admission included.
    fn used(&self, limit: u64) -> f64 {
        let mut ends = self.seconds.keys().copied();
        let (Some(first), Some(last)) = (ends.next(), ends.next_back()) else { return 0.0 };
        let whole = self.seconds.range(first + 1..last.max(first + 1)).map(|(_, count)| count).sum::<u64>();
        whole as f64 / (limit as f64 * last.saturating_sub(first + 1).max(1) as f64)
    }
}

fn utc() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What happens during a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    Nothing,
    /// The server stands still for a quarter of the time.
    Pause,
    /// The server is killed and started without its memory, three times.
    Restart,
    /// One node dies with what it holds.
    Death,
    /// The clock of each node is five seconds ahead of the one before it.
    Clocks,
}

/// One node: its own store, worker and clients, until told to stop or to die.
fn node(
    settings: &StoreSettings,
    (limit, mode): (u64, Mode),
    (number, ahead): (usize, Duration),
    end: Instant,
    dead: &AtomicBool,
) -> Measured {
    let window = Window::Fixed(FixedWindow::new(limit, Period::Span(Duration::from_secs(1))));
    let budget = Budget::new(window, Vec::new());
    let store = RedisStore::new(settings.clone());
    let share = budget.clone();
    let shared = SharedLimit::new(store.clone(), "accuracy", budget, share, mode, OnFailure::Closed, 1_000);
    let shared = shared.ahead(ahead);
    let measured = Rc::new(RefCell::new(Measured::default()));
    on_worker(async {
        let count = CLIENTS / NODES + usize::from(number < CLIENTS % NODES);
        let clients: Vec<_> = (0..count)
            .map(|_| tokio::task::spawn_local(client(Arc::clone(&shared), end, Rc::clone(&measured))))
            .collect();
        // To die is to stop at once: leases are held and nobody returns them.
        while !dead.load(Ordering::Relaxed) && !clients.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for client in clients {
            client.abort();
            assert!(client.await.err().is_none_or(|error| error.is_cancelled()), "a client panicked");
        }
    });
    let mut measured = measured.take();
    let usage = store.usage();
    (measured.questions, measured.failures) = (usage.questions, usage.failures);
    if dead.load(Ordering::Relaxed) {
        measured.orphans = shared.usage().leases;
    }
    measured
}

async fn client(shared: Arc<SharedLimit>, end: Instant, measured: Rc<RefCell<Measured>>) {
    while Instant::now() < end {
        let before = utc().as_secs();
        let decided = shared.decide(key("all"), Ask::exactly(1)).await;
        let after = utc().as_secs();
        measured.borrow_mut().note(&decided, before, after);
        tokio::task::yield_now().await;
    }
}

fn disturb(disturbance: Disturbance, server: &mut RedisServer, dead: &AtomicBool, length: Duration) {
    match disturbance {
        Disturbance::Nothing | Disturbance::Clocks => {}
        Disturbance::Pause => {
            std::thread::sleep(length / 4);
            server.pause();
            std::thread::sleep(length / 4);
            server.resume();
        }
        Disturbance::Restart => {
            for _ in 0..3 {
                std::thread::sleep(length / 5);
                server.restart();
            }
        }
        Disturbance::Death => {
            std::thread::sleep(length / 3);
            dead.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs all nodes, and beside them what disturbs them.
fn measure(server: &mut RedisServer, limit: u64, mode: Mode, disturbance: Disturbance) {
    assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    let (length, long) = length();
    let settings = StoreSettings { timeout: Duration::from_millis(50), ..settings(server) };
    let end = Instant::now() + length;
    let (dead, alive) = (AtomicBool::new(false), AtomicBool::new(false));
    let measured = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..NODES)
            .map(|number| {
                let (settings, flag) = (&settings, if number == 0 { &dead } else { &alive });
                let apart = if disturbance == Disturbance::Clocks { 5 * number as u64 } else { 0 };
                let clock = (number, Duration::from_secs(apart));
                scope.spawn(move || node(settings, (limit, mode), clock, end, flag))
            })
            .collect();
        disturb(disturbance, server, &dead, length);
        let mut measured = Measured::default();
        for node in nodes {
            measured.add(node.join().unwrap());
        }
        measured
    });
    report(&measured, (limit, mode, disturbance), length, long);
}

/// One line of the table, and what is asserted of it.
fn report(
    measured: &Measured,
    (limit, mode, disturbance): (u64, Mode, Disturbance),
    length: Duration,
    long: bool,
) {
    let rate = measured.questions as f64 / length.as_secs_f64() / NODES as f64;
    let used = measured.used(limit);
    let leased = mode == Mode::Leased;
    let hard = long && leased && limit == 20_000;
    let calm = matches!(disturbance, Disturbance::Nothing | Disturbance::Clocks);
    // What cannot be told to one of two seconds fits into what both have left.
    let most = limit * (length.as_secs() + 2);
    // Twenty at once, and a hundred a second.
    let leases = (length.as_secs_f64() * 100.0 + 20.0 + 5.0) * NODES as f64;
    // A lease that is used up for the rest of its second asks nothing until then.
    let noticed = !leased || length > Duration::from_secs(10);
    let away = matches!(disturbance, Disturbance::Pause | Disturbance::Restart) && noticed;
    let dies = disturbance == Disturbance::Death && leased && limit >= 1_000;
    let wrong: Vec<&str> = [
        (measured.worst() > limit, "more than the limit in a second"),
        (measured.seconds.values().sum::<u64>() + measured.between > most, "more than the limit in all"),
        (measured.seconds.is_empty(), "nothing was admitted"),
        (leased && measured.questions as f64 > leases, "more questions than leases need"),
        // The first ones find that the server does not know the script.
        (
            calm && !leased && measured.questions > measured.asked + 5 * NODES as u64,
            "more questions than requests",
        ),
        (hard && rate > 200.0, "more than 200 questions a second"),
        (hard && calm && used < 0.97, "less than 97 % used"),
        (away && measured.failures == 0, "nobody noticed that the server was away"),
        (dies && measured.orphans == 0, "the node died without leases"),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect();
    let verdict = if wrong.is_empty() { "holds".to_owned() } else { wrong.join("; ") };
    let row = format!(
        "{mode:?}\t{limit}/s\t{disturbance:?}\t{}\t{}\t{:.1} %\t{rate:.0}\t{}\t{}\t{verdict}\n",
        measured.seconds.len(),
        measured.worst(),
        used * 100.0,
        measured.asked,
        measured.failures,
    );
    println!("{}", row.trim_end());
    if let Some(table) = std::env::var_os("TORANA_LIMITS_TABLE") {
        let mut table = std::fs::OpenOptions::new().append(true).create(true).open(table).unwrap();
        table.write_all(row.as_bytes()).unwrap();
    }
    assert!(wrong.is_empty(), "{verdict}: {measured:?}");
}

fn in_every_mode(disturbance: Disturbance) {
    let mut server = RedisServer::start();
    let all = [10, 1_000, 20_000];
    // A moment is enough for one of them.
    let limits = if length().1 || disturbance == Disturbance::Nothing { &all[..] } else { &all[1..2] };
    for limit in limits {
        for mode in [Mode::Exact, Mode::Leased] {
            measure(&mut server, *limit, mode, disturbance);
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
fn no_second_admits_more_when_a_node_dies_with_its_leases() {
    in_every_mode(Disturbance::Death);
}

#[test]
fn no_second_admits_more_though_the_clocks_of_nodes_are_seconds_apart() {
    in_every_mode(Disturbance::Clocks);
}
