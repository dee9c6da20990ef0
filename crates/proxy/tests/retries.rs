//! What is sent again, what is not, and how often: a whole gateway before origins that fail on command.
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

use std::time::{Duration, Instant};
use support::before;
use torana_testkit::http2::{Http2Origin, Http2Reply};
use torana_testkit::{Client, DEADLINE, Origin, Reply, Response, eventually};
use yaml::Running;

fn ask(gateway: &Running, head: &str, body: &str) -> Response {
    let head = format!("{head}\nHost: a");
    if body.is_empty() { gateway.ask(&head) } else { gateway.ask_with(&head, body) }
}

fn get(gateway: &Running) -> Response {
    ask(gateway, "GET / HTTP/1.1", "")
}

#[test]
fn chosen_statuses_are_asked_again_elsewhere_and_nothing_of_them_is_seen() {
    let bad = Origin::always(Reply::status(503).body("broken").header("X-From", "bad"));
    let good = Origin::always(Reply::ok("fine"));
    let gateway = before(&[&bad, &good], "retries: { on: [503] }");
    for _ in 0..6 {
        let answer = get(&gateway);
        assert_eq!((answer.status, answer.text()), (200, "fine".into()));
        assert_eq!(answer.header("X-From"), None);
    }
    assert_eq!((bad.count(), good.count()), (3, 6), "the turn of the bad one was taken over");
    assert_eq!(bad.connections_accepted(), 1, "its connection was read out and kept");
    assert_eq!(ask(&gateway, "POST / HTTP/1.1", "x").status, 503, "POST is not sent twice");
}

#[test]
fn the_last_answer_is_delivered_when_no_try_is_left() {
    let bad = Origin::always(Reply::status(503).body("broken"));
    let gateway = before(&[&bad], "retries: { on: [5xx], attempts: 3, backoff: { base: 1ms, max: 2ms } }");
    let answer = get(&gateway);
    assert_eq!((answer.status, answer.text(), bad.count()), (503, "broken".into(), 3));
}

