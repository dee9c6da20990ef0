//! `torana explain`: what it says of several ways to authenticate, and the codes that it exits with.
#![allow(clippy::panic, reason = "tests fail by panicking")]

mod process;

use process::torana;

const WAYS: &str = "services: { s: { endpoints: [http://127.0.0.1:9001] } }
consumers: [{ username: ann, keys: [a-key-of-at-least-16] }, { username: nobody }]
routes:
- path: /ways
  service: s
  policies:
    auth: { require: any }
    key_auth: {}
    basic_auth: {}
    jwt: { secret: a secret of at least thirty-two bytes, algorithms: [HS256] }
- path: /guests
  service: s
  policies: { key_auth: {}, basic_auth: {}, auth: { require: any, anonymous: nobody } }
- path: /open
  methods: [GET]
  respond: { body: x }
  policies: { access: public }
- path: /asked
  service: s
  policies: { forward_auth: { url: http://127.0.0.1:9002/ } }
- path: /site/*
  service: s
  policies:
    oidc_login:
      issuer: https://login.example
      client_id: site
      client_secret: not so secret
      session_keys: a secret of at least thirty-two bytes
      callback_path: /site/callback
      logout_path: /site/logout
";

/// The exit code and what was said, both streams.
fn explain(file: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("torana.yaml");
    std::fs::write(&path, file).expect("written");
    let done = torana().arg("explain").arg(&path).args(arguments).output().expect("torana runs");
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
fn holds(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn each_way_says_whether_it_knows_the_caller() {
    let (code, said) = explain(WAYS, &["GET", "/ways"]);
    assert_eq!(code, Some(3), "{said}");
    holds(
        &said,
        &[
            "jwt         left to the next way: credentials_missing",
            "key_auth    left to the next way: credentials_missing",
            "basic_auth  refused with 401",
            "answer    401",
        ],
    );
    assert!(!said.contains("passed"), "{said}");
    let (code, said) = explain(WAYS, &["GET", "/ways", "-H", "apikey: wrong"]);
    assert_eq!(code, Some(3), "{said}");
    holds(&said, &["key_auth    left to the next way: credentials_invalid"]);
    let (code, said) = explain(WAYS, &["GET", "/ways", "-H", "apikey: a-key-of-at-least-16"]);
    assert_eq!(code, Some(0), "{said}");
    holds(
        &said,
        &["jwt         left to the next way", "key_auth    passed: it knows", "basic_auth  not asked", "ann"],
    );
    let (code, said) = explain(WAYS, &["GET", "/guests"]);
    assert_eq!(code, Some(0), "{said}");
    holds(&said, &["basic_auth  passed: no way knows the caller", "caller    nobody"]);
}

#[test]
fn a_login_is_explained_as_the_way_to_the_provider() {
    let (code, said) = explain(WAYS, &["GET", "/site/page", "-H", "Accept: text/html"]);
    assert_eq!(code, Some(3), "{said}");
    holds(&said, &["answered 302", "sent to log in at https://login.example", "answer    302"]);
    assert!(!said.contains("unavailable"), "{said}");
    let (code, said) = explain(WAYS, &["GET", "/site/page"]);
    assert_eq!(code, Some(3), "{said}");
    holds(&said, &["refused with 401", "a browser that opens a page is sent there"]);
}

#[test]
fn the_exit_code_says_what_becomes_of_the_request() {
    for (arguments, expected) in [
        (&["GET", "/open"][..], Some(0)),
        (&["GET", "/ways"], Some(3)),
        (&["GET", "/a%00b"], Some(3)),
        (&["GET", "/nowhere"], Some(4)),
        (&["POST", "/open"], Some(4)),
        (&["GET", "/asked"], Some(5)),
        (&["GET"], Some(2)),
        (&["GET", "open"], Some(2)),
        (&["GET", "/open", "-H", "no colon"], Some(2)),
    ] {
        let (code, said) = explain(WAYS, arguments);
        assert_eq!(code, expected, "{arguments:?}: {said}");
    }
    let (code, said) = explain(WAYS, &["GET", "/asked"]);
    assert_eq!(code, Some(5));
    holds(&said, &["not decided"]);
    assert_eq!(explain("routes: [{ path: /a }]", &["GET", "/a"]).0, Some(1));
}
