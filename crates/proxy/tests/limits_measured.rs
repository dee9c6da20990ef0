//! How exact shared limits are on whole gateways: three in this process with two workers each, 64 clients that ask over
//! HTTP, and a real server. No second of UTC may have more than the limit, also while the server is paused, or killed and
//! forgets.
//!
//! `crates/store/tests/accuracy.rs` measures the same of the limits alone, under more disturbances. Here a request is what
//! it is for clients: read by a worker, decided beside others, answered; and what is counted is what was answered.
//! `cargo xtask limits` runs both at length, and 20,000 a second too, for which clients send many requests at a time.
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use torana_testkit::{Client, RedisServer, measurement};
use yaml::Running;

const GATEWAYS: usize = 3;
const WORKERS: usize = 2;
const CLIENTS: usize = 64;

/// How long they may take in addition until somebody is refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long each measurement takes, and whether it is the long one.
fn length() -> (Duration, bool) {
    measurement::length(Duration::from_millis(2_500))
}

/// What happens during a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    Nothing,
    /// The server stands still for a quarter of the time.
    Pause,
    /// The server is killed and started without its memory, twice.
    Restart,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Case {
    limit: u64,
    leased: bool,
    disturbance: Disturbance,
}

impl Case {
    fn calm(self) -> bool {
        self.disturbance == Disturbance::Nothing
    }

    /// Whether clients ask for more than the limit on any machine.
    fn is_reached(self) -> bool {
        self.limit <= 1_000
    }

    /// Requests that a client sends at a time.
    fn at_a_time(self) -> usize {
        if self.is_reached() { 1 } else { 16 }
    }

