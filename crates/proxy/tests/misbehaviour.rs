//! What origins do wrong, one kind after another, and that breaker and ejection notice each.
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

use std::collections::HashSet;
use std::net::TcpListener;
use std::time::Duration;
use support::{before, get, in_service};
use torana_testkit::{Client, Gate, Origin, Reply, eventually, side_by_side};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
const QUICK: &str = "timeouts: { connect: 2s, first_byte: 2s, idle: 2s }, retries: { attempts: 1, on: [] }";

fn long() -> Reply {
    Reply::ok("0123456789".repeat(10))
}

/// What goes wrong before there is an answer.
fn before_the_answer() -> Vec<(&'static str, Reply)> {
    vec![
        ("resets before the head", Reply::reset()),
        ("closes before the head", Reply::close()),
        ("resets at byte 10", long().reset_after_bytes(10)),
        ("hangs before the head", Reply::hang()),
        ("hangs in the head", long().hang_after_bytes(10)),
        ("sends nonsense", Reply::raw("nonsense\r\n\r\n").then_close()),
        ("answers 500", Reply::status(500)),
    ]
}

/// What goes wrong in the answer.
fn in_the_answer() -> Vec<(&'static str, Reply)> {
    vec![
        ("resets in the body", long().reset_after_bytes(90)),
        ("closes in the body", long().close_after_bytes(90)),
        ("hangs in the body", long().hang_after_bytes(90)),
        (
            "sends less than it said",
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").then_close(),
        ),
    ]
}

#[test]
fn three_failures_of_any_kind_before_the_answer_open_the_breaker() {
    let breaker = format!("{QUICK}, breaker: {{ failures: 3, open_for: 1h }}");
    let refusing = Origin::always(Reply::ok(""));
    refusing.kill();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stalled = format!("https://{}", silent.local_addr().unwrap());
    std::thread::scope(|scope| {
        for (url, keys) in [(refusing.url(), ""), (stalled, "tls: { verify: off }, ")] {
            let keys = format!("{keys}{breaker}");
            scope.spawn(move || {
                let gateway = before(&[url], &keys);
                assert!((0..3).all(|_| !get(&gateway).1.contains("breaker_open")), "{keys}");
                assert!(get(&gateway).1.contains("breaker_open"), "{keys}");
            });
        }
        for (name, reply) in before_the_answer() {
            let breaker = &breaker;
            scope.spawn(move || {
                let origin = Origin::always(reply);
                let gateway = before(&[origin.url()], breaker);
                for number in 0..3 {
                    assert!(!get(&gateway).1.contains("breaker_open"), "{name}, {number}");
                }
                assert!(get(&gateway).1.contains("breaker_open"), "{name}");
                assert_eq!(origin.count(), 3, "{name}");
            });
        }
    });
}

#[test]
fn an_endpoint_that_fails_in_any_way_is_ejected_also_when_only_its_bodies_break_off() {
    let ejection = format!("{QUICK}, health: {{ ejection: {{ failures: 3, for: 1h }} }}");
    std::thread::scope(|scope| {
        for (name, reply) in before_the_answer().into_iter().chain(in_the_answer()) {
            let ejection = &ejection;
            scope.spawn(move || {
                let (bad, good) = (Origin::always(reply), Origin::always(Reply::ok("good")));
                let gateway = before(&[bad.url(), good.url()], ejection);
                for _ in 0..8 {
                    get(&gateway);
                }
                assert_eq!((bad.count(), in_service(&gateway)), (3, 1), "{name}");
                assert!((0..4).all(|_| get(&gateway) == (200, "good".into())), "{name}");
            });
        }
    });
}

#[test]
fn what_drips_is_slow_and_no_failure_and_a_burst_of_errors_passes() {
    let drips = Origin::always(long().drip(30, Duration::from_millis(5)));
    let gateway = before(&[drips.url()], &format!("{QUICK}, breaker: {{ failures: 1, open_for: 1h }}"));
    assert!((0..4).all(|_| get(&gateway).0 == 200));
    let burst = Origin::respond(|request| match request.connection {
        1 => Reply::status(503).then_close(),
        _ => Reply::ok("well"),
    });
    let gateway = before(&[burst.url()], "retries: { on: [503] }, breaker: { failures: 2 }");
    assert!((0..4).all(|_| get(&gateway) == (200, "well".into())));
}

#[test]
fn a_share_of_failures_or_of_slow_answers_opens_the_breaker_too() {
    let half = Origin::respond({
        let turn = std::sync::atomic::AtomicUsize::new(0);
        move |_| match turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
            0 => Reply::status(500),
            _ => Reply::ok("well"),
        }
    });
    let window = "length: 60s, minimum: 10";
    let keys =
        format!("breaker: {{ failures: 100, open_for: 1h, window: {{ {window}, failure_share: 50% }} }}");
    let gateway = before(&[half.url()], &keys);
    for _ in 0..12 {
        get(&gateway);
    }
    assert!(get(&gateway).1.contains("breaker_open"));
    assert!((10..=11).contains(&half.count()), "{}: not before there is enough to judge by", half.count());
    let slow = Origin::always(Reply::ok("slow").delay(Duration::from_millis(60)));
    let keys = format!(
        "breaker: {{ failures: 100, open_for: 1h, window: {{ {window}, slow_share: 80%, slow_after: 50ms }} }}"
    );
    let gateway = before(&[slow.url()], &keys);
    assert!((0..10).all(|_| get(&gateway) == (200, "slow".into())));
    assert!(get(&gateway).1.contains("breaker_open"));
}

