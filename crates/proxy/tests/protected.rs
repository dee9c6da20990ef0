//! No request without a valid identity reaches what is protected, however it is written.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "support/guard.rs"]
mod guard;
#[path = "yaml.rs"]
mod yaml;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use torana_testkit::http2::{FrameClient, block, flag, kind};
use torana_testkit::{Client, Origin, Reply};
use yaml::Running;

/// Pieces of paths, honest and not.
const PIECES: [&str; 66] = [
    "admin",
    "admin",
    "admin",
    "public",
    "public",
    "x",
    "%61dmin",
    "adm%69n",
    "ADMIN",
    "admin.",
    "admin%20",
    "/",
    "/",
    "/",
    "//",
    "/./",
    "/../",
    "/%2e/",
    "/%2e%2e/",
    "/%2E./",
    "/..;/",
    "/.;x/",
    "/...;/",
    ";",
    ";v=1",
    ";/",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    "%00",
    "%3b",
    "%252e%252e/",
    "?q=/admin",
    "#/admin",
    "*",
    "admin./",
    "admin;/..",
    "%2e%2e%2f",
    "/.%2e/",
    "%c0%ae%c0%ae/",
    "/public/..%2fadmin",
    "?_method=GET&access_token=x",
    "?q=0",
    "?q=1",
    "&q=1",
    "&%71=0",
    ";q=1",
    "?Q=1",
    "&%20q=1",
    "&q%00=1",
    "&q[]=1",
    "@me",
    "@me",
    "%40me",
    "%40me",
    "x:x",
    "x%3Ax",
    "x%3ax",
    "X%3AX",
    "$b(1),+!",
    "%24b%281%29%2C%2B%21",
    "$b(1)%2c+%21",
    "*'&=",
    "%2A%27%26%3D",
    "@me%3Bv=1",
];

/// Names that services find behind escapes which the router keeps.
const ESCAPABLE: [&str; 4] = ["@me", "x:x", "$b(1),+!", "*'&="];

fn target() -> impl Strategy<Value = String> {
    let path = prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..7)
        .prop_map(|pieces| format!("/{}", pieces.concat()));
    let authority = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "http://api.test",
        "HTTP://API.test:80",
        "http://other.test",
        "http://u@api.test",
        "https://api.test",
        "http://api.test.",
        "http://api.test:443",
    ]);
    (authority, path).prop_map(|(authority, path)| format!("{authority}{path}"))
}

