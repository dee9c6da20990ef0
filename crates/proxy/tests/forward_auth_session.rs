//! A session that an asked service renews with its yes reaches the client, with whatever is answered, and nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::time::Duration;
use torana_testkit::http2::Http2Client;
use torana_testkit::{Origin, ReceivedRequest, Reply, Response, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

fn file(asked: &Origin, origin: &Origin, keys: &str, rest: &str) -> String {
    format!(
        "access_log: off
services:
  door: {{ endpoints: [\"{}\"] }}
  api: {{ endpoints: [\"{}\"] }}
routes:
- path: /api/*
  service: api
  policies:
    forward_auth: {{ service: door, response_headers: [X-User], {keys} }}
    {rest}
",
        asked.url(),
        origin.url()
    )
}

fn get(gateway: &Running, fields: &str) -> Response {
    gateway.ask(&format!("GET /api/x HTTP/1.1\nHost: a.test\n{fields}"))
}

/// Says yes, and renews the session of `Bearer good` each time.
fn renew(request: &ReceivedRequest) -> Reply {
    match request.header("Authorization") {
        Some("Bearer good") => Reply::status(202)
            .header("Set-Cookie", "s=new; HttpOnly")
            .header("Set-Cookie", "s2=new")
            .header("X-Session", "fresh")
            .header("X-User", "alice")
            .header("X-Inner", "1"),
        Some("Bearer nobody") => Reply::ok("").header("Set-Cookie", "s=nobody"),
        _ => Reply::ok("").header("X-User", "bob"),
    }
}

#[test]
fn a_session_that_was_renewed_reaches_the_client_with_whatever_is_answered_and_is_nobody_elses() {
    let asked = Origin::respond(renew);
    let origin = Origin::respond(|request| {
        let status = if request.target.contains("missing") { 404 } else { 200 };
        Reply::status(status)
            .header("Set-Cookie", "own=1")
            .header("X-Session", "own")
            .header("Cache-Control", "public, max-age=60")
            .body("in")
    });
    let keys = "client_headers: [set-cookie, X-Session], identity: { consumer: X-User }, cache: { ttl: 1h }";
    let gateway = Running::start(&file(&asked, &origin, keys, ""));
    let good = "Authorization: Bearer good";
    for (number, path) in ["x", "x", "missing"].into_iter().enumerate() {
        let answer = gateway.ask(&format!("GET /api/{path} HTTP/1.1\nHost: a.test\n{good}"));
        assert_eq!(answer.status, if path == "x" { 200 } else { 404 });
        assert_eq!(answer.header_all("Set-Cookie"), ["own=1", "s=new; HttpOnly", "s2=new"]);
        assert_eq!((answer.header_all("X-Session"), answer.header("X-Inner")), (vec!["fresh"], None));
        assert_eq!(answer.header_all("Cache-Control"), ["no-store"]);
        assert_eq!(asked.count(), number + 1, "it is not remembered");
        let seen = origin.requests().pop().unwrap();
        assert_eq!((seen.header("Set-Cookie"), seen.header("X-Session")), (None, None));
    }
    // Nobody else is given it; who has nothing renewed is remembered, and the service's own answer stays as it is.
    for _ in 0..2 {
        let answer = get(&gateway, "Authorization: Bearer other");
        assert_eq!(
            (answer.header_all("Set-Cookie"), answer.header("X-Session")),
            (vec!["own=1"], Some("own"))
        );
        assert_eq!(answer.header_all("Cache-Control"), ["public, max-age=60"]);
    }
    assert_eq!(asked.count(), 4);
    // Over HTTP/2 too.
    let mut client = Http2Client::connect(gateway.address).for_host("a.test");
    let answer = client.request("GET", "/api/x", &[("authorization", "Bearer good")], b"");
    let cookies: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!(cookies, ["own=1", "s=new; HttpOnly", "s2=new"]);
    assert_eq!(
        (answer.header("x-session"), answer.header("cache-control")),
        (Some("fresh"), Some("no-store"))
    );
    // Where the answer cannot be used the session is a new one all the same.
    let answer = get(&gateway, "Authorization: Bearer nobody");
    assert_eq!((answer.status, answer.header("Set-Cookie")), (503, Some("s=nobody")));
    // What the gateway answers in place of a service too.
    origin.kill();
    let answer = get(&gateway, good);
    assert_eq!((answer.status, answer.header_all("Set-Cookie")), (502, vec!["s=new; HttpOnly", "s2=new"]));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
}

#[test]
fn filters_that_refuse_later_do_not_keep_a_renewed_session_from_the_client() {
    let (asked, origin) = (Origin::respond(renew), Origin::always(Reply::ok("in")));
    for (rest, status) in [
        ("allow_if: 'consumer == \"bob\"'", 403),
        ("rate_limit: 1/hour", 429),
        ("terminate: { status: 418 }", 418),
    ] {
        let gateway = Running::start(&file(&asked, &origin, "identity: { consumer: X-User }", rest));
        eventually(PATIENCE, || get(&gateway, "Authorization: Bearer good").status == status);
        let refused = get(&gateway, "Authorization: Bearer good");
        assert_eq!(refused.header_all("Set-Cookie"), ["s=new; HttpOnly", "s2=new"], "{rest}");
        assert_eq!(refused.header("Cache-Control"), Some("no-store"), "{rest}");
    }
    // Who wants none of it gets none.
    let gateway = Running::start(&file(&asked, &origin, "client_headers: [], cache: { ttl: 1h }", ""));
    let before = asked.count();
    for _ in 0..2 {
        let answer = get(&gateway, "Authorization: Bearer good");
        assert_eq!((answer.header("Set-Cookie"), answer.header("Cache-Control")), (None, None));
    }
    assert_eq!(asked.count() - before, 1);
}