#[test]
fn no_more_than_the_largest_share_is_ejected_and_with_too_few_left_all_are_asked() {
    let origins: Vec<Origin> = (0..4).map(|_| Origin::always(Reply::status(500))).collect();
    let urls: Vec<String> = origins.iter().map(Origin::url).collect();
    let ejection = "health: { ejection: { failures: 1, for: 1h, max_share: 50% } }";
    let gateway = before(&urls, ejection);
    for _ in 0..20 {
        get(&gateway);
    }
    assert_eq!(in_service(&gateway), 2);
    let keys = "retries: { attempts: 1 }, health: { ejection: { failures: 1, for: 1h, max_share: 100% }, panic_below: 60% }";
    let gateway = before(&urls, keys);
    for _ in 0..20 {
        get(&gateway);
    }
    origins.iter().for_each(Origin::forget);
    for _ in 0..20 {
        get(&gateway);
    }
    assert!(origins.iter().all(|origin| origin.count() > 0), "health is ignored: all are asked again");
}

#[test]
fn who_comes_back_gets_a_small_share_at_first() {
    let (cold, warm) = (Origin::always(Reply::ok("cold")), Origin::always(Reply::ok("warm")));
    let keys = "health: { probes: { interval: 50ms, timeout: 10s, healthy_after: 1, unhealthy_after: 1, kind: tcp }, slow_start: 1h }";
    let gateway = before(&[cold.url(), warm.url()], keys);
    let share = || {
        let mut client = Client::connect(gateway.address);
        (0..200).filter(|_| client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").text() == "cold").count()
    };
    assert_eq!(share(), 100, "who was there from the beginning is warm");
    cold.kill();
    eventually(PATIENCE, || in_service(&gateway) == 1);
    cold.restart();
    eventually(PATIENCE, || in_service(&gateway) == 2);
    let cold = share();
    assert!((1..50).contains(&cold), "{cold} of 200");
}

#[test]
fn consumers_decide_where_they_go_and_on_which_side_of_a_split_they_are() {
    let origins: Vec<Origin> = ["one", "two", "three"].map(|name| Origin::always(Reply::ok(name))).into();
    let urls: Vec<String> = origins.iter().map(Origin::url).collect();
    let names: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    let consumers: Vec<String> = names
        .iter()
        .map(|name| format!("- {{ username: {name}, keys: [key-of-{name}-0123456789] }}"))
        .collect();
    let gateway = Running::start(&format!(
        "access_log: off
consumers:
{}
services:
  a: {{ endpoints: [{}], balance: {{ hash: [consumer, {{ cookie: home }}] }} }}
  b: {{ endpoints: [{}] }}
  c: {{ endpoints: [{}] }}
routes:
- {{ path: /hash, service: a, policies: {{ key_auth: {{}} }} }}
- {{ path: /open, service: a, policies: {{ access: public }} }}
- {{ path: /guest, service: a, policies: {{ key_auth: {{}}, auth: {{ require: any, anonymous: c0 }} }} }}
- {{ path: /split, service: b, split: {{ to: {{ c: 50% }}, by: [consumer] }}, policies: {{ key_auth: {{}} }} }}
- {{ path: /cookie, service: b, split: {{ to: {{ c: 50% }}, by: [{{ cookie: side }}] }}, policies: {{ access: public }} }}
",
        consumers.join("\n"),
        urls.join(", "),
        urls[0],
        urls[1]
    ));
    let ask = |path: &str, field: &str| {
        let answer = Client::connect(gateway.address)
            .exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
        assert_eq!(answer.status, 200, "{path} {field} {}", answer.text());
        answer
    };
    for path in ["/hash", "/split"] {
        let mut seen = HashSet::new();
        for name in &names {
            let field = format!("apikey: key-of-{name}-0123456789\r\n");
            let homes: HashSet<String> = (0..3).map(|_| ask(path, &field).text()).collect();
            assert_eq!(homes.len(), 1, "{path} {name}: {homes:?}");
            seen.extend(homes);
        }
        assert!(seen.len() >= 2, "{path}: {seen:?}");
    }
    // Without a consumer the cookie decides: the fallback. Who stands in for those without credentials is none.
    for (path, name) in [("/open", "home"), ("/guest", "home"), ("/cookie", "side")] {
        let first = ask(path, "");
        let set = first.header("Set-Cookie").unwrap().to_owned();
        assert!(set.starts_with(&format!("{name}=")), "{set}");
        let cookie = format!("Cookie: {}\r\n", set.split(';').next().unwrap());
        assert!((0..4).all(|_| ask(path, &cookie).text() == first.text()));
    }
}

#[test]
fn kept_alive_connections_that_break_while_the_service_works_speak_against_it() {
    let both = [
        "breaker: { failures: 3, open_for: 1h }",
        "health: { ejection: { failures: 3, for: 1h, max_share: 100% } }",
    ];
    side_by_side(both, |keys| {
        let gate = Gate::default();
        let held = gate.clone();
        let origin = Origin::respond(move |request| match &*request.method {
            "POST" => Reply::close().delay(Duration::from_millis(1_500)),
            _ => Reply::ok("warm").after(&held),
        });
        let gateway = before(&[&origin], &format!("retries: {{ attempts: 1, on: [] }}, {keys}"));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert_eq!(get(&gateway), (200, "warm".into())));
            }
            eventually(PATIENCE, || origin.count() == 3);
            gate.open();
        });
        let post = || {
            let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
            Client::connect(gateway.address).exchange(head).text()
        };
        for number in 0..3 {
            let answer = post();
            assert!(answer.contains("upstream_closed"), "{keys}, {number}: {answer}");
        }
        assert_eq!((origin.count(), origin.connections_accepted()), (6, 3), "each was a kept one");
        let refused = post();
        assert!(refused.contains("breaker_open") || refused.contains("no_endpoint"), "{keys}: {refused}");
    });
}
