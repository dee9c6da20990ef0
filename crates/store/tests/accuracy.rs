//! How exact shared limits are: several nodes, as many workers and connections, 64 clients and a real server.
//!
//! Every admission is put into the second of UTC it fell into: by the server's clock where the store decided, by
//! this machine's (the same) where a lease did. No second may hold more than the limit, also while the server is
//! paused, killed and started anew, and while a node dies with its leases.
//!
//! `cargo xtask limits` runs this for 30 seconds each, optimised, and asserts how much of the budget is usable.
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
use std::collections::BTreeMap;
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
}

impl Measured {
    fn add(&mut self, other: Self) {
        for (second, count) in other.seconds {
            *self.seconds.entry(second).or_default() += count;
        }
        self.between += other.between;
        self.asked += other.asked;
        self.questions += other.questions;
    }

    fn worst(&self) -> u64 {
        self.seconds.values().copied().max().unwrap_or(0)
    }

    /// The share of the budget that was used in whole seconds.
    fn used(&self, limit: u64) -> f64 {
        let whole: Vec<u64> = self.seconds.values().copied().skip(1).collect();
        let whole = whole.get(..whole.len().saturating_sub(1)).unwrap_or_default();
        whole.iter().sum::<u64>() as f64 / (limit as f64 * whole.len().max(1) as f64)
    }
}

fn utc() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// One node: its own store, worker and clients, until told to stop or to die.
fn node(settings: &StoreSettings, limit: u64, mode: Mode, end: Instant, dead: &AtomicBool) -> Measured {
    let window = Window::Fixed(FixedWindow::new(limit, Period::Span(Duration::from_secs(1))));
    let budget = Budget::new(window, Vec::new());
    let store = RedisStore::new(settings.clone());
    let share = budget.clone();
    let shared = SharedLimit::new(store.clone(), "accuracy", budget, share, mode, OnFailure::Closed, 1_000);
    let mut measured = on_worker(async {
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS / NODES {
            let shared = Arc::clone(&shared);
            tasks.push(client(shared, end));
        }
        let mut measured = Measured::default();
        let clients: Vec<_> = tasks.into_iter().map(tokio::task::spawn_local).collect();
        for client in clients {
            while !client.is_finished() {
                if dead.load(Ordering::Relaxed) {
                    // As a crash would: leases are held and nobody returns them.
                    return measured;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            measured.add(client.await.unwrap());
        }
        measured
    });
    measured.questions = store.usage().questions;
    measured
}

async fn client(shared: Arc<SharedLimit>, end: Instant) -> Measured {
    let mut measured = Measured::default();
    while Instant::now() < end {
        measured.asked += 1;
        let before = utc().as_secs();
        if let Decided::Granted(grant) = shared.decide(key("all"), Ask::exactly(1)).await
            && grant.granted > 0
        {
            let after = utc().as_secs();
            let by_store = grant.at.as_secs();
            if by_store > 0 {
                *measured.seconds.entry(by_store).or_default() += 1;
            } else if before == after {
                *measured.seconds.entry(after).or_default() += 1;
            } else {
                measured.between += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    measured
}

/// Runs all nodes, and beside them what disturbs them.
fn measure(
    server: &mut RedisServer,
    limit: u64,
    mode: Mode,
    disturb: impl FnOnce(&mut RedisServer, &AtomicBool, Duration),
) -> Measured {
    let (length, long) = length();
    let settings = StoreSettings { timeout: Duration::from_millis(50), ..settings(server) };
    let end = Instant::now() + length;
    let (dead, alive) = (AtomicBool::new(false), AtomicBool::new(false));
    let measured = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..NODES)
            .map(|number| {
                let (settings, flag) = (&settings, if number == 0 { &dead } else { &alive });
                scope.spawn(move || node(settings, limit, mode, end, flag))
            })
            .collect();
        disturb(server, &dead, length);
        let mut measured = Measured::default();
        for node in nodes {
            measured.add(node.join().unwrap());
        }
        measured
    });
    let rate = measured.questions as f64 / length.as_secs_f64() / NODES as f64;
    println!(
        "{mode:?} {limit}/s: worst second {}, used {:.1} %, asked {}, on a border {}, {rate:.0} questions a second and node",
        measured.worst(),
        measured.used(limit) * 100.0,
        measured.asked,
        measured.between,
    );
    assert!(measured.worst() <= limit, "{measured:?}");
    assert!(!measured.seconds.is_empty(), "nothing was admitted");
    if mode == Mode::Leased {
        // Twenty at once, and a hundred a second.
        let most = length.as_secs_f64() * 100.0 + 20.0 + 5.0;
        assert!(measured.questions as f64 <= most * NODES as f64, "{} questions", measured.questions);
        if long && limit == 20_000 {
            assert!(rate <= 200.0, "{rate} questions a second");
        }
    }
    measured
}

#[test]
fn no_second_admits_more_than_the_limit_and_leases_use_it_up() {
    let mut server = RedisServer::start();
    for limit in [10, 1_000, 20_000] {
        for mode in [Mode::Exact, Mode::Leased] {
            assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
            let measured = measure(&mut server, limit, mode, |_, _, _| {});
            if length().1 && mode == Mode::Leased && limit == 20_000 {
                assert!(measured.used(limit) >= 0.97, "{:.3}", measured.used(limit));
            }
        }
    }
}

#[test]
fn no_second_admits_more_while_the_server_is_paused_or_loses_its_memory_or_a_node_dies() {
    let mut server = RedisServer::start();
    for mode in [Mode::Exact, Mode::Leased] {
        measure(&mut server, 1_000, mode, |server, _, length| {
            std::thread::sleep(length / 4);
            server.pause();
            std::thread::sleep(length / 4);
            server.resume();
        });
        assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
        measure(&mut server, 1_000, mode, |server, _, length| {
            for _ in 0..3 {
                std::thread::sleep(length / 5);
                server.restart();
            }
        });
        assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
        measure(&mut server, 1_000, mode, |_, dead, length| {
            std::thread::sleep(length / 3);
            dead.store(true, Ordering::Relaxed);
        });
        assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    }
}
