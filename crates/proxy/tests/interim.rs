//! Interim responses, early answers and half-closed connections, to the byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Gateway, Options};
use std::time::{Duration, Instant};
use torana_testkit::{Client, Gate, Origin, Reply, UponHead, eventually};

const PATIENCE: Duration = Duration::from_secs(30);
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-hop\r\n\
                     X-Hop: 1\r\nKeep-Alive: 5\r\nContent-Length: 9\r\n\r\n";

#[test]
fn interim_responses_are_passed_on_in_order_and_without_what_belongs_to_the_hop() {
    let interim = format!("{HINTS}HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 Odd\r\nA: b\r\n\r\n");
    let origin = Origin::always(Reply::ok("final").interim(interim));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.read_response();
        assert_eq!(response.text(), "final");
        let interim: Vec<String> =
            response.interim.iter().map(|one| String::from_utf8_lossy(&one.raw).into_owned()).collect();
        assert_eq!(
            interim,
            [
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
                "HTTP/1.1 102 Processing\r\n\r\n",
                "HTTP/1.1 199 \r\nA: b\r\n\r\n",
            ]
        );
    }
    assert_eq!(origin.connections_accepted(), 1);
}

#[test]
fn hints_arrive_before_the_answer_is_ready() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin =
        Origin::respond_upon_head(|_| UponHead::Send(HINTS.into()), move |_| Reply::ok("final").after(&held));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_any_response().status, 103);
    gate.open();
    assert_eq!(client.read_response().text(), "final");
}

#[test]
fn hints_during_an_upload_and_the_invitation_to_send_it_do_not_mix() {
    let origin = Origin::respond_upon_head(
        |_| UponHead::Send(HINTS.into()),
        |request| Reply::ok(request.body.clone()).interim("HTTP/1.1 103 Early Hints\r\nB: c\r\n\r\n"),
    );
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.read_any_response().status, 100);
    client.send("pi");
    assert_eq!(client.read_any_response().status, 103);
    client.send("ng");
    let response = client.read_response();
    assert_eq!((response.text().as_str(), response.interim.len()), ("ping", 1));
    assert_eq!(origin.only_request().header("Expect"), None);
}

#[test]
fn who_does_not_wait_for_the_invitation_gets_none() {
    let origin = Origin::respond(|request| Reply::ok(request.body.clone()));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    let response = client
        .exchange("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nping");
    assert_eq!((response.text().as_str(), response.interim.len()), ("ping", 0));
}

#[test]
fn an_answer_without_the_body_comes_in_place_of_the_invitation() {
    let mut options = Options::default();
    options.server.body_bytes = 3;
    let origin = Origin::always(Reply::ok(""));
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let response = client.read_any_response();
    assert_eq!((response.status, response.header("Connection")), (413, Some("close")));
    client.expect_closed();
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_continue_of_the_upstream_s_own_accord_is_not_passed_on() {
    let origin = Origin::always(Reply::ok("x").interim("HTTP/1.1 100 Continue\r\n\r\n"));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let response = Client::connect(gateway.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((response.text().as_str(), response.interim.len()), ("x", 0));
}

#[test]
fn a_client_of_http_1_0_gets_no_interim_response() {
    let origin = Origin::always(Reply::ok("x").interim(HINTS));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    let answer = String::from_utf8(client.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn a_flood_of_interim_responses_is_a_502() {
    let flood = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
    let origin = Origin::always(Reply::ok("x").interim(flood).then_close());
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let response = Client::connect(gateway.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(response.status, 502);
    assert!(response.interim.len() <= 16, "{}", response.interim.len());
    assert!(response.text().contains("upstream_malformed"), "{}", response.text());
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn an_early_answer_stops_a_long_upload_and_is_read_by_who_sends_first() {
    let origin = Origin::respond_upon_head(
        |_| UponHead::Reply(Reply::status(413).body("too much").then_close()),
        |_| Reply::ok(""),
    );
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n");
    let piece = vec![b'x'; 1 << 20];
    let begun = Instant::now();
    let mut sent = 0;
    // It sends on without looking, as simple clients do, until it has had enough.
    while sent < 32 && client.try_send(&piece).is_ok() {
        sent += 1;
    }
    client.finish_sending();
    let response = client.read_response();
    assert_eq!((response.status, response.text().as_str()), (413, "too much"));
    assert_eq!(response.header("Connection"), Some("close"));
    client.expect_closed();
    // Less than what clients are lingered for at the longest.
    assert!(begun.elapsed() < Duration::from_secs(9));
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn an_early_answer_with_a_long_body_arrives_whole_while_the_upload_goes_on() {
    let long = vec![b'y'; 3 << 20];
    let origin =
        Origin::respond_upon_head(move |_| UponHead::Reply(Reply::ok(long.clone())), |_| Reply::ok(""));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let response = client.read_response();
    assert_eq!((response.status, response.body.len()), (200, 3 << 20));
    client.finish_sending().expect_closed();
}

#[test]
fn a_client_that_has_ended_its_side_still_gets_its_answer() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::respond(move |request| Reply::ok(request.body.clone()).after(&held));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let requests = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"),
    ];
    let mut clients: Vec<_> = requests
        .iter()
        .map(|(request, _)| {
            let mut client = Client::connect(gateway.address);
            client.send(request).finish_sending();
            client
        })
        .collect();
    origin.wait_for(3, PATIENCE);
    gate.open();
    for (client, (_, body)) in clients.iter_mut().zip(requests) {
        let response = client.read_response();
        assert_eq!((response.status, response.text().as_str()), (200, body));
        client.expect_closed();
    }
}

#[test]
fn requests_that_were_pipelined_before_the_end_are_all_answered() {
    let origin =
        Origin::respond(|request| Reply::ok(request.target.clone()).delay(Duration::from_millis(20)));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n").finish_sending();
    assert_eq!(client.read_response().text(), "/1");
    assert_eq!(client.read_response().text(), "/2");
    client.expect_closed();
}

#[test]
fn an_ended_client_is_not_waited_for_without_end() {
    let origin = Origin::always(Reply::hang());
    let mut options = Options::default();
    options.server.half_close_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").finish_sending();
    origin.wait_for(1, PATIENCE);
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn progress_of_the_answer_keeps_an_ended_client_alive() {
    let body = "z".repeat(500);
    let origin = Origin::always(Reply::ok(body.clone()).drip(50, Duration::from_millis(250)));
    let mut options = Options::default();
    options.server.half_close_timeout = Duration::from_secs(2);
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").finish_sending();
    assert_eq!(client.read_response().text(), body);
}

#[test]
fn a_reset_cancels_at_once() {
    let origin = Origin::always(Reply::hang());
    let mut options = Options::default();
    options.server.half_close_timeout = Duration::from_secs(3600);
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1, PATIENCE);
    client.reset();
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}
