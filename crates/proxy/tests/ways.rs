//! Every way to say who calls, side by side and together: a table of what is shown, and whether it passes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "support/doors.rs"]
mod doors;
#[path = "support/guard.rs"]
mod guard;
#[path = "yaml.rs"]
mod yaml;

use doors::{door, login};
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
        let before = origin.count();
        let head =
            format!("{line} HTTP/1.1\nHost: a\n{fields}\n").replace("\n\n", "\n").replace('\n', "\r\n");
        let body = if line.starts_with("POST") { "Content-Length: 0\r\n" } else { "" };
        let answer = Client::connect(gateway.address).exchange(format!("{head}{body}\r\n"));
        assert_eq!(answer.status, *status, "{line} {fields}: {}", answer.text());
        assert_eq!(origin.count() - before, usize::from(*status == 200), "{line} {fields}");
        for inner in ["alice", "door", "login", "opaque", &login.addr().port().to_string()] {
            assert!(!answer.text().contains(inner), "{line} {fields}: {}", answer.text());
        }
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
        let answer = guard::ask(&gateway, &format!("{line} HTTP/1.1\nHost: a\n{fields}"));
        assert_eq!(answer.status, status, "{line} {fields}: {}", answer.text());
        if status == 200 {
            let seen = origin.requests().pop().unwrap();
            assert_eq!(seen.method, line.split(' ').next().unwrap(), "{fields}");
        }
    }
}

/// Asks, and gives what the service has received.
fn arrived(gateway: &Running, origin: &Origin, line: &str, fields: &str) -> ReceivedRequest {
    let answer = guard::ask(gateway, &format!("{line} HTTP/1.1\nHost: a\n{fields}"));
    assert_eq!(answer.status, 200, "{line} {fields}: {}", answer.text());
    origin.requests().pop().unwrap()
}

