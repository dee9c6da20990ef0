//! Options by which nobody passes, everybody does, or nothing happens.

use super::{findings, policy, route};

/// What is found, without places; not that a route is public and that a service is there for nothing.
fn codes(found: Vec<String>) -> Vec<String> {
    let own =
        |one: &String| !one.ends_with("note[public-route]") && !one.ends_with("warning[unused-service]");
    let codes = found.into_iter().filter(own);
    codes.map(|one| one.split_once(' ').unwrap().1.to_owned()).collect()
}

fn found(written: &str) -> Vec<String> {
    codes(policy(written))
}

const NONE: [&str; 0] = [];

#[test]
fn all_with_somebody_for_who_shows_nothing_is_wrong_with_one_way_too() {
    let auth = |auth: &str| found(&format!("auth: {auth}\n    key_auth: on"));
    // With one way it means what `any` means.
    assert_eq!(auth("{ require: all, anonymous: u }"), ["warning[anonymous-of-all]"]);
    assert_eq!(auth("{ require: any, anonymous: u }"), NONE);
    assert_eq!(auth("{ anonymous: u }"), NONE);
    let two = found("auth: { anonymous: u }\n    key_auth: on\n    jwt: { secret: \"${env:KEY}\" }");
    assert_eq!(two, ["error[anonymous-of-all]"]);
}

#[test]
fn what_lets_nobody_pass_is_found() {
    let jwt = |rest: &str| found(&format!("jwt: {{ secret: \"${{env:KEY}}\", {rest} }}"));
    assert_eq!(jwt("max_lifetime: 0s"), ["error[zero-deadline]"]);
    assert_eq!(jwt("max_lifetime: 1s"), NONE);
    let minted = |lifetime: &str| {
        jwt(&format!("upstream_token: {{ secret: \"${{env:KEY}}\", issuer: g, lifetime: {lifetime} }}"))
    };
    assert_eq!(minted("0s"), ["error[zero-deadline]"]);
    assert_eq!(minted("30s"), NONE);
    let hmac = |options: &str| found(&format!("hmac_auth: {options}"));
    for unsigned in [
        "{ enforce_headers: [date, request-line, X-Forwarded-For] }",
        "{ enforce_headers: [date, request-line, Te] }",
        "{ messages: { components: ['@path', x-forwarded-for] } }",
        "{ messages: { components: ['@path', connection] } }",
    ] {
        assert_eq!(hmac(unsigned), ["warning[removed-field]"], "{unsigned}");
    }
    assert_eq!(hmac("{ messages: { components: ['@path', x-mine, content-length, trailer] } }"), NONE);
    let roles = |way: &str, roles: &str| found(&format!("{way}\n    roles: {roles}"));
    for unknown in ["[a]", "{ any: [a], from: claims.x }", "{ all: [a], from: [roles, claims.x] }"] {
        assert_eq!(roles("key_auth: on", unknown), ["warning[caller-without]"], "{unknown}");
        assert_eq!(roles("jwt: { secret: \"${env:KEY}\" }", unknown), NONE, "{unknown}");
    }
    assert_eq!(roles("key_auth: on", "{ any: [a], from: groups }"), NONE);
    assert_eq!(roles("key_auth: on\n    basic_auth: on\n    auth: any", "[a]"), ["warning[caller-without]"]);
    assert_eq!(roles("key_auth: on\n    jwt: { secret: \"${env:KEY}\" }\n    auth: any", "[a]"), NONE);
}

