//! Breaker, ejection and probes on a whole gateway, before origins that fail on command.
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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{before, in_service, text};
use torana_testkit::{Client, Origin, Reply, eventually, side_by_side, within};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(60);

/// An origin that fails as long as it is told to.
fn fickle(failing: &Arc<AtomicBool>, failure: Reply) -> Origin {
    let failing = Arc::clone(failing);
    Origin::respond(
        move |_| if failing.load(Ordering::Relaxed) { failure.clone() } else { Reply::ok("fine") },
    )
}

#[test]
fn a_breaker_refuses_for_all_routes_over_a_reload_and_closes_by_its_trials() {
    let failing = Arc::new(AtomicBool::new(true));
    let origin = fickle(&failing, Reply::status(500));
    let keys = "breaker: { failures: 3, open_for: 5s, trials: 2 }";
    let mut gateway = before(&[&origin], keys);
    assert!((0..3).all(|_| gateway.get("/").status == 500));
    let refused = gateway.get("/other");
    let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!(refused.status == 503 && (1..=5).contains(&wait), "{}: {wait}", refused.status);
    assert!(refused.text().contains("breaker_open"), "{}", refused.text());
    gateway.reload(&text(&[&origin], &format!("host: rewrite, {keys}")));
    assert_eq!(gateway.get("/").status, 503, "a reload that does not change it keeps it open");
    assert_eq!(origin.count(), 3);
    let page = gateway.metrics.render();
    assert!(page.contains("torana_breaker_state{service=\"a\",state=\"open\"} 1"), "{page}");
    failing.store(false, Ordering::Relaxed);
    eventually(PATIENCE, || gateway.get("/").status == 200);
    assert!((0..5).all(|_| gateway.get("/other").status == 200));
    let page = gateway.metrics.render();
    assert!(page.contains("torana_breaker_state{service=\"a\",state=\"closed\"} 1"), "{page}");
    assert!(page.contains("torana_breaker_transitions_total{service=\"a\",to=\"closed\"} 1"), "{page}");
}

#[test]
fn what_counts_is_chosen_and_a_fallback_answers_in_its_place() {
    let origin = Origin::respond(|request| match &*request.target {
        "/bad" => Reply::status(500),
        "/teapot" => Reply::status(418),
        "/reset" => Reply::reset(),
        _ => Reply::ok("fine"),
    });
    let keys = "retries: { attempts: 1 }, breaker: { failures: 2, open_for: 1h, on: [418], \
                fallback: { status: 203, json: { stale: true }, headers: { X-Why: breaker } } }";
    let gateway = before(&[&origin], keys);
    for _ in 0..3 {
        assert_eq!(gateway.get("/bad").status, 500);
        assert_eq!(gateway.get("/reset").status, 502);
    }
    assert_eq!(gateway.get("/").status, 200);
    assert!((0..2).all(|_| gateway.get("/teapot").status == 418));
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.text()), (203, "{\"stale\":true}".into()));
    assert_eq!(answer.header("X-Why"), Some("breaker"));
}

