//! Settings that are laxer than they need to be: allowed, and told.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{findings, loaded};

/// All findings about `policies`, gravest first, as they are written.
fn found(policies: &str) -> Vec<String> {
    let text = format!("policies: {{ {policies} }}\nroutes: [{{ path: /*, respond: {{}} }}]\n");
    let all = findings(&text);
    let shown = all.iter().map(|finding| {
        let place = finding.span.as_ref().map_or("", |span| &text[span.start..span.end]);
        format!("{:?} {} {place}", finding.severity, finding.code)
    });
    shown.collect()
}

#[test]
fn tokens_that_never_end_or_are_for_anybody_are_told() {
    let secret = "secret: '${env:KEY}'";
    let keys = "jwks: 'http://127.0.0.1:1/keys'";
    for (options, said) in [
        (secret.to_owned(), &[][..]),
        (format!("{secret}, required_claims: [exp, sub]"), &[]),
        (format!("{secret}, required_claims: [sub]"), &["Warning tokens-never-end [sub]"]),
        (format!("{secret}, required_claims: []"), &["Warning tokens-never-end []"]),
        (format!("{secret}, required_claims: [], max_lifetime: 1h"), &[]),
        (format!("{secret}, required_claims: [], max_age: 1h"), &[]),
        (format!("{secret}, unchecked_times: [exp]"), &["Warning tokens-never-end [exp]"]),
        (format!("{secret}, unchecked_times: [exp], max_age: 1h"), &[]),
        (format!("{secret}, unchecked_times: [nbf]"), &[]),
        (format!("{secret}, leeway: 5m"), &[]),
        (format!("{secret}, leeway: 301s"), &["Warning long-leeway 301s"]),
        (format!("{secret}, leeway: 1d"), &["Warning long-leeway 1d"]),
        (format!("{secret}, leeway: 25h"), &["Error long-leeway 25h"]),
        (keys.to_owned(), &["Warning no-audience jwks"]),
        (format!("{keys}, audience: api"), &[]),
        ("discovery: 'http://127.0.0.1:1'".into(), &["Warning no-audience discovery"]),
        (
            format!("issuers: [{{ issuer: a, {keys} }}, {{ issuer: b, audience: b, {keys} }}]"),
            &["Warning no-audience jwks"],
        ),
    ] {
        let jwt = format!("jwt: {{ {options} }}");
        assert_eq!(found(&jwt), said, "{jwt}");
        let text = format!("policies: {{ {jwt} }}\nroutes: [{{ path: /*, respond: {{}} }}]\n");
        assert_eq!(loaded(&text).plan.is_none(), said.iter().any(|one| one.starts_with("Error")), "{jwt}");
    }
}

#[test]
fn a_long_leeway_of_a_login_or_of_an_explained_token_is_told() {
    let login = |leeway: &str| {
        format!(
            "oidc_login: {{ issuer: 'https://login.test', client_id: shop, session_keys: '${{env:KEY}}', external_url: 'https://shop.test', leeway: {leeway} }}"
        )
    };
    assert_eq!(found(&login("30s")), [""; 0]);
    assert_eq!(found(&login("2d")), ["Error long-leeway 2d"]);
    let asked = "oauth2_introspection: { url: 'http://127.0.0.1:1/introspect', audience: api, leeway: 10m }";
    assert_eq!(found(asked), ["Warning long-leeway 10m"]);
}

#[test]
fn pages_that_may_act_for_everybody_are_told() {
    for (cors, said) in [
        ("{ origins: ['*'], credentials: true }", &["Error credentials-for-everybody true"][..]),
        (
            "{ origins: ['*'], credentials: true, credentials_for_everybody: true }",
            &["Warning credentials-for-everybody true"],
        ),
        ("{ origins: ['*'], credentials_for_everybody: true }", &["Error contradiction true"]),
        (
            "{ origins: ['https://a.test'], credentials: true, credentials_for_everybody: true }",
            &["Error contradiction true"],
        ),
        ("{ origins: ['https://a.test'], always_send_origin: true }", &[]),
        ("{ origins: ['https://*.a.test'], always_send_origin: true }", &["Error contradiction true"]),
        ("{ origins: ['*'], always_send_origin: true }", &["Error contradiction true"]),
        (
            "{ origins: ['https://a.test', 'https://b.test'], always_send_origin: true }",
            &["Error contradiction true"],
        ),
        ("{ methods: [GET, TRACE, CONNECT] }", &[]),
        ("{ methods: [get] }", &["Error bad-method get"]),
    ] {
        assert_eq!(found(&format!("cors: {cors}")), said, "{cors}");
    }
}

#[test]
fn identifiers_of_clients_have_a_bound() {
    for (length, said) in [
        ("1", &[][..]),
        ("4096", &[]),
        ("0", &["Error out-of-range 0"]),
        ("4097", &["Error out-of-range 4097"]),
    ] {
        assert_eq!(found(&format!("correlation_id: {{ max_length: {length} }}")), said);
    }
}

#[test]
fn an_answer_in_place_of_a_service_has_one_body_and_a_name_that_asks_for_it() {
    for (terminate, said) in [
        ("on", &[][..]),
        ("{ status: 204 }", &[]),
        ("{ status: 599, trigger: X-Stop }", &[]),
        ("{ body: x, content_type: text/html }", &[]),
        ("{ echo: true, message: x }", &[]),
        ("{ message: x, body: y }", &["Error two-bodies message"]),
        (
            "{ message: x, content_type: text/html }",
            &["Error two-bodies message", "Error no-body content_type"],
        ),
        ("{ content_type: text/html }", &["Error no-body content_type"]),
        ("{ echo: true, body: y }", &["Error two-bodies echo"]),
        ("{ status: 204, message: x }", &["Error body-not-allowed terminate"]),
        ("{ status: 304, echo: true }", &["Error body-not-allowed terminate"]),
        ("{ status: 199 }", &["Error out-of-range 199"]),
        ("{ trigger: 'X Stop' }", &["Error bad-name 'X Stop'"]),
        ("{ body: x, content_type: \"a\\nb\" }", &["Error bad-value \"a\\nb\""]),
    ] {
        assert_eq!(found(&format!("terminate: {terminate}")), said, "{terminate}");
    }
}

#[test]
fn an_echo_has_no_other_body() {
    let codes = |respond: &str| {
        let all = findings(&format!("routes: [{{ path: /*, respond: {respond} }}]\n"));
        all.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("{ echo: hello }"), [""; 0]);
    assert_eq!(codes("{ echo: hello, body: x }"), ["two-bodies"]);
    assert_eq!(codes("{ echo: hello, status: 204 }"), ["body-not-allowed"]);
    let fallback = "services: { s: { endpoints: [http://127.0.0.1:1], breaker: { fallback: { echo: x } } } }\nroutes: [{ service: s }]\n";
    assert_eq!(common::codes(fallback, "no-echo"), 1, "{:?}", findings(fallback));
}
