//! Keys and passwords of consumers on a whole gateway: a table of what is accepted and what is not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "support/judge.rs"]
mod judge;
#[path = "yaml.rs"]
mod yaml;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use judge::judged;
use serde_json::{Value, json};
use torana_credential::jose::{Algorithm, SigningKey};
use torana_testkit::{Client, Origin, Reply, Response};
use yaml::Running;

/// SHA-1 of `abc`: the password `ab` of the consumer whose identifier is `c` (FIPS 180-2 appendix A.1).
const KONG: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";
/// A bcrypt hash at the lowest cost.
const BCRYPT: &str = "$2b$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm";

fn file(origin: &Origin) -> String {
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers:
- {{ username: alice, custom_id: c-1, groups: [gold], keys: [alice-key, {{ key: old, expires_at: 1 }}], basic: [{{ username: alice, password: \"pass:word\" }}] }}
- {{ id: c, basic: [{{ username: kong, sha1: {KONG} }}], keys: [{{ key: named-key, id: k1 }}] }}
- {{ username: guest }}
policies: {{ key_auth: {{ headers: [apikey], query: [key], cookies: [k] }} }}
routes:
- {{ path: /key, service: a }}
- {{ path: /shown, service: a, policies: {{ key_auth: {{ hide_credentials: false }} }} }}
- {{ path: /basic, service: a, policies: {{ key_auth: off, basic_auth: {{}} }} }}
- {{ path: /any, service: a, policies: {{ basic_auth: {{}}, auth: any }} }}
- {{ path: /all, service: a, policies: {{ basic_auth: {{}} }} }}
- {{ path: /guest, service: a, policies: {{ auth: {{ anonymous: guest }} }} }}
- {{ path: /open, service: a, policies: {{ auth: off }} }}
",
        origin.url()
    )
}

fn ask(gateway: &Running, target: &str, fields: &[String]) -> Response {
    gateway.ask(&format!("GET {target} HTTP/1.1\nHost: a\n{}", fields.join("\n")))
}

fn basic(text: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(text))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_shown_decides_who_passes() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let key = |text: &str| format!("apikey: {text}");
    let cookie = |text: &str| format!("Cookie: {text}");
    let none: Vec<String> = Vec::new();
    let cases: Vec<(&str, Vec<String>, u16)> = vec![
        ("/key", vec![key("alice-key")], 200),
        ("/key", vec!["APIKEY: alice-key".into()], 200),
        ("/key", vec![key("named-key")], 200),
        ("/key?key=alice-key", none.clone(), 200),
        ("/key?a=b&%6bey=alice%2Dkey", none.clone(), 200),
        ("/key", vec![cookie("a=b; k=alice-key")], 200),
        ("/key?key=alice-key", vec![key("alice-key")], 200),
        ("/key", vec![key("alice-key"), key("alice-key")], 200),
        ("/key", none.clone(), 401),
        ("/key", vec![key("")], 401),
        ("/key", vec![key("alice-keY")], 401),
        ("/key", vec![key("alice-key x")], 401),
        ("/key", vec![key("old")], 401),
        ("/key", vec![key(&"x".repeat(5_000))], 401),
        ("/key", vec![key("alice-key"), key("named-key")], 401),
        ("/key?key=named-key", vec![key("alice-key")], 401),
        ("/key?key=alice-key&key=other", none.clone(), 401),
        ("/key?KEY=alice-key", none.clone(), 401),
        ("/key", vec![cookie("K=alice-key")], 401),
        ("/key", vec!["Authorization: Bearer alice-key".into()], 401),
        ("/key", vec!["X-Consumer-Username: alice".into(), "X-Consumer-ID: c".into()], 401),
        ("//key", none.clone(), 401),
        ("/%6bey", none.clone(), 401),
        ("/./key", none.clone(), 401),
        ("/basic", vec![basic("alice:pass:word")], 200),
        ("/basic", vec![basic("kong:ab")], 200),
        ("/basic", vec![format!("Authorization: bAsIc {}", STANDARD.encode("kong:ab"))], 200),
        ("/basic", none.clone(), 401),
        ("/basic", vec![basic("alice:wrong")], 401),
        ("/basic", vec![basic("alice:")], 401),
        ("/basic", vec![basic(":pass:word")], 401),
        ("/basic", vec![basic("Alice:pass:word")], 401),
        ("/basic", vec![basic("kong:abc")], 401),
        ("/basic", vec![basic("nobody:pass")], 401),
        ("/basic", vec![basic("alice")], 401),
        ("/basic", vec!["Authorization: Basic".into()], 401),
        ("/basic", vec!["Authorization: Basic !!!".into()], 401),
        ("/basic", vec!["Authorization: Basic /w==".into()], 401),
        ("/basic", vec![basic("alice:pass:word"), basic("kong:ab")], 401),
        ("/basic", vec![key("alice-key")], 401),
        ("/any", vec![key("alice-key")], 200),
        ("/any", vec![basic("kong:ab")], 200),
        ("/any", vec![key("wrong"), basic("kong:ab")], 200),
        ("/any", vec![key("wrong"), basic("kong:no")], 401),
        ("/any", none.clone(), 401),
        ("/all", vec![key("alice-key"), basic("kong:ab")], 200),
        ("/all", vec![key("alice-key")], 401),
        ("/all", vec![basic("kong:ab")], 401),
        ("/guest", none.clone(), 200),
        ("/guest", vec![key("wrong")], 200),
        ("/open", none.clone(), 200),
    ];
    for (target, fields, status) in cases {
        let name = format!("{target} {fields:?}");
        let hidden = ["alice", "nobody"];
        let answer = judged(&origin, &name, status, &hidden, || ask(&gateway, target, &fields));
        if status == 401 {
            // One challenge of each way that was tried.
            let tried = if target == "/any" { 2 } else { 1 };
            assert_eq!(answer.header_all("WWW-Authenticate").len(), tried, "{name}");
        }
    }
}

#[test]
fn services_are_told_who_calls_and_see_no_credential() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin));
    let spoofed = |name: &str| format!("{name}: spoofed");
    let mut fields = vec!["apikey: alice-key".to_owned(), "Cookie: k=alice-key; other=1".into()];
    for name in ["X-Consumer-ID", "x-consumer-username", "X-Anonymous-Consumer", "X-Credential-Identifier"] {
        fields.push(spoofed(name));
    }
    assert_eq!(ask(&gateway, "/key?key=alice-key&a=1", &fields).status, 200);
    let seen = origin.requests().pop().unwrap();
    assert_eq!(seen.target, "/key?a=1");
    assert_eq!(seen.header("apikey"), None);
    assert_eq!(seen.header("Cookie"), Some("other=1"));
    assert_eq!(seen.header("X-Consumer-Username"), Some("alice"));
    assert_eq!(seen.header("X-Consumer-Custom-ID"), Some("c-1"));
    assert_eq!(seen.header("X-Anonymous-Consumer"), None);
    assert!(seen.header("X-Credential-Identifier").is_some_and(|id| id.len() == 16));
    ask(&gateway, "/shown", &["apikey: named-key".into(), spoofed("X-Consumer-Username")]);
    let seen = origin.requests().pop().unwrap();
    assert_eq!((seen.header("apikey"), seen.header("X-Consumer-ID")), (Some("named-key"), Some("c")));
    assert_eq!(
        (seen.header("X-Consumer-Username"), seen.header("X-Credential-Identifier")),
        (None, Some("k1"))
    );
    ask(&gateway, "/guest", &[spoofed("X-Consumer-Username")]);
    let seen = origin.requests().pop().unwrap();
    assert_eq!(
        (seen.header("X-Consumer-Username"), seen.header("X-Anonymous-Consumer")),
        (Some("guest"), Some("true"))
    );
    assert_eq!(seen.header("X-Credential-Identifier"), None);
    ask(&gateway, "/open", &[spoofed("X-Consumer-Username")]);
    assert_eq!(origin.requests().pop().unwrap().header("X-Consumer-Username"), None);
}