    fn file(self, server: &RedisServer) -> String {
        let (limit, mode) = (self.limit, if self.leased { "leased" } else { "exact" });
        // So late only a server that stands still is; what else is not answered is a fault.
        let timeout = if self.disturbance == Disturbance::Pause { "150ms" } else { "2s" };
        format!(
            "access_log: off
store: {{ url: \"redis://127.0.0.1:{}\", timeout: {timeout}, gateways: {GATEWAYS} }}
policies:
  rate_limit: {{ limit: {limit}/s, window: fixed, by: everybody, mode: {mode}, when_store_fails: closed }}
routes: [{{ path: /, respond: {{ status: 204 }} }}]
",
            server.port()
        )
    }
}

/// How long clients go on: to the end, and until one was refused where one will be.
struct Until {
    end: Instant,
    tried: AtomicBool,
}

impl Until {
    fn is_over(&self) -> bool {
        let now = Instant::now();
        now >= self.end && (self.tried.load(Ordering::Relaxed) || now >= self.end + PATIENCE)
    }
}

fn utc() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What the clients were told.
#[derive(Debug, Default)]
struct Told {
    /// Requests that passed, by the second of UTC in which they were sent and answered.
    seconds: BTreeMap<u64, u64>,
    /// Requests that passed and were sent in one second and answered in another, by the latter.
    between: BTreeMap<u64, u64>,
    asked: u64,
    /// Requests that were refused for want of the server.
    unanswered: u64,
}

impl Told {
    fn add(&mut self, other: Self) {
        for (second, count) in other.seconds {
            *self.seconds.entry(second).or_default() += count;
        }
        for (second, count) in other.between {
            *self.between.entry(second).or_default() += count;
        }
        self.asked += other.asked;
        self.unanswered += other.unanswered;
    }

    fn passed(&self) -> u64 {
        self.seconds.values().sum::<u64>() + self.between.values().sum::<u64>()
    }

    fn worst(&self) -> u64 {
        self.seconds.values().copied().max().unwrap_or(0)
    }

    /// From the first second to the last.
    fn length(&self) -> u64 {
        let (first, last) = (self.seconds.keys().next(), self.seconds.keys().next_back());
        last.zip(first).map_or(0, |(last, first)| last - first + 1)
    }

    /// The share of the budget that was used in whole seconds, those without any admission included.
    fn used(&self, limit: u64) -> f64 {
        let mut ends = self.seconds.keys().copied();
        let (Some(first), Some(last)) = (ends.next(), ends.next_back()) else { return 0.0 };
        let last = last.max(first + 2);
        let within = self.seconds.range(first + 1..last).map(|(_, count)| count).sum::<u64>();
        let between = self.between.range(first + 2..last).map(|(_, count)| count).sum::<u64>();
        (within + between) as f64 / (limit * (last - first - 1)) as f64
    }
}

/// One client: asks on one connection until the end.
fn client(gateway: &Running, at_a_time: usize, until: &Until) -> Told {
    let mut told = Told::default();
    let mut client = Client::connect(gateway.address);
    let requests = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n".repeat(at_a_time);
    while !until.is_over() {
        let before = utc().as_secs();
        client.send(&requests);
        for _ in 0..at_a_time {
            let status = client.read_response().status;
            let after = utc().as_secs();
            told.asked += 1;
            match status {
                204 if before == after => *told.seconds.entry(after).or_default() += 1,
                204 => *told.between.entry(after).or_default() += 1,
                429 => until.tried.store(true, Ordering::Relaxed),
                503 => told.unanswered += 1,
                other => panic!("{other}"),
            }
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

fn disturb(disturbance: Disturbance, server: &mut RedisServer, length: Duration) {
    match disturbance {
        Disturbance::Nothing => {}
        Disturbance::Pause => {
            std::thread::sleep(length / 4);
            server.pause();
            std::thread::sleep(length / 4);
            server.resume();
        }
        Disturbance::Restart => {
            for _ in 0..2 {
                std::thread::sleep(length / 4);
                server.restart();
            }
        }
    }
}

/// Measures one case, and holds what comes of it against what is promised.
fn measure(server: &mut RedisServer, case: Case) {
    assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    let text = case.file(server);
    let gateways: Vec<Running> = (0..GATEWAYS).map(|_| Running::with_workers(&text, WORKERS)).collect();
    let (length, long) = length();
    let (begun, asked) = (Instant::now(), questions(server));
    let until = Until { end: begun + length, tried: AtomicBool::new(!case.is_reached()) };
    let told = std::thread::scope(|scope| {
        let clients: Vec<_> = gateways
            .iter()
            .cycle()
            .take(CLIENTS)
            .map(|gateway| scope.spawn(|| client(gateway, case.at_a_time(), &until)))
            .collect();
        disturb(case.disturbance, server, length);
        let mut told = Told::default();
        clients.into_iter().for_each(|client| told.add(client.join().unwrap()));
        told
    });
    // A server that was killed has forgotten what it was asked.
    let restarted = case.disturbance == Disturbance::Restart;
    let questions = if restarted { 0 } else { questions(server) - asked };
    report(&told, case, questions, begun.elapsed(), long);
}

/// One line of the table, and what is asserted of it.
fn report(told: &Told, case: Case, questions: u64, length: Duration, long: bool) {
    let Case { limit, leased, disturbance } = case;
    let (worst, seconds, used) = (told.worst(), told.length(), told.used(limit));
    let rate = questions as f64 / length.as_secs_f64() / GATEWAYS as f64;
    // For each caller and gateway 20 at once and 100 a second, and after each one of each worker.
    let leases = (20.0 + 100.0 * length.as_secs_f64()) * (1 + WORKERS) as f64 * GATEWAYS as f64;
    let hard = long && leased && case.calm() && limit == 20_000;
    // Where there was enough to admit.
    let wanted = told.asked as f64 > 1.5 * (limit * seconds) as f64;
    let wrong: Vec<&str> = [
        (worst > limit, "more than the limit in a second"),
        // What cannot be told to one of two seconds fits into what both have left.
        (told.passed() > limit * (seconds + 2), "more than the limit in all"),
        (told.passed() == 0, "nothing was admitted"),
        (
            case.is_reached() && told.asked == told.passed() + told.unanswered,
            "nobody was refused, so nothing was tried",
        ),
        (case.calm() && told.unanswered > 0 && leased && limit > 100, "the server was not asked in time"),
        (!case.calm() && told.unanswered == 0 && !leased, "nobody missed the server"),
        (leased && questions as f64 > leases, "more questions than leases need"),
        (hard && rate > 200.0, "more than 200 questions a second"),
        (hard && wanted && used < 0.97, "less than 97 % used"),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect();
    let verdict = if wrong.is_empty() { "holds".to_owned() } else { wrong.join("; ") };
    let row = format!(
        "{}\tfixed\t{limit}/s\t{disturbance:?}, gateways\t{seconds}\t{worst}\t{:.1} %\t{rate:.0}\t{}\t{}\t{verdict}",
        if leased { "Leased" } else { "Exact" },
        used * 100.0,
        told.asked,
        told.unanswered,
    );
    measurement::tell(&row);
    assert!(wrong.is_empty(), "{verdict}: {told:?}");
}

fn in_both_modes(disturbance: Disturbance) {
    let mut server = RedisServer::start();
    let limits: &[u64] = if length().1 { &[200, 1_000, 20_000] } else { &[200, 1_000] };
    for limit in limits {
        for leased in [false, true] {
            measure(&mut server, Case { limit: *limit, leased, disturbance });
        }
    }
}

#[test]
fn gateways_admit_no_more_than_the_limit_in_any_second() {
    in_both_modes(Disturbance::Nothing);
}

#[test]
fn gateways_admit_no_more_while_the_server_is_paused() {
    in_both_modes(Disturbance::Pause);
}

#[test]
fn gateways_admit_no_more_while_the_server_is_killed_and_forgets() {
    in_both_modes(Disturbance::Restart);
}
