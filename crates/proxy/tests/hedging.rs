//! Tries side by side: who answers first is taken, and the other one leaves nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::time::{Duration, Instant};
use torana_testkit::http2::{Http2Origin, Http2Reply};
use torana_testkit::{Client, Gate, Origin, Reply, Response, eventually, side_by_side};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test: nobody waits for it.
const LATER: &str = "hedge: { after: 1h }";
/// Far above what an answer takes that nobody holds back.
const SOON: &str = "hedge: { after: 1s }";

/// A gateway before these places, which asks them in turn.
fn before(urls: &[String], retries: &str) -> Running {
    Running::start(&format!(
        "access_log: off
services:
  a:
    endpoints: [{}]
    timeouts: {{ first_byte: 60s, total: 120s }}
    retries: {{ {retries} }}
    breaker: {{ failures: 1 }}
    health: {{ ejection: {{ failures: 1 }} }}
routes: [{{ service: a }}]
",
        urls.join(", ")
    ))
}

fn ask(gateway: &Running, method: &str, body: &str) -> Response {
    let head = format!("{method} / HTTP/1.1\nHost: a");
    if body.is_empty() { gateway.ask(&head) } else { gateway.ask_with(&head, body) }
}

/// The values of all series whose name and labels begin so.
fn values(gateway: &Running, series: &str) -> Vec<f64> {
    let page = gateway.metrics.render();
    let lines = page.lines().filter(|line| line.starts_with(series));
    let values: Vec<f64> = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!values.is_empty(), "{series}: {page}");
    values
}

fn shows(gateway: &Running, series: &str, wanted: f64) -> bool {
    values(gateway, series) == [wanted]
}

/// Nothing is under way, nobody was blamed.
fn is_calm(gateway: &Running) {
    eventually(PATIENCE, || {
        let all = |series: &str, wanted: f64| values(gateway, series).iter().all(|value| *value == wanted);
        all("torana_endpoint_in_flight{", 0.0)
            && all("torana_retries_active{", 0.0)
            && all("torana_endpoint_in_service{", 1.0)
            && all("torana_breaker_state{service=\"a\",state=\"closed\"}", 1.0)
    });
}

#[test]
fn another_endpoint_answers_for_one_that_hangs_and_only_that_connection_ends() {
    let (hangs, quick) = (Origin::always(Reply::hang()), Origin::always(Reply::ok("quick")));
    let gateway = before(&[hangs.url(), quick.url()], SOON);
    for _ in 0..6 {
        let answer = ask(&gateway, "GET", "");
        assert_eq!((answer.status, answer.text()), (200, "quick".into()));
    }
    assert!(hangs.count() >= 1, "its turn comes");
    eventually(PATIENCE, || hangs.connections_open() == 0);
    assert_eq!(quick.connections_accepted(), 1, "the connection that answered is kept");
    assert!(shows(&gateway, "torana_hedges_total{service=\"a\",result=\"taken\"}", hangs.count() as f64));
    is_calm(&gateway);
}

#[test]
fn who_answers_in_time_is_asked_alone() {
    let origins = [Origin::always(Reply::ok("one")), Origin::always(Reply::ok("two"))];
    let gateway = before(&[origins[0].url(), origins[1].url()], LATER);
    for _ in 0..10 {
        assert_eq!(ask(&gateway, "GET", "").status, 200);
    }
    assert_eq!((origins[0].count(), origins[1].count()), (5, 5));
    assert!(shows(&gateway, "torana_hedges_total{service=\"a\",result=\"taken\"}", 0.0));
    is_calm(&gateway);
}

#[test]
fn connections_that_are_busy_do_not_grow_old_by_hedging() {
    let origin = Origin::always(Reply::ok("well"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ a: {{ endpoints: [{}], pool: {{ idle_timeout: 600ms }}, retries: {{ {LATER} }} }} }}
routes: [{{ service: a }}]
",
        origin.url()
    ));
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(ask(&gateway, "GET", "").status, 200);
        std::thread::sleep(Duration::from_millis(50));
    }
    // A machine that stands still for once makes a second one, and not one each 600 ms.
    assert!(origin.connections_accepted() <= 2, "{} connections", origin.connections_accepted());
}

#[test]
fn only_what_may_be_sent_twice_and_is_at_hand_is_hedged() {
    let cases =
        [("POST", "body", false), ("PUT", "much too long", false), ("PUT", "body", true), ("GET", "", true)];
    side_by_side(cases, |(method, body, twice)| {
        let slow = Origin::respond(|request| Reply::ok(request.body.clone()).delay(Duration::from_secs(3)));
        let quick = Origin::respond(|request| Reply::ok(request.body.clone()));
        let gateway = before(&[slow.url(), quick.url()], &format!("{SOON}, keep_body: 4"));
        for _ in 0..2 {
            let answer = ask(&gateway, method, body);
            assert_eq!((answer.status, answer.text()), (200, body.into()), "{method}");
        }
        let counts = (slow.count(), quick.count());
        assert_eq!(counts, if twice { (1, 2) } else { (1, 1) }, "{method} {body}");
    });
}

