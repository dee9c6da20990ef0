//! What callers of another gateway are used to and not everybody needs, on a whole gateway: keys in bodies, credentials
//! meant for a proxy, refusals in the operator's words, identifiers that go along.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use torana_credential::jose::{Algorithm, SigningKey};
use torana_testkit::{Client, Origin, Reply, Response, eventually_some};
use yaml::Running;

fn ask(gateway: &Running, target: &str, fields: &[&str]) -> Response {
    gateway.ask(&format!("GET {target} HTTP/1.1\nHost: a\n{}", fields.join("\n")))
}

fn send(gateway: &Running, target: &str, fields: &str, body: &str) -> Response {
    gateway.ask_with(&format!("POST {target} HTTP/1.1\nHost: a\n{fields}"), body)
}

const PAIRS: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";
const PARTS: &str = "Content-Type: multipart/form-data; boundary=b";

fn part(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// Keys are looked for in bodies, or beside or after other ways.
fn with_keys_in_bodies(origin: &Origin) -> Running {
    Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers: [{{ username: alice, keys: [right], basic: [{{ username: alice, password: secret }}] }}]
policies: {{ key_auth: {{ body: [apikey], max_body: 300B }} }}
routes:
- {{ path: /hidden, service: a }}
- {{ path: /shown, service: a, policies: {{ key_auth: {{ body: [apikey], hide_credentials: false }} }} }}
- {{ path: /elsewhere, service: a, policies: {{ key_auth: {{ headers: [apikey] }} }} }}
- {{ path: /any, service: a, policies: {{ basic_auth: on, auth: any }} }}
- {{ path: /first, service: a, policies: {{ jwt: {{ secret: an example that is long enough for HS256 }}, basic_auth: on, auth: any }} }}
- {{ path: /guest, service: a, policies: {{ auth: {{ anonymous: alice }} }} }}
",
        origin.url()
    ))
}