#[test]
fn what_refuses_nobody_or_remembers_nothing_is_found() {
    let cors = |written: &str| codes(route(&format!("policies: {{ cors: {written} }}")));
    assert_eq!(cors("{ refuse_others: true }"), ["error[contradiction]"]);
    assert_eq!(
        cors("{ origins: [\"https://a.test\", \"*\"], refuse_others: true }"),
        ["error[contradiction]"]
    );
    assert_eq!(cors("{ origins: \"https://a.test\", refuse_others: true }"), NONE);
    let cache = |cache: &str| {
        found(&format!(
            "oauth2_introspection: {{ service: b, client: {{ id: g, secret: \"${{env:KEY}}\" }}, cache: {cache} }}"
        ))
    };
    assert_eq!(cache("{ ttl: 500ms }"), ["error[no-ttl]"]);
    assert_eq!(cache("{ refused_ttl: 999ms }"), ["error[no-ttl]"]);
    assert_eq!(cache("{ ttl: 0s, refused_ttl: 1s }"), NONE);
}

#[test]
fn one_field_carries_one_claim() {
    for way in [
        "jwt: { secret: \"${env:KEY}\", ",
        "oauth2_introspection: { service: b, client: { id: g, secret: \"${env:KEY}\" }, ",
    ] {
        let claims = |claims: &str| found(&format!("{way}claims_to_headers: {claims} }}"));
        assert_eq!(claims("{ a: X-A, b: x-a }"), ["warning[duplicate-field]"]);
        assert_eq!(claims("{ a: X-A, b: X-B }"), NONE);
    }
}

#[test]
fn what_says_nothing_is_told() {
    let cors = |written: &str| codes(route(&format!("policies: {{ cors: {written} }}")));
    let nothing = "warning[says-nothing]";
    assert_eq!(cors("{ preflight_continue: true, preflight_status: 204, max_age: 5m }"), [nothing, nothing]);
    assert_eq!(cors("{ preflight_continue: true, exposed_headers: [X-A] }"), NONE);
    assert_eq!(cors("{ preflight_status: 204, max_age: 5m }"), NONE);
    let hmac = |options: &str| found(&format!("hmac_auth: {options}"));
    assert_eq!(hmac("{ schemes: [hmac], messages: { nonce: true } }"), [nothing]);
    assert_eq!(
        hmac("{ schemes: [messages], enforce_headers: [date, request-line], algorithms: [hmac-sha256] }"),
        [nothing, nothing]
    );
    assert_eq!(hmac("{ enforce_headers: [date, request-line], messages: { nonce: true } }"), NONE);
    assert_eq!(found("sigv4: { max_expires: 8d }"), ["warning[never-happens]"]);
    assert_eq!(found("sigv4: { max_expires: 7d }"), NONE);
    assert_eq!(found("sigv4: { max_expires: 8d, presigned: false }"), NONE);
    let login = |secret: &str| {
        let told = found(&format!(
            "oidc_login: {{ issuer: \"https://l.test\", client_id: a, session_keys: \"${{env:KEY}}\", client_authentication: post{secret} }}"
        ));
        told.into_iter().filter(|one| one == nothing).count()
    };
    assert_eq!((login(""), login(", client_secret: \"${env:KEY}\"")), (1, 0));
}

#[test]
fn how_ways_go_together_is_said_where_there_are_some() {
    let auth = |written: &str| codes(route(&format!("policies: {{ {written} }}")));
    assert_eq!(auth("auth: any"), ["warning[no-way]"]);
    assert_eq!(auth("auth: { preflight: options }"), ["warning[no-way]"]);
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    assert_eq!(auth(&format!("{jwt}, auth: any")), NONE);
    assert_eq!(auth(&format!("{jwt}, auth: {{ preflight: {{ jwt: cors }} }}")), NONE);
    let absent = format!("{jwt}, auth: {{ preflight: {{ jwt: cors, key_auth: options }} }}");
    assert_eq!(auth(&absent), ["warning[no-way]"]);
    // It may stand in another scope.
    let elsewhere = format!(
        "policies: {{ auth: any }}\nservices: {{ s: {{ endpoints: [http://a], policies: {{ {jwt} }} }} }}\nroutes: [{{ path: /, service: s }}]\n"
    );
    assert_eq!(codes(findings(&elsewhere)), NONE);
}