#[test]
fn what_was_verified_before_passes_where_others_guess_and_what_is_only_right_does_not() {
    let text = "limits: { failed_credentials: 2/hour }
consumers:
- { username: alice, keys: [key-of-alice, other-key-of-alice], basic: [{ username: alice, password: pass }] }
- { username: bob, basic: [{ username: bob, password: word }] }
routes:
- { path: /key, policies: { key_auth: {} }, respond: { body: in } }
- { path: /basic, policies: { basic_auth: {} }, respond: { body: in } }
";
    let gateway = Running::start(text);
    let key = |key: &str| ask(&gateway, "/key", &[format!("apikey: {key}")]).status;
    let password = |text: &str| ask(&gateway, "/basic", &[basic(text)]).status;
    assert_eq!((key("key-of-alice"), password("alice:pass")), (200, 200));
    assert_eq!((key("a-guess"), password("alice:guess")), (401, 401));
    assert_eq!((key("another"), password("alice:guess")), (429, 429));
    assert_eq!((key("key-of-alice"), password("alice:pass")), (200, 200));
    assert_eq!((key("other-key-of-alice"), password("bob:word")), (429, 429));
}

#[test]
fn passwords_guessed_side_by_side_are_as_few_as_one_after_the_other() {
    let text = format!(
        "limits: {{ failed_credentials: 5/hour }}
consumers: [{{ username: bob, basic: [{{ username: bob, hash: \"{BCRYPT}\" }}] }}]
routes: [{{ policies: {{ basic_auth: {{}} }}, respond: {{ body: in }} }}]
"
    );
    let gateway = Running::start(&text);
    let send = |number: usize| {
        let mut client = Client::connect(gateway.address);
        let guess = basic(&format!("bob:guess-{number}"));
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{guess}\r\n\r\n"));
        client
    };
    let mut clients: Vec<Client> = (0..30).map(send).collect();
    let told: Vec<u16> = clients.iter_mut().map(|client| client.read_response().status).collect();
    let count = |status| told.iter().filter(|told| **told == status).count();
    assert_eq!((count(401), count(429)), (5, 25), "{told:?}");
}

#[test]
fn a_key_that_was_taken_away_is_refused_after_the_reload() {
    let origin = Origin::always(Reply::ok("in"));
    let text = file(&origin);
    let mut gateway = Running::start(&text);
    assert_eq!(ask(&gateway, "/key", &["apikey: alice-key".into()]).status, 200);
    assert_eq!(ask(&gateway, "/basic", &[basic("kong:ab")]).status, 200);
    gateway.reload(&text.replace("alice-key", "new-key").replace(KONG, &"0".repeat(40)));
    assert_eq!(ask(&gateway, "/key", &["apikey: alice-key".into()]).status, 401);
    assert_eq!(ask(&gateway, "/key", &["apikey: new-key".into()]).status, 200);
    assert_eq!(ask(&gateway, "/basic", &[basic("kong:ab")]).status, 401);
}

/// A public key in PEM and what signs for it.
fn curve_pair() -> (String, SigningKey) {
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(kind, private.as_ref()).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()));
    (pem, SigningKey::pkcs8(private.as_ref(), Algorithm::Es256).unwrap())
}

fn signed_by_secret(secret: &str, algorithm: Algorithm, claims: &Value) -> String {
    SigningKey::secret(secret.as_bytes(), algorithm).unwrap().token(claims.as_object().unwrap()).unwrap()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_token_is_verified_by_the_key_of_the_consumer_that_it_names() {
    let origin = Origin::always(Reply::ok("in"));
    let (pem, curve) = curve_pair();
    let (secret, binary) =
        ("one secret of thirty-two bytes or more", "bytes\u{1} of thirty-two or more, binary");
    let text = format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers:
- {{ username: alice, groups: [gold], jwt: [{{ key: alice-app, secret: \"{secret}\" }}] }}
- {{ username: bob, jwt: [{{ key: bob-app, algorithm: ES256, public_key: {} }}] }}
- {{ username: carol, jwt: [{{ key: carol-app, algorithm: HS384, secret: \"{}\", secret_base64: true }}] }}
policies: {{ jwt: {{ consumers: on, roles_claim: scope, required_claims: [] }} }}
routes:
- {{ path: /a, service: a }}
- {{ path: /gold, service: a, policies: {{ acl: [gold] }} }}
- {{ path: /role, service: a, policies: {{ roles: [write] }} }}
- {{ path: /kid, service: a, policies: {{ jwt: {{ consumers: {{ key_claim: kid }}, leeway: 0s, max_lifetime: 1h }} }} }}
",
        origin.url(),
        serde_json::to_string(&pem).unwrap(),
        STANDARD.encode(binary),
    );
    let mut gateway = Running::start(&text);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let hs = |claims: &Value| signed_by_secret(secret, Algorithm::Hs256, claims);
    let es = |claims: &Value| curve.token(claims.as_object().unwrap()).unwrap();
    let named = |id: &str, claims: Value| {
        let key = SigningKey::secret(secret.as_bytes(), Algorithm::Hs256).unwrap().with_id(Some(id));
        key.token(claims.as_object().unwrap()).unwrap()
    };
    let good = hs(&json!({"iss": "alice-app", "scope": "read write"}));
    let soon = now + 60;
    let cases: Vec<(&str, &str, String, u16)> = vec![
        ("a secret", "/a", good.clone(), 200),
        ("a curve", "/a", es(&json!({"iss": "bob-app"})), 200),
        (
            "a secret in base64",
            "/a",
            signed_by_secret(binary, Algorithm::Hs384, &json!({"iss": "carol-app"})),
            200,
        ),
        ("a group of the consumer", "/gold", good.clone(), 200),
        ("no group of the consumer", "/gold", es(&json!({"iss": "bob-app", "groups": []})), 403),
        ("a role of the token", "/role", good.clone(), 200),
        ("the key of another", "/a", hs(&json!({"iss": "bob-app"})), 401),
        ("another's name", "/a", es(&json!({"iss": "alice-app"})), 401),
        ("a key that nobody has", "/a", hs(&json!({"iss": "nobody"})), 401),
        (
            "a wrong secret",
            "/a",
            signed_by_secret(
                "another secret of 32 bytes or more",
                Algorithm::Hs256,
                &json!({"iss": "alice-app"}),
            ),
            401,
        ),
        (
            "another algorithm of the secret",
            "/a",
            signed_by_secret(secret, Algorithm::Hs512, &json!({"iss": "alice-app"})),
            401,
        ),
        (
            "the public key as a secret",
            "/a",
            signed_by_secret(&pem, Algorithm::Hs256, &json!({"iss": "bob-app"})),
            401,
        ),
        ("no name", "/a", hs(&json!({"sub": "alice-app"})), 401),
        ("an empty name", "/a", hs(&json!({"iss": ""})), 401),
        ("a name that is no text", "/a", hs(&json!({"iss": ["alice-app"]})), 401),
        ("a user name", "/a", hs(&json!({"iss": "alice"})), 401),
        ("expired", "/a", hs(&json!({"iss": "alice-app", "exp": now - 3600})), 401),
        ("too early", "/a", hs(&json!({"iss": "alice-app", "nbf": now + 3600})), 401),
        ("exp that is no time", "/a", hs(&json!({"iss": "alice-app", "exp": "soon"})), 401),
        (
            "none",
            "/a",
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), good.split('.').nth(1).unwrap()),
            401,
        ),
        ("cut", "/a", good[..good.len() - 2].to_owned(), 401),
        ("no token", "/a", "x".into(), 401),
        ("the header's name", "/kid", named("alice-app", json!({"exp": soon})), 200),
        (
            "the claim before the header",
            "/kid",
            named("alice-app", json!({"exp": soon, "kid": "nobody"})),
            401,
        ),
        ("good for too long", "/kid", named("alice-app", json!({"exp": now + 7200})), 401),
        ("good for ever", "/kid", named("alice-app", json!({})), 401),
    ];
    for (what, path, token, status) in &cases {
        // The second time it would come from what is remembered.
        for _ in 0..2 {
            let answer = ask(&gateway, path, &[bearer(token), "X-Consumer-Username: root".into()]);
            assert_eq!(answer.status, *status, "{what}");
        }
    }
    ask(&gateway, "/a", &[bearer(&good), "X-Consumer-Username: root".into()]);
    let seen = origin.requests().pop().unwrap();
    assert_eq!(seen.header("X-Consumer-Username"), Some("alice"));
    assert_eq!(seen.header("X-Credential-Identifier"), Some("alice-app"));
    gateway.reload(&text.replace("key: alice-app", "key: other-app"));
    assert_eq!(ask(&gateway, "/a", &[bearer(&good)]).status, 401);
}

#[test]
fn nobody_grants_itself_groups_or_roles_by_signing_them() {
    let origin = Origin::always(Reply::ok("in"));
    let secret = "one secret of thirty-two bytes or more";
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ a: {{ endpoints: [\"{}\"] }} }}
consumers:
- {{ username: alice, groups: [gold], jwt: [{{ key: alice-app, secret: \"{secret}\" }}] }}
- {{ username: bob, jwt: [{{ key: bob-app, secret: \"{secret}\" }}] }}
policies: {{ jwt: {{ consumers: on }} }}
routes:
- {{ path: /gold, service: a, policies: {{ acl: [gold] }} }}
- {{ path: /authenticated, service: a, policies: {{ acl: {{ allow: [gold], groups: authenticated }} }} }}
- {{ path: /group, service: a, policies: {{ allow_if: '\"gold\" in groups' }} }}
- {{ path: /role, service: a, policies: {{ roles: [admin] }} }}
- {{ path: /asked, service: a, policies: {{ jwt: {{ consumers: on, groups_claim: groups, roles_claim: roles }}, acl: [gold], roles: [admin] }} }}
",
        origin.url(),
    ));
    let signed = |key: &str| {
        let claims = json!({"exp": 9_999_999_999_u64, "iss": key, "groups": ["gold"], "roles": ["admin"]});
        bearer(&signed_by_secret(secret, Algorithm::Hs256, &claims))
    };
    for (key, path, status) in [
        ("bob-app", "/gold", 403),
        ("bob-app", "/authenticated", 403),
        ("bob-app", "/group", 403),
        ("bob-app", "/role", 403),
        ("bob-app", "/asked", 200),
        ("alice-app", "/gold", 200),
        ("alice-app", "/group", 200),
        ("alice-app", "/role", 403),
    ] {
        assert_eq!(ask(&gateway, path, &[signed(key)]).status, status, "{key} {path}");
    }
}
