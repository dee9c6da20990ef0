//! Keys and passwords of consumers on a whole gateway: a table of what is accepted and what is not.
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
use torana_testkit::{Client, Origin, Reply, Response};
use yaml::Running;

/// SHA-1 of `abc`: the password `ab` of the consumer whose identifier is `c` (FIPS 180-2 appendix A.1).
const KONG: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

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
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    Client::connect(gateway.address).exchange(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

fn basic(text: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(text))
}

#[test]
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
        let before = origin.count();
        let answer = ask(&gateway, target, &fields);
        assert_eq!(answer.status, status, "{target} {fields:?}");
        assert_eq!(origin.count() - before, usize::from(status == 200), "{target} {fields:?}");
        if status == 401 {
            assert!(answer.header("WWW-Authenticate").is_some());
            let text = answer.text();
            assert!(!text.contains("alice") && !text.contains("nobody"), "{text}");
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
