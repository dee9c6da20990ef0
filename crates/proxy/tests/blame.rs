//! Who is blamed: what clients are slow with, and waits for what others use, never counts against a service.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "support/before.rs"]
mod support;
#[path = "yaml.rs"]
mod yaml;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{before, get, in_service};
use torana_testkit::http2::FrameClient;
use torana_testkit::{Client, Gate, Origin, Reply, eventually, side_by_side};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
/// Far above what an answer takes, far below how slow the clients are.
const SLOW_AFTER: Duration = Duration::from_secs(2);
const SLOWLY: Duration = Duration::from_secs(3);
const SLOW_CALLS: &str = "breaker: { failures: 100, open_for: 1h, \
     window: { length: 60s, minimum: 3, slow_share: 50%, slow_after: 2s } }";

/// Clients that send half of a body, and the other half a while later.
fn post_slowly(gateway: &Running, count: usize) -> Vec<(u16, String)> {
    std::thread::scope(|scope| {
        let post = || {
            let mut client = Client::connect(gateway.address);
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
            std::thread::sleep(SLOWLY);
            client.send("half");
            let answer = client.read_response();
            (answer.status, answer.text())
        };
        let posting: Vec<_> = (0..count).map(|_| scope.spawn(post)).collect();
        posting.into_iter().map(|posting| posting.join().unwrap()).collect()
    })
}

#[test]
fn slow_uploads_are_no_slow_calls_and_a_service_that_is_slow_after_them_is() {
    let quick = (Origin::always(Reply::ok("well")), "well", 6, false);
    let slow = (Origin::always(Reply::ok("slow").delay(SLOW_AFTER)), "slow", 3, true);
    side_by_side([quick, slow], |(origin, text, count, opens)| {
        let gateway = before(&[origin.url()], SLOW_CALLS);
        assert!(post_slowly(&gateway, count).iter().all(|answer| *answer == (200, text.into())));
        let answer = get(&gateway);
        assert_eq!(answer.1.contains("breaker_open"), opens, "{answer:?}");
        assert!(opens || answer == (200, text.into()), "the breaker has stayed closed: {answer:?}");
    });
}

/// Answers each request, on a connection of its own, as soon as four bytes of its body have come and a while has
/// passed. The rest of it is read to the end.
fn answers_early(pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut piece = [0; 1024];
                while !seen.ends_with(b"half") {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => seen.extend_from_slice(&piece[..count]),
                    }
                }
                std::thread::sleep(pause);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
                while stream.read(&mut piece).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

#[test]
fn an_early_answer_counts_from_when_the_client_last_sent_something() {
    side_by_side([(Duration::ZERO, false), (SLOW_AFTER, true)], |(pause, opens)| {
        let gateway = before(&[format!("http://{}", answers_early(pause))], SLOW_CALLS);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut client = Client::connect(gateway.address);
                    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
                    std::thread::sleep(SLOWLY);
                    client.send("half");
                    assert_eq!(client.read_response().text(), "early");
                });
            }
        });
        let mut client = Client::connect(gateway.address);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhalf");
        assert_eq!(client.read_response().text().contains("breaker_open"), opens, "{pause:?}");
    });
}

/// Timeouts eject at once, all that may be.
const EJECTION: &str = "timeouts: { total: 3s, first_byte: 10s, idle: 1h }, retries: { attempts: 1 }, \
     health: { ejection: { failures: 1, for: 1h } }";

#[test]
fn slow_readers_eject_nobody() {
    let origins: Vec<Origin> = (0..2).map(|_| Origin::always(Reply::ok(vec![b'y'; 32 << 20]))).collect();
    let urls: Vec<String> = origins.iter().map(Origin::url).collect();
    let gateway = before(&urls, EJECTION);
    let mut clients: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::connect(gateway.address);
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    // One whose window stays as it is, too.
    let mut framed = FrameClient::connect(gateway.address);
    framed.get(1, "/");
    eventually(PATIENCE, || origins.iter().map(Origin::count).sum::<usize>() == 4);
    // Reads a little again and again, not all of it in the time: whoever is waited for at the end, it was the client
    // all along.
    eventually(PATIENCE, || {
        clients[0].read_at_most(4 << 10);
        origins.iter().all(|origin| origin.connections_open() == 0)
    });
    assert_eq!(in_service(&gateway), 2);
}

#[test]
fn who_hangs_in_the_body_until_the_time_is_over_is_ejected_hedged_or_not() {
    side_by_side(["", ", retries: { attempts: 2, on: [], hedge: { after: 10s } }"], |more| {
        let keys = match more {
            "" => EJECTION.to_owned(),
            more => format!("{}{more}", EJECTION.replace(", retries: { attempts: 1 }", "")),
        };
        // Most of it comes at once, so that the client is waited for as well, for a moment.
        let hangs = Origin::always(Reply::ok(vec![b'y'; 4 << 20]).hang_after_bytes(3 << 20));
        let well = Origin::always(Reply::ok("well"));
        let gateway = before(&[hangs.url(), well.url()], &keys);
        for _ in 0..2 {
            get(&gateway);
        }
        assert_eq!((hangs.count(), in_service(&gateway)), (1, 1), "{more}");
        assert!((0..3).all(|_| get(&gateway) == (200, "well".into())), "{more}");
    });
}

