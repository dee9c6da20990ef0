//! Clients that are gone, or never asked to send, before their request is whole.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;
#[path = "yaml.rs"]
mod yaml;

use common::{Gateway, Options};
use std::time::Duration;
use torana_testkit::http2::{FrameClient, kind, request};
use torana_testkit::{Client, Gate, Origin, Reply, UponHead, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);
/// A request that never becomes whole.
const PART: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello";

/// One that waits for clients and services as if for ever.
fn patient() -> Options {
    let mut options = Options::default();
    options.server.body_idle_timeout = LONG;
    options.server.half_close_timeout = LONG;
    options.server.min_rate = 0;
    options.timeouts.idle = LONG;
    options.timeouts.first_byte = LONG;
    options.timeouts.total = None;
    options
}

#[test]
fn a_reset_is_noticed_behind_an_early_answer_that_goes_on() {
    for request in [PART, &format!("{PART}world")] {
        let early = Reply::ok(vec![b'x'; 1_000]).hang_after_bytes(500);
        let origin = Origin::respond_upon_head(move |_| UponHead::Reply(early.clone()), |_| Reply::ok(""));
        let gateway = Gateway::with(&[origin.addr()], patient());
        let mut client = Client::connect(gateway.address);
        client.send(request);
        assert_eq!(client.read_response_to_head().status, 200);
        client.reset();
        eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
    }
}

#[test]
fn a_reset_is_noticed_while_the_service_takes_nothing() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::respond_upon_head(move |_| UponHead::ReadBodyAfter(held.clone()), |_| Reply::ok(""));
    let gateway = Gateway::with(&[origin.addr()], patient());
    let mut client = Client::connect(gateway.address).deadline(Duration::from_millis(300));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n");
    assert!(client.try_send(vec![b'x'; 90_000_000]).is_err(), "buffers are full before");
    client.reset();
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
    gate.open();
}

#[test]
fn a_reset_is_noticed_while_others_use_the_connections() {
    let origin = Origin::always(Reply::hang());
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ a: {{ endpoints: [{}], pool: {{ max_connections: 1, queue_timeout: 1h }} }} }}
routes: [{{ path: /*, service: a, timeouts: {{ total: 1h, first_byte: 1h }} }}]
",
        origin.url()
    ));
    let waiting = |count: u8| {
        let line = format!(" {count}.0");
        let is_line = |text: &str| text.starts_with("torana_pool_waiting{") && text.ends_with(&line);
        let is = torana_testkit::within(PATIENCE, || gateway.metrics.render().lines().any(is_line));
        assert!(is, "{count}: {}", gateway.metrics.render());
    };
    let mut first = Client::connect(gateway.address);
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1, PATIENCE);
    let mut second = Client::connect(gateway.address);
    second.send(PART);
    waiting(1);
    second.reset();
    waiting(0);
}

const REFUSING: &str = "access_log: off
services: { nobody: { endpoints: [\"http://127.0.0.1:9\"] } }
routes:
- { path: /closed, policies: { jwt: { secret: \"${env:KEY}\" } }, respond: { body: x } }
- { path: /nobody, policies: { access: public }, service: nobody }
- { path: /once, policies: { access: public, rate_limit: { limit: 1/day } }, respond: { body: x } }
";

#[test]
fn who_is_refused_is_not_told_to_send_a_body() {
    torana_testkit::not_at_midnight();
    let gateway = Running::start(REFUSING);
    assert_eq!(torana_testkit::get(gateway.address, "/once").status, 200);
    for (path, status) in [("/closed", 401), ("/unknown", 404), ("/nobody", 502), ("/once", 429)] {
        let mut client = Client::connect(gateway.address);
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
        ));
        let first = client.read_any_response();
        assert_eq!((first.status, first.header("Connection")), (status, Some("close")), "{path}");

        let mut client = FrameClient::connect(gateway.address);
        let expecting = vec![("expect", "100-continue"), ("content-length", "1000000")];
        client.headers(1, &[request("POST", path), expecting].concat(), false);
        let mut heads = std::iter::from_fn(|| client.read()).filter(|frame| frame.kind == kind::HEADERS);
        assert_eq!(heads.next().unwrap().status(), Some(status), "{path} over HTTP/2");
    }
}
