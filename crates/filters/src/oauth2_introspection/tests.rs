use super::*;
use crate::asking::scripted::{Scripted, alone, at, limited};
use crate::authentication::{AuthenticationFilter, FailureLimit, Method};
use torana_credential::directory::Builder;
use torana_fault::Retry;
use torana_plan::AuthenticationPlan;

fn filter(keys: &str) -> AuthenticationFilter {
    bounded(keys, None)
}

fn bounded(keys: &str, failures: Option<Arc<FailureLimit>>) -> AuthenticationFilter {
    limited(&format!("oauth2_introspection: {{ service: a, {keys} }}"), failures, |plan| match plan {
        AuthenticationPlan::OAuth2Introspection(plan) => {
            Method::OAuth2Introspection(OAuth2IntrospectionFilter::prepare(plan))
        }
        other => panic!("{other:?}"),
    })
}

const GOOD: &str = r#"{"active":true,"sub":"u"}"#;
const BAD: &str = r#"{"active":false}"#;

#[tokio::test]
async fn what_is_remembered_ends_with_its_time_and_the_token_with_its_own() {
    let filter = filter("cache: { ttl: 10s, refused_ttl: 5s }");
    let outside = Scripted::default().then(200, &[], GOOD).then(200, &[], BAD).then(200, &[], GOOD);
    for (second, token, status, asked) in
        [(100, "t", 200, 1), (109, "t", 200, 1), (110, "t", 401, 2), (114, "t", 401, 2), (115, "t", 200, 3)]
    {
        assert_eq!(at(&filter, &outside, second, token).await, status, "{second}");
        assert_eq!(outside.asked.get(), asked, "{second}");
    }
    let ends = r#"{"active":true,"sub":"u","exp":205}"#;
    let outside = Scripted::default().then(200, &[], ends).then(200, &[], ends);
    for (second, status, asked) in [(200, 200, 1), (204, 200, 1), (205, 401, 2), (206, 401, 2)] {
        assert_eq!(at(&filter, &outside, second, "ends").await, status, "{second}");
        assert_eq!(outside.asked.get(), asked, "{second}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let filter = filter("leeway: 3s, cache: { ttl: 1h }");
    let answer = r#"{"active":true,"sub":"u","nbf":103,"exp":200}"#;
    let early = Scripted::default().then(200, &[], answer).then(200, &[], answer);
    assert_eq!(at(&filter, &early, 99, "a").await, 401);
    assert_eq!(at(&filter, &early, 100, "b").await, 200);
    assert_eq!(at(&filter, &early, 202, "b").await, 200);
    let late = Scripted::default().then(200, &[], answer);
    assert_eq!(at(&filter, &late, 203, "b").await, 401);
}

#[tokio::test]
async fn a_question_is_sent_again_when_a_kept_connection_was_closed_under_it_but_not_for_ever() {
    let filter = filter("cache: { ttl: 0s }");
    let closed = || Fault::new(Reason::UpstreamClosed).retry(Retry::IfReused);
    let outside = Scripted::default().then_fails(closed()).then_fails(closed()).then(200, &[], GOOD);
    assert_eq!((at(&filter, &outside, 1, "t").await, outside.asked.get()), (200, 3));
    let outside = Scripted::default().then_fails(closed()).then_fails(closed()).then_fails(closed());
    assert_eq!((at(&filter, &outside, 1, "t").await, outside.asked.get()), (503, 3));
    let outside = Scripted::default().then_fails(Fault::new(Reason::UpstreamClosed));
    assert_eq!((at(&filter, &outside, 1, "t").await, outside.asked.get()), (503, 1));
}

#[tokio::test]
async fn failures_are_not_remembered_and_made_up_tokens_drive_out_no_good_one() {
    let filter = filter("cache: { ttl: 1h, refused_ttl: 1h }");
    let outside = Scripted::default().then(500, &[], "").then(200, &[], GOOD);
    assert_eq!(at(&filter, &outside, 1, "t").await, 503);
    assert_eq!(at(&filter, &outside, 1, "t").await, 200);
    let mut flood = Scripted::default();
    for _ in 0..20_000 {
        flood = flood.then(200, &[], BAD);
    }
    for number in 0..20_000 {
        assert_eq!(at(&filter, &flood, 2, &format!("made-up-{number}")).await, 401);
    }
    assert_eq!(at(&filter, &Scripted::default(), 3, "t").await, 200);
}

#[tokio::test]
async fn what_was_said_of_a_removed_consumer_is_forgotten() {
    let mut consumers = None;
    let keys = "consumers: required, cache: { ttl: 10s }";
    let filter = alone(&format!("oauth2_introspection: {{ service: a, {keys} }}"), |plan| match plan {
        AuthenticationPlan::OAuth2Introspection(plan) => {
            consumers = Some(Arc::clone(&plan.consumers));
            Method::OAuth2Introspection(OAuth2IntrospectionFilter::prepare(plan))
        }
        other => panic!("{other:?}"),
    });
    let alice = r#"{"active":true,"sub":"alice"}"#;
    let outside = Scripted::default().then(200, &[], alice).then(200, &[], alice);
    assert_eq!(at(&filter, &outside, 100, "t").await, 200);
    assert_eq!((at(&filter, &outside, 101, "t").await, outside.asked.get()), (200, 1));
    consumers.unwrap().replace(Arc::new(Builder::default().build()));
    assert_ne!(at(&filter, &outside, 101, "t").await, 200);
    assert_eq!(outside.asked.get(), 2);
}

#[tokio::test]
async fn what_the_server_calls_active_is_no_guess_whatever_else_is_wrong_with_it() {
    let limit = Arc::new(FailureLimit::new(&"3/minute".parse().unwrap()));
    let filter = bounded("audience: api, cache: { ttl: 0s, refused_ttl: 1h }", Some(limit));
    let other = r#"{"active":true,"sub":"u","aud":"other"}"#;
    let good = r#"{"active":true,"sub":"u","aud":"api","roles":[{"name":"x"}],"groups":5}"#;
    let mut outside = Scripted::default();
    for _ in 0..5 {
        outside = outside.then(200, &[], other);
    }
    for number in 0..5 {
        for _ in 0..2 {
            assert_eq!(at(&filter, &outside, 1, &format!("t-{number}")).await, 401);
        }
    }
    let outside = Scripted::default().then(200, &[], good);
    assert_eq!(at(&filter, &outside, 1, "good").await, 200);
    let outside = Scripted::default().then(200, &[], BAD).then(200, &[], BAD).then(200, &[], BAD);
    for number in 0..3 {
        assert_eq!(at(&filter, &outside, 1, &format!("b-{number}")).await, 401);
    }
    assert_eq!(at(&filter, &outside, 1, "another").await, 429);
}