#[test]
fn nothing_arrives_of_what_was_shown_to_a_way_that_did_not_accept_it() {
    let (origin, door) = (Origin::always(Reply::ok("in")), door());
    let key = "key_auth: { headers: [apikey], query: [key], cookies: [key] }";
    let jwt = |more: &str| format!("jwt: {{ secret: \"${{env:KEY}}\"{more} }}");
    let mint = jwt(", upstream_token: { secret: \"${env:KEY}\", issuer: gateway }");
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
consumers:
- {{ username: alice, keys: [k-1], basic: [{{ username: alice, password: secret }}] }}
- {{ username: guest }}
routes:
- {{ path: /any, service: api, policies: {{ auth: any, {}, {key}, basic_auth: {{}} }} }}
- {{ path: /mint, service: api, policies: {{ auth: any, {mint}, {key} }} }}
- {{ path: /guest, service: api, policies: {{ auth: {{ require: any, anonymous: guest }}, {}, {key} }} }}
- {{ path: /alone, service: api, policies: {{ auth: {{ anonymous: guest }}, {} }} }}
- {{ path: /door, service: api, policies: {{ auth: any, {}, forward_auth: {{ service: door, identity: {{ consumer: X-User }} }} }} }}
- {{ path: /preflight, service: api, policies: {{ auth: {{ preflight: false }}, {key} }} }}
",
        origin.url(),
        door.url(),
        jwt(""),
        jwt(""),
        jwt(""),
        jwt(""),
    ));
    let good = format!("Bearer {}", guard::token(r#"{"sub":"u"}"#));
    let forged = format!("{}x", good.trim_end_matches(|last: char| last.is_ascii_alphanumeric()));
    let basic = "Basic YWxpY2U6c2VjcmV0";
    let see = |line: &str, fields: &str| arrived(&gateway, &origin, line, fields);
    for path in ["/any", "/mint"] {
        let seen = see(&format!("GET {path}"), &format!("Authorization: {forged}\napikey: k-1"));
        let shown = [seen.header("Authorization"), seen.header("apikey"), seen.header("X-Consumer-Username")];
        assert_eq!(shown, [None, None, Some("alice")], "{path}");
        let others = "apikey: wrong\nCookie: key=wrong; a=1";
        let seen = see(&format!("GET {path}?key=wrong&a=1"), &format!("Authorization: {good}\n{others}"));
        assert_eq!((seen.header("apikey"), seen.header("Cookie")), (None, Some("a=1")), "{path}");
        assert_eq!(seen.target, format!("{path}?a=1"));
        let token = seen.header("Authorization").unwrap();
        assert_eq!((token == good, token.starts_with("Bearer ")), (path == "/any", true), "{path}");
    }
    let seen = see("GET /any", &format!("Authorization: {basic}\napikey: wrong"));
    assert_eq!((seen.header("apikey"), seen.header("X-Consumer-Username")), (None, Some("alice")));
    let seen = see("GET /any", "Authorization: Other x\napikey: k-1");
    assert_eq!(seen.header("Authorization"), Some("Other x"), "nobody looks for it");
    for path in ["/guest", "/alone"] {
        let seen = see(&format!("GET {path}"), &format!("Authorization: {forged}"));
        assert_eq!((seen.header("Authorization"), seen.header("X-Anonymous-Consumer")), (None, Some("true")));
    }
    let seen = see("GET /guest", "apikey: wrong");
    assert_eq!(seen.header("apikey"), None);
    let seen = see("GET /door", "Authorization: Bearer good");
    assert_eq!(seen.header("Authorization"), Some("Bearer good"), "the service that was asked has judged it");
    let preflight = "Origin: https://a.test\nAccess-Control-Request-Method: GET\napikey: wrong";
    assert_eq!(see("OPTIONS /preflight", preflight).header("apikey"), None);
    let body = format!(
        "OPTIONS /preflight HTTP/1.1\r\nHost: a\r\n{}\r\nContent-Length: 2\r\n\r\nhi",
        preflight.replace('\n', "\r\n")
    );
    assert_eq!(Client::connect(gateway.address).exchange(body).status, 401, "a preflight has no body");
}

/// Of what a service that is asked has refused, or was never asked about, and of what only a login gives.
#[test]
fn nothing_arrives_of_what_a_service_that_is_asked_has_not_let_pass() {
    let (origin, door) = (Origin::always(Reply::ok("in")), door());
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let down =
        |more: &str| format!("forward_auth: {{ url: \"http://127.0.0.1:1\", on_failure: allow{more} }}");
    let login = "oidc_login: { issuer: \"http://127.0.0.1:1\", client_id: a, session_keys: \"${env:KEY}\", external_url: \"https://a\", pass_access_token: true }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
consumers:
- {{ username: alice, keys: [k-1] }}
- {{ username: guest }}
routes:
- {{ path: /guest, service: api, policies: {{ auth: {{ anonymous: guest }}, forward_auth: {{ service: door, request_headers: [Authorization, Cookie, X-Portal, Accept] }} }} }}
- {{ path: /inner, service: api, policies: {{ auth: any, key_auth: {{ headers: [apikey] }}, forward_auth: {{ service: door, request_headers: [Cookie], response_headers: [Authorization] }} }} }}
- {{ path: /all, service: api, policies: {{ auth: {{ anonymous: guest }}, forward_auth: {{ service: door, request_headers: [\"*\"] }} }} }}
- {{ path: /oauth2/*, respond: {{ status: 404 }}, policies: {{ {login} }} }}
- {{ path: /session, service: api, policies: {{ auth: {{ anonymous: guest }}, {login} }} }}
- {{ path: /key-or-session, service: api, policies: {{ auth: any, key_auth: {{ headers: [apikey] }}, {login} }} }}
- {{ path: /token-or-session, service: api, policies: {{ auth: any, {jwt}, {login} }} }}
- {{ path: /down, service: api, policies: {{ {} }} }}
- {{ path: /token-and-down, service: api, policies: {{ {jwt}, {} }} }}
",
        origin.url(),
        door.url(),
        down(""),
        down(", response_headers: [X-User]"),
    ));
    let good = format!("Bearer {}", guard::token(r#"{"sub":"u"}"#));
    let forged = "Authorization: Bearer forged";
    for (path, fields, token) in [
        ("/guest", forged.to_owned(), None),
        ("/guest", format!("{forged}\nX-Portal: p"), None),
        ("/inner", format!("apikey: k-1\n{forged}"), None),
        ("/all", forged.to_owned(), None),
        ("/session", forged.to_owned(), None),
        ("/key-or-session", format!("apikey: k-1\n{forged}"), None),
        ("/token-or-session", format!("Authorization: {good}"), Some(&*good)),
        ("/down", forged.to_owned(), None),
        ("/token-and-down", format!("Authorization: {good}"), Some(&*good)),
    ] {
        let fields = format!("{fields}\nCookie: a=1\nAccept: text/plain");
        let seen = arrived(&gateway, &origin, &format!("GET {path}"), &fields);
        assert_eq!(seen.header("Authorization"), token, "{path}");
        assert_eq!(seen.header("X-Portal"), None, "{path}");
        // Services have cookies of their own.
        assert_eq!(
            (seen.header("Cookie"), seen.header("Accept")),
            (Some("a=1"), Some("text/plain")),
            "{path}"
        );
    }
}

/// However the scheme ends: services disagree about what may stand behind it.
#[test]
fn nothing_arrives_of_a_scheme_that_was_looked_for_whatever_stands_behind_it() {
    let (origin, login) = (Origin::always(Reply::ok("in")), login());
    let signed = "hmac_auth: { schemes: [hmac] }, sigv4: {}";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  login: {{ endpoints: [\"{}\"] }}
consumers:
- {{ username: alice, keys: [k-1], basic: [{{ username: alice, password: secret }}], hmac: [{{ username: alice, secret: \"${{env:KEY}}\" }}] }}
- {{ username: guest }}
routes:
- {{ path: /key, service: api, policies: {{ auth: any, key_auth: {{}}, jwt: {{ secret: \"${{env:KEY}}\" }}, basic_auth: {{}}, {signed} }} }}
- {{ path: /guest, service: api, policies: {{ auth: {{ require: any, anonymous: guest }}, jwt: {{ secret: \"${{env:KEY}}\" }}, basic_auth: {{}}, {signed} }} }}
- {{ path: /opaque, service: api, policies: {{ auth: {{ anonymous: guest }}, oauth2_introspection: {{ service: login }} }} }}
- {{ path: /twice, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\", from: {{ headers: [Authorization], cookies: [token] }} }} }} }}
",
        origin.url(),
        login.url()
    ));
    let shown = [
        ("Bearer", "x.y.z"),
        ("bEARER", "x.y.z"),
        ("Basic", "YWxpY2U6d3Jvbmc="),
        ("hmac", "username=\"alice\", algorithm=\"hmac-sha256\", headers=\"date\", signature=\"AAAA\""),
        ("HMAC", "username=\"alice\""),
        ("AWS4-HMAC-SHA256", "Credential=a, SignedHeaders=host, Signature=00"),
        ("aws4-hmac-sha256", "Credential=a"),
    ];
    let between: [&[u8]; 9] = [b" ", b"\t", b" \t", b"\xa0", b"\xc2\xa0", b",", b"=", b"\"", b":"];
    for (scheme, rest) in shown {
        for path in ["/key", "/guest", "/opaque"] {
            if path == "/opaque" && !scheme.eq_ignore_ascii_case("bearer") {
                continue;
            }
            for apart in between.iter().chain([&&b""[..]]) {
                let rest = if apart.is_empty() { "" } else { rest };
                let head =
                    format!("GET {path} HTTP/1.1\r\nHost: a\r\napikey: k-1\r\nAuthorization: {scheme}");
                let request = [head.as_bytes(), *apart, rest.as_bytes(), b"\r\n\r\n"].concat();
                let what = String::from_utf8_lossy(&request).into_owned();
                assert_eq!(Client::connect(gateway.address).exchange(&request).status, 200, "{what}");
                assert_eq!(origin.requests().pop().unwrap().header("Authorization"), None, "{what}");
            }
        }
    }
    // Another scheme is nobody's, and a token beside one that was verified is a second one.
    let seen = arrived(&gateway, &origin, "GET /key", "apikey: k-1\nAuthorization: Bearer-like x");
    assert_eq!(seen.header("Authorization"), Some("Bearer-like x"));
    let before = origin.count();
    let fields = format!("Cookie: token={}\nAuthorization: Bearer\tx.y.z", guard::token(r#"{"sub":"u"}"#));
    assert_eq!(guard::ask(&gateway, &format!("GET /twice HTTP/1.1\nHost: a\n{fields}")).status, 401);
    assert_eq!(origin.count(), before);
}

/// Services fold names of fields: CGI, WSGI and Rack read `X_Token` and `X-Token` alike, PHP `X.Token` too.
#[test]
fn a_credential_in_a_field_that_is_only_spelled_alike_does_not_arrive() {
    let (origin, door) = (Origin::always(Reply::ok("in")), door());
    let jwt = "jwt: { secret: \"${env:KEY}\", from: { headers: [X-Token] } }";
    let asked =
        "forward_auth: { service: door, request_headers: [Authorization, X-Door-Key, Accept-Language] }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
consumers: [{{ username: alice, keys: [k-1] }}]
routes:
- {{ path: /key, service: api, policies: {{ key_auth: {{ headers: [X-Api-Key, old_key], hide_credentials: false }} }} }}
- {{ path: /jwt, service: api, policies: {{ {jwt} }} }}
- {{ path: /door, service: api, policies: {{ {asked} }} }}
- {{ path: /signed, service: api, policies: {{ sigv4: {{}} }} }}
- {{ path: /open, service: api, policies: {{ access: public }} }}
",
        origin.url(),
        door.url()
    ));
    let alike = "X_Api_Key: f\nx.api-key: f\nX-Api_Key: f\nold-key: f\nX_Token: f\nX.Token: f\nX_Door_Key: f\nX_Amz_Security_Token: f\nX_Other: f";
    let token = guard::token(r#"{"sub":"u"}"#);
    for (path, fields) in [
        ("/key", "X-Api-Key: k-1".to_owned()),
        ("/key", "OLD_KEY: k-1".into()),
        ("/jwt", format!("X-Token: {token}")),
        ("/door", "Authorization: Bearer good\nX-Door-Key: d".into()),
        ("/open", "x-token: t\nX-Api-Key: k".into()),
    ] {
        let seen = arrived(&gateway, &origin, &format!("GET {path}"), &format!("{alike}\n{fields}"));
        let forged: Vec<String> =
            seen.head_text().lines().filter(|line| line.ends_with(": f")).map(str::to_owned).collect();
        assert_eq!(forged, ["X_Other: f"], "{path}");
        for field in fields.lines() {
            let (name, value) = field.split_once(": ").unwrap();
            assert_eq!(seen.header(name), Some(value), "{path} {field}");
        }
    }
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
        let answer = guard::ask(&gateway, &format!("GET {path} HTTP/1.1\nHost: a\n{fields}"));
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
        let answer = guard::ask(&gateway, &format!("{line} HTTP/1.1\nHost: a\n{fields}"));
        assert_eq!(answer.status, status, "{line} {fields}: {}", answer.text());
        if line.starts_with("OPTIONS") && status == 200 && line != "OPTIONS /all" {
            let seen = origin.requests().pop().unwrap();
            assert_eq!(seen.header("apikey"), None, "{line}");
            assert_eq!(seen.header("Authorization").is_some(), fields == token, "{line}");
        }
    }
}