/// Credentials that are none, and claims that nobody may make.
#[expect(clippy::too_many_lines, reason = "a table: a field a line")]
fn fields() -> impl Strategy<Value = Vec<String>> {
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290Iiwicm9sZXMiOlsiYWRtaW4iXX0.";
    let valid = guard::token(r#"{"sub":"root","roles":["admin"]}"#);
    let mut forged = valid.clone();
    forged.pop();
    forged.push('!');
    let expired = guard::token(r#"{"sub":"root","roles":["admin"],"exp":1}"#);
    let other_head = valid.replacen("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJSUzI1NiJ9", 1);
    let credentials = [
        "Bearer x.y.z".to_owned(),
        "Bearer ".into(),
        "bearer".into(),
        "Basic cm9vdDpyb290".into(),
        format!("Bearer {unsigned}"),
        format!("Bearer {forged}"),
        format!("Bearer {expired}"),
        format!("Bearer {other_head}"),
        format!("Token {valid}"),
        format!("Bearer\u{a0}{valid}"),
    ];
    let mut lines: Vec<String> =
        credentials.iter().map(|credential| format!("Authorization: {credential}")).collect();
    lines.extend(
        [
            "Proxy-Authorization: Bearer x",
            "X-Consumer-Id: root",
            "X_Consumer_Id: root",
            "X-User-Id: root",
            "X-Authenticated-Userid: root",
            "X-HTTP-Method-Override: OPTIONS",
            "X-HTTP-Method-Override: POST",
            "x-method-override: post",
            "X-HTTP-Method: GET",
            "X-Method-Override: HEAD",
            "X-Forwarded-Method: OPTIONS",
            "X-Forwarded-Uri: /public/x",
            "X-Forwarded-Uri: /public/x",
            "X-Forwarded-Host: other.test",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Client-Cert: Subject=\"CN=root\"",
            "Client-Cert: :AAAA:",
            "X-SSL-Client-Verify: SUCCESS",
            "X-SSL-Client-S-DN: CN=root",
            "X-Forwarded-User: root",
            "X-Forwarded-Groups: root",
            "X_Auth_Request_User: root",
            "X-WEBAUTH-USER: root",
            "Remote-Groups: root",
            "X.User.Id: root",
            "apikey: made-up",
            "Cookie: session=root; token=root",
            "X-Original-URL: /admin",
            "X-Rewrite-URL: /public/x",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Prefix: /admin",
            "Forwarded: for=127.0.0.1",
            "Connection: Authorization, close",
            "Origin: https://app.test",
            "Access-Control-Request-Method: GET",
            "Expect: 100-continue",
            "Connection: upgrade",
            "Upgrade: websocket",
            "X-Beta: 1",
            "X-Beta: 1",
            "X-Beta: 0",
            "X_Beta: 1",
        ]
        .map(str::to_owned),
    );
    let line =
        (prop::sample::select(lines), any::<bool>()).prop_map(|(line, upper)| match line.split_once(':') {
            Some((name, value)) if upper => format!("{}:{value}", name.to_ascii_uppercase()),
            _ => line,
        });
    prop::collection::vec(line, 0..6)
}

/// Method, target, host and other lines.
type Parts = (&'static str, String, &'static str, Vec<String>);

fn parts() -> impl Strategy<Value = Parts> {
    let method = prop::sample::select(vec![
        "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "post", "delete", "TRACE",
    ]);
    let host = prop::sample::select(vec!["api.test", "API.test.", "api.test:80", "other.test", "localhost"]);
    (method, target(), host, fields())
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    (parts(), any::<prop::sample::Index>()).prop_map(|((method, target, host, mut fields), place)| {
        let place = place.index(fields.len().saturating_add(1));
        fields.insert(place, format!("Host: {host}"));
        format!("{method} {target} HTTP/1.1\r\n{}\r\n\r\n", fields.join("\r\n")).into_bytes()
    })
}

/// The same as HTTP/2 says it, where an authority stands in no path.
fn fields_of_http2((method, target, host, lines): Parts) -> Vec<(String, String)> {
    let target = match target.find("//").filter(|_| !target.starts_with('/')) {
        Some(authority) => {
            let path = target.get(authority.saturating_add(2)..).unwrap_or_default();
            path.find('/').and_then(|slash| path.get(slash..)).unwrap_or("/").to_owned()
        }
        None => target,
    };
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", host), (":path", &target)];
    let mut fields: Vec<_> = pseudo.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    // Those of a connection are malformed there, and would end the request before anything looks at it.
    let own = lines.iter().filter_map(|line| line.split_once(": "));
    let own = own.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    fields.extend(own.filter(|(name, _)| !matches!(&**name, "connection" | "upgrade")));
    fields
}

/// Sends each to the gateway; what the gateway answers, or that it closes, is its own affair.
fn send(gateway: &Running, cases: u32) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let outcome = runner.run(&request(), |request| {
        let mut client = Client::connect(gateway.address);
        let _ = client.try_send(&request);
        let _ = client.finish_sending().try_read_response();
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases / 8));
    let outcome = runner.run(&parts().prop_map(fields_of_http2), |fields| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut client = FrameClient::connect(gateway.address);
        if client.try_frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&fields)) {
            let _ = client.outcome(1);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Ways by which everybody passes, known or not.
const OPEN: [&str; 3] = [
    "access: public",
    "auth: { anonymous: guest }, jwt: { secret: \"${env:KEY}\" }",
    "forward_auth: { url: \"http://127.0.0.1:1\", on_failure: allow }",
];

/// How a service that is lenient in every way reads a path: decoded, without parameters, dots resolved, without dots
/// and spaces at the end of a segment.
fn lenient(path: &str) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut rest = path.split('?').next().unwrap_or_default().as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    let text = String::from_utf8_lossy(&bytes).replace('\\', "/");
    let mut segments: Vec<String> = Vec::new();
    for segment in text.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            plain => match plain.trim_end_matches(['.', ' ']) {
                "" => {}
                plain => segments.push(plain.to_owned()),
            },
        }
    }
    segments
}

