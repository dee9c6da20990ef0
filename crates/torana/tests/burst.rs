//! More connections than the process may have, on the built binary.
//!
//! What the machine needs: two cores that are not wholly taken by others, and as many descriptors as the hard limit of
//! this process allows (20,500 hold the whole burst at once; with fewer the oldest are closed as new ones are made),
//! and 25,000 local ports that nothing else has used within the last minute (`ip_local_port_range`).
//! The flood and the gateway share the cores, so what is bounded here is longer than anybody should wait elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod process;

use process::{Process, torana};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use torana_testkit::{Client, eventually};

const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that an answer may take while connections are made as fast as they can be, connecting included. A
/// machine on which the flood itself takes long has an eighth of that.
const ADMIN_BOUND: Duration = Duration::from_secs(2);
/// The same for clients, whose connections wait in one queue with the flood's. What finds that full is sent again after
/// a second by their side (RFC 6298 section 2), then after two more, and after four. Where the flood takes long, a
/// third of that.
const CLIENT_BOUND: Duration = Duration::from_secs(8);
/// So many answers of each there are at least while the flood lasts.
const ANSWERS: usize = 20;
const BURST: usize = 20_000;
const THREADS: usize = 4;
const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Asks again and again for as long as it is so, and gives how often that was and how long the slowest took.
fn answers_throughout(
    address: SocketAddr,
    target: &str,
    source: u8,
    lasts: &AtomicBool,
) -> (usize, Duration) {
    let (mut times, mut slowest) = (0, Duration::ZERO);
    while lasts.load(Ordering::Relaxed) {
        let begun = Instant::now();
        assert!(answers(address, target, source), "{target} is answered throughout");
        slowest = slowest.max(begun.elapsed());
        // What began in the flood and ended after it is no answer of that time.
        times += usize::from(lasts.load(Ordering::Relaxed));
        // As often as would be noticed. A port that was bound to is none for the flood until a minute has passed.
        std::thread::sleep(Duration::from_millis(10));
    }
    (times, slowest)
}

fn answers(address: SocketAddr, target: &str, source: u8) -> bool {
    // A port of its own is bound to only where the address is another one: the burst has used up those of the first.
    let client = match source {
        1 => Client::connect(address),
        last => Client::connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), address),
    };
    let mut client = client.deadline(PATIENCE);
    let request = GET.replace(" / ", &format!(" {target} "));
    client.try_send(request).is_ok()
        && client.try_read_response().is_ok_and(|response| response.status == 200)
}

fn number(page: &str, line: &str) -> f64 {
    page.lines().find_map(|shown| shown.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0.0)
}

fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    usize::try_from(limit.maximum.unwrap_or(1 << 20)).unwrap()
}

#[test]
fn a_burst_of_connections_starves_neither_the_admin_pages_nor_other_addresses_and_is_left_behind() {
    let held = (raise() - 500).min(BURST) / THREADS;
    let process = Process::run(&file(
        "burst.yaml",
        "access_log: off\nlimits: { connections: 8000, connections_per_address: 5000 }\n\
         routes: [{ path: /, respond: { body: hello } }]\n",
    ));
    let (lasts, made) = (AtomicBool::new(true), AtomicUsize::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let flood = |_| {
            let mut open = VecDeque::with_capacity(held);
            for _ in 0..BURST / THREADS {
                if open.len() >= held {
                    open.pop_front();
                }
                // A full backlog refuses or delays; both are what a burst is.
                if let Ok(stream) = TcpStream::connect_timeout(&process.address, Duration::from_secs(20)) {
                    open.push_back(stream);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            }
            open
        };
        let floods: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || flood(number))).collect();
        let (lasts, process) = (&lasts, &process);
        let pages = [("/healthz", 7), ("/metrics", 8)].map(|(page, source)| {
            scope.spawn(move || answers_throughout(process.admin, page, source, lasts))
        });
        let served = scope.spawn(move || answers_throughout(process.address, "/", 9, lasts));
        let open: Vec<_> = floods.into_iter().map(|flood| flood.join().unwrap()).collect();
        lasts.store(false, Ordering::Relaxed);
        let took = begun.elapsed();
        let (admin_bound, client_bound) = (ADMIN_BOUND.max(took / 8), CLIENT_BOUND.max(took / 3));
        for page in pages {
            let (times, slowest) = page.join().unwrap();
            assert!(
                times >= ANSWERS && slowest < admin_bound,
                "admin pages: {times}, the slowest {slowest:?} of {took:?}"
            );
        }
        let (times, slowest) = served.join().unwrap();
        assert!(
            times >= ANSWERS && slowest < client_bound,
            "another address: {times}, the slowest {slowest:?} of {took:?}"
        );
        // While all that are left stand.
        let calm = Instant::now();
        assert!(answers(process.admin, "/healthz", 1) && answers(process.address, "/", 9));
        assert!(calm.elapsed() < client_bound, "{:?}", calm.elapsed());
        drop(open);
    });
    assert!(made.into_inner() > 15_000, "a burst came about");
    let page = || Client::connect(process.admin).exchange(GET.replace(" / ", " /metrics ")).text();
    let refused = number(&page(), "torana_connections_refused_total{bound=\"address\"}");
    assert!(refused > 5_000.0, "{refused}");
    eventually(PATIENCE, || answers(process.address, "/", 1));
    eventually(PATIENCE, || number(&page(), "torana_connections_open") <= 1.0);
}

