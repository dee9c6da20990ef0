//! Every way to say who calls, side by side and together: a table of what is shown, and whether it passes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "ways/arrives.rs"]
mod arrives;
#[path = "support/doors.rs"]
mod doors;
#[path = "support/guard.rs"]
mod guard;
#[path = "support/judge.rs"]
mod judge;
#[path = "yaml.rs"]
mod yaml;

use doors::{door, login};
use judge::judged;
use torana_testkit::{Client, Origin, ReceivedRequest, Reply};
use yaml::Running;

fn file(origin: &Origin, door: &Origin, login: &Origin) -> String {
    let opaque = "oauth2_introspection: { service: login, audience: api, consumers: optional }";
    let asked = "forward_auth: { service: door, response_headers: [X-User], refusals: [401, 403, 302], identity: { consumer: X-User, groups: X-Groups } }";
    let key = "key_auth: { headers: [apikey] }";
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
  login: {{ endpoints: [\"{}\"] }}
consumers:
- {{ username: alice, groups: [gold], keys: [k-1], basic: [{{ username: alice, password: secret }}], certificates: [{{ name: alice }}] }}
- {{ username: bob, keys: [k-2] }}
- {{ username: guest }}
routes:
- {{ path: /door/*, service: api, policies: {{ {asked} }} }}
- {{ path: /staff/*, service: api, policies: {{ {asked}, acl: [staff] }} }}
- {{ path: /opaque/*, service: api, policies: {{ {opaque} }} }}
- {{ path: /write/*, service: api, policies: {{ oauth2_introspection: {{ service: login, scopes: [write] }} }} }}
- {{ path: /admin/*, service: api, policies: {{ {opaque}, roles: [admin] }} }}
- {{ path: /gold/*, service: api, policies: {{ {opaque}, acl: [gold] }} }}
- {{ path: /certificate/*, service: api, policies: {{ mtls_auth: on }} }}
- {{ path: /either/*, service: api, policies: {{ auth: any, {key}, {opaque}, {asked} }} }}
- {{ path: /both/*, service: api, policies: {{ {key}, {asked} }} }}
- {{ path: /guest/*, service: api, policies: {{ auth: {{ anonymous: guest }}, {opaque} }} }}
- {{ path: /jwt/*, service: api, policies: {{ auth: any, jwt: {{ secret: \"${{env:KEY}}\" }}, mtls_auth: on }} }}
- {{ path: /basic/*, service: api, policies: {{ basic_auth: {{}} }} }}
- {{ path: /hmac/*, service: api, policies: {{ hmac_auth: {{}} }} }}
- {{ path: /sigv4/*, service: api, policies: {{ sigv4: {{}} }} }}
- {{ path: /forgotten/*, service: api }}
",
        origin.url(),
        door.url(),
        login.url()
    )
}

/// The line of the request without its version, the fields with line feeds between them, and the status.
const CASES: &[(&str, &str, u16)] = &[
    // A service that is asked.
    ("GET /door/x", "Authorization: Bearer good", 200),
    ("GET /door/x", "authorization:Bearer good", 200),
    ("GET /door/x", "Cookie: s=1", 200),
    ("POST /door/x", "Authorization: Bearer good", 200),
    ("GET /door/x", "Authorization: Bearer reader", 200),
    ("DELETE /door/x", "Authorization: Bearer reader", 403),
    ("DELETE /door/x", "Authorization: Bearer reader\nX-HTTP-Method-Override: GET", 403),
    ("DELETE /door/x", "Authorization: Bearer reader\nX-Forwarded-Method: GET", 403),
    ("GET /door/x", "", 302),
    ("GET /door/x", "X-User: alice\nX-Groups: staff", 302),
    ("GET /door/x", "Connection: Cookie\nCookie: s=1", 200),
    ("GET /door/x", "Connection: X-User\nX-User: alice", 302),
    ("GET /door/x", "Authorization: Bearer wrong", 401),
    ("GET /door/x", "Authorization: Bearer GOOD", 401),
    ("GET /door/x", "Authorization: Bearer good, Bearer good", 401),
    ("GET /door/x", "Authorization: Bearer wrong\nAuthorization: Bearer good", 401),
    ("GET /door/x", "Proxy-Authorization: Bearer good", 302),
    ("GET /door/x", "X_Authorization: Bearer good", 302),
    ("GET /door/x", "Cookie: s=2", 401),
    ("GET /door/x", "Authorization: Bearer banned", 403),
    ("GET /door/x", "Authorization: Bearer lost", 503),
    ("GET /door/x", "Authorization: Bearer broken", 503),
    ("GET /door/x", "Authorization: Bearer nameless", 503),
    ("GET /door/x", "Authorization: Bearer nameless\nX-User: alice", 503),
    ("GET //door/x", "", 302),
    ("GET /%64oor/x", "", 302),
    ("GET /x/../door/x", "", 302),
    ("GET http://a/door/x", "", 302),
    ("GET /staff/x", "Authorization: Bearer good", 200),
    ("GET /staff/x", "Authorization: Bearer reader", 403),
    ("GET /staff/x", "Authorization: Bearer reader\nX-Groups: staff", 403),
    ("GET /staff/x", "Authorization: Bearer reader\nX-Consumer-Groups: staff", 403),
    ("GET /staff/x", "X-Groups: staff", 302),
    // A token that its issuer explains.
    ("GET /opaque/x", "Authorization: Bearer opaque", 200),
    ("GET /opaque/x", "Authorization: BEARER  opaque", 200),
    ("GET /opaque/x", "Authorization: Bearer reader", 200),
    ("GET /opaque/x", "Authorization: Bearer stranger", 200),
    ("GET /opaque/x", "", 401),
    ("GET /opaque/x", "Authorization: Bearer", 401),
    ("GET /opaque/x", "Authorization: opaque", 401),
    ("GET /opaque/x", "Authorization: Bearer\topaque", 401),
    ("GET /opaque/x", "Authorization: Bearer \topaque", 200),
    ("GET /opaque/x", "Authorization: Bearer\u{a0}opaque", 401),
    ("GET /opaque/x", "Authorization: Bearer,opaque", 401),
    ("GET /opaque/x", "Authorization: Token opaque", 401),
    ("GET /opaque/x", "Authorization: Bearer opaque2", 401),
    ("GET /opaque/x", "Authorization: Bearer OPAQUE", 401),
    ("GET /opaque/x", "Authorization: Bearer opaque&token=opaque", 401),
    ("GET /opaque/x", "Authorization: Bearer x&token=opaque", 401),
    ("GET /opaque/x", "Authorization: Bearer old", 401),
    ("GET /opaque/x", "Authorization: Bearer early", 401),
    ("GET /opaque/x", "Authorization: Bearer other", 401),
    ("GET /opaque/x", "Authorization: Bearer opaque\nAuthorization: Bearer reader", 401),
    ("GET /opaque/x?access_token=opaque", "", 401),
    ("GET /opaque/x", "Cookie: access_token=opaque", 401),
    ("GET /opaque/x", "Authorization: Bearer broken", 503),
    ("GET /opaque/x", "Authorization: Bearer text", 503),
    ("GET /opaque/x", "Authorization: Bearer twice", 503),
    ("GET /write/x", "Authorization: Bearer opaque", 200),
    ("GET /write/x", "Authorization: Bearer reader", 403),
    ("GET /write/x", "Authorization: Bearer reader\nX-Authenticated-Scope: write", 403),
    ("GET /admin/x", "Authorization: Bearer opaque", 200),
    ("GET /admin/x", "Authorization: Bearer reader", 403),
    ("GET /admin/x", "Authorization: Bearer reader\nX-Roles: admin", 403),
    ("GET /admin/x", "", 401),
    ("GET /gold/x", "Authorization: Bearer opaque", 200),
    ("GET /gold/x", "Authorization: Bearer reader", 403),
    ("GET /gold/x", "Authorization: Bearer stranger", 403),
    ("GET /gold/x", "Authorization: Bearer stranger\nX-Consumer-Username: alice", 403),
    // A certificate, on a listener that asks for none.
    ("GET /certificate/x", "", 401),
    ("GET /certificate/x", "X-Forwarded-Client-Cert: Subject=\"CN=alice\"", 401),
    ("GET /certificate/x", "X-SSL-Client-Verify: SUCCESS\nX-SSL-Client-S-DN: CN=alice", 401),
    ("GET /certificate/x", "Client-Cert: :AAAA:", 401),
    ("GET /certificate/x", "Authorization: Bearer opaque", 401),
    // One of several.
    ("GET /either/x", "apikey: k-1", 200),
    ("GET /either/x", "Authorization: Bearer opaque", 200),
    ("GET /either/x", "Authorization: Bearer good", 200),
    ("GET /either/x", "Cookie: s=1", 200),
    ("GET /either/x", "apikey: wrong\nCookie: s=1", 200),
    ("GET /either/x", "apikey: k-1\nAuthorization: Bearer broken", 200),
    ("GET /either/x", "", 302),
    ("GET /either/x", "apikey: wrong", 401),
    ("GET /either/x", "apikey: wrong\nAuthorization: Bearer wrong", 401),
    ("GET /either/x", "Authorization: Bearer banned", 403),
    ("GET /either/x", "apikey: wrong\nAuthorization: Bearer broken", 503),
    // All of several.
    ("GET /both/x", "apikey: k-1\nAuthorization: Bearer good", 200),
    ("GET /both/x", "Authorization: Bearer good\napikey: k-2", 200),
    ("GET /both/x", "apikey: k-1", 302),
    ("GET /both/x", "apikey: k-1\nAuthorization: Bearer wrong", 401),
    ("GET /both/x", "Authorization: Bearer good", 401),
    ("GET /both/x", "apikey: k-3\nAuthorization: Bearer good", 401),
    ("GET /both/x", "apikey: k-1\napikey: k-2\nAuthorization: Bearer good", 401),
    ("GET /both/x", "apikey: k-1\nAuthorization: Bearer broken", 503),
    // Somebody who is assumed, but not where nobody could decide.
    ("GET /guest/x", "", 200),
    ("GET /guest/x", "Authorization: Bearer wrong", 200),
    ("GET /guest/x", "Authorization: Bearer opaque", 200),
    ("GET /guest/x", "Authorization: Bearer broken", 503),
    ("GET /jwt/x", "", 401),
    ("GET /jwt/x", "Authorization: Bearer opaque", 401),
    ("GET /jwt/x", "apikey: k-1", 401),
    ("GET /guest/x", "Authorization: Bearer\topaque", 200),
    ("GET /guest/x", "Authorization: Bearer\u{a0}opaque", 200),
    // What ends a scheme, for every way that reads one.
    ("GET /basic/x", "Authorization: Basic YWxpY2U6c2VjcmV0", 200),
    ("GET /basic/x", "Authorization: Basic\tYWxpY2U6c2VjcmV0", 401),
    ("GET /basic/x", "Authorization: Basic\u{a0}YWxpY2U6c2VjcmV0", 401),
    ("GET /basic/x", "Authorization: Basic,YWxpY2U6c2VjcmV0", 401),
    ("GET /hmac/x", "Authorization: hmac username=\"alice\"", 401),
    ("GET /hmac/x", "Authorization: hmac\tusername=\"alice\"", 401),
    ("GET /hmac/x", "Authorization: hmac\u{a0}username=\"alice\"", 401),
    ("GET /sigv4/x", "Authorization: AWS4-HMAC-SHA256 Credential=a", 401),
    ("GET /sigv4/x", "Authorization: AWS4-HMAC-SHA256\tCredential=a", 401),
    ("GET /sigv4/x", "Authorization: AWS4-HMAC-SHA256,Credential=a", 401),
    // Nobody has thought of it.
    ("GET /forgotten/x", "", 401),
    ("GET /forgotten/x", "Authorization: Bearer opaque", 401),
    ("GET /forgotten/x", "apikey: k-1", 401),
];

#[test]
fn what_is_shown_decides_who_passes_whichever_way_is_asked() {
    let (origin, door, login) = (Origin::always(Reply::ok("in")), door(), login());
    let gateway = Running::start(&file(&origin, &door, &login));
    for (line, fields, status) in CASES {
        let head = format!("{line} HTTP/1.1\nHost: a\n{fields}");
        let ask = || if line.starts_with("POST") { gateway.ask_with(&head, "") } else { gateway.ask(&head) };
        // With its colon: an id of a request may have the digits.
        let port = format!(":{}", login.addr().port());
        let hidden = ["alice", "door", "login", "opaque", &port];
        judged(&origin, &format!("{line} {fields}"), *status, &hidden, ask);
    }
    let claims = r#"{"sub":"u"}"#;
    assert_eq!(guard::as_caller(&gateway, claims, "GET /jwt/x").status, 200);
    assert_eq!(guard::as_caller(&gateway, claims, "GET /opaque/x").status, 401);
    assert!(CASES.len() >= 90, "{} cases", CASES.len());
}

/// Where fields that ask for another method arrive, that one has to be let in as well.
#[test]
fn no_way_is_passed_by_for_the_sake_of_another_method() {
    let (origin, door) = (Origin::always(Reply::ok("in")), door());
    let asked = |more: &str| format!("forward_auth: {{ service: door{more} }}");
    let gateway = Running::start(&format!(
        "access_log: off
method_overrides: forward
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
consumers: [{{ username: alice, keys: [k-1] }}]
routes:
- {{ path: /door, service: api, policies: {{ {} }} }}
- {{ path: /kept, service: api, policies: {{ {} }} }}
- {{ path: /preflight, service: api, policies: {{ auth: {{ preflight: false }}, key_auth: {{}} }} }}
- {{ path: /csrf, service: api, policies: {{ csrf: {{}}, access: public }} }}
",
        origin.url(),
        door.url(),
        asked(""),
        asked(", cache: { ttl: 30s }"),
    ));
    let preflight = "Origin: https://a.test\nAccess-Control-Request-Method: GET";
    for (line, fields, status) in [
        ("GET /door", "Authorization: Bearer reader".to_owned(), 200),
        ("GET /door", "Authorization: Bearer reader\nX-HTTP-Method-Override: GET".into(), 200),
        ("GET /door", "Authorization: Bearer reader\nX-HTTP-Method-Override:".into(), 200),
        ("GET /door", "Authorization: Bearer reader\nX-HTTP-Method-Override: DELETE".into(), 403),
        ("GET /door", "Authorization: Bearer reader\nx_http_method: delete".into(), 403),
        ("DELETE /door", "Authorization: Bearer reader\nX-HTTP-Method-Override: GET".into(), 403),
        ("GET /door", "Authorization: Bearer good\nX-HTTP-Method-Override: DELETE".into(), 200),
        (
            "GET /door",
            "Authorization: Bearer good\nX-HTTP-Method-Override: DELETE\nX-HTTP-Method: PUT".into(),
            403,
        ),
        ("GET /door", "Authorization: Bearer good\nX-HTTP-Method-Override: DELETE /".into(), 403),
        ("GET /kept", "Authorization: Bearer reader".into(), 200),
        ("GET /kept", "Authorization: Bearer reader\nX-HTTP-Method-Override: DELETE".into(), 403),
        ("GET /kept", "Authorization: Bearer reader".into(), 200),
        ("OPTIONS /preflight", preflight.to_owned(), 200),
        ("OPTIONS /preflight", format!("{preflight}\nX-HTTP-Method-Override: DELETE"), 401),
        ("OPTIONS /preflight", format!("{preflight}\nX_Method_Override: delete"), 401),
        ("GET /csrf", "Sec-Fetch-Site: cross-site".into(), 200),
        ("GET /csrf", "Sec-Fetch-Site: cross-site\nX-HTTP-Method-Override: DELETE".into(), 403),
    ] {
        let answer = gateway.ask(&format!("{line} HTTP/1.1\nHost: a\n{fields}"));
        assert_eq!(answer.status, status, "{line} {fields}: {}", answer.text());
        if status == 200 {
            let seen = origin.requests().pop().unwrap();
            assert_eq!(seen.method, line.split(' ').next().unwrap(), "{fields}");
        }
    }
}

/// Asks, and gives what the service has received.
fn arrived(gateway: &Running, origin: &Origin, line: &str, fields: &str) -> ReceivedRequest {
    let answer = gateway.ask(&format!("{line} HTTP/1.1\nHost: a\n{fields}"));
    assert_eq!(answer.status, 200, "{line} {fields}: {}", answer.text());
    origin.requests().pop().unwrap()
}

#[test]
fn of_several_callers_the_service_is_told_of_the_last_alone() {
    let (origin, door, login) = (Origin::always(Reply::ok("in")), door(), login());
    let gateway = Running::start(&format!(
        "{}- {{ path: /tokens, service: api, policies: {{ key_auth: {{ headers: [apikey] }}, oauth2_introspection: {{ service: login, consumers: optional }} }} }}\n",
        file(&origin, &door, &login)
    ));
    for (path, token, user, consumer) in [
        ("/both/x", "reader", Some("reader"), None),
        ("/both/x", "good", Some("alice"), None),
        ("/tokens", "stranger", None, None),
        ("/tokens", "reader", None, Some("bob")),
    ] {
        let fields = format!("apikey: k-1\nAuthorization: Bearer {token}");
        let seen = arrived(&gateway, &origin, &format!("GET {path}"), &fields);
        assert_eq!(
            (seen.header("X-User"), seen.header("X-Consumer-Username")),
            (user, consumer),
            "{path} {token}"
        );
        assert_eq!(seen.header("X-Consumer-ID").is_some(), consumer.is_some(), "{path} {token}");
    }
}

/// Where every way must succeed, one that is chosen says who calls, and what it knows is looked at.
#[test]
fn of_several_ways_that_must_succeed_the_chosen_one_says_who_calls() {
    let (origin, door) = (Origin::always(Reply::ok("in")), door());
    let jwt = "jwt: { secret: \"${env:KEY}\", claims_to_headers: { tier: X-Tier } }";
    let (key, gold) = ("key_auth: { headers: [apikey] }", "allow_if: 'claims.tier == \"gold\"'");
    let asked = "forward_auth: { service: door, request_headers: [Cookie], response_headers: [X-User], identity: { consumer: X-User } }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
consumers: [{{ username: bob, groups: [staff], keys: [k-2] }}]
routes:
- {{ path: /last, service: api, policies: {{ {jwt}, {key}, {gold} }} }}
- {{ path: /chosen, service: api, policies: {{ auth: {{ caller: jwt }}, {jwt}, {key}, {gold} }} }}
- {{ path: /roles, service: api, policies: {{ auth: {{ require: all, caller: jwt }}, {jwt}, {key}, roles: {{ any: [gold], from: claims.tier }} }} }}
- {{ path: /key, service: api, policies: {{ auth: {{ caller: key_auth }}, {jwt}, {key}, {asked}, acl: [staff] }} }}
",
        origin.url(),
        door.url(),
    ));
    let gold = format!("Authorization: Bearer {}", guard::token(r#"{"sub":"u","tier":"gold"}"#));
    let tin = format!("Authorization: Bearer {}", guard::token(r#"{"sub":"u","tier":"tin"}"#));
    let key = "apikey: k-2";
    for (path, fields, status, consumer) in [
        ("/last", format!("{gold}\n{key}"), 403, None),
        ("/chosen", format!("{gold}\n{key}"), 200, None),
        ("/chosen", format!("{tin}\n{key}"), 403, None),
        ("/chosen", gold.clone(), 401, None),
        ("/chosen", format!("{gold}\napikey: wrong"), 401, None),
        ("/chosen", key.to_owned(), 401, None),
        ("/roles", format!("{gold}\n{key}"), 200, None),
        ("/roles", format!("{tin}\n{key}"), 403, None),
        ("/key", format!("{tin}\n{key}\nCookie: s=1"), 200, Some("bob")),
        ("/key", format!("{tin}\n{key}"), 503, None),
        ("/key", format!("{tin}\n{key}\nCookie: s=2"), 401, None),
        ("/key", format!("{key}\nCookie: s=1"), 401, None),
    ] {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a\n{fields}"));
        assert_eq!(answer.status, status, "{path} {fields}: {}", answer.text());
        if status == 200 {
            let seen = origin.requests().pop().unwrap();
            assert_eq!(seen.header("X-Consumer-Username"), consumer, "{path}");
            // What the other ways set stays.
            assert!(seen.header("X-Tier").is_some());
            assert_eq!(seen.header("X-User"), (path == "/key").then_some("alice"));
        }
    }
}

/// Which requests need not say who calls, by all ways and by each.
#[test]
fn an_options_says_who_calls_to_whom_it_has_to() {
    let origin = Origin::always(Reply::ok("in"));
    let (jwt, key) = ("jwt: { secret: \"${env:KEY}\" }", "key_auth: { headers: [apikey] }");
    let gateway = Running::start(&format!(
        "access_log: off
method_overrides: forward
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [\"{}\"] }} }}
consumers: [{{ username: alice, keys: [k-1] }}, {{ username: guest }}]
routes:
- {{ path: /required, service: api, policies: {{ auth: {{ preflight: required }}, {key} }} }}
- {{ path: /true, service: api, policies: {{ auth: {{ preflight: true }}, {key} }} }}
- {{ path: /cors, service: api, policies: {{ auth: {{ preflight: cors }}, {key} }} }}
- {{ path: /false, service: api, policies: {{ auth: {{ preflight: false }}, {key} }} }}
- {{ path: /options, service: api, policies: {{ auth: {{ preflight: options }}, {key} }} }}
- {{ path: /roles, service: api, policies: {{ auth: {{ preflight: options }}, {jwt}, roles: [a] }} }}
- {{ path: /all, service: api, policies: {{ auth: {{ preflight: {{ jwt: options }} }}, {jwt}, {key} }} }}
- {{ path: /any, service: api, policies: {{ auth: {{ require: any, preflight: {{ key_auth: options }} }}, {jwt}, {key} }} }}
- {{ path: /anybody, service: api, policies: {{ auth: {{ require: any, anonymous: guest, preflight: {{ key_auth: options }} }}, {jwt}, {key} }} }}
",
        origin.url()
    ));
    let cors = "Origin: https://a.test\nAccess-Control-Request-Method: GET";
    let instead = "X-HTTP-Method-Override: DELETE";
    let token = format!("Authorization: Bearer {}", guard::token(r#"{"sub":"u"}"#));
    for (line, fields, status) in [
        ("OPTIONS /required", cors.to_owned(), 401),
        ("OPTIONS /true", cors.to_owned(), 401),
        ("OPTIONS /cors", cors.to_owned(), 200),
        ("OPTIONS /false", cors.to_owned(), 200),
        ("OPTIONS /cors", String::new(), 401),
        ("OPTIONS /false", String::new(), 401),
        ("OPTIONS /options", cors.to_owned(), 200),
        ("OPTIONS /options", "apikey: wrong".into(), 200),
        ("OPTIONS /options", instead.into(), 401),
        ("OPTIONS /options", format!("{cors}\n{instead}"), 401),
        ("GET /options", cors.to_owned(), 401),
        ("OPTIONS /roles", String::new(), 401),
        ("OPTIONS /all", String::new(), 401),
        ("OPTIONS /all", "apikey: k-1".into(), 200),
        ("OPTIONS /all", "apikey: wrong".into(), 401),
        ("GET /all", "apikey: k-1".into(), 401),
        ("OPTIONS /any", String::new(), 401),
        ("OPTIONS /any", token.clone(), 200),
        ("OPTIONS /any", "apikey: k-1".into(), 401),
        ("GET /any", "apikey: k-1".into(), 200),
        ("OPTIONS /anybody", "apikey: k-1".into(), 200),
    ] {
        let answer = gateway.ask(&format!("{line} HTTP/1.1\nHost: a\n{fields}"));
        assert_eq!(answer.status, status, "{line} {fields}: {}", answer.text());
        if line.starts_with("OPTIONS") && status == 200 && line != "OPTIONS /all" {
            let seen = origin.requests().pop().unwrap();
            assert_eq!(seen.header("apikey"), None, "{line}");
            assert_eq!(seen.header("Authorization").is_some(), fields == token, "{line}");
        }
    }
}
