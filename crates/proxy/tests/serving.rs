//! Routes, policies, balancing and reloads on a whole gateway in process.
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
use torana_testkit::{Client, Origin, Reply, eventually, not_at_midnight, within};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

fn named(name: &'static str) -> Origin {
    Origin::always(Reply::ok(name))
}

#[test]
fn the_most_specific_route_serves_whatever_the_order_of_the_file() {
    let gateway = Running::start(
        "access_log: off
routes:
- { path: /*, respond: { body: rest } }
- { path: \"/users/{id}\", respond: { body: one } }
- { path: /users/me, respond: { body: literal } }
- { path: /users/me, methods: [DELETE], respond: { body: method } }
- { path: /users/me, headers: { x-version: \"2\" }, respond: { body: header } }
- { path: \"~/users/[0-9]+/x\", respond: { body: regex } }
- { path: /users/me, host: \"*.other.test\", respond: { body: host } }
",
    );
    for (target, body) in [
        ("/users/me", "literal"),
        ("/users/./x/../me", "literal"),
        ("//users//%6de", "literal"),
        ("/users/7", "one"),
        ("/users/7/x", "regex"),
        ("/users/7/y", "rest"),
        ("/", "rest"),
    ] {
        assert_eq!(gateway.get(target).text(), body, "{target}");
    }
    assert_eq!(gateway.ask("DELETE /users/me HTTP/1.1\nHost: a").text(), "method");
    assert_eq!(gateway.ask("GET /users/me HTTP/1.1\nHost: a\nX-Version: 2").text(), "header");
    assert_eq!(gateway.ask("GET /users/me HTTP/1.1\nHost: A.Other.test:99").text(), "host");
    for target in ["/users/..%2f..", "/a%2fb", "/../x", "/a%00"] {
        let refused = gateway.get(target);
        assert_eq!(
            (refused.status, refused.header("Content-Type")),
            (400, Some("application/problem+json")),
            "{target}"
        );
    }
}

#[test]
fn methods_are_answered_as_the_standard_says() {
    let gateway = Running::start(
        "access_log: off
routes:
- { path: /a, methods: [GET], respond: { body: hello } }
- { path: /a, methods: [POST], respond: { status: 201 } }
",
    );
    let refused = gateway.ask("PUT /a HTTP/1.1\nHost: a");
    assert_eq!((refused.status, refused.header("Allow")), (405, Some("GET, HEAD, OPTIONS, POST")));
    let options = gateway.ask("OPTIONS /a HTTP/1.1\nHost: a");
    assert_eq!((options.status, options.header("Allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(gateway.ask("OPTIONS * HTTP/1.1\nHost: a").status, 204);
    let missing = gateway.get("/b");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("\"reason\":\"no_route\""), "{}", missing.text());
    assert!(missing.header("X-Request-Id").is_some());
}

const TOKEN_OF_USER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

fn token(claims: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::Mac;
    let signed = format!("{TOKEN_OF_USER}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(yaml::SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn policies_guard_a_route_in_their_order_and_scope() {
    let origin = Origin::respond(|request| Reply::ok(request.header("X-User-Id").unwrap_or("nobody")));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ users: {{ endpoints: [{}], policies: {{ rate_limit: 3/hour }} }} }}
policies: {{ jwt: {{ secret: \"${{env:KEY}}\", claims_to_headers: {{ sub: X-User-Id }} }} }}
routes:
- {{ path: /open, service: users, policies: {{ jwt: off, rate_limit: off }} }}
- {{ path: /users, service: users }}
- {{ path: /admin, service: users, policies: {{ roles: [admin], rate_limit: off }} }}
",
        origin.url()
    ));
    let with = |target: &str, token: &str| {
        gateway.ask(&format!(
            "GET {target} HTTP/1.1\nHost: a\nX-User-Id: spoofed\nAuthorization: Bearer {token}"
        ))
    };
    let (user, admin) = (
        token(r#"{"sub":"u1","exp":9999999999,"roles":["user"]}"#),
        token(r#"{"sub":"root","exp":9999999999,"roles":["admin"]}"#),
    );
    assert_eq!(with("/open", "x").text(), "nobody");
    let nobody = gateway.get("/users");
    assert_eq!((nobody.status, nobody.header("WWW-Authenticate")), (401, Some("Bearer realm=\"torana\"")));
    let first = with("/users", &user);
    assert_eq!((first.status, first.text().as_str()), (200, "u1"));
    assert_eq!(first.header("RateLimit-Remaining"), Some("2"));
    assert_eq!(with("/admin", &user).status, 403);
    assert_eq!(with("/admin", &admin).text(), "root");
    assert_eq!(with("/users", &user).status, 200);
    assert_eq!(with("/users", &user).status, 200);
    let refused = with("/users", &user);
    assert_eq!((refused.status, refused.header("RateLimit-Remaining")), (429, Some("0")));
    assert!(refused.header("Retry-After").is_some());
    // Another caller has its own limit, and a refusal is counted for nobody.
    assert_eq!(with("/users", &admin).header("RateLimit-Remaining"), Some("2"));
    for line in [
        r#"torana_requests_total{route="/users",service="users",status="429",reason="rate_limited"} 1"#,
        r#"torana_requests_total{route="/admin",service="users",status="403",reason="forbidden"} 1"#,
        r#"torana_limiter_denied_total{limit="service/users"} 1"#,
        "torana_pool_connections_open{service=\"users\"",
    ] {
        let shown = within(PATIENCE, || gateway.metrics.render().contains(line));
        assert!(shown, "{line} is not in\n{}", gateway.metrics.render());
    }
}

#[test]
fn load_is_spread_by_weight_and_weight_zero_drains() {
    let (heavy, light, drained) = (named("heavy"), named("light"), named("drained"));
    let gateway = Running::start(&format!(
        "access_log: off
services:
  s:
    balance: weighted
    endpoints: [{{ url: {}, weight: 3 }}, {{ url: {}, weight: 1 }}, {{ url: {}, weight: 0 }}]
routes: [{{ path: /*, service: s }}]
",
        heavy.url(),
        light.url(),
        drained.url()
    ));
    let bodies: Vec<String> = (0..40).map(|_| gateway.get("/").text()).collect();
    assert_eq!(bodies.iter().filter(|body| *body == "heavy").count(), 30);
    assert_eq!(bodies.iter().filter(|body| *body == "light").count(), 10);
    assert_eq!(drained.count(), 0);
}

#[test]
fn a_reload_keeps_state_that_did_not_change_and_replaces_the_rest() {
    let origin = named("origin");
    let file = |limit: &str, path: &str| {
        format!(
            "access_log: off
services: {{ s: {{ endpoints: [{}] }} }}
policies: {{ rate_limit: {limit} }}
routes: [{{ path: {path}, service: s }}]
",
            origin.url()
        )
    };
    let mut gateway = Running::with_workers(&file("5/hour", "/a"), 2);
    let remaining =
        |gateway: &Running, path: &str| gateway.get(path).header("RateLimit-Remaining").map(str::to_owned);
    assert_eq!(remaining(&gateway, "/a").as_deref(), Some("4"));
    let mut kept = Client::connect(gateway.address);
    kept.exchange("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    gateway.reload(&file("5/hour", "/b"));
    assert_eq!(remaining(&gateway, "/b").as_deref(), Some("2"));
    // A connection that was open before meets the new pipeline with its next request.
    assert_eq!(kept.exchange("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
    assert!(origin.connections_accepted() <= 2, "pools survive a reload");
    gateway.reload(&file("9/hour", "/b"));
    assert_eq!(remaining(&gateway, "/b").as_deref(), Some("8"));
    // The endpoint is gone: its connections are closed without a request.
    gateway.reload("access_log: off\nroutes: [{ path: /b, respond: { status: 204 } }]\n");
    assert_eq!(gateway.get("/b").status, 204);
    eventually(PATIENCE, || origin.connections_open() == 0);
}

#[test]
fn several_windows_and_several_limits_hold_together() {
    not_at_midnight();
    let gateway = Running::start(
        "access_log: off
policies:
  rate_limits:
    both: { limit: [5/hour, 8/day], by: everybody, headers: kong }
    route: { limit: 3/hour, by: route }
routes:
  - { path: /a, respond: { status: 204 } }
  - { path: /b, respond: { status: 204 }, policies: { rate_limits: { route: off } } }
",
    );
    let statuses =
        |path: &str, times: usize| -> Vec<u16> { (0..times).map(|_| gateway.get(path).status).collect() };
    assert_eq!(statuses("/a", 4), [204, 204, 204, 429]);
    // What the second limit refused was taken from the first too, and has gone back.
    let told = gateway.get("/b");
    assert_eq!((told.status, told.header("X-RateLimit-Remaining-Hour")), (204, Some("1")));
    assert_eq!(told.header("X-RateLimit-Remaining-Day"), Some("4"));
    assert_eq!(gateway.get("/b").status, 204);
    let refused = gateway.get("/b");
    assert_eq!(refused.status, 429);
    assert!(refused.header("Retry-After").is_some());
    assert_eq!(refused.header("X-RateLimit-Remaining-Day"), Some("3"));
}

#[test]
fn a_prefix_is_stripped_by_whole_segments() {
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ s: {{ endpoints: [{}] }} }}
routes: [{{ path: /api/*, service: s, strip_prefix: /api }}]
",
        origin.url()
    ));
    for (target, seen) in
        [("/api/x?y=1", "/x?y=1"), ("/api", "/"), ("/api/", "/"), ("/api/../api/a%20b", "/a%20b")]
    {
        assert_eq!(gateway.get(target).text(), seen, "{target}");
    }
}

#[test]
fn a_route_that_asks_for_a_field_of_the_gateway_is_not_found_by_claiming_it() {
    let gateway = Running::start(
        "access_log: off
policies: { jwt: { secret: \"${env:KEY}\", claims_to_headers: { sub: X-User-Id } } }
routes:
- { path: /r, headers: { x-user-id: admin }, respond: { body: open }, policies: { jwt: off } }
- { path: /s, headers: { x-forwarded-proto: https }, respond: { body: secure }, policies: { jwt: off } }
- { path: /*, respond: { body: closed } }
",
    );
    let claims = [
        ("/r", "X-User-Id: admin"),
        ("/r", "x-USER-id: admin"),
        ("/r", "X_User_Id: admin"),
        ("/s", "X-Forwarded-Proto: https"),
        ("/s", "Connection: X-Forwarded-Proto\nX-Forwarded-Proto: https"),
    ];
    for (path, claim) in claims {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a\n{claim}"));
        assert_eq!(answer.status, 401, "{claim}: {}", answer.text());
    }
}

/// Whether a time in the form of HTTP is at most a minute ago, or to come.
fn is_now(date: Option<&str>) -> bool {
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    date.and_then(|date| date.elapsed().ok()).is_some_and(|age| age < Duration::from_secs(60))
}

#[test]
fn every_answer_says_when_it_was_made() {
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let (dated, undated) = (Origin::always(Reply::ok("a").header("Date", old)), named("b"));
    let gateway = Running::start(&format!(
        "access_log: off
services:
  dated: {{ endpoints: [{}] }}
  undated: {{ endpoints: [{}] }}
routes:
- {{ path: /dated, service: dated }}
- {{ path: /undated, service: undated }}
- {{ path: /made, respond: {{ body: c }} }}
",
        dated.url(),
        undated.url()
    ));
    let mut http2 = Http2Client::connect(gateway.address);
    assert_eq!(gateway.get("/dated").header_all("Date"), [old]);
    assert_eq!(http2.get("/dated").header("date"), Some(old));
    for (target, status) in [("/undated", 200), ("/made", 200), ("/nowhere", 404), ("/%00", 400)] {
        let answer = gateway.get(target);
        assert!(answer.status == status && is_now(answer.header("Date")), "{target}: {answer:?}");
        let answer = http2.get(target);
        assert!(answer.status == status && is_now(answer.header("date")), "{target} by HTTP/2");
    }
    let refused = gateway.ask("GET / HTTP/1.1\nHost: a\nHost: b");
    assert!(refused.status == 400 && is_now(refused.header("Date")), "{refused:?}");
}

#[test]
fn who_could_not_know_of_a_drain_has_time_for_one_more_request() {
    const ASK: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/slow" => Reply::ok(vec![b's'; 400]).drip(100, Duration::from_secs(1)),
        _ => Reply::ok("quick"),
    });
    let gateway = Running::start(&format!(
        "access_log: off\nservices: {{ s: {{ endpoints: [\"{}\"] }} }}\nroutes: [{{ service: s }}]\n",
        origin.url()
    ));
    let mut busy = Client::connect(gateway.address);
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    // Its head says nothing of what comes, and its body lasts longer than the patience with idle connections.
    let head = busy.read_response_to_head();
    assert_eq!((head.status, head.header("Connection")), (200, None));
    gateway.drain_within(PATIENCE);
    assert_eq!(busy.read_exactly(400), [b's'; 400]);
    let last = busy.exchange(ASK);
    assert_eq!((last.status, last.header("Connection")), (200, Some("close")));
}

#[test]
fn an_idle_connection_that_a_drain_ends_is_not_reset_under_a_request_that_is_on_its_way() {
    let gateway = Running::start("access_log: off\nroutes: [{ respond: { body: hello } }]\n");
    let mut idle = Client::connect(gateway.address);
    assert_eq!(idle.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").text(), "hello");
    gateway.drain_within(PATIENCE);
    assert!(idle.read_to_end().is_empty());
    // Who sends to a socket that is gone has a broken one from the second time on.
    for _ in 0..20 {
        idle.send("GET");
        std::thread::sleep(Duration::from_millis(20));
    }
}