#[test]
fn under_pressure_classes_are_refused_in_their_order_and_the_admin_pages_answer() {
    const CLASSES: [&str; 4] = ["low", "normal", "high", "critical"];
    const AT_ONCE: usize = 20;
    let routes: String = CLASSES
        .iter()
        .map(|class| format!("- {{ path: /{class}, importance: {class}, respond: {{ body: hello }} }}\n"))
        .collect();
    let process = Process::run(&file(
        "pressure.yaml",
        &format!(
            "access_log: off\nworkers: 1\nlimits: {{ queue_delay: {{ target: 5ms, interval: 20ms }} }}\nroutes:\n{routes}"
        ),
    ));
    let done = AtomicBool::new(false);
    let asked = CLASSES.map(|_| AtomicUsize::new(0));
    let refused = CLASSES.map(|_| AtomicUsize::new(0));
    let number = |counts: &[AtomicUsize; 4], class: usize| counts[class].load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (class, address) = (thread % CLASSES.len(), process.address);
            let (done, asked, refused) = (&done, &asked[class], &refused[class]);
            scope.spawn(move || {
                let request = GET.replace(" / ", &format!(" /{} ", CLASSES[class])).repeat(AT_ONCE);
                let mut client = Client::connect(address).deadline(PATIENCE);
                while !done.load(Ordering::Relaxed) {
                    client.send(&request);
                    for _ in 0..AT_ONCE {
                        let status = client.read_response().status;
                        assert!([200, 503].contains(&status), "{status}");
                        asked.fetch_add(1, Ordering::Relaxed);
                        refused.fetch_add(usize::from(status == 503), Ordering::Relaxed);
                    }
                }
            });
        }
        eventually(PATIENCE, || {
            assert!(answers(process.admin, "/healthz", 1), "the admin pages answer throughout");
            number(&refused, 0) >= 1_000 && (0..CLASSES.len()).all(|class| number(&asked, class) >= 2_000)
        });
        done.store(true, Ordering::Relaxed);
    });
    let share = |class| number(&refused, class) as f64 / number(&asked, class) as f64;
    let shares: Vec<f64> = (0..CLASSES.len()).map(share).collect();
    // By chance a class may have asked a little more while the pressure was high.
    assert!(shares.windows(2).all(|pair| pair[0] + 0.02 >= pair[1]), "{shares:?}");
    assert!(shares[3] < 0.95, "of what is critical some always passes: {shares:?}");
    eventually(PATIENCE, || answers(process.address, "/low", 1));
}

#[test]
fn without_descriptors_it_waits_and_the_admin_pages_still_answer() {
    raise();
    let file = file(
        "descriptors.yaml",
        "access_log: off\nworkers: 1\nlimits: { connections: off }\ntimeouts: { head: 10m }\n\
         routes: [{ path: /, respond: { body: hello } }]\n",
    );
    let program = torana();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 128; exec \"$0\" run \"$1\" --listen 127.0.0.1:0 --admin 127.0.0.1:0"]);
    let process = Process::start(shell.arg(program.get_program()).arg(&file));
    // The thread of the admin pages takes its reserve when it begins.
    eventually(PATIENCE, || answers(process.admin, "/healthz", 1));
    let open: Vec<_> = (0..400).map(|_| TcpStream::connect(process.address).unwrap()).collect();
    eventually(PATIENCE, || process.log().contains("cannot accept connections"));
    eventually(PATIENCE, || answers(process.admin, "/healthz", 1));
    // One attempt in a while, not one after another.
    let (before, lines) = (Instant::now(), || process.log().matches("cannot accept").count());
    let first = lines();
    eventually(PATIENCE, || lines() > first + 3);
    let rate = (lines() - first) as f64 / before.elapsed().as_secs_f64();
    assert!(rate < 100.0, "{rate} a second");
    drop(open);
    eventually(PATIENCE, || answers(process.address, "/", 1));
}
