//! How exact shared limits are on whole gateways: three in this process with two workers each, 64 clients that ask over
//! HTTP, and a real server. No second of UTC may have more than the limit, also while the server is killed and forgets.
//!
//! `crates/store/tests/accuracy.rs` measures the same of the limits alone, under more disturbances and at higher rates.
//! Here a request is what it is for clients: read by a worker, decided beside others, answered; and what is counted is
//! what was answered. `cargo xtask limits` runs both at length.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a measurement fails by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use torana_testkit::{Client, RedisServer};
use yaml::Running;

const GATEWAYS: usize = 3;
const WORKERS: usize = 2;
const CLIENTS: usize = 64;

/// How long each measurement takes.
fn length() -> Duration {
    let seconds = std::env::var("TORANA_LIMITS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    seconds.map_or(Duration::from_millis(2_500), Duration::from_secs)
}

fn utc() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What the clients were told.
#[derive(Debug, Default)]
struct Told {
    /// Requests that passed, by the second of UTC in which they were sent and answered.
    seconds: BTreeMap<u64, u64>,
    /// Requests that passed and were sent in one second and answered in another.
    between: u64,
    asked: u64,
    /// Requests that were refused for want of the server.
    unanswered: u64,
}

impl Told {
    fn add(&mut self, other: Self) {
        for (second, count) in other.seconds {
            *self.seconds.entry(second).or_default() += count;
        }
        self.between += other.between;
        self.asked += other.asked;
        self.unanswered += other.unanswered;
    }

    fn passed(&self) -> u64 {
        self.seconds.values().sum::<u64>() + self.between
    }
}

/// One client: asks on one connection until the end.
fn client(gateway: &Running, end: Instant) -> Told {
    let mut told = Told::default();
    let mut client = Client::connect(gateway.address);
    while Instant::now() < end {
        let before = utc().as_secs();
        let status = client.exchange("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").status;
        let after = utc().as_secs();
        told.asked += 1;
        match status {
            204 if before == after => *told.seconds.entry(after).or_default() += 1,
            204 => told.between += 1,
            429 => {}
            503 => told.unanswered += 1,
            other => panic!("{other}"),
        }
    }
    told
}

fn questions(server: &RedisServer) -> u64 {
    let said = server.command(&["INFO", "commandstats"]);
    let calls = |line: &str| {
        let calls = line.strip_prefix("cmdstat_evalsha:calls=")?;
        calls.split(',').next()?.parse::<u64>().ok()
    };
    said.lines().find_map(calls).unwrap_or(0)
}

/// Measures one mode, and holds what comes of it against what is promised.
fn measure(server: &mut RedisServer, mode: &str, limit: u64, restarts: bool) {
    assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    let text = format!(
        "access_log: off
store: {{ url: \"redis://127.0.0.1:{}\", timeout: 2s, gateways: {GATEWAYS} }}
policies:
  rate_limit: {{ limit: {limit}/s, window: fixed, by: everybody, mode: {mode}, when_store_fails: closed }}
routes: [{{ path: /, respond: {{ status: 204 }} }}]
",
        server.port()
    );
    let gateways: Vec<Running> = (0..GATEWAYS).map(|_| Running::with_workers(&text, WORKERS)).collect();
    let (length, asked) = (length(), questions(server));
    let end = Instant::now() + length;
    let told = std::thread::scope(|scope| {
        let clients: Vec<_> = gateways
            .iter()
            .cycle()
            .take(CLIENTS)
            .map(|gateway| scope.spawn(move || client(gateway, end)))
            .collect();
        if restarts {
            for _ in 0..2 {
                std::thread::sleep(length / 4);
                server.restart();
            }
        }
        let mut told = Told::default();
        clients.into_iter().for_each(|client| told.add(client.join().unwrap()));
        told
    });
    // A server that was killed has forgotten what it was asked.
    let questions = if restarts { 0 } else { questions(server) - asked };
    let worst = told.seconds.values().copied().max().unwrap_or(0);
    let (first, last) = (told.seconds.keys().next(), told.seconds.keys().next_back());
    let seconds = last.zip(first).map_or(0, |(last, first)| last - first + 1);
    let wrong: Vec<&str> = [
        (worst > limit, "more than the limit in a second"),
        // What cannot be told to one of two seconds fits into what both have left.
        (told.passed() > limit * (seconds + 2), "more than the limit in all"),
        (told.passed() == 0, "nothing was admitted"),
        (told.asked == told.passed() && !restarts, "nobody was refused, so nothing was tried"),
        (
            !restarts && told.unanswered > 0 && mode == "leased" && limit > 100,
            "the server was not asked in time",
        ),
        (!restarts && mode == "leased" && questions >= told.asked, "more questions than requests"),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect();
    let verdict = if wrong.is_empty() { "holds".to_owned() } else { wrong.join("; ") };
    let row = format!(
        "{}\tfixed\t{limit}/s\t{}\t{seconds}\t{worst}\t{:.1} %\t{:.0}\t{}\t{}\t{verdict}\n",
        if mode == "exact" { "Exact" } else { "Leased" },
        if restarts { "Restart, gateways" } else { "Nothing, gateways" },
        told.passed() as f64 * 100.0 / (limit * seconds.max(1)) as f64,
        questions as f64 / length.as_secs_f64() / GATEWAYS as f64,
        told.asked,
        told.unanswered,
    );
    println!("{}", row.trim_end());
    if let Some(table) = std::env::var_os("TORANA_LIMITS_TABLE") {
        let mut table = std::fs::OpenOptions::new().append(true).create(true).open(table).unwrap();
        table.write_all(row.as_bytes()).unwrap();
    }
    assert!(wrong.is_empty(), "{verdict}: {told:?}");
}

#[test]
fn gateways_with_many_clients_admit_no_more_than_the_limit_in_any_second() {
    let mut server = RedisServer::start();
    for mode in ["exact", "leased"] {
        for restarts in [false, true] {
            measure(&mut server, mode, 200, restarts);
        }
    }
}
