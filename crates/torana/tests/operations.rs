//! Starting, reloading, stopping: the binary as an operator sees it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod process;

use process::{PATIENCE, Process, replace, torana};
use rustix::process::Signal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use torana_testkit::{Client, Gate, Origin, RedisServer, Reply, eventually, get};

fn file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("torana.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

const HELLO: &str = "access_log: off\nroutes: [{ path: /, respond: { body: hello } }]\n";

#[test]
fn a_changed_file_is_served_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, HELLO);
    let process = Process::run(&path);
    assert_eq!(get(process.address, "/").text(), "hello");
    replace(&path, &HELLO.replace("hello", "changed"));
    eventually(PATIENCE, || get(process.address, "/").text() == "changed");
    replace(&path, &HELLO.replace("routes", "rootes"));
    eventually(PATIENCE, || process.log().contains("not reloaded"));
    assert!(process.log().contains("torana.yaml:2:1"), "{}", process.log());
    assert_eq!(get(process.address, "/").text(), "changed");
    let page = get(process.admin, "/metrics").text();
    assert!(page.contains("torana_reloads_total{result=\"failed\"} 1"), "{page}");
    std::fs::write(&path, HELLO).unwrap();
    process.signal(Signal::HUP);
    eventually(PATIENCE, || get(process.address, "/").text() == "hello");
}

#[test]
fn stopping_lets_requests_under_way_end() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let origin = Origin::always(Reply::ok("late").after(&gate));
    let text = format!(
        "access_log: off\nservices: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /, service: s }}]\n",
        origin.url()
    );
    let mut process = Process::run(&file(&folder, &text));
    assert_eq!(get(process.admin, "/readyz").status, 200);
    let mut idle = Client::connect(process.address);
    let mut client = Client::connect(process.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || origin.count() == 1);
    process.signal(Signal::TERM);
    eventually(PATIENCE, || get(process.admin, "/readyz").status == 503);
    idle.expect_closed();
    gate.open();
    let response = client.read_response();
    assert_eq!((response.text().as_str(), response.header("Connection")), ("late", Some("close")));
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::always(Reply::hang());
    let log = folder.path().join("access.log");
    let text = format!(
        "access_log: {{ to: {} }}\ndrain_timeout: 10m\nservices: {{ s: {{ endpoints: [{}] }} }}\n\
         routes: [{{ path: /, service: s }}]\n",
        log.display(),
        origin.url()
    );
    let mut process = Process::run(&file(&folder, &text));
    // On one connection: each is counted and logged before the next is read.
    let mut client = Client::connect(process.address);
    for number in 0..20 {
        let missing = format!("GET /missing/{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.exchange(missing).status, 404);
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || origin.count() == 1);
    process.signal(Signal::TERM);
    eventually(PATIENCE, || get(process.admin, "/readyz").status == 503);
    process.signal(Signal::TERM);
    // The wait is bounded far below the drain.
    assert_eq!(process.wait().code(), Some(1), "{}", process.log());
    let written = std::fs::read_to_string(&log).unwrap();
    assert_eq!(written.lines().count(), 20, "what was answered before is told of: {written}");
}

#[test]
fn load_balancers_hear_of_the_stop_before_connections_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &format!("drain_delay: 1h\n{HELLO}"));
    let mut process = Process::run(&path);
    process.signal(Signal::TERM);
    eventually(PATIENCE, || get(process.admin, "/readyz").status == 503);
    // Everything goes on, reloads too; but nobody takes over any more.
    std::fs::write(&path, format!("drain_delay: 1h\n{}", HELLO.replace("hello", "hello again"))).unwrap();
    process.signal(Signal::HUP);
    eventually(PATIENCE, || get(process.address, "/").text() == "hello again");
    process.signal(Signal::USR2);
    eventually(PATIENCE, || process.log().contains("not upgraded: this process stops"));
    for _ in 0..20 {
        let mut client = Client::connect(process.address);
        let answer = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((answer.text().as_str(), answer.header("Connection")), ("hello again", None));
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

#[test]
fn requests_that_meet_the_stop_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::run(&file(&folder, HELLO));
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut kept = Client::connect(process.address);
    assert_eq!(kept.exchange(request).text(), "hello");
    // What connects while the process stands still waits in the kernel, and the stop is known first.
    process.signal(Signal::STOP);
    let mut waiting: Vec<Client> = (0..40).map(|_| Client::connect(process.address)).collect();
    let stopped = Instant::now();
    process.signal(Signal::TERM);
    process.signal(Signal::CONT);
    eventually(PATIENCE, || get(process.admin, "/readyz").status == 503);
    // A connection that has had a request before is kept for two seconds: a machine that took as long has let it end.
    let mut clients: Vec<&mut Client> = Vec::new();
    if stopped.elapsed() < Duration::from_millis(1_500) {
        clients.push(&mut kept);
    }
    clients.extend(&mut waiting);
    // All at once.
    for client in &mut clients {
        client.send(request);
    }
    for client in clients {
        let response = client.read_response();
        assert_eq!((response.text().as_str(), response.header("Connection")), ("hello", Some("close")));
    }
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

#[test]
fn a_burst_of_clients_does_not_keep_probes_waiting() {
    const CLIENTS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::run(&file(&folder, HELLO));
    let (address, stop) = (process.address, Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut idle = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    idle.push(Client::connect(address));
                    assert_eq!(get(address, "/").text(), "hello");
                    // Bounded: it is the burst that is to be met, not the end of the file descriptors.
                    idle.truncate(100);
                }
            })
        })
        .collect();
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = Instant::now();
        assert_eq!(get(process.admin, "/readyz").status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("clients are served too");
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?} within {:?}", started.elapsed());
}

