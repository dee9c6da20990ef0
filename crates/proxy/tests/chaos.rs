//! Four origins are killed and restarted at random while the configuration is reloaded and 64 clients ask.
//!
//! What must hold: no GET fails, because it may be sent twice and another origin lives; a POST fails only
//! when the origin that had it was killed at that moment; at the end nothing has leaked and all is in
//! service again. `cargo xtask chaos --seconds 180` runs it for longer; the seed is printed and can be given.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use torana_testkit::{Client, Origin, Reply, Response, eventually};
use yaml::Running;

const ORIGINS: usize = 4;
const CLIENTS: u64 = 64;
const PATIENCE: Duration = Duration::from_secs(30);
/// A worker may learn of a closed connection only when it looks the next time.
const UNSEEN: Duration = Duration::from_millis(500);

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// SplitMix64: the same seed kills in the same order.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }

    fn pause(&mut self, least: u64, most: u64) {
        std::thread::sleep(Duration::from_millis(least + self.below(most - least)));
    }
}

/// The configuration of one turn: what changes is of every kind that a reload handles differently.
fn text(origins: &[Origin], turn: u64) -> String {
    let urls: Vec<String> = origins.iter().map(Origin::url).collect();
    let balance = ["round_robin", "least_connections", "two_choices", "weighted"][(turn % 4) as usize];
    let pool = if turn.is_multiple_of(3) { "max_connections: 50" } else { "max_connections: 60" };
    format!(
        "access_log: off
services:
  a:
    endpoints: [{}]
    balance: {balance}
    pool: {{ {pool} }}
    retries: {{ attempts: 8, on: [reset, timeout], keep_body: 1KiB, budget: {{ share: 100%, minimum: 64 }} }}
    health:
      probes: {{ interval: 200ms, healthy_after: 1, unhealthy_after: 2 }}
      ejection: {{ failures: {{ connections: 3 }}, for: 300ms, at_most: 1s }}
routes:
- {{ name: r{}, path: /*, service: a }}
",
        urls.join(", "),
        turn % 2
    )
}

/// What went wrong and when, and what was done when.
#[derive(Default)]
struct Told {
    kills: Mutex<Vec<(Instant, Instant)>>,
    lost: Mutex<Vec<(Instant, Instant, String)>>,
    wrong: Mutex<Vec<String>>,
    asked: AtomicU64,
    over: AtomicBool,
}

impl Told {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Kills and restarts, never more than two at once.
fn kill(origins: &[Origin], told: &Told, random: &mut Random) {
    let mut dead: Vec<usize> = Vec::new();
    while !told.is_over() {
        random.pause(20, 200);
        let restart = dead.len() == 2 || !dead.is_empty() && random.below(2) == 0;
        if restart {
            let place = random.below(dead.len() as u64) as usize;
            origins[dead.swap_remove(place)].restart();
        } else {
            let alive: Vec<usize> = (0..ORIGINS).filter(|index| !dead.contains(index)).collect();
            let index = alive[random.below(alive.len() as u64) as usize];
            let begun = Instant::now();
            origins[index].kill();
            told.kills.lock().unwrap().push((begun, Instant::now()));
            dead.push(index);
        }
    }
    dead.into_iter().for_each(|index| origins[index].restart());
}

fn try_once(client: &mut Option<Client>, address: SocketAddr, request: &str) -> Result<Response, String> {
    let mut connected = match client.take() {
        Some(client) => client,
        None => Client::try_connect(address).map_err(|error| format!("connecting: {error}"))?,
    };
    connected.try_send(request).map_err(|error| format!("sending: {error}"))?;
    let answer = connected.try_read_response().map_err(|error| format!("reading: {error}"))?;
    if answer.header("Connection") != Some("close") {
        *client = Some(connected);
    }
    Ok(answer)
}

fn ask(address: SocketAddr, told: &Told, number: u64) {
    let mut client = None;
    let mut turn = 0_u64;
    while !told.is_over() {
        turn += 1;
        let path = format!("/{number}/{turn}");
        let post = turn.is_multiple_of(4);
        let request = if post {
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        } else {
            format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
        };
        let begun = Instant::now();
        let outcome = try_once(&mut client, address, &request);
        told.asked.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(answer) if answer.status == 200 && answer.text() == path => {}
            Ok(answer) if post && answer.status == 502 && answer.text().contains("upstream_closed") => {
                told.lost.lock().unwrap().push((begun, Instant::now(), path));
            }
            Ok(answer) => {
                told.wrong.lock().unwrap().push(format!("{path}: {} {}", answer.status, answer.text()));
            }
            Err(error) => told.wrong.lock().unwrap().push(format!("{path}: {error}")),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The sum of a metric over all its labels.
fn sum(page: &str, name: &str) -> f64 {
    let lines =
        page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[test]
fn nothing_is_lost_but_what_was_in_flight_where_an_origin_died() {
    let seconds = number("TORANA_CHAOS_SECONDS", 10);
    let seed = number("TORANA_CHAOS_SEED", u64::from(std::process::id()));
    println!("seed {seed}, {seconds} s");
    let origins: Vec<Origin> =
        (0..ORIGINS).map(|_| Origin::respond(|request| Reply::ok(request.target.clone()))).collect();
    let mut gateway = Running::with_workers(&text(&origins, 0), 2);
    let told = Told::default();
    let mut reloads = 0_u64;
    std::thread::scope(|scope| {
        scope.spawn(|| kill(&origins, &told, &mut Random(seed)));
        for client in 0..CLIENTS {
            let (told, address) = (&told, gateway.address);
            scope.spawn(move || ask(address, told, client));
        }
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(if seconds > 60 { 1_000 } else { 300 }));
            reloads += 1;
            gateway.reload(&text(&origins, reloads));
        }
        told.over.store(true, Ordering::Relaxed);
    });
    let kills = told.kills.into_inner().unwrap();
    let lost = told.lost.into_inner().unwrap();
    let wrong = told.wrong.into_inner().unwrap();
    let asked = told.asked.into_inner();
    println!(
        "{asked} requests, {} kills, {reloads} reloads, {} POSTs lost in flight",
        kills.len(),
        lost.len()
    );
    let first = &wrong[..wrong.len().min(10)];
    assert!(wrong.is_empty(), "seed {seed}: {} of {asked} failed: {first:#?}", wrong.len());
    for (begun, ended, path) in &lost {
        let by_a_kill = kills.iter().any(|(from, to)| *from <= *ended && *begun <= *to + UNSEEN);
        assert!(by_a_kill, "seed {seed}: {path} was lost although nothing was killed at that time");
    }
    assert!(asked > 100 * seconds && kills.len() as u64 > seconds, "{asked} requests, {} kills", kills.len());

    // The state converges and nothing has leaked.
    eventually(PATIENCE, || {
        let page = gateway.metrics.render();
        sum(&page, "torana_endpoint_in_service") == ORIGINS as f64
            && sum(&page, "torana_endpoint_in_flight") == 0.0
            && sum(&page, "torana_pool_waiting") == 0.0
            && sum(&page, "torana_retries_active") == 0.0
            && sum(&page, "torana_pool_connections_open") == sum(&page, "torana_pool_connections_idle")
            && gateway.metrics.connections().open() == 0
    });
    // What the origins hold is what the pools know of; probes come and go between.
    eventually(PATIENCE, || {
        let held: usize = origins.iter().map(Origin::connections_open).sum();
        held as f64 <= sum(&gateway.metrics.render(), "torana_pool_connections_open") + ORIGINS as f64
    });
    let answer = Client::connect(gateway.address).exchange("GET /end HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.text(), "/end");
}