/// How long an impatient origin waits for a client to send or to take the next piece.
const IMPATIENCE: Duration = Duration::from_secs(2);

/// Answers `GET /` with a word and `GET /large` with more than fits into any buffer; closes the connection of whoever
/// sends nothing, or takes nothing, for a while. The count is of those.
fn impatient() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let closed = Arc::clone(&closed);
            std::thread::spawn(move || {
                if serve_impatiently(stream).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                    closed.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    (url, count)
}

fn serve_impatiently(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut seen, mut piece) = (Vec::new(), [0; 1024]);
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => seen.extend_from_slice(&piece[..count]),
        }
    }
    stream.set_read_timeout(Some(IMPATIENCE))?;
    stream.set_write_timeout(Some(IMPATIENCE))?;
    if seen.starts_with(b"GET /large") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")?;
        stream.write_all(&vec![b'y'; 64 << 20])
    } else if seen.starts_with(b"GET ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwell")
    } else {
        while stream.read(&mut piece)? > 0 {}
        Ok(())
    }
}

/// One broken connection is enough for everything.
const STRICT: &str =
    "breaker: { failures: 1, open_for: 1h }, health: { ejection: { failures: 1, for: 1h, max_share: 100% } }";

#[test]
fn a_service_that_loses_patience_with_a_slow_upload_is_not_to_blame() {
    let (url, closed) = impatient();
    let gateway = before(&[url], STRICT);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    assert_eq!(client.read_response().status, 502);
    // It counts once it has closed, which may be seen before.
    eventually(PATIENCE, || closed.load(Ordering::SeqCst) == 1);
    assert_eq!((get(&gateway), in_service(&gateway)), ((200, "well".into()), 1));
}

#[test]
fn a_service_that_loses_patience_with_a_slow_reader_is_not_to_blame() {
    side_by_side(["", ", retries: { hedge: { after: 1h } }"], |hedge| {
        let (url, closed) = impatient();
        let gateway = before(&[url], &format!("{STRICT}{hedge}"));
        let mut client = Client::connect(gateway.address);
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        eventually(PATIENCE, || closed.load(Ordering::SeqCst) > 0);
        client.try_read_to_end().unwrap_err();
        assert_eq!((get(&gateway), in_service(&gateway)), ((200, "well".into()), 1), "{hedge}");
    });
}

#[test]
fn a_service_that_breaks_off_what_no_client_was_slow_with_is_to_blame() {
    side_by_side(["/", "/large"], |target| {
        let broken = Origin::respond(|request| match request.target.as_str() {
            "/large" => Reply::ok(vec![b'y'; 4 << 20]).close_after_bytes(1 << 20),
            _ => Reply::close(),
        });
        let gateway = before(&[broken.url()], STRICT);
        let mut client = Client::connect(gateway.address);
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf"));
        // Slowly, and all of it: from here on it is the service's time.
        std::thread::sleep(SLOW_AFTER);
        client.send("half").try_read_response().ok();
        assert_eq!(in_service(&gateway), 0, "{target}");
    });
}

