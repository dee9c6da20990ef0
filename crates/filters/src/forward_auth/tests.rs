use super::*;
use crate::asking::scripted::{Scripted, alone, at};
use crate::authentication::{AuthenticationFilter, Method};
use torana_credential::directory::Builder;
use torana_filter::{OnRequest, Verdict};
use torana_plan::AuthenticationPlan;

fn filter(keys: &str) -> AuthenticationFilter {
    alone(&format!("forward_auth: {{ service: a, {keys} }}"), |plan| match plan {
        AuthenticationPlan::ForwardAuth(plan) => Method::ForwardAuth(ForwardAuthFilter::prepare(plan)),
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn a_yes_is_remembered_for_its_time_and_a_no_or_a_failure_never() {
    let filter = filter("cache: { ttl: 10s }");
    let outside =
        Scripted::default().then(204, &[], "").then(403, &[], "").then(500, &[], "").then(200, &[], "");
    for (second, status, asked) in
        [(100, 200, 1), (109, 200, 1), (110, 403, 2), (110, 503, 3), (110, 200, 4), (119, 200, 4)]
    {
        assert_eq!(at(&filter, &outside, second, "t").await, status, "{second}");
        assert_eq!(outside.asked.get(), asked, "{second}");
    }
}

#[tokio::test]
async fn every_status_is_a_yes_a_chosen_no_or_nothing() {
    let filter = filter("refusals: [302, 401, 403, 429]");
    for status in 200..=599 {
        let outside = Scripted::default().then(status, &[("Location", "/login")], "");
        let expected = match status {
            200..=299 => 200,
            302 | 401 | 403 | 429 => status,
            _ => 503,
        };
        assert_eq!(at(&filter, &outside, 1, "t").await, expected, "{status}");
    }
}

#[tokio::test]
async fn only_silence_and_failure_let_anybody_in_where_that_is_chosen() {
    let filter = filter("on_failure: allow, identity: { consumer: X-User }, refusals: [401, 403]");
    for status in (200..=599).filter(|status| ![401, 403].contains(status)) {
        let outside = Scripted::default().then(status, &[], "");
        let expected = if status >= 500 { 200 } else { 503 };
        assert_eq!(at(&filter, &outside, 1, "t").await, expected, "{status}");
    }
    for (reason, expected) in [
        (Reason::UpstreamConnectFailed, 200),
        (Reason::TotalTimeout, 200),
        (Reason::BreakerOpen, 200),
        (Reason::UpstreamMalformed, 503),
        (Reason::UpstreamHeadTooLarge, 503),
        (Reason::UpstreamReset, 503),
        (Reason::Internal, 503),
    ] {
        let outside = Scripted::default().then_fails(Fault::new(reason));
        assert_eq!(at(&filter, &outside, 1, "t").await, expected, "{reason:?}");
    }
}

#[tokio::test]
async fn what_was_said_of_a_removed_consumer_is_forgotten() {
    let mut consumers = None;
    let keys = "response_headers: [X-User], identity: { consumer: X-User, consumers: required }, cache: { ttl: 10s }";
    let filter = alone(&format!("forward_auth: {{ service: a, {keys} }}"), |plan| match plan {
        AuthenticationPlan::ForwardAuth(plan) => {
            consumers = Some(Arc::clone(&plan.consumers));
            Method::ForwardAuth(ForwardAuthFilter::prepare(plan))
        }
        other => panic!("{other:?}"),
    });
    let alice = [("X-User", "alice")];
    let outside = Scripted::default().then(200, &alice, "").then(200, &alice, "");
    assert_eq!(at(&filter, &outside, 100, "t").await, 200);
    assert_eq!((at(&filter, &outside, 101, "t").await, outside.asked.get()), (200, 1));
    consumers.unwrap().replace(Arc::new(Builder::default().build()));
    assert_eq!((at(&filter, &outside, 101, "t").await, outside.asked.get()), (403, 2));
}

#[tokio::test]
async fn a_body_that_is_read_otherwise_is_another_question() {
    let filter = filter("body: 1KiB, cache: { ttl: 10s, headers: [Authorization, Cookie] }");
    let outside = Scripted::default().then(200, &[], "").then(200, &[], "").then(200, &[], "");
    for (name, value, asked) in [
        ("Content-Type", "text/plain", 1),
        ("Content-Type", "application/json", 2),
        ("Content-Encoding", "gzip", 3),
        ("Content-Type", "application/json", 3),
    ] {
        let mut exchange = Exchange::default();
        assert!(exchange.request.set_path(b"/"));
        exchange.request.fields.insert(name, value.as_bytes()).unwrap();
        exchange.body = Some("same".into());
        assert!(matches!(filter.on_request(&mut exchange, &outside).await, Verdict::Continue));
        assert_eq!(outside.asked.get(), asked, "{name}: {value}");
    }
}

#[test]
fn what_only_the_gateway_says_is_not_shown_however_a_client_writes_it() {
    let mut plan = None;
    alone("forward_auth: { service: a, request_headers: [\"*\"] }", |way| match way {
        AuthenticationPlan::ForwardAuth(own) => {
            plan = Some(Arc::clone(own));
            Method::ForwardAuth(ForwardAuthFilter::prepare(own))
        }
        other => panic!("{other:?}"),
    });
    let mut exchange = Exchange::default();
    assert!(exchange.request.set_path(b"/asked"));
    let unshown =
        ["X_Forwarded_Uri", "X.Forwarded.Method", "x-forwarded_for", "X-Forwarded-Uri", "X-Forwarded-Ssl"];
    let of_proxies = [
        "X-Forwarded-Path",
        "X-Forwarded-Original-Uri",
        "X-Original-URI",
        "X_Original_Method",
        "X-Original-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Envoy-Original-Path",
        "X-Replaced-Path",
        "X-Scheme",
        "X-Client-IP",
        "CF-Connecting-IP",
    ];
    let shown = ["X-Other", "X-Forwarded-User", "X-Forwarded-Tls-Client-Cert"];
    for name in unshown.into_iter().chain(of_proxies).chain(shown) {
        exchange.request.fields.append(name, b"/made/up").unwrap();
    }
    let asked = question::request(&plan.unwrap(), &exchange).unwrap();
    let made_up = asked.fields.named().filter(|(_, value)| *value == b"/made/up");
    assert_eq!(made_up.map(|(name, _)| name.as_str().to_owned()).collect::<Vec<_>>(), shown);
    assert_eq!(asked.fields.get_str("X-Forwarded-Uri"), Some("/asked"));
}