#[test]
fn without_room_in_the_budget_or_another_endpoint_nobody_else_is_asked() {
    let gate = Gate::new();
    let slow = || {
        let gate = gate.clone();
        Origin::respond(move |_| Reply::ok("slow").after(&gate))
    };
    let (one, two, alone) = (slow(), slow(), slow());
    let budget = format!("{SOON}, budget: {{ share: 0%, minimum: 0 }}");
    let none = before(&[one.url(), two.url()], &budget);
    let single = before(&[alone.url()], SOON);
    std::thread::scope(|scope| {
        let asking = [scope.spawn(|| ask(&none, "GET", "")), scope.spawn(|| ask(&single, "GET", ""))];
        eventually(PATIENCE, || {
            shows(&none, "torana_retries_refused_total{service=\"a\"}", 1.0) && alone.count() == 1
        });
        gate.open();
        assert!(asking.into_iter().all(|one| one.join().unwrap().text() == "slow"));
    });
    assert_eq!((one.count() + two.count(), alone.count()), (1, 1));
    is_calm(&none);
    is_calm(&single);
}

#[test]
fn a_bad_answer_does_not_win_while_a_better_one_may_come() {
    let gate = Gate::new();
    let slow = Origin::respond({
        let gate = gate.clone();
        move |_| Reply::ok("good").after(&gate)
    });
    let bad = Origin::always(Reply::status(503).body("bad"));
    let text = format!(
        "access_log: off
services:
  a:
    endpoints: [{}, {}]
    retries: {{ on: [503], attempts: 2, {SOON} }}
routes: [{{ service: a }}]
",
        slow.url(),
        bad.url()
    );
    let gateway = Running::start(&text);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&gateway, "GET", ""));
        bad.wait_for(1, PATIENCE);
        gate.open();
        assert_eq!(asking.join().unwrap().text(), "good");
    });
    slow.kill();
    let worse = Origin::always(Reply::status(503).body("worse").delay(Duration::from_millis(2_500)));
    let gateway = Running::start(&text.replace(&slow.url(), &worse.url()));
    let answer = ask(&gateway, "GET", "");
    assert_eq!(answer.status, 503, "when nobody has a better one the bad one is delivered");
    assert_eq!(worse.count() + bad.count(), 3);
}

#[test]
fn a_try_that_fails_leaves_the_field_to_the_other() {
    let gate = Gate::new();
    let breaks = Origin::respond({
        let gate = gate.clone();
        move |_| Reply::reset().after(&gate)
    });
    let slow = Origin::respond(|_| Reply::ok("slow").delay(Duration::from_millis(2_500)));
    let gateway = before(&[breaks.url(), slow.url()], &format!("{SOON}, attempts: 2"));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&gateway, "GET", ""));
        slow.wait_for(1, PATIENCE);
        gate.open();
        assert_eq!(asking.join().unwrap().text(), "slow");
    });
}

#[test]
fn over_http2_only_the_stream_of_the_slow_one_is_cancelled() {
    let gate = Gate::new();
    let slow = Http2Origin::respond({
        let gate = gate.clone();
        move |request| match request.uri.path() {
            "/slow" => Http2Reply::ok("late").after(&gate),
            _ => Http2Reply::ok("well"),
        }
    });
    let quick = Http2Origin::respond(|_| Http2Reply::ok("quick"));
    let gateway = before(&[slow.url(), quick.url()], SOON);
    let get = |path: &str| gateway.get(path).text();
    assert_eq!(get("/slow"), "quick");
    eventually(PATIENCE, || slow.cancelled() == 1 && slow.running() == 0);
    assert!((0..6).any(|_| get("/") == "well"), "the connection serves on");
    assert_eq!((slow.connections(), quick.connections()), (1, 1));
    is_calm(&gateway);
}

#[test]
fn a_client_that_goes_away_ends_every_try() {
    let origins = [Origin::always(Reply::hang()), Origin::always(Reply::hang())];
    let gateway = before(&[origins[0].url(), origins[1].url()], SOON);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origins.iter().for_each(|origin| drop(origin.wait_for(1, PATIENCE)));
    client.reset();
    eventually(PATIENCE, || origins.iter().all(|origin| origin.connections_open() == 0));
    is_calm(&gateway);
}

#[test]
fn all_tries_together_have_the_whole_time() {
    let origins = [Origin::always(Reply::hang()), Origin::always(Reply::hang())];
    let gateway = Running::start(&format!(
        "access_log: off
services:
  a:
    endpoints: [{}, {}]
    timeouts: {{ total: 3s }}
    retries: {{ {SOON} }}
    breaker: {{ failures: 2 }}
routes: [{{ service: a }}]
",
        origins[0].url(),
        origins[1].url()
    ));
    let start = Instant::now();
    let answer = ask(&gateway, "GET", "");
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("total_timeout") && start.elapsed() >= Duration::from_secs(3));
    assert_eq!(ask(&gateway, "GET", "").status, 503, "both tries were failures, and the breaker is open");
    eventually(PATIENCE, || origins.iter().all(|origin| origin.connections_open() == 0));
}

#[test]
fn of_tries_side_by_side_one_has_its_interim_responses_passed_on() {
    let hint = |name: &str| format!("HTTP/1.1 103 Early Hints\r\nLink: </{name}>\r\n\r\n");
    let hangs = Origin::always(Reply::ok("never").interim(hint("a")).hang_after_bytes(hint("a").len()));
    let quick = Origin::always(Reply::ok("quick").interim(hint("b")));
    let gateway = before(&[hangs.url(), quick.url()], SOON);
    for _ in 0..4 {
        let answer = ask(&gateway, "GET", "");
        assert_eq!((answer.status, answer.text(), answer.interim.len()), (200, "quick".into(), 1));
    }
    assert!(hangs.count() >= 1, "its turn comes");
    is_calm(&gateway);
}