#[test]
fn a_key_may_come_in_the_body_and_does_not_go_on() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = with_keys_in_bodies(&origin);
    let (others, own) = (part("a", "1") + &part("z", ""), part("apikey", "right"));
    let json = r#"{"a":1.50,"apikey":"right"}"#;
    for (fields, body, left) in [
        (PAIRS, "a=1&apikey=right&b=%2f", "a=1&b=%2f"),
        (JSON, json, r#"{"a":1.50}"#),
        (PARTS, &format!("{own}{others}--b--\r\n"), &format!("{others}--b--\r\n")),
    ] {
        assert_eq!(send(&gateway, "/hidden", fields, body).status, 200, "{body}");
        assert_eq!(origin.requests().last().unwrap().body, left.as_bytes(), "{body}");
        assert_eq!(send(&gateway, "/shown", fields, body).status, 200, "{body}");
        assert_eq!(origin.requests().last().unwrap().body, body.as_bytes(), "{body}");
        assert_eq!(
            send(&gateway, "/elsewhere", fields, body).status,
            401,
            "it is asked for elsewhere: {body}"
        );
    }
    let count = origin.count();
    for (fields, body, status) in [
        (PAIRS, "apikey=wrong", 401),
        (PAIRS, "apikey=right&apikey=other", 401),
        (&format!("{PAIRS}\napikey: right"), "apikey=other", 401),
        (JSON, r#"{"apikey":"right","apikey":"other"}"#, 401),
        (JSON, r#"{"apikey":["right"]}"#, 400),
        (JSON, r#"{"apikey":"right""#, 400),
        (PARTS, &format!("{own}--b--\r\n{own}--b--\r\n"), 400),
        ("Content-Type: text/plain", "apikey=right", 401),
        ("Content-Type: text/plain\nContent-Type: application/x-www-form-urlencoded", "apikey=right", 400),
        ("Content-Type: application/x-www-form-urlencoded\nContent-Encoding: gzip", "apikey=right", 401),
        (PAIRS, "", 401),
        (PAIRS, &format!("apikey=right&b={}", "x".repeat(300)), 413),
    ] {
        assert_eq!(send(&gateway, "/hidden", fields, body).status, status, "{body}");
    }
    assert_eq!(origin.count(), count, "nothing of these has arrived");

    // A body of another type is not looked at, and streams.
    let long = "x".repeat(10_000);
    assert_eq!(send(&gateway, "/hidden", "Content-Type: text/plain\napikey: right", &long).status, 200);
    // What another way accepts, or nobody does, does not make the key in the body a verified one, and what was said
    // of the whole does not hold for the rest.
    let password = format!("{PAIRS}\nAuthorization: Basic {}", STANDARD.encode("alice:secret"));
    for (path, fields) in
        [("/any", &password), ("/first", &password), ("/guest", &format!("{PAIRS}\napikey: wrong"))]
    {
        let fields = format!("{fields}\nContent-Digest: sha-256=:x:\nContent-MD5: y");
        assert_eq!(send(&gateway, path, &fields, "a=1&apikey=made-up").status, 200, "{path}");
        let arrived = origin.requests().pop().unwrap();
        assert_eq!(arrived.body, b"a=1", "{path}");
        assert_eq!((arrived.header("Content-Digest"), arrived.header("Content-MD5")), (None, None));
    }
    let form = send(&gateway, "/any", &password.replace(PAIRS, JSON), "{");
    assert_eq!(form.status, 400, "whoever calls: {}", form.text());
}

#[test]
fn a_password_meant_for_a_proxy_is_one() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers: [{{ username: alice, basic: [{{ username: alice, password: secret }}] }}]
policies: {{ basic_auth: {{ hide_credentials: false }} }}
routes: [{{ path: /*, service: a }}]
",
        origin.url()
    ));
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let (right, wrong) = (basic("alice:secret"), basic("alice:guess"));
    let proxy = |value: &str| format!("Proxy-Authorization: {value}");
    let own = |value: &str| format!("Authorization: {value}");
    for (fields, status, arrives) in [
        (vec![proxy(&right)], 200, None),
        (vec![proxy(&right), own("Bearer for-the-service")], 200, Some("Bearer for-the-service")),
        (vec![proxy(&right), own(&wrong)], 200, None),
        (vec![own(&right)], 200, Some(right.as_str())),
        (vec![proxy("Bearer x"), own(&right)], 200, Some(right.as_str())),
        (vec![proxy(&wrong), own(&right)], 401, None),
        (vec![proxy(&right), proxy(&right)], 401, None),
        (vec![proxy("Basic ???")], 401, None),
    ] {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        assert_eq!(ask(&gateway, "/", &fields).status, status, "{fields:?}");
        if status == 200 {
            let request = origin.requests().pop().unwrap();
            assert_eq!(request.header("Authorization"), arrives, "{fields:?}");
            assert_eq!(request.header("Proxy-Authorization"), None);
        }
    }
}

/// As the page of `jwt` says what Kong does by default.
#[test]
fn tokens_of_consumers_go_on_as_with_the_defaults_of_another_gateway() {
    let secret = "an example that is long enough for HS256";
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers: [{{ username: alice, jwt: [{{ key: alice-app, secret: {secret} }}] }}]
policies:
  jwt:
    consumers: on
    from: {{ headers: [Authorization], query: [jwt] }}
    unchecked_times: [exp, nbf, iat]
    leeway: 0s
    realm: \"\"
routes: [{{ path: /*, service: a }}]
",
        origin.url()
    ));
    let token = |claims: Value| {
        let key = SigningKey::secret(secret.as_bytes(), Algorithm::Hs256).unwrap();
        key.token(claims.as_object().unwrap()).unwrap()
    };
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let (endless, over) = (token(json!({"iss": "alice-app"})), token(json!({"iss": "alice-app", "exp": 1})));
    for (target, field, status) in [
        ("/".to_owned(), bearer(&endless), 200),
        ("/".to_owned(), bearer(&over), 200),
        (format!("/?a=1&jwt={endless}"), "X: y".to_owned(), 200),
        (format!("/?jwt={endless}"), bearer(&endless), 200),
        (format!("/?jwt={endless}"), bearer(&over), 401),
        ("/".to_owned(), bearer(&token(json!({"iss": "nobody"}))), 401),
        ("/".to_owned(), bearer(&token(json!({"sub": "alice-app"}))), 401),
        ("/".to_owned(), "X: y".to_owned(), 401),
    ] {
        let answer = ask(&gateway, &target, &[&field]);
        assert_eq!(answer.status, status, "{target} {field}");
        if status == 200 {
            let request = origin.requests().pop().unwrap();
            assert_eq!(request.target, target);
            assert_eq!(request.header("X-Consumer-Username"), Some("alice"));
            assert_eq!(request.header("X-Credential-Identifier"), Some("alice-app"));
        } else {
            assert!(answer.header("WWW-Authenticate").unwrap().starts_with("Bearer"));
        }
    }
    assert_eq!(ask(&gateway, "/", &[]).header("WWW-Authenticate"), Some("Bearer"));
}

/// Signed by OpenSSL, with the private key of the first vector of RFC 8032 section 7.4.
#[test]
fn consumers_sign_with_both_curves_of_eddsa() {
    let key = "-----BEGIN PUBLIC KEY-----
      MEMwBQYDK2VxAzoAX9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2
      m0bHBhvWeD3x5Q9s0foavq/oJWGA
      -----END PUBLIC KEY-----";
    let head = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJnb2xkaWxvY2tzIn0";
    let signature = "4h_wAV9rv6bucswJuk2ShX_gESITcBrJqLSuRw3e4bNR8Df-0vwEn3zQNJMSfJBmO4sBXtbASvmAyiscZb-J8fBegY10R-hy0OPXUURIVGZWtyIuygw96-7oFxzU9CuERkSF_dHnHpdlYl0X1PKGUjYA";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
consumers:
- username: alice
  jwt:
  - key: goldilocks
    algorithm: EdDSA
    public_key: |
      {key}
policies: {{ jwt: {{ consumers: on, required_claims: [], unchecked_times: [exp] }} }}
routes: [{{ path: /*, respond: {{}} }}]
"
    ));
    let asks = |token: String| ask(&gateway, "/", &[&format!("Authorization: Bearer {token}")]).status;
    // Seen first, and remembered.
    for _ in 0..2 {
        assert_eq!(asks(format!("{head}.{signature}")), 200);
    }
    assert_eq!(asks(format!("{head}.{}", signature.replace("4h_w", "4h_x"))), 401);
    assert_eq!(asks(format!("{head}.{}", &signature[..86])), 401, "as long as one of Ed25519");
}

#[test]
fn a_refused_address_reads_the_operators_words() {
    let gateway = Running::start(
        "access_log: off
policies: { ip_restriction: { deny: [127.0.0.0/8], status: 451, message: \"not from \\\"here\\\"\" } }
routes: [{ path: /*, respond: {} }]
",
    );
    let refused = ask(&gateway, "/", &[]);
    assert_eq!(refused.status, 451);
    let problem: Value = serde_json::from_str(&refused.text()).unwrap();
    assert_eq!(problem["detail"], "not from \"here\"");
    assert_eq!((&problem["status"], problem.get("reason")), (&451.into(), None));
    let gateway = Running::start(
        "access_log: off
policies: { ip_restriction: { deny: [127.0.0.0/8], message: 'IP address not allowed: {address}' } }
routes: [{ path: /*, respond: {} }]
",
    );
    let problem: Value = serde_json::from_str(&ask(&gateway, "/", &[]).text()).unwrap();
    assert_eq!(problem["detail"], "IP address not allowed: 127.0.0.1");
    // Whatever an answer can have.
    for (status, has_body) in
        [(200, true), (204, false), (205, false), (302, true), (304, false), (599, true)]
    {
        let gateway = Running::start(&format!(
            "access_log: off
policies: {{ ip_restriction: {{ deny: [127.0.0.0/8], status: {status} }} }}
routes: [{{ path: /*, respond: {{}} }}]
"
        ));
        let mut client = Client::connect(gateway.address);
        // Two on one connection: what follows is not taken for a body.
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let refused = client.read_response();
            assert_eq!((refused.status, !refused.text().is_empty()), (status, has_body));
            assert_eq!(refused.header("Content-Type").is_some(), has_body, "{status}");
            assert_eq!(refused.header("Cache-Control"), Some("no-store"));
        }
        assert!(gateway.metrics.render().contains("reason=\"address_not_allowed\""));
    }
}

#[test]
fn an_identifier_goes_along_to_service_client_and_log() {
    let origin = Origin::always(Reply::ok("in"));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let gateway = Running::start(&format!(
        "access_log: {{ to: {} }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers: [{{ username: alice, keys: [right] }}]
policies: {{ access: public, correlation_id: {{ header: Kong-Request-ID, generator: uuid_counter }} }}
routes:
- {{ path: /told, service: a }}
- {{ path: /quiet, service: a, policies: {{ correlation_id: {{ echo: false }} }} }}
- {{ path: /refused, service: a, policies: {{ access: protected, key_auth: on }} }}
- {{ path: /any, service: a, policies: {{ correlation_id: {{ accept: any, max_length: 200, generator: tracker }} }} }}
",
        log.display(),
        origin.url()
    ));
    let told = |fields: &[&str]| {
        let answer = ask(&gateway, "/told", fields);
        let id = answer.header("Kong-Request-ID").unwrap().to_owned();
        assert_eq!(origin.requests().last().unwrap().header("Kong-Request-ID"), Some(id.as_str()));
        id
    };
    let (first, second) = (told(&[]), told(&[]));
    assert_eq!(first.strip_suffix("#1").map(str::len), Some(36), "{first}");
    assert_eq!(first.strip_suffix("#1"), second.strip_suffix("#2"));
    assert_eq!(told(&["Kong-Request-ID: mine"]), "mine");
    let long = format!("Kong-Request-ID: {}", "x".repeat(129));
    for unusable in [&["Kong-Request-ID:"][..], &["Kong-Request-ID: two words"], &[long.as_str()]] {
        assert!(told(unusable).starts_with(&first[..36]), "{unusable:?}");
    }
    let two = told(&["Kong-Request-ID: one", "Kong-Request-ID: other"]);
    assert!(two.starts_with(&first[..36]), "of two none is kept: {two}");

    // As Kong does, within a bound.
    let any = |id: &str| {
        let answer = ask(&gateway, "/any", &[&format!("X-Correlation-Id: {id}")]);
        answer.header("X-Correlation-Id").unwrap().to_owned()
    };
    for kept in ["two words", &"x".repeat(200)] {
        assert_eq!(any(kept), kept);
    }
    for made in [any(""), any(&"x".repeat(201))] {
        let begins = format!("127.0.0.1-{}-{}-", gateway.address.port(), std::process::id());
        assert!(made.starts_with(&begins) && made.split('-').count() == 6, "{made}");
    }

    assert_eq!(ask(&gateway, "/quiet", &[]).header("X-Correlation-Id"), None);
    let quiet = origin.requests().pop().unwrap().header("X-Correlation-Id").unwrap().to_owned();
    assert_eq!(quiet.len(), 36);
    // A refusal has it too, so that its caller can ask about it.
    let refused = ask(&gateway, "/refused", &["Kong-Request-ID: asked-about"]);
    assert_eq!((refused.status, refused.header("Kong-Request-ID")), (401, Some("asked-about")));
    eventually_some(Duration::from_secs(30), || {
        let text = std::fs::read_to_string(&log).ok()?;
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["correlation_id"] == "asked-about" && line["status"] == 401)
    });
}

#[test]
fn the_gateway_answers_in_place_of_a_service_after_every_other_policy() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
consumers: [{{ username: alice, keys: [right], groups: [staff] }}, {{ username: bob, keys: [other] }}]
services:
  items: {{ endpoints: [\"{0}\"], policies: {{ terminate: {{ status: 410, message: moved, trigger: X-Stop }} }} }}
policies: {{ key_auth: on, acl: [staff], rate_limit: {{ limit: 2/hour, by: consumer }}, cors: 'https://app.test' }}
routes:
- {{ path: '/items/{{id}}', name: items, service: items }}
- {{ path: /open, service: items, policies: {{ access: public, key_auth: off, acl: off, rate_limit: off, terminate: on }} }}
- {{ path: /on, service: items, policies: {{ rate_limit: off, terminate: off }} }}
",
        origin.url()
    ));
    let stop = |key: &str| send(&gateway, "/items/7", &format!("apikey: {key}\nX-Stop: 1"), "");
    assert_eq!(stop("wrong").status, 401);
    assert_eq!(stop("other").status, 403);
    let stopped = send(&gateway, "/items/7?X-Stop", "apikey: right\nOrigin: https://app.test", "");
    assert_eq!((stopped.status, &*stopped.text()), (410, r#"{"message":"moved"}"#));
    assert_eq!(stopped.header("Access-Control-Allow-Origin"), Some("https://app.test"));
    assert_eq!(origin.count(), 0);
    assert_eq!(send(&gateway, "/items/7", "apikey: right", "").text(), "in");
    assert_eq!(stop("right").status, 429, "limits come first");
    let closed = send(&gateway, "/open", "X-A: 1", "a body that nobody reads");
    assert_eq!((closed.status, &*closed.text()), (503, r#"{"message":"Service unavailable"}"#));
    assert_eq!(origin.count(), 1);
    assert_eq!(send(&gateway, "/on", "apikey: right\nX-Stop: 1", "").text(), "in");
}

#[test]
fn a_request_is_shown_in_place_of_a_service_where_a_field_asks_for_it() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ items: {{ endpoints: [\"{}\"] }} }}
policies: {{ terminate: {{ echo: true, status: 200, message: looking, trigger: X-Look }} }}
routes: [{{ path: '/items/{{id}}', name: items, service: items, policies: {{ request_size: 20B }} }}]
",
        origin.url()
    ));
    let form = "Content-Type: application/x-www-form-urlencoded\nCookie: a=secret";
    assert_eq!(send(&gateway, "/items/7", form, "a=1&b=2").text(), "in");
    assert_eq!(origin.requests().pop().unwrap().body_text(), "a=1&b=2");
    let shown = send(&gateway, "/items/7", &format!("X-Look: 1\n{form}"), "a=1&b=2");
    let said: Value = serde_json::from_str(&shown.text()).unwrap();
    assert_eq!((shown.status, &said["message"]), (200, &"looking".into()));
    assert_eq!(said["matched_service"]["name"], "items");
    assert_eq!(said["request"]["uri_captures"]["named"]["id"], "7");
    assert_eq!(said["request"]["body"], serde_json::json!({"a": "1", "b": "2"}));
    assert_eq!(said["kong"]["worker_pid"], std::process::id());
    assert!(!shown.text().contains("secret"), "{}", shown.text());
    let long = send(&gateway, "/items/7", "X-Look: 1", "longer than it may be here");
    assert_eq!(long.status, 413);
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_route_may_answer_with_the_request() {
    let gateway = Running::start(
        "access_log: off
consumers: [{ username: alice, keys: [right] }]
routes:
- path: /echo/*
  name: looking
  respond: { status: 503, echo: Service unavailable, headers: { Retry-After: '1' } }
  policies: { key_auth: on, request_size: 10B }
",
    );
    let fields = "apikey: right\nAuthorization: Bearer secret\nCookie: a=secret\nX-A: 1\nX-A: 2";
    let answer = send(&gateway, "/echo/x/../y?a=%20", fields, "body");
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let said: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(
        (&said["message"], &said["matched_route"]["name"]),
        (&"Service unavailable".into(), &"looking".into())
    );
    let request = &said["request"];
    for (name, value) in
        [("method", "POST"), ("path", "/echo/y"), ("raw_query", "a=%20"), ("raw_body", "body")]
    {
        assert_eq!(request[name], value, "{name}");
    }
    assert_eq!(request["query"], serde_json::json!({"a": " "}));
    assert_eq!((&said["matched_service"], &request["body"]), (&Value::Null, &Value::Null));
    assert_eq!(request["port"], gateway.address.port());
    assert_eq!(request["headers"]["x-a"], serde_json::json!(["1", "2"]));
    assert_eq!(request["headers"]["x-consumer-username"], "alice");
    assert!(!answer.text().contains("secret") && !answer.text().contains("right"), "{}", answer.text());
    assert_eq!(send(&gateway, "/echo/x", "apikey: right", "more than ten").status, 413);
    assert_eq!(send(&gateway, "/echo/x", "", "body").status, 401);
    let long = "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n";
    let chunks = format!(
        "POST /echo/x HTTP/1.1\r\nHost: a\r\napikey: right\r\nTransfer-Encoding: chunked\r\n\r\n{long}"
    );
    assert_eq!(Client::connect(gateway.address).exchange(chunks).status, 413, "or in pieces");
}
