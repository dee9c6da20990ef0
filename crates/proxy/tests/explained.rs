//! What `explain` says is what serving does, on random requests.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "yaml.rs"]
mod yaml;

use proptest::prelude::*;
use std::time::{Duration, Instant};
use torana_filter::Moment;
use torana_http::h1::HeadLimits;
use torana_proxy::{End, explain, read_head};
use torana_testkit::{Client, Origin, Reply};
use torana_transport::ConnectionInfo;
use yaml::{Running, plan};

const FILE: &str = "access_log: off
limits: { body_bytes: 1MB }
services: { s: { endpoints: [ORIGIN] } }
policies: { jwt: { secret: \"${env:KEY}\" }, rate_limit: 1000000/second }
routes:
- { path: /a, respond: { body: \"/a\" }, policies: { jwt: off } }
- { path: /a, methods: [POST], respond: { body: \"POST /a\", status: 201 }, policies: { jwt: off } }
- { path: \"/a/{x}\", service: s, policies: { jwt: off } }
- { path: \"/a/{x}/b\", service: s }
- { path: /a/*, host: \"*.test\", respond: { body: host }, policies: { jwt: off } }
- { path: \"~/a/[0-9]+\", respond: { body: regex }, policies: { jwt: off } }
- { path: /q, methods: [GET], query: { v: \"1\" }, respond: { body: query }, policies: { jwt: off } }
- { path: /q, methods: [GET], respond: { body: plain } }
";

fn request() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "OPTIONS", "DELETE", "TRACE"]);
    let target = prop::sample::select(vec![
        "/a",
        "/a/",
        "/a/7",
        "/a/x",
        "/a/x/b",
        "/a/x/c",
        "/q",
        "/q?v=1",
        "/q?v=2",
        "/q?v=1&v=1",
        "/b",
        "/a/%2e%2e/q",
        "/a/../../x",
        "/a%2fb",
        "//a",
        "/a/%",
        "*",
    ]);
    let host = prop::sample::select(vec!["one.test", "other", "test", "ONE.TEST:80"]);
    let token = prop::option::of(prop::sample::select(vec!["Bearer x.y.z", "Basic eA==", "bearer"]));
    // Longer than any body may be, so that nobody waits for it.
    let length = prop::sample::select(vec!["", "", "", "Content-Length: 1000000000\r\n"]);
    (method, target, host, token, length).prop_map(|(method, target, host, token, length)| {
        let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{token}{length}\r\n")
    })
}

#[test]
fn explaining_and_serving_never_disagree() {
    let began = Instant::now();
    let origin = Origin::always(Reply::ok("origin"));
    let text = FILE.replace("ORIGIN", &origin.url());
    let gateway = Running::start(&text);
    let planned = plan(&text);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let connection = ConnectionInfo::plain("127.0.0.1:40000".parse().unwrap(), gateway.address);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(600));
    let outcome = runner.run(&request(), |request| {
        let served = Client::connect(gateway.address).exchange(&request);
        let pipeline = gateway.shared.pipeline();
        let head = match read_head(request.as_bytes(), &HeadLimits::default()) {
            Ok(head) => head,
            Err(fault) => {
                prop_assert_eq!(served.status, fault.status());
                return Ok(());
            }
        };
        // As the gateway's own clock: a limit must not be asked about a time that it has passed.
        let moment = Moment { since_start: began.elapsed(), unix_seconds: 1_700_000_000, unix_nanos: 0 };
        let told = runtime.block_on(explain(&pipeline, head, &connection, moment, b""));
        match &told.end {
            End::Forward { .. } => prop_assert_eq!(served.text(), "origin"),
            end => {
                prop_assert_eq!(Some(served.status), end.status(), "{}", request);
                let body = served.text();
                if let (End::Answer { .. }, Some(route)) = (end, told.route) {
                    let name = &planned.routes[route].name;
                    let expected = match &**name {
                        "/a" => "/a",
                        "POST /a" => "POST /a",
                        name if name.starts_with("/a/*") => "host",
                        name if name.starts_with('~') => "regex",
                        "GET /q" => {
                            if body == "query" {
                                "query"
                            } else {
                                "plain"
                            }
                        }
                        _ => "query",
                    };
                    prop_assert_eq!(body, expected, "{} {}", request, name);
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn the_side_of_a_split_is_explained_as_it_is_served_and_what_chance_decides_is_said() {
    let (main, canary) = (Origin::always(Reply::ok("main")), Origin::always(Reply::ok("canary")));
    let text = format!(
        "access_log: off
services: {{ main: {{ endpoints: [{}] }}, canary: {{ endpoints: [{}] }} }}
routes:
- path: /*
  service: main
  split: {{ to: {{ canary: 50% }}, by: [{{ header: X-User }}] }}
  mirror: {{ service: canary, share: 0% }}
  faults: {{ abort: {{ status: 503 }}, delay: {{ for: 5s, share: 25% }}, header: X-Fault }}
",
        main.url(),
        canary.url()
    );
    let gateway = Running::start(&text);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let connection = ConnectionInfo::plain("127.0.0.1:40000".parse().unwrap(), gateway.address);
    let moment = Moment { since_start: Duration::from_secs(1), unix_seconds: 1_700_000_000, unix_nanos: 0 };
    let pipeline = gateway.shared.pipeline();
    let told = |request: &str| {
        let head = read_head(request.as_bytes(), &HeadLimits::default()).unwrap();
        runtime.block_on(explain(&pipeline, head, &connection, moment, b""))
    };
    let mut sides = std::collections::HashSet::new();
    for user in 0..20 {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-User: {user}\r\n\r\n");
        let served = Client::connect(gateway.address).exchange(&request).text();
        let told = told(&request);
        let End::Forward { upstream, .. } = told.end else { panic!("{told:?}") };
        assert_eq!(*pipeline.upstreams[upstream].name, *served);
        assert!(told.traffic[0].ends_with(&format!("decides for {served}")), "{told:?}");
        sides.insert(served);
    }
    assert_eq!(sides.len(), 2);
    let drawn = told("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        drawn.traffic,
        [
            "split: 50% to canary, the rest to main; drawn by chance",
            "mirror: 0% copied to canary",
            "faults: 25% delayed by 5000 ms, 100% answered 503; not this request, which lacks X-Fault",
        ]
    );
}