/// Routes for these names, and for what lies below them.
fn escapable(below: &str, closed: &str) -> String {
    let path = |name: &str| match (name.contains('*'), below) {
        // In a pattern it stands for a segment.
        (true, "") => format!("~/{}", name.replace('*', "[*]")),
        (true, _) => format!("~/{}(/.*)?", name.replace('*', "[*]")),
        (false, below) => format!("/{name}{below}"),
    };
    ESCAPABLE.iter().map(|name| format!("- {{ path: \"{}\", {closed} }}\n", path(name))).collect()
}

#[test]
fn nothing_without_a_valid_identity_reaches_a_protected_service() {
    let (open, closed) = (Origin::always(Reply::ok("open")), Origin::always(Reply::ok("closed")));
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ open: {{ endpoints: [{}] }}, closed: {{ endpoints: [{}] }} }}
policies:
  jwt: {{ secret: \"${{env:KEY}}\", claims_to_headers: {{ sub: X-User-Id }} }}
  cors: https://app.test
routes:
- {{ path: /public/*, service: open, policies: {{ access: public }} }}
- {{ path: /public/*, query: {{ q: \"1\" }}, service: closed }}
- {{ path: /public/*, headers: {{ X-Beta: \"1\" }}, priority: 1, service: closed, policies: {{ access: protected }} }}
- {{ path: /admin/*, service: closed, policies: {{ roles: [admin] }} }}
- {{ path: /*, service: closed }}
- {{ path: /*, host: other.test, service: closed }}
",
        open.url(),
        closed.url()
    ));
    send(&gateway, 1_200);
    let reached: Vec<String> =
        closed.requests().iter().map(torana_testkit::ReceivedRequest::head_text).collect();
    assert!(reached.is_empty(), "{reached:#?}");
    assert!(open.count() > 0, "some requests are honest");
    for request in open.requests() {
        let head = request.head_text();
        // A cookie is the service's own affair.
        let claims = head.lines().skip(1).filter(|line| !line.to_ascii_lowercase().starts_with("cookie:"));
        let said: Vec<&str> = claims.filter(|line| line.contains("root")).collect();
        assert!(said.is_empty() && !head.to_ascii_lowercase().contains("x-original-url"), "{head}");
    }
    // The test would see it if the door were open.
    assert_eq!(guard::as_caller(&gateway, r#"{"sub":"u","roles":["admin"]}"#, "GET /admin/x").status, 200);
    assert_eq!(closed.count(), 1);
}

#[test]
fn a_service_that_reads_paths_loosely_is_not_led_to_protected_ones_by_a_public_route() {
    for open in OPEN {
        let origin = Origin::always(Reply::ok("in"));
        let gateway = Running::start(&format!(
            "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}] }} }}
consumers: [{{ username: guest }}]
routes:
- {{ path: /*, service: api, policies: {{ {open} }} }}
- {{ path: /admin/*, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }} }}
{}",
            origin.url(),
            escapable("/*", "service: api, policies: { jwt: { secret: \"${env:KEY}\" } }")
        ));
        send(&gateway, 1_000);
        let requests = origin.requests();
        assert!(requests.len() > 50, "{open}: {} requests went through", requests.len());
        for request in requests {
            let target = request.head_text().split(' ').nth(1).unwrap_or_default().to_owned();
            let read = lenient(&target);
            let first = read.first().map_or("", String::as_str);
            assert!(first != "admin" && !ESCAPABLE.contains(&first), "{open}: {target} is read as {read:?}");
        }
    }
}

/// The same where what is protected is written as single paths, for a service that ignores case and a last slash
/// besides, and takes another method when a field says so.
#[test]
fn a_service_that_ignores_case_slashes_and_methods_is_not_led_to_protected_paths() {
    for open in OPEN {
        ignores_case_slashes_and_methods(open);
    }
}

fn ignores_case_slashes_and_methods(open: &str) {
    let origin = Origin::always(Reply::ok("in"));
    let closed = "service: api, policies: { jwt: { secret: \"${env:KEY}\" } }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}] }} }}
consumers: [{{ username: guest }}]
routes:
- {{ path: /*, service: api, policies: {{ {open} }} }}
- {{ path: /admin, {closed} }}
- {{ path: /x/, {closed} }}
- {{ path: \"/public/{{id}}\", methods: [POST], {closed} }}
{}",
        origin.url(),
        escapable("", closed)
    ));
    send(&gateway, 1_000);
    let requests = origin.requests();
    assert!(requests.len() > 50, "{open}: {} requests went through", requests.len());
    for request in requests {
        let head = request.head_text();
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let read: Vec<String> = lenient(&target).iter().map(|segment| segment.to_lowercase()).collect();
        let read: Vec<&str> = read.iter().map(String::as_str).collect();
        assert!(!matches!(read[..], ["admin"] | ["x"]), "{target} is read as {read:?}");
        assert!(!matches!(read[..], [one] if ESCAPABLE.contains(&one)), "{target} is read as {read:?}");
        let posts = head.starts_with("POST") || head.to_lowercase().contains("override: post");
        assert!(!(posts && matches!(read[..], ["public", _])), "{head}");
    }
}

/// Nor is one that takes any of several values, or finds parameters behind a `;`, led past what a value decides; and
/// whoever is taken for somebody is nobody where somebody has to be known.
#[test]
fn a_service_that_takes_any_of_several_values_is_not_led_past_conditions() {
    for open in OPEN {
        takes_any_of_several_values(open);
    }
}

fn takes_any_of_several_values(open: &str) {
    let origin = Origin::always(Reply::ok("in"));
    let closed = "service: api, policies: { jwt: { secret: \"${env:KEY}\" } }";
    let known = "auth: { anonymous: guest }, jwt: { secret: \"${env:KEY}\" }, access: protected";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}], upgrades: [websocket] }} }}
consumers: [{{ username: guest }}]
routes:
- {{ path: /*, service: api, policies: {{ {open} }} }}
- {{ path: /*, query: {{ q: \"1\" }}, {closed} }}
- {{ path: /*, headers: {{ X-Beta: \"1\" }}, priority: 1, {closed} }}
- {{ path: /x/*, service: api, policies: {{ {known} }} }}
",
        origin.url()
    ));
    send(&gateway, 1_000);
    let requests = origin.requests();
    assert!(requests.len() > 50, "{open}: {} requests went through", requests.len());
    for request in requests {
        let head = request.head_text();
        let query = request.target.split_once('?').map_or("", |(_, query)| query).replace("%71", "q");
        // Some services ignore case, white space, brackets and what stands behind a NUL in names.
        let folded = |name: &str| {
            ["%20", "%00", "[]"].iter().fold(name.to_lowercase(), |name, piece| name.replace(piece, ""))
        };
        let leads = |pair: &str| {
            pair.split_once('=').is_some_and(|(name, value)| folded(name) == "q" && value == "1")
        };
        assert!(!query.split(['&', ';']).any(leads), "{open}: {head}");
        let beta = |line: &str| line.to_ascii_lowercase().replace('_', "-").trim_end() == "x-beta: 1";
        assert!(!head.lines().any(beta), "{open}: {head}");
        let read = lenient(&request.target);
        assert_ne!(read.first().map(String::as_str), Some("x"), "{open}: {head}");
    }
}

/// Everybody who could vouch for a caller is asked, and nobody does.
#[test]
fn nothing_that_others_are_asked_about_passes_without_their_yes() {
    let (open, closed) = (Origin::always(Reply::ok("open")), Origin::always(Reply::ok("closed")));
    let door = Origin::respond(|request| match request.header("Authorization") {
        Some("Bearer the right one") => Reply::ok("").header("X-User-Id", "u"),
        Some(_) => Reply::status(403),
        None => Reply::status(302).header("Location", "/login").header("X-User-Id", "root"),
    });
    let login = Origin::always(Reply::ok(r#"{"active":false,"sub":"root","roles":["admin"]}"#));
    let asked = "forward_auth: { service: door, request_headers: [\"*\"], response_headers: [X-User-Id], refusals: [401, 403, 302], cache: { headers: [Authorization, Cookie] } }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  open: {{ endpoints: [{}] }}
  closed: {{ endpoints: [{}] }}
  door: {{ endpoints: [{}] }}
  login: {{ endpoints: [{}] }}
consumers: [{{ username: root, keys: [the-right-one], certificates: [{{ name: root }}] }}]
policies: {{ cors: https://app.test }}
routes:
- {{ path: /public/*, service: open, policies: {{ access: public }} }}
- {{ path: /admin/*, service: closed, policies: {{ {asked} }} }}
- {{ path: /x/*, service: closed, policies: {{ oauth2_introspection: {{ service: login, from: {{ headers: [Authorization], cookies: [token], query: [access_token] }} }} }} }}
- {{ path: /*, service: closed, policies: {{ auth: any, mtls_auth: on, key_auth: {{}}, {asked} }} }}
",
        open.url(),
        closed.url(),
        door.url(),
        login.url()
    ));
    for (path, status) in
        [("/public/x", 200), ("/admin/x", 302), ("/x/y?access_token=made-up", 401), ("/", 302)]
    {
        let head = format!("GET {path} HTTP/1.1\nHost: api.test");
        assert_eq!(gateway.ask(&head).status, status, "{path}");
    }
    send(&gateway, 1_000);
    let reached: Vec<String> =
        closed.requests().iter().map(torana_testkit::ReceivedRequest::head_text).collect();
    assert!(reached.is_empty(), "{reached:#?}");
    assert!(open.count() > 0 && door.count() > 0 && login.count() > 0, "all are asked");
    for request in open.requests() {
        let head = request.head_text();
        assert!(!head.contains("User-Id: root") && !head.contains("User.Id: root"), "{head}");
    }
    for question in door.requests() {
        for name in ["X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-Proto"] {
            assert_eq!(question.header_all(name).len(), 1, "{name}: {}", question.head_text());
        }
    }
    let right = "GET /admin/x HTTP/1.1\nHost: api.test\nAuthorization: Bearer the right one";
    assert_eq!(gateway.ask(right).status, 200);
    assert_eq!(closed.only_request().header("X-User-Id"), Some("u"));
}

/// A service that decides by what it is told of the request decides about the request that arrives.
#[test]
fn what_is_asked_about_is_what_arrives() {
    let origin = Origin::always(Reply::ok("in"));
    let may = |method: &str, uri: &str| method != "DELETE" && !uri.starts_with("/admin");
    let door = Origin::respond(move |request| {
        let told = |name: &str| request.header(name).unwrap_or_default().to_owned();
        match may(&told("X-Forwarded-Method"), &told("X-Forwarded-Uri")) {
            true => Reply::ok(""),
            false => Reply::status(403),
        }
    });
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}] }}, door: {{ endpoints: [{}] }} }}
routes: [{{ path: /*, service: api, policies: {{ forward_auth: {{ service: door, request_headers: [], cache: {{ headers: [] }} }} }} }}]
",
        origin.url(),
        door.url()
    ));
    send(&gateway, 1_000);
    let requests = origin.requests();
    assert!(requests.len() > 5, "{} requests went through", requests.len());
    assert!(door.count() > 5, "{} questions", door.count());
    for request in requests {
        assert!(may(&request.method, &request.target), "{} {}", request.method, request.target);
    }
}

#[test]
fn an_expression_holds_in_every_reading_of_a_path() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /*, service: api, policies: {{ allow_if: {{ deny: ['request.path.startsWith(\"/admin/\")'] }} }} }}
- {{ path: /open/*, service: api, policies: {{ allow_if: 'request.path.startsWith(\"/open/a\")' }} }}
- {{ path: /v1/*, service: api, policies: {{ allow_if: {{ deny: ['request.path == \"/v1/items:delete\"'] }} }} }}
- {{ path: /other/*, service: api, policies: {{ allow_if: 'request.query != \"x\"' }} }}
",
        origin.url()
    ));
    for (path, status) in [
        ("/admin/users", 403),
        ("/admin;v=1/users", 403),
        ("/admin%3Bv/users", 403),
        ("/;/admin/users", 403),
        ("/;x/;y/admin;z/users", 403),
        ("/administration", 200),
        ("/shop;v=1/users", 200),
        ("/open/a", 200),
        ("/open/a;v=1", 200),
        ("/open/;a", 403),
        ("/open/;x/a", 403),
        ("/other/;x", 200),
        ("/v1/items:delete", 403),
        ("/v1/items%3Adelete", 403),
        ("/v1/items%3adelete%3Bx", 403),
        ("/v1/items%3Aget", 200),
    ] {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
}
