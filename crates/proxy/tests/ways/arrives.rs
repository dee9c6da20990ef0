//! What of a request arrives at the service, whichever way has accepted it.

use super::*;

/// Ways beside each other, and one before a guest.
fn several_ways(origin: &Origin, door: &Origin) -> Running {
    let key = "key_auth: { headers: [apikey], query: [key], cookies: [key] }";
    let jwt = |more: &str| format!("jwt: {{ secret: \"${{env:KEY}}\"{more} }}");
    let mint = jwt(", upstream_token: { secret: \"${env:KEY}\", issuer: gateway }");
    Running::start(&format!(
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
    ))
}

#[test]
fn nothing_arrives_of_what_was_shown_to_a_way_that_did_not_accept_it() {
    let (origin, door) = (Origin::always(Reply::ok("in")), door());
    let gateway = several_ways(&origin, &door);
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
    assert_eq!(gateway.ask(&format!("GET /twice HTTP/1.1\nHost: a\n{fields}")).status, 401);
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