#[test]
fn what_does_not_end_in_time_is_cut_off_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::always(Reply::hang());
    let text = format!(
        "drain_timeout: 200ms\naccess_log: off\nservices: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /, service: s }}]\n",
        origin.url()
    );
    let mut process = Process::run(&file(&folder, &text));
    let mut client = Client::connect(process.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || origin.count() == 1);
    process.signal(Signal::TERM);
    assert!(process.wait().success());
    client.expect_closed();
    eventually(PATIENCE, || process.log().contains("the drain deadline passed"));
}

#[test]
fn the_access_log_tells_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    // From the folder of the file, wherever the process was started.
    let text = HELLO.replace("access_log: off", "access_log: { to: access.log }");
    let mut process = Process::run(&file(&folder, &text));
    get(process.address, "/?secret=1");
    get(process.address, "/missing");
    process.signal(Signal::TERM);
    assert!(process.wait().success());
    let text = std::fs::read_to_string(&log).unwrap();
    let mut lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Two workers may write in either order.
    lines.sort_by_key(|line| line["status"].as_u64());
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((&lines[0]["status"], &lines[0]["route"]), (&200.into(), &"/".into()));
    assert_eq!((&lines[1]["status"], &lines[1]["reason"]), (&404.into(), &"no_route".into()));
    assert!(!text.contains("secret"));
}

#[test]
fn secrets_are_not_shown_and_ports_in_use_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("policies: {{ jwt: {{ secret: \"${{env:JWT_SECRET}}\" }} }}\n{HELLO}");
    let path = file(&folder, &text);
    let process = Process::run(&path);
    let shown = get(process.admin, "/config").text();
    assert!(shown.contains("\"***\"") && !shown.contains("thirty-two"), "{shown}");
    let second =
        torana().arg("run").arg(&path).args(["--listen", &process.address.to_string()]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("cannot listen on") && said.contains("--listen"), "{said}");
}

