//! Policies that look at requests and answers, whoever calls.

use super::{findings, policy, route};
use torana_config::FixedResolver;
use torana_plan::{PolicyPlan, SecurityHeadersPlan, load};

fn security_headers(written: &str) -> SecurityHeadersPlan {
    let text =
        format!("routes: [{{ path: /, respond: {{}}, policies: {{ security_headers: {written} }} }}]\n");
    let plan = load("t.yaml", &text, &FixedResolver::default()).plan.unwrap();
    match &plan.routes[0].policies[0].policy {
        PolicyPlan::SecurityHeaders(plan) => (**plan).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_of_a_field_takes_the_place_of_a_default() {
    let value = |plan: &SecurityHeadersPlan, name: &str| -> Vec<String> {
        let own = plan.fields.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.clone()).collect()
    };
    let others = security_headers(
        "{ others: { x-frame-options: DENY, Content-Security-Policy: \"default-src 'none'\", X-A: b } }",
    );
    assert_eq!(value(&others, "X-Frame-Options"), ["DENY"]);
    assert_eq!(value(&others, "Content-Security-Policy"), ["default-src 'none'"]);
    assert_eq!(
        (value(&others, "X-Content-Type-Options"), value(&others, "X-A")),
        (vec!["nosniff".to_owned()], vec!["b".to_owned()])
    );
    let removed = security_headers("{ remove: [referrer-policy, Strict-Transport-Security] }");
    assert!(value(&removed, "Referrer-Policy").is_empty() && removed.transport.is_none());
    let replaced = security_headers("{ remove: [X-Frame-Options], others: { X-Frame-Options: DENY } }");
    assert_eq!(value(&replaced, "X-Frame-Options"), ["DENY"]);
    let replaced = security_headers("{ remove: [x-frame-options, Referrer-Policy], frame_options: DENY }");
    assert_eq!(value(&replaced, "X-Frame-Options"), ["DENY"]);
    assert_eq!((replaced.remove.len(), value(&replaced, "Referrer-Policy").is_empty()), (2, true));
    // It goes over TLS alone, wherever it is written.
    let transport = security_headers("{ others: { strict-transport-security: max-age=5 } }");
    assert_eq!(transport.transport.as_deref(), Some("max-age=5"));
    assert!(value(&transport, "Strict-Transport-Security").is_empty());
}

#[test]
fn two_values_of_one_field_contradict_each_other() {
    let found = |written: &str| route(&format!("policies: {{ security_headers: {written} }}"));
    assert_eq!(
        found("{ frame_options: DENY, others: { x-frame-options: DENY } }"),
        ["3:90 error[contradiction]"]
    );
    assert_eq!(found("{ others: { X-A: a, x-a: b } }"), ["3:77 error[contradiction]"]);
    assert_eq!(found("{ others: { Strict-Transport-Security: yes } }"), ["3:96 error[bad-value]"]);
    for good in [
        "{ frame_options: off, others: { X-Frame-Options: DENY } }",
        "{ referrer_policy: off, remove: [Referrer-Policy] }",
        "{ remove: [X-A], others: { X-A: a } }",
        "{ remove: [Referrer-Policy], referrer_policy: no-referrer }",
    ] {
        assert!(found(good).is_empty(), "{good}");
    }
}

#[test]
fn an_identifier_has_a_field_of_its_own() {
    for taken in [
        "Authorization",
        "Via",
        "www-authenticate",
        "Access-Control-Allow-Origin",
        "Content-Encoding",
        "Retry-After",
        "Location",
        "X-Consumer-ID",
        "X_Consumer_ID",
        "X-Forwarded-For",
        "X-Real-IP",
        "X-HTTP-Method-Override",
        "RateLimit-Policy",
        "X-Content-Type-Options",
        "x-frame-options",
        "Referrer-Policy",
        "Strict-Transport-Security",
        "Grpc-Status",
        "grpc-timeout",
        "Proxy-Status",
        "Proxy-Authorization",
        "X-Accel-Redirect",
        "Server",
        "Idempotency-Key",
        "Pragma",
        "Priority",
        "Max-Forwards",
        "Cache-Status",
        "CDN-Cache-Control",
        "Digest",
        "Repr-Digest",
        "Server-Timing",
        "Timing-Allow-Origin",
        "Set-Cookie2",
        "NEL",
        "Report-To",
        "Destination",
        "Depth",
    ] {
        let found = route(&format!("policies: {{ correlation_id: {{ header: {taken} }} }}"));
        assert_eq!(found, ["3:65 error[bad-value]"], "{taken}");
    }
    for free in ["X-Correlation-Id", "X-Request-Id", "Kong-Request-ID", "Traceparent", "X-Trace", "apikey"] {
        let found = route(&format!("policies: {{ correlation_id: {{ header: {free} }} }}"));
        assert!(found.is_empty(), "{free}: {found:?}");
    }
}

#[test]
fn an_identifier_is_not_where_callers_are_known_by() {
    let beside = |header: &str, way: &str| {
        let found = policy(&format!("{way}\n    correlation_id: {{ header: {header} }}"));
        let own = found.iter().filter(|one| one.contains(" error") || one.ends_with("[contradiction]"));
        own.map(|one| one.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let error = ["error[contradiction]"];
    assert_eq!(beside("apikey", "key_auth: on"), error);
    assert_eq!(beside("APIKEY", "key_auth: { hide_credentials: false }"), error);
    assert_eq!(beside("X_Token", "jwt: { secret: \"${env:KEY}\", from: { headers: [X-Token] } }"), error);
    assert_eq!(
        beside("X-User", "jwt: { secret: \"${env:KEY}\", claims_to_headers: { sub: X-User } }"),
        error
    );
    assert!(beside("X-Correlation-Id", "key_auth: on").is_empty());
    assert!(beside("X-Asked", "forward_auth: { service: b, request_headers: [X-Asked] }").is_empty());
    // Who is asked may give it.
    let asked = "forward_auth: { service: b, response_headers: [X-User, X_Trace] }";
    assert_eq!(beside("X-Trace", asked), ["warning[contradiction]"]);
    let jwt = "jwt: { secret: \"${env:KEY}\", claims_to_headers: { sub: X-Trace } }";
    assert_eq!(beside("X-Trace", &format!("{asked}\n    {jwt}")), error);
    // Another route's way too: fields are one for the whole gateway.
    let apart = "consumers: [{ username: u, keys: [\"${env:KEY}\"] }]\nroutes:\n\
        - { path: /a, respond: {}, policies: { key_auth: on } }\n\
        - { path: /b, respond: {}, policies: { access: public, correlation_id: { header: apikey } } }\n";
    assert!(findings(apart).iter().any(|one| one == "4:56 error[contradiction]"), "{:?}", findings(apart));
}
