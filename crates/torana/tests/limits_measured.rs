//! How exact shared limits are on whole gateways: three processes of the built binary with two workers each, 64 clients
//! that ask over HTTP, and a real server. No second of UTC may have more than the limit, also while the server is paused, or
//! killed and forgets, while a gateway is killed with permits that nobody has used, and where the clock of each is seconds
//! ahead of the one before.
//!
//! `crates/store/tests/accuracy.rs` measures the same of the limits alone, under more disturbances. Here a request is what
//! it is for clients: read by a worker, decided beside others, answered; and what is counted is what was answered.
//! `cargo xtask limits` runs both at length, and 20,000 a second too, for which clients send many requests at a time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a measurement fails by panicking"
)]

mod process;

use process::{PATIENCE, Process, torana};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use torana_testkit::measurement::{self, Disturbance, Seconds, utc};
use torana_testkit::{Client, RedisServer, eventually, eventually_some};

const GATEWAYS: usize = 3;
/// Seconds by which the clock of each gateway is ahead of the one before it, when they are apart: no whole number of windows.
const APART: f64 = 5.3;
const WORKERS: usize = 2;
const CLIENTS: usize = 64;

/// How long each measurement takes, and whether it is the long one.
fn length() -> (Duration, bool) {
    measurement::length(Duration::from_millis(2_500))
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Case {
    limit: u64,
    leased: bool,
    disturbance: Disturbance,
}

impl Case {
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
workers: {WORKERS}
store: {{ url: \"redis://127.0.0.1:{}\", timeout: {timeout}, gateways: {GATEWAYS} }}
policies:
  rate_limits: {{ all: {{ limit: {limit}/s, window: fixed, by: everybody, mode: {mode}, when_store_fails: closed }} }}
routes: [{{ path: /, respond: {{ status: 204 }} }}]
",
            server.port()
        )
    }
}

/// One gateway, and whether its clients ask.
struct Gateway {
    process: Process,
    life: Life,
}

/// Clients that hold on leave what the gateway holds as it is.
#[derive(Default)]
struct Life {
    state: AtomicU8,
    holding: AtomicU64,
}

const GO: u8 = 0;
const HOLD_ON: u8 = 1;
const DEAD: u8 = 2;

impl Life {
    /// Waits while clients hold on; `false`: the gateway is dead.
    fn goes_on(&self) -> bool {
        if self.state.load(Ordering::Relaxed) == GO {
            return true;
        }
        self.holding.fetch_add(1, Ordering::Relaxed);
        while self.state.load(Ordering::Relaxed) == HOLD_ON {
            std::thread::sleep(Duration::from_micros(200));
        }
        self.holding.fetch_sub(1, Ordering::Relaxed);
        self.state.load(Ordering::Relaxed) == GO
    }
}

impl Gateway {
    /// Starts one whose clock is so many seconds ahead.
    fn start(file: &std::path::Path, ahead: f64) -> Self {
        let mut command = torana();
        command.arg("run").arg(file).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        if ahead > 0.0 {
            command.env("LD_PRELOAD", clock_library()).env("FAKETIME", format!("+{ahead}"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        let gateway = Self { process: Process::start(&mut command), life: Life::default() };
        if ahead > 0.0 {
            gateway.is_ahead(ahead);
        }
        gateway
    }

    /// What is disturbed is looked at: by the dates of its answers it lives in the future.
    fn is_ahead(&self, ahead: f64) {
        let answer = Client::connect(self.process.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let date = httpdate::parse_http_date(answer.header("Date").unwrap()).unwrap();
        let off = date.duration_since(SystemTime::now()).unwrap().as_secs_f64();
        assert!((ahead - 2.0..=ahead + 2.0).contains(&off), "{off} in place of {ahead}");
    }

    /// Permits that it holds and nobody has used.
    fn held(&self) -> u64 {
        let answer = Client::connect(self.process.admin)
            .exchange("GET /limits/global%23all HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let shown: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
        shown["held"].as_u64().unwrap()
    }

    /// Kills it; where permits are leased, at a moment when it has some. Gives how many.
    fn die(&self, clients: u64, case: Case) -> u64 {
        let held = eventually_some(PATIENCE, || {
            self.life.state.store(HOLD_ON, Ordering::Relaxed);
            eventually(PATIENCE, || self.life.holding.load(Ordering::Relaxed) == clients);
            let held = self.held();
            if case.leased && held == 0 {
                self.life.state.store(GO, Ordering::Relaxed);
                eventually(PATIENCE, || self.life.holding.load(Ordering::Relaxed) == 0);
                return None;
            }
            Some(held)
        });
        self.process.signal(rustix::process::Signal::KILL);
        self.life.state.store(DEAD, Ordering::Relaxed);
        held
    }
}

/// What makes clocks wrong for one process.
fn clock_library() -> PathBuf {
    let machines = std::fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let mut found = machines.map(|machine| machine.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists()).expect("the system package libfaketime; scripts/test installs it")
}

/// How long clients go on: to the end, and until one was refused where one will be.
struct Until {
    end: Instant,
    tried: AtomicBool,
    /// A gateway has yet to die.
    dies: AtomicBool,
}

impl Until {
    fn is_over(&self) -> bool {
        let now = Instant::now();
        let done = self.tried.load(Ordering::Relaxed) && !self.dies.load(Ordering::Relaxed);
        now >= self.end && (done || now >= self.end + PATIENCE)
    }
}

/// What the clients were told.
#[derive(Debug, Default)]
struct Told {
    /// Requests that passed.
    seconds: Seconds,
    asked: u64,
    /// Requests that were refused for want of the server.
    unanswered: u64,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.seconds.add(other.seconds);
        self.asked += other.asked;
        self.unanswered += other.unanswered;
    }
}

/// One client: asks on one connection until the end.
fn client(gateway: &Gateway, at_a_time: usize, until: &Until) -> Told {
    let mut told = Told::default();
    let mut client = Client::connect(gateway.process.address);
    let requests = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n".repeat(at_a_time);
    while !until.is_over() && gateway.life.goes_on() {
        let before = utc();
        client.send(&requests);
        for _ in 0..at_a_time {
            let status = client.read_response().status;
            let after = utc();
            told.asked += 1;
            match status {
                204 => told.seconds.note(before, after),
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

/// Measures one case, and holds what comes of it against what is promised.
fn measure(server: &mut RedisServer, case: Case) {
    assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("limits-{:?}.yaml", case.disturbance));
    std::fs::write(&file, case.file(server)).unwrap();
    let apart = if case.disturbance == Disturbance::Clocks { APART } else { 0.0 };
    let gateways: Vec<Gateway> =
        (0..GATEWAYS).map(|number| Gateway::start(&file, apart * number as f64)).collect();
    let (length, long) = length();
    let (begun, asked) = (Instant::now(), questions(server));
    let dies = AtomicBool::new(case.disturbance == Disturbance::Death);
    let until = Until { end: begun + length, tried: AtomicBool::new(!case.is_reached()), dies };
    let (told, orphans) = std::thread::scope(|scope| {
        let clients: Vec<_> = gateways
            .iter()
            .cycle()
            .take(CLIENTS)
            .map(|gateway| scope.spawn(|| client(gateway, case.at_a_time(), &until)))
            .collect();
        let die = || gateways[0].die(CLIENTS.div_ceil(GATEWAYS) as u64, case);
        let orphans = case.disturbance.disturb(server, 2, length, die);
        until.dies.store(false, Ordering::Relaxed);
        let mut told = Told::default();
        clients.into_iter().for_each(|client| told.add(client.join().unwrap()));
        (told, orphans)
    });
    // A server that was killed has forgotten what it was asked.
    let restarted = case.disturbance == Disturbance::Restart;
    let questions = if restarted { 0 } else { questions(server) - asked };
    report(&told, case, orphans, questions, begun.elapsed(), long);
}

/// One line of the table, and what is asserted of it.
fn report(told: &Told, case: Case, orphans: u64, questions: u64, length: Duration, long: bool) {
    let Case { limit, leased, disturbance } = case;
    let (passed, worst) = (told.seconds.total(), told.seconds.worst());
    let (seconds, used) = (told.seconds.span(), told.seconds.used_with_between(limit));
    let rate = questions as f64 / length.as_secs_f64() / GATEWAYS as f64;
    // For each caller and gateway 20 at once and 100 a second, and after each one of each worker.
    let leases = (20.0 + 100.0 * length.as_secs_f64()) * (1 + WORKERS) as f64 * GATEWAYS as f64;
    let full = long && disturbance.is_calm() && limit == 20_000;
    let hard = full && leased;
    let is_away = disturbance.takes_server_away();
    // Where there was enough to admit.
    let wanted = told.asked as f64 > 1.5 * (limit * seconds) as f64;
    let faults = [
        (worst > limit, "more than the limit in a second"),
        // What cannot be told to one of two seconds fits into what both have left.
        (passed > limit * (seconds + 2), "more than the limit in all"),
        (passed == 0, "nothing was admitted"),
        (
            case.is_reached() && told.asked == passed + told.unanswered,
            "nobody was refused, so nothing was tried",
        ),
        (
            disturbance.is_calm() && told.unanswered > 0 && leased && limit > 100,
            "the server was not asked in time",
        ),
        (is_away && told.unanswered == 0 && !leased, "nobody missed the server"),
        (orphans > limit * 3 / 4 + 1, "the gateway died with more permits than it may hold"),
        (leased && questions as f64 > leases, "more questions than leases need"),
        (hard && rate > 200.0, "more than 200 questions a second"),
        (full && !wanted, "too little was asked for to tell"),
        (hard && used < 0.97, "less than 97 % used"),
    ];
    let row = format!(
        "{}\tfixed\t{limit}/s\t{disturbance:?}, gateways\t{seconds}\t{worst}\t{:.1} %\t{rate:.0}\t{}\t{}",
        if leased { "Leased" } else { "Exact" },
        used * 100.0,
        told.asked,
        told.unanswered,
    );
    measurement::report(&row, &faults, told);
}

fn in_both_modes(disturbance: Disturbance) {
    let mut server = RedisServer::start();
    let limits: &[u64] = match (length().1, disturbance) {
        (true, _) => &[200, 1_000, 20_000],
        (false, Disturbance::Death | Disturbance::Clocks) => &[1_000],
        (false, _) => &[200, 1_000],
    };
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

#[test]
fn gateways_admit_no_more_when_one_is_killed_with_its_permits() {
    in_both_modes(Disturbance::Death);
}

#[test]
fn gateways_admit_no_more_though_their_clocks_are_seconds_apart() {
    in_both_modes(Disturbance::Clocks);
}