#[test]
fn a_client_that_goes_away_is_no_failure() {
    let origin = Origin::respond(|request| match &*request.target {
        "/hang" => Reply::hang(),
        _ => Reply::ok("fine"),
    });
    let gateway = before(&[&origin], "breaker: { failures: 1, open_for: 1h }");
    for number in 1..4 {
        let mut client = Client::connect(gateway.address);
        client.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
        eventually(PATIENCE, || origin.count() == number);
    }
    eventually(PATIENCE, || gateway.metrics.connections().open() == 0);
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn a_client_that_wants_an_answer_too_soon_shows_no_failure() {
    let origin = Origin::respond(|request| match &*request.target {
        "/hang" => Reply::hang(),
        _ => Reply::ok("fine"),
    });
    let keys = "deadline_header: X-Time-Left, breaker: { failures: 1, open_for: 1h }";
    let gateway = before(&[&origin], &format!("timeouts: {{ total: 1h }}, {keys}"));
    for field in ["X-Time-Left: 50", "Content-Type: application/grpc\r\nGrpc-Timeout: 50m"] {
        let answer = Client::connect(gateway.address)
            .exchange(format!("POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{field}\r\n\r\n"));
        let message = answer.header("grpc-message").map_or_else(|| answer.text(), str::to_owned);
        assert!(message.contains("client_deadline"), "{field}: {message}");
        assert_eq!(gateway.get("/").status, 200, "{field}");
    }
    let gateway = before(&[&origin], &format!("timeouts: {{ total: 500ms }}, {keys}"));
    assert_eq!(gateway.get("/hang").status, 504);
    assert_eq!(gateway.get("/").status, 503, "the time that the service has is another matter");
}

#[test]
fn waiting_for_a_connection_that_others_use_shows_no_failure() {
    let origin = Origin::respond(|request| match &*request.target {
        "/long" => Reply::ok(vec![b'x'; 10_000]).hang_after_bytes(5_000),
        _ => Reply::ok("fine"),
    });
    let both = [("", "total_timeout"), (", per_try_timeout: 3s", "pool_timeout")];
    side_by_side(both, |(keys, reason)| {
        let total = if keys.is_empty() { "100ms" } else { "1h" };
        let gateway = Running::start(&format!(
            "access_log: off
services:
  a:
    endpoints: [{}]
    pool: {{ max_connections: 1 }}
    breaker: {{ failures: 1, open_for: 1h }}
    retries: {{ attempts: 3{keys} }}
routes:
- {{ path: /*, service: a }}
- {{ path: /soon, service: a, timeouts: {{ total: {total} }} }}
",
            origin.url()
        ));
        let mut long = Client::connect(gateway.address);
        long.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
        long.read_response_to_head();
        let refused = gateway.get("/soon");
        assert!(refused.text().contains(reason), "{}", refused.text());
        drop(long);
        let mut said = Vec::new();
        let comes_free = within(PATIENCE, || {
            let response = gateway.get("/");
            said.push((response.status, response.text()));
            response.status == 200
        });
        let page = gateway.metrics.render();
        assert!(comes_free, "{said:?}\n{page}");
        assert!(page.contains("torana_breaker_transitions_total{service=\"a\",to=\"open\"} 0"), "{page}");
    });
}

#[test]
fn the_time_of_a_try_runs_when_there_is_a_connection_for_it() {
    let origin = Origin::always(Reply::ok("fine").delay(Duration::from_secs(2)));
    let keys = "pool: { max_connections: 1 }, breaker: { failures: 1, open_for: 1h }, \
                retries: { attempts: 1, per_try_timeout: 3500ms }";
    let gateway = before(&[&origin], keys);
    // One of them has its answer later than a try may take, and its connection only for less.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(gateway.get("/").text(), "fine"));
        }
    });
    assert_eq!(gateway.get("/").text(), "fine", "nobody was blamed");
}

#[test]
fn who_has_waited_in_a_full_pool_in_vain_does_not_wait_again() {
    let origin = Origin::always(Reply::ok(vec![b'x'; 10_000]).hang_after_bytes(5_000));
    let wait = Duration::from_secs(3);
    let gateway =
        before(&[&origin], "pool: { max_connections: 1, queue_timeout: 3s }, retries: { attempts: 5 }");
    let mut long = Client::connect(gateway.address);
    long.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    long.read_response_to_head();
    let begun = Instant::now();
    assert_eq!(gateway.get("/").status, 503);
    assert!(begun.elapsed() < 3 * wait, "{:?}", begun.elapsed());
}

#[test]
fn an_endpoint_that_fails_requests_is_left_out_and_comes_back() {
    let failing = Arc::new(AtomicBool::new(true));
    let (bad, good) = (fickle(&failing, Reply::status(500)), Origin::always(Reply::ok("good")));
    let keys = "health: { ejection: { failures: 2, for: 5s, at_most: 5s } }";
    let gateway = before(&[&bad, &good], keys);
    for _ in 0..20 {
        gateway.get("/");
    }
    assert_eq!(bad.count(), 2);
    let page = gateway.metrics.render();
    let line = format!("torana_endpoint_in_service{{service=\"a\",endpoint=\"{}\"}} 0", bad.addr());
    assert!(page.contains(&line), "{page}");
    failing.store(false, Ordering::Relaxed);
    eventually(PATIENCE, || gateway.get("/").text() == "fine");
}

#[test]
fn probes_take_endpoints_out_and_bring_them_back_one_prober_each() {
    let failing = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&failing);
    let first = Origin::respond(move |request| match (&*request.target, told.load(Ordering::Relaxed)) {
        ("/health?deep", true) => Reply::status(503),
        ("/health?deep", false) => Reply::ok("all is well"),
        _ => Reply::ok("first"),
    });
    let second = Origin::respond(|request| match &*request.target {
        "/health?deep" => Reply::ok("well"),
        _ => Reply::ok("second"),
    });
    let keys = "health: { probes: { path: /health?deep, interval: 20ms, timeout: 10s, healthy_after: 2, unhealthy_after: 2, \
                body: well, headers: { X-Probe: \"1\" } } }";
    let mut gateway = before(&[&first, &second], keys);
    let both = |gateway: &Running| {
        let mut seen: Vec<String> = (0..4).map(|_| gateway.get("/").text()).collect();
        seen.sort();
        seen == ["first", "first", "second", "second"]
    };
    assert!(both(&gateway));
    failing.store(true, Ordering::Relaxed);
    eventually(PATIENCE, || (0..6).all(|_| gateway.get("/").text() == "second"));
    gateway.reload(&text(&[&first, &second], &format!("host: rewrite, {keys}")));
    assert!((0..6).all(|_| gateway.get("/").text() == "second"), "a reload forgets no health");
    second.kill();
    eventually(PATIENCE, || gateway.get("/").status == 503);
    let page = gateway.metrics.render();
    assert!(page.contains("torana_probes_total{service=\"a\",endpoint=\""), "{page}");
    let shown = torana_proxy::services(&gateway.shared);
    let endpoint = |number: usize| &shown["a"]["endpoints"][number];
    assert_eq!((&endpoint(0)["in_service"], &endpoint(0)["why"]), (&false.into(), &"its probes fail".into()));
    assert_eq!(endpoint(0)["probes"]["last_failure"], "status 503");
    assert!(endpoint(1)["probes"]["last_failure"].as_str().unwrap().contains("upstream_connect_failed"));
    second.restart();
    failing.store(false, Ordering::Relaxed);
    eventually(PATIENCE, || both(&gateway));
    let probe = first.requests().into_iter().find(|request| request.target == "/health?deep").unwrap();
    assert_eq!((probe.header("X-Probe"), probe.method.as_str()), (Some("1"), "GET"));
    assert_eq!(probe.header("Host"), Some(&*first.addr().to_string()));
    // Without probes in the configuration nobody asks any more.
    gateway.reload(&text(&[&first, &second], ""));
    let quiet = || {
        let before = first.count();
        std::thread::sleep(Duration::from_millis(100));
        first.count() == before
    };
    eventually(PATIENCE, quiet);
}

#[test]
fn kongs_rules_hold_what_requests_eject_only_probes_bring_back() {
    let failing = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&failing);
    let origin =
        Origin::respond(
            move |_| if told.load(Ordering::Relaxed) { Reply::status(500) } else { Reply::ok("up") },
        );
    // healthchecks: active.unhealthy.interval 1 alone, passive.unhealthy.http_failures 1
    let keys = "health: { probes: { path: /status, interval: off, unhealthy_interval: 300ms, healthy_after: 1, \
                good: [200, 302], bad: [429, 500-505], unhealthy_after: { statuses: 1 } }, \
                ejection: { failures: { statuses: 1 }, bad: [429, 500, 503], for: off, max_share: 100% } }";
    let gateway = before(&[&origin], keys);
    assert_eq!(gateway.get("/").status, 500);
    let refused = gateway.get("/");
    assert!(refused.status == 503 && refused.text().contains("no_endpoint"), "{}", refused.text());
    failing.store(false, Ordering::Relaxed);
    eventually(PATIENCE, || gateway.get("/").status == 200);
    assert!(origin.requests().iter().any(|request| request.target == "/status"));
}

#[test]
fn who_is_ejected_for_a_time_is_asked_again_where_all_others_have_failed_a_request() {
    let (first, second) = (Origin::always(Reply::ok("first")), Origin::always(Reply::ok("second")));
    let keys = "retries: { attempts: 3 }, health: { ejection: { failures: { connections: 1 }, for: 1h, at_most: 1h } }";
    let gateway = before(&[&first, &second], keys);
    first.kill();
    eventually(PATIENCE, || gateway.get("/").status == 200 && in_service(&gateway) == 1);
    first.restart();
    assert!((0..6).all(|_| gateway.get("/").text() == "second"), "it rests");
    second.kill();
    assert!((0..6).all(|_| gateway.get("/").text() == "first"));
    first.kill();
    assert_eq!(gateway.get("/").status, 502);
}

#[test]
fn who_is_ejected_is_not_asked_where_one_in_service_has_had_the_request() {
    let keys = "retries: { attempts: 3, on: [reset, 503] }, \
                health: { ejection: { failures: { statuses: 1 }, bad: [500], for: 1h, at_most: 1h } }";
    for reply in [Reply::reset(), Reply::status(503)] {
        let has = Origin::always(reply);
        let (gone, ejected) = (Origin::always(Reply::ok("here")), Origin::always(Reply::status(500)));
        let gateway = before(&[&has, &gone, &ejected], keys);
        eventually(PATIENCE, || {
            gateway.get("/");
            in_service(&gateway) == 2
        });
        let asked = ejected.count();
        gone.kill();
        // Whichever of the others is first.
        for _ in 0..12 {
            assert!(matches!(gateway.get("/").status, 502 | 503));
        }
        assert_eq!(ejected.count(), asked);
        has.kill();
        assert_eq!(gateway.get("/").status, 500, "that one is asked where nobody has had it");
    }
}

#[test]
fn a_connection_alone_can_be_the_probe() {
    let (first, second) = (Origin::always(Reply::ok("first")), Origin::always(Reply::ok("second")));
    let keys = "retries: { attempts: 1 }, health: { probes: { kind: tcp, interval: 20ms, timeout: 10s, unhealthy_after: 1 } }";
    let gateway = before(&[&first, &second], keys);
    first.kill();
    eventually(PATIENCE, || (0..6).all(|_| gateway.get("/").text() == "second"));
    first.restart();
    eventually(PATIENCE, || (0..6).any(|_| gateway.get("/").text() == "first"));
}

#[test]
fn the_page_of_services_says_what_has_changed_when_and_why() {
    let failing = Arc::new(AtomicBool::new(true));
    let (bad, good) = (fickle(&failing, Reply::status(500)), Origin::always(Reply::ok("good")));
    let keys = "breaker: { failures: 3, open_for: 3s, trials: 1 }, \
                health: { ejection: { failures: 2, for: 3s, at_most: 3s } }";
    let gateway = before(&[&bad, &good], keys);
    let shown = || torana_proxy::services(&gateway.shared)["a"].clone();
    assert!(shown()["breaker"]["why"].is_null() && shown()["endpoints"][0]["last_change"].is_null());
    for _ in 0..4 {
        gateway.get("/");
    }
    let endpoint = shown()["endpoints"][0].clone();
    assert_eq!(endpoint["why"], "requests to it failed");
    assert_eq!(endpoint["last_change"]["why"], "bad answers of requests in a row: 2; out for 3 s");
    assert!(endpoint["last_change"]["at"].as_str().unwrap().ends_with('Z'), "{endpoint}");
    eventually(PATIENCE, || {
        gateway.get("/");
        shown()["endpoints"][0]["last_change"]["why"] == "it was out for its time"
    });
    failing.store(false, Ordering::Relaxed);
    let alone = before(&[&bad], keys);
    failing.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        alone.get("/");
    }
    let breaker = torana_proxy::services(&alone.shared)["a"]["breaker"].clone();
    assert_eq!((&breaker["state"], &breaker["why"]), (&"open".into(), &"3 failures in a row".into()));
    assert!(breaker["since"].is_string(), "{breaker}");
    failing.store(false, Ordering::Relaxed);
    eventually(PATIENCE, || alone.get("/").status == 200);
    let breaker = torana_proxy::services(&alone.shared)["a"]["breaker"].clone();
    assert_eq!((&breaker["state"], &breaker["why"]), (&"closed".into(), &"a trial went well".into()));
}

#[test]
fn who_nothing_could_bring_back_after_a_reload_comes_back_with_it() {
    let first = Origin::respond(|request| match &*request.target {
        "/health" => Reply::status(503),
        _ => Reply::ok("first"),
    });
    let second = Origin::always(Reply::ok("second"));
    let ejection = "ejection: { failures: 9 }";
    let probes = "path: /health, interval: 20ms, healthy_after: 1, unhealthy_after: 1";
    let mut gateway =
        before(&[&first, &second], &format!("health: {{ probes: {{ {probes} }}, {ejection} }}"));
    eventually(PATIENCE, || in_service(&gateway) == 1);
    // What goes on under the old configuration keeps that, and its prober asks no more.
    let mut old = Client::connect(gateway.address);
    old.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    eventually(PATIENCE, || second.requests().iter().any(|request| request.method == "POST"));
    gateway.reload(&text(&[&first, &second], &format!("health: {{ {ejection} }}")));
    eventually(PATIENCE, || in_service(&gateway) == 2);
    assert!((0..4).any(|_| gateway.get("/").text() == "first"));
    let why = torana_proxy::services(&gateway.shared)["a"]["endpoints"][0]["last_change"]["why"].clone();
    assert!(why.is_string(), "{why}");
    old.send("x");
    assert_eq!(old.read_response().text(), "second");
}

#[test]
fn who_was_ejected_for_good_has_the_time_that_a_reload_sets() {
    let failing = Arc::new(AtomicBool::new(true));
    let (bad, good) = (fickle(&failing, Reply::status(500)), Origin::always(Reply::ok("good")));
    let health = |time: &str| {
        format!(
            "retries: {{ attempts: 1 }}, health: {{ probes: {{ path: /, interval: off, unhealthy_interval: 1h }}, \
             ejection: {{ failures: 1, for: {time}, at_most: 1h }} }}"
        )
    };
    let mut gateway = before(&[&bad, &good], &health("off"));
    for _ in 0..4 {
        gateway.get("/");
    }
    assert_eq!(in_service(&gateway), 1);
    failing.store(false, Ordering::Relaxed);
    gateway.reload(&text(&[&bad, &good], &health("3s")));
    assert_eq!(in_service(&gateway), 1);
    eventually(PATIENCE, || gateway.get("/").text() == "fine");
}
