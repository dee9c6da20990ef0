//! What one decision of a shared limit costs the worker that makes it: `cargo bench -p torana-store`. The server is
//! a real one on the loopback interface; it and what the decision costs there are not counted, waiting is. Ends with
//! an error where a decision costs more than its bar, unless `-- --quick` or without optimisation.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program that measures and prints"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use torana_limit::{Ask, Budget, Gcra, Key, KeyedLimiter, Window};
use torana_store::{Decided, Mode, OnFailure, RedisStore, SharedLimit, StoreSettings};
use torana_testkit::RedisServer;

const ROUNDS: u64 = 1_000_000;
const CALLERS: u64 = 1_000;
const KEY: Key<'_> = Key { kind: 1, bytes: b"everybody" };

/// So many a second that nobody is refused.
fn wide() -> Budget {
    Budget::new(Window::Gcra(Gcra::new(100_000_000, Duration::from_secs(1), 100_000_000)), Vec::new())
}

/// The most that a decision may cost, in nanoseconds.
const LOCAL: f64 = 150.0;
const LEASED: f64 = 250.0;

/// Prints the least of five measurements, in nanoseconds for one decision, and says whether it is above the bar.
fn print(name: &str, rounds: u64, bar: Option<f64>, times: impl Iterator<Item = Duration>) -> bool {
    let least = times.min().unwrap_or_default().as_nanos() as f64 / rounds as f64;
    let above = bar.is_some_and(|bar| least > bar);
    println!("{name:<52} {least:>8.1} ns{}", if above { "  above its bar" } else { "" });
    above
}

fn local() -> bool {
    let limiter = KeyedLimiter::new(wide(), 100_000);
    let times = (0..5).map(|_| {
        let start = Instant::now();
        for round in 0..ROUNDS {
            let caller = (round % CALLERS).to_be_bytes();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let grant = limiter.take(Key { kind: 1, bytes: &caller }, now, Ask::exactly(1));
            black_box(grant.granted);
        }
        start.elapsed()
    });
    print("local, a thousand callers, the clock included", ROUNDS, Some(LOCAL), times)
}

fn shared(server: &RedisServer, mode: Mode) -> Arc<SharedLimit> {
    let settings = StoreSettings {
        timeout: Duration::from_secs(5),
        ..StoreSettings::single("127.0.0.1", server.port())
    };
    let id = format!("{mode:?}");
    SharedLimit::new(RedisStore::new(settings), &id, wide(), wide(), mode, OnFailure::Closed, 100_000)
}

async fn decide(limit: &Arc<SharedLimit>, key: Key<'_>) {
    match limit.decide(key, Ask::exactly(1)).await {
        Decided::Granted(grant) => assert_eq!(grant.granted, 1, "the limit is wide enough"),
        other => panic!("{other:?}"),
    }
}

/// One request after another, as a busy worker has them; the refills are made in between.
async fn leased(server: &RedisServer) -> bool {
    let limit = shared(server, Mode::Leased);
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        for round in 0..ROUNDS {
            decide(&limit, KEY).await;
            // A worker turns to its other work after some requests.
            if round % 32 == 0 {
                tokio::task::yield_now().await;
            }
        }
        times.push(start.elapsed());
    }
    let questions = limit.store().usage().questions;
    let above = print("leased, one caller, questions included", ROUNDS, Some(LEASED), times.into_iter());
    println!("{:<52} {:>8.0}", "  decisions for each question", (5 * ROUNDS) as f64 / questions as f64);
    above
}

/// Sixty-four at a time, of one caller or of as many: what is asked in one turn is one command.
async fn exact(server: &RedisServer, name: &str, callers: u64) {
    const AT_ONCE: u64 = 64;
    const EACH: u64 = 500;
    let limit = shared(server, Mode::Exact);
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let asking = (0..AT_ONCE).map(|number| {
            let limit = Arc::clone(&limit);
            tokio::task::spawn_local(async move {
                let caller = (number % callers).to_be_bytes();
                for _ in 0..EACH {
                    decide(&limit, Key { kind: 1, bytes: &caller }).await;
                }
            })
        });
        for task in asking.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        times.push(start.elapsed());
    }
    print(name, AT_ONCE * EACH, None, times.into_iter());
    let questions = limit.store().usage().questions;
    println!(
        "{:<52} {:>8.0}",
        "  decisions for each question",
        (5 * AT_ONCE * EACH) as f64 / questions as f64
    );
}

fn main() {
    let quick = std::env::args().any(|word| word == "--quick") || cfg!(debug_assertions);
    let mut above = local();
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    above |= local.block_on(&runtime, leased(&server));
    local.block_on(&runtime, exact(&server, "exact, 64 at once of one caller, the server included", 1));
    local.block_on(&runtime, exact(&server, "exact, 64 callers at once, the server included", 64));
    if above && !quick {
        std::process::exit(1);
    }
}