/// What each of the two files answers, so that a wrong answer is seen.
fn generation(number: u64, origins: &[Origin; 2]) -> String {
    let side = usize::from(number % 2 == 1);
    let (origin, limit) = (&origins[side], 1_000_000 + number % 2);
    format!(
        "access_log: off
services: {{ s: {{ endpoints: [{}] }} }}
policies: {{ rate_limit: {limit}/second }}
routes:
- {{ path: /both, service: s }}
- {{ path: /generation, respond: {{ body: \"{number}\" }} }}
- {{ path: /only-{side}, respond: {{ body: \"{side}\" }} }}
",
        origin.url()
    )
}

#[test]
fn two_thousand_reloads_under_load_lose_nothing() {
    const RELOADS: u64 = 2_000;
    const CLIENTS: usize = 32;
    let origins = [Origin::always(Reply::ok("0")), Origin::always(Reply::ok("1"))];
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &generation(0, &origins));
    let process = Process::run(&path);
    let address = process.address;
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(Ordering::Relaxed) {
                    let response = client.exchange("GET /both HTTP/1.1\r\nHost: a\r\n\r\n");
                    let body = response.text();
                    assert!(
                        response.status == 200 && (body == "0" || body == "1"),
                        "{}",
                        response.raw_text()
                    );
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let started = Instant::now();
    let mut memory = Vec::new();
    let mut client = Client::connect(address);
    let mut ask = |target: &str| client.exchange(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    for number in 1..=RELOADS {
        replace(&path, &generation(number, &origins));
        process.signal(Signal::HUP);
        eventually(PATIENCE, || ask("/generation").text() == number.to_string());
        // Whatever this file says holds from here on, and nothing of the one before does.
        let side = number % 2;
        let both = ask("/both");
        assert_eq!(both.text(), side.to_string(), "reload {number}");
        assert_eq!(both.header("RateLimit-Limit"), Some((1_000_000 + side).to_string().as_str()));
        assert_eq!(ask(&format!("/only-{side}")).status, 200);
        assert_eq!(ask(&format!("/only-{}", 1 - side)).status, 404);
        if number % 200 == 0 {
            memory.push(process.memory_kib());
        }
        // Spread over at least twenty seconds, whatever the machine.
        let due = Duration::from_millis(number * 10);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no request failed");
    }
    assert!(started.elapsed() >= Duration::from_secs(20));
    assert!(asked.load(Ordering::Relaxed) > 10_000);
    let (early, late) = (memory[1], memory[memory.len() - 1]);
    assert!(late < early + 8 * 1024, "memory in KiB over time: {memory:?}");
}

#[test]
fn warnings_of_a_reload_are_printed_and_a_file_that_is_gone_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, HELLO);
    let process = Process::run(&path);
    let odd = "access_log: off\nservices: { unused: { endpoints: [\"http://127.0.0.1:9\"] } }\n\
               routes: [{ path: /, respond: { body: odd } }]\n";
    replace(&path, odd);
    eventually(PATIENCE, || get(process.address, "/").text() == "odd");
    eventually(PATIENCE, || process.log().contains("torana.yaml:2:"));
    process.signal(Signal::HUP);
    eventually(PATIENCE, || process.log().contains("1 warning as before"));
    assert_eq!(process.log().matches("unused-service").count(), 1, "{}", process.log());
    std::fs::remove_file(&path).unwrap();
    eventually(PATIENCE, || process.log().contains("torana.yaml is gone"));
    assert_eq!(get(process.address, "/").text(), "odd");
    std::fs::write(&path, HELLO).unwrap();
    eventually(PATIENCE, || get(process.address, "/").text() == "hello");
    assert_eq!(process.log().matches("is gone").count(), 1, "{}", process.log());
    assert!(!process.log().contains("not reloaded"), "{}", process.log());
}

#[test]
fn what_is_cut_off_at_the_end_of_the_drain_is_in_the_access_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let origin = Origin::always(Reply::hang());
    let text = format!(
        "drain_timeout: 200ms\naccess_log: {{ to: {} }}\nservices: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        log.display(),
        origin.url()
    );
    let mut process = Process::run(&file(&folder, &text));
    let mut client = Client::connect(process.address);
    client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || origin.count() == 1);
    process.signal(Signal::TERM);
    assert!(process.wait().success());
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&log).unwrap()).unwrap();
    assert_eq!(
        (&line["path"], &line["status"], &line["reason"]),
        (&"/cut".into(), &503.into(), &"draining".into())
    );
}

#[test]
fn what_changes_sides_is_one_line_of_the_log_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&failing);
    let fickle = Origin::respond(move |_| match told.load(Ordering::Relaxed) {
        true => Reply::status(500),
        false => Reply::ok("well"),
    });
    let spare = Origin::always(Reply::status(500));
    let text = format!(
        "access_log: off
services:
  shop:
    endpoints: [{}]
    breaker: {{ failures: 3, open_for: 1s, trials: 1 }}
  store:
    endpoints: [{}, {}]
    health:
      probes: {{ interval: 100ms, timeout: 10s, healthy_after: 1, unhealthy_after: 1, good: [200-599] }}
      ejection: {{ failures: 2, for: off }}
routes: [{{ path: /shop, service: shop }}, {{ path: /store, service: store }}]
",
        fickle.url(),
        fickle.url(),
        spare.url()
    );
    let process = Process::run(&file(&folder, &text));
    for _ in 0..20 {
        get(process.address, "/shop");
        get(process.address, "/store");
    }
    let lines = |parts: &[&str]| {
        let log = process.log();
        log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    };
    let opened = ["shop", "closed", "open", "the breaker has opened: 3 failures in a row"];
    eventually(PATIENCE, || lines(&opened) == 1);
    failing.store(false, Ordering::Relaxed);
    eventually(PATIENCE, || get(process.address, "/shop").status == 200);
    eventually(PATIENCE, || lines(&["shop", "the breaker has changed: it was open for its time"]) >= 1);
    eventually(PATIENCE, || lines(&["shop", "the breaker has changed: a trial went well"]) == 1);
    let endpoint = spare.addr().to_string();
    spare.kill();
    let failed = ["store", &endpoint, "out of service: failed connections of probes in a row: 1"];
    eventually(PATIENCE, || lines(&failed) == 1);
    spare.restart();
    let back = ["store", &endpoint, "in service again: successes of probes in a row: 1"];
    eventually(PATIENCE, || lines(&back) >= 1);
    for _ in 0..50 {
        get(process.address, "/shop");
    }
    assert_eq!((lines(&opened), lines(&failed)), (1, 1), "{}", process.log());
}

#[test]
fn a_store_that_is_away_is_said_once_with_its_place_and_once_more_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedisServer::start();
    let text = format!(
        "access_log: off\nstore: redis://127.0.0.1:{}\nroutes: [{{ path: /, respond: {{ body: hello }}, \
         policies: {{ rate_limit: {{ limit: 1000/minute, mode: exact, when_store_fails: open }} }} }}]\n",
        store.port()
    );
    let process = Process::run(&file(&folder, &text));
    assert_eq!(get(process.address, "/").text(), "hello");
    store.kill();
    let away = format!("the store at 127.0.0.1:{} cannot be reached: ", store.port());
    eventually(PATIENCE, || {
        assert_eq!(get(process.address, "/").text(), "hello");
        process.log().contains(&away)
    });
    store.restart();
    eventually(PATIENCE, || {
        let _ = get(process.address, "/");
        process.log().contains("answers again")
    });
    assert_eq!(process.log().matches("cannot be reached").count(), 1, "{}", process.log());
}
