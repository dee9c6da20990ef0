//! What the gateway itself asks of a service: the whole answer, or a clear fault.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_http::h1::HeadLimits;
use torana_http::{Known, RequestHead};
use torana_testkit::{Origin, Reply};
use torana_transport::{
    Address, Endpoint, EndpointSettings, Fetch, FetchLimits, Fetched, Pool, Timer, Unwatched,
};

fn request(path: &str) -> RequestHead {
    let mut head = RequestHead::default();
    head.set_method("GET");
    assert!(head.set_path(path.as_bytes()));
    head.fields.insert(Known::Host, b"keys.test").unwrap();
    head
}

fn ask(origin: &Origin, paths: &[&str], timeout: Duration) -> Vec<Result<Fetched, Fault>> {
    let endpoint = Endpoint::new(Address::Socket(origin.addr()), EndpointSettings::default());
    let limits = FetchLimits { timeout, body_bytes: 10, head: HeadLimits::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (pool, timer) = (Pool::new(endpoint), Timer::default());
        let mut answers = Vec::new();
        for path in paths {
            let request = request(path);
            let fetch = Fetch { pool: &pool, timer: &timer, request: &request, body: b"", limits };
            answers.push(fetch.whole(&mut Unwatched::default()).await);
        }
        answers
    })
}

#[test]
fn answers_come_whole_on_one_connection_and_too_long_ones_not_at_all() {
    let origin = Origin::respond(|request| match &*request.target {
        "/short" => Reply::ok("0123456789"),
        "/chunked" => Reply::status(404).chunked(["01", "23"]),
        _ => Reply::ok("0123456789a"),
    });
    let answers = ask(&origin, &["/short", "/chunked", "/long"], Duration::from_secs(10));
    let bodies: Vec<_> =
        answers.iter().flatten().map(|fetched| (fetched.head.status, &*fetched.body)).collect();
    assert_eq!(bodies, [(200, &b"0123456789"[..]), (404, b"0123")]);
    assert_eq!(answers.last().unwrap().as_ref().unwrap_err().reason, Reason::UpstreamMalformed);
    let received = origin.requests();
    assert!(received.iter().all(|request| request.header("Host") == Some("keys.test")));
    assert!(received.windows(2).all(|pair| matches!(pair, [a, b] if a.connection == b.connection)));
}

#[test]
fn a_service_that_says_nothing_is_given_up_in_time() {
    let origin = Origin::always(Reply::hang());
    let answer = ask(&origin, &["/"], Duration::from_millis(200)).remove(0);
    let reason = answer.unwrap_err().reason;
    assert_eq!(reason, Reason::TotalTimeout);
}