#[test]
fn what_is_copied_for_goodbyes_is_not_sent_to_another_that_may_act_on_it() {
    let origin = Http2Origin::respond(|_| Http2Reply::ok("").status(503));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ s: {{ endpoints: [\"{}\"], retries: {{ on: [503], keep_body: off }} }} }}
routes: [{{ path: /*, service: s }}]
",
        origin.url()
    ));
    let answer = ask(&gateway, "PUT / HTTP/1.1", "x");
    assert_eq!((answer.status, origin.requests().len()), (503, 1), "{answer:?}");
}

#[test]
fn bodies_that_are_kept_are_sent_again_and_longer_ones_are_not() {
    let origin = || {
        Origin::respond(|request| {
            if request.connection == 1 { Reply::reset() } else { Reply::ok(request.body.clone()) }
        })
    };
    let keys = "retries: { keep_body: 4, methods: [PATCH], idempotency_key: Idempotency-Key }";
    for (head, body, status) in [
        ("PUT / HTTP/1.1", "four", 200),
        ("PUT / HTTP/1.1", "five!", 502),
        ("POST / HTTP/1.1", "four", 502),
        ("PATCH / HTTP/1.1", "four", 200),
        ("POST / HTTP/1.1\nIdempotency-Key: 7", "four", 200),
        ("DELETE / HTTP/1.1", "", 200),
        ("POST / HTTP/1.1", "", 502),
    ] {
        let origin = origin();
        let answer = ask(&before(&[&origin], keys), head, body);
        assert_eq!(answer.status, status, "{head} {body}");
        if status == 200 {
            assert_eq!(answer.text(), body);
        }
    }
}

#[test]
fn a_try_has_a_time_of_its_own() {
    let (slow, quick) = (Origin::always(Reply::hang()), Origin::always(Reply::ok("quick")));
    let gateway = before(&[&slow, &quick], "retries: { on: [timeout], per_try_timeout: 1500ms }");
    let start = Instant::now();
    assert!((0..2).all(|_| get(&gateway).text() == "quick"));
    assert!(start.elapsed() >= Duration::from_millis(1_500));
    assert_eq!(slow.count(), 1);
    let gateway = before(&[&slow], "retries: { per_try_timeout: 500ms }");
    assert_eq!(get(&gateway).status, 504, "timeouts are not among what is tried again");
    eventually(DEADLINE, || slow.count() == 2);
}

#[test]
fn the_whole_time_bounds_all_tries_together() {
    let bad = Origin::always(Reply::status(503));
    let keys = "timeouts: { total: 2s }, retries: { on: [503], attempts: 1000, backoff: { base: 100ms, max: 100ms } }";
    let gateway = before(&[&bad], keys);
    let start = Instant::now();
    assert_eq!(get(&gateway).status, 504);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(bad.count() > 2, "{}", bad.count());
}

#[test]
fn without_room_in_the_budget_nothing_is_sent_twice_but_connections_are_still_tried_elsewhere() {
    let (bad, dead) = (Origin::always(Reply::status(503)), Origin::always(Reply::ok("")));
    let budget = "retries: { on: [503, reset], budget: { share: 0%, minimum: 0 } }";
    let gateway = before(&[&bad], budget);
    assert!((0..5).all(|_| get(&gateway).status == 503));
    assert_eq!(bad.count(), 5);
    let page = gateway.metrics.render();
    assert!(page.contains("torana_retries_refused_total{service=\"a\"} 5"), "{page}");
    dead.kill();
    let good = Origin::always(Reply::ok("good"));
    let gateway = before(&[&dead, &good], budget);
    assert!((0..4).all(|_| get(&gateway).text() == "good"));
}

#[test]
fn the_service_is_told_how_long_it_has_and_clients_may_ask_for_less() {
    let origin = Origin::respond(|request| match &*request.target {
        "/hang" => Reply::hang(),
        _ => Reply::ok(""),
    });
    let gateway = before(&[&origin], "deadline_header: X-Time-Left, timeouts: { total: 60s }");
    assert_eq!(ask(&gateway, "GET / HTTP/1.1", "").status, 200);
    assert_eq!(ask(&gateway, "GET / HTTP/1.1\nX-Time-Left: 99999999", "").status, 200);
    assert_eq!(ask(&gateway, "GET /hang HTTP/1.1\nX-Time-Left: 1500", "").status, 504);
    let grpc = "POST /hang HTTP/1.1\nContent-Type: application/grpc\nGrpc-Timeout: 2000m";
    assert_eq!(ask(&gateway, grpc, "").header("grpc-status"), Some("4"), "calls are answered as calls");
    let told: Vec<u64> = origin
        .wait_for(4, DEADLINE)
        .iter()
        .map(|request| request.header("X-Time-Left").unwrap().parse().unwrap())
        .collect();
    assert!((50_000..=60_000).contains(&told[0]) && (50_000..=60_000).contains(&told[1]), "{told:?}");
    assert!(told[2] <= 1_500 && told[3] <= 2_000, "{told:?}");
    let grpc = origin.requests()[3].header("Grpc-Timeout").unwrap().to_owned();
    let micros: u64 = grpc.strip_suffix('u').unwrap().parse().unwrap();
    assert!(micros <= 2_000_000, "{grpc}");
}

#[test]
fn a_client_that_goes_away_ends_the_wait_for_a_retry() {
    let bad = Origin::always(Reply::status(503));
    let keys = "retries: { on: [503], attempts: 100, backoff: { base: 1h, max: 1h } }";
    let gateway = before(&[&bad], keys);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bad.wait_for(1, DEADLINE);
    client.reset();
    eventually(DEADLINE, || gateway.metrics.connections().open() == 0);
}

#[test]
fn answers_that_are_delivered_hold_no_room_for_others() {
    let long = Origin::always(Reply::ok(vec![b'x'; 10_000]).hang_after_bytes(5_000));
    let budget = "budget: { share: 0%, minimum: 1 }, attempts: 2";
    for (first, keys) in [(Reply::status(503), "on: [503]"), (Reply::hang(), "on: [], hedge: { after: 1s }")]
    {
        let first = Origin::always(first);
        let gateway = before(&[&first, &long], &format!("retries: {{ {budget}, {keys} }}"));
        let streaming: Vec<Client> = (0..6)
            .map(|number| {
                let mut client = Client::connect(gateway.address);
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(client.read_response_to_head().status, 200, "{keys}, {number}");
                client
            })
            .collect();
        assert_eq!((first.count(), streaming.len()), (3, 6), "{keys}");
        assert!(gateway.metrics.render().contains("torana_retries_active{service=\"a\"} 0"), "{keys}");
    }
}

#[test]
fn interim_responses_of_a_try_that_is_made_again_are_passed_on_and_its_answer_is_not() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    let bad = Origin::always(Reply::status(503).interim(hints));
    let good = Origin::always(Reply::ok("fine").interim(hints));
    let gateway = before(&[&bad, &good], "retries: { on: [503] }");
    let answer = get(&gateway);
    assert_eq!((answer.status, answer.text()), (200, "fine".into()));
    let interim: Vec<u16> = answer.interim.iter().map(|one| one.status).collect();
    assert_eq!((interim, bad.count()), (vec![103, 103], 1));
}
