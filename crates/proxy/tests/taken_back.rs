//! Answers that break off before any of them has left: to the client there were none.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use torana_testkit::{Client, Origin, Reply};
use yaml::Running;

#[test]
fn nobody_is_bound_to_the_endpoint_that_broke() {
    // In one piece with its head, so that it is seen before anything can leave.
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    let (bad, good) = (Origin::always(Reply::raw(broken).then_hang()), Origin::always(Reply::ok("good")));
    let gateway = Running::start(&format!(
        "access_log: off
services:
  s:
    endpoints: [{}, {}]
    balance: {{ sticky: {{ cookie: node, secret: \"${{env:KEY}}\" }} }}
routes: [{{ path: /, service: s }}]
",
        bad.url(),
        good.url()
    ));
    let mut statuses = Vec::new();
    while !(statuses.contains(&200) && statuses.contains(&502)) {
        let answer = gateway.ask_with("POST / HTTP/1.1\nHost: a", "");
        assert_eq!(answer.header("Set-Cookie").is_some(), answer.status == 200, "{}", answer.text());
        statuses.push(answer.status);
        assert!(statuses.len() < 100, "{statuses:?}");
    }
}

#[test]
fn nobody_is_bound_to_an_endpoint_whose_answer_was_to_be_replaced() {
    let bad = Origin::always(Reply::status(503));
    let gateway = Running::start(&format!(
        "access_log: off
services:
  s:
    endpoints: [{}]
    balance: {{ sticky: {{ cookie: node, secret: \"${{env:KEY}}\" }} }}
    timeouts: {{ total: 300ms }}
    retries: {{ attempts: 2, on: [503], backoff: {{ base: 1h, max: 1h }} }}
routes: [{{ path: /, service: s }}]
",
        bad.url()
    ));
    let answer = gateway.ask("GET / HTTP/1.1\nHost: a");
    assert_eq!((answer.status, answer.header("Set-Cookie")), (504, None), "{}", answer.text());
    assert_eq!(bad.count(), 1);
}

#[test]
fn the_answer_that_comes_in_its_place_is_charged() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab";
    let bad = Origin::always(Reply::raw(cut).then_close());
    let good = Origin::always(Reply::ok("good").header("X-Cost", "50"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ s: {{ endpoints: [{}, {}] }} }}
policies: {{ rate_limit: {{ limit: 100000/day, by: everybody, cost: {{ response_header: X-Cost }} }} }}
routes: [{{ path: /, service: s }}]
",
        bad.url(),
        good.url()
    ));
    // What has begun and breaks off is no answer.
    let ask = || {
        let mut client = Client::connect(gateway.address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_read_response().ok().filter(|answer| answer.status == 200)
    };
    let answered = (0..40).filter_map(|_| ask()).count() as u64;
    assert!(answered > 10 && bad.count() > 5, "{answered} {}", bad.count());
    let last = std::iter::repeat_with(ask).flatten().next().unwrap();
    let left: u64 = last.header("RateLimit-Remaining").unwrap().parse().unwrap();
    assert!(left <= 100_000 - 50 * answered, "{left} after {answered}");
}