/// What became of copies so far.
fn copies(gateway: &Running, result: &str) -> usize {
    let (page, result) = (gateway.metrics.render(), format!("result=\"{result}\"}} "));
    let line = page.lines().find(|line| line.starts_with("torana_mirrored_total{") && line.contains(&result));
    // Counts are written as `2.0`.
    line.and_then(|line| line.rsplit_once(' ')?.1.split('.').next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn an_open_breaker_gets_no_copies_and_copies_tell_it_how_they_went() {
    let main = Origin::always(Reply::ok("main"));
    for (reply, results) in [(Reply::status(500), "sent"), (Reply::close(), "failed")] {
        let shadow = Origin::always(reply);
        let gateway = Running::start(&format!(
            "access_log: off
services:
  a: {{ endpoints: [\"{}\"] }}
  b: {{ endpoints: [\"{}\"], breaker: {{ failures: 2, open_for: 1h }} }}
routes:
- {{ path: /b, service: b }}
- {{ service: a, mirror: {{ service: b }} }}
",
            main.url(),
            shadow.url()
        ));
        for number in 1..=5 {
            assert_eq!(get(&gateway), (200, "main".into()));
            eventually(PATIENCE, || copies(&gateway, results) + copies(&gateway, "refused") == number);
        }
        assert_eq!((copies(&gateway, results), copies(&gateway, "refused"), shadow.count()), (2, 3, 2));
        let answer = gateway.get("/b");
        assert!(answer.text().contains("breaker_open"), "one breaker for all");
    }
}

#[test]
fn copies_eject_endpoints_that_fail_and_none_for_a_long_answer() {
    let main = Origin::always(Reply::ok("main"));
    let long = Origin::always(Reply::ok(vec![b'y'; 2 << 20]));
    let bad = Origin::always(Reply::close());
    let gateway = Running::start(&format!(
        "access_log: off
services:
  m: {{ endpoints: [\"{}\"] }}
  a: {{ endpoints: [\"{}\", \"{}\"], health: {{ ejection: {{ failures: 1, for: 1h }} }} }}
routes: [{{ service: m, mirror: {{ service: a }} }}]
",
        main.url(),
        long.url(),
        bad.url()
    ));
    for number in 1..=6 {
        assert_eq!(get(&gateway), (200, "main".into()));
        eventually(PATIENCE, || copies(&gateway, "sent") + copies(&gateway, "failed") == number);
    }
    assert_eq!(copies(&gateway, "failed"), 1);
    assert_eq!((long.count(), bad.count(), in_service(&gateway)), (5, 1, 1));
}

#[test]
fn a_question_that_waits_for_a_connection_in_use_says_nothing_about_who_is_asked() {
    let gate = Gate::new();
    let held = gate.clone();
    let door = Origin::respond(move |request| match request.target.as_str() {
        "/hold" => Reply::ok("held").after(&held),
        _ => Reply::ok(""),
    });
    let api = Origin::always(Reply::ok("api"));
    let gateway = Running::start(&format!(
        "access_log: off
services:
  door:
    endpoints: [\"{}\"]
    pool: {{ max_connections: 1 }}
    breaker: {{ failures: 1, open_for: 1h }}
  api: {{ endpoints: [\"{}\"] }}
routes:
- {{ path: /hold, service: door, policies: {{ access: public }} }}
- {{ path: /api, service: api, policies: {{ forward_auth: {{ service: door, timeout: 2s }} }} }}
",
        door.url(),
        api.url()
    ));
    let mut holder = Client::connect(gateway.address);
    holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    door.wait_for(1, PATIENCE);
    let ask = || gateway.get("/api");
    assert_eq!(ask().status, 503);
    gate.open();
    assert_eq!(holder.read_response().text(), "held");
    let answer = ask();
    assert_eq!((answer.status, answer.text()), (200, "api".into()));
}

/// An origin that holds what asks for `/hold` until the gate is opened, and what asks for `/hang` for ever.
fn holding(gate: &Gate) -> Origin {
    let held = gate.clone();
    Origin::respond(move |request| match request.target.as_str() {
        "/hold" => Reply::ok("held").after(&held),
        "/hang" => Reply::ok("").after(&Gate::new()),
        _ => Reply::ok("well"),
    })
}

fn ask(gateway: &Running, target: &str) -> (u16, String) {
    let answer =
        Client::connect(gateway.address).exchange(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    (answer.status, answer.text())
}

#[test]
fn who_waited_for_a_connection_most_of_the_time_does_not_blame_the_service_for_the_rest() {
    side_by_side(["", "retries: { hedge: { after: 1h } },"], |hedge| {
        let gate = Gate::new();
        let origin = holding(&gate);
        let keys = format!(
            "pool: {{ max_connections: 1 }}, timeouts: {{ total: 6s }}, {hedge} breaker: {{ failures: 1, open_for: 1h }}"
        );
        let gateway = before(&[origin.url()], &keys);
        let mut holder = Client::connect(gateway.address);
        holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        origin.wait_for(1, PATIENCE);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(&gateway, "/hang"));
            std::thread::sleep(Duration::from_millis(4500));
            gate.open();
            let (status, text) = waiting.join().unwrap();
            assert!(status == 504 && text.contains("total_timeout"), "{status} {text}");
        });
        assert_eq!(holder.read_response().text(), "held");
        assert_eq!(ask(&gateway, "/"), (200, "well".into()), "nobody was blamed: {hedge}");
        assert_eq!(ask(&gateway, "/hang").0, 504);
        assert_eq!(ask(&gateway, "/").0, 503, "that was the service");
    });
}

#[test]
fn a_try_that_is_left_a_rest_of_the_time_shows_nothing() {
    let origins = [0, 1].map(|_| Origin::always(Reply::ok("").delay(Duration::from_secs(20))));
    let urls: Vec<String> = origins.iter().map(Origin::url).collect();
    let keys = "timeouts: { total: 4s, first_byte: 3s }, retries: { attempts: 2, on: [timeout], backoff: { base: 1ms, max: 1ms } }, \
                health: { ejection: { failures: 1, for: 1h, max_share: 100% } }";
    let gateway = before(&urls, keys);
    assert_eq!(ask(&gateway, "/").0, 504);
    assert!(origins.iter().all(|origin| origin.count() == 1));
    assert_eq!(in_service(&gateway), 1, "one of them had all the time of a try, the other a third of it");
}
