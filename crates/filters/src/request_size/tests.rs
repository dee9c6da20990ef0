use super::*;
use torana_filter::Offline;
use torana_http::h1::{HeadLimits, parse_request};
use torana_plan::PolicyPlan;

fn filter(written: &str) -> RequestSizeFilter {
    let text = format!("policies: {{ request_size: {written} }}\nroutes: [{{ path: /*, respond: {{}} }}]\n");
    let loaded = torana_plan::load("test.yaml", &text, &torana_config::FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{written}: {:?}", loaded.findings));
    match &plan.routes[0].policies[0].policy {
        PolicyPlan::RequestSize(plan) => RequestSizeFilter::prepare(plan),
        other => panic!("{other:?}"),
    }
}

/// 200 where the request goes on.
async fn status(written: &str, method: &str, fields: &str) -> u16 {
    let mut exchange = Exchange::default();
    let text = format!("{method} / HTTP/1.1\nHost: a{fields}\n\n").replace('\n', "\r\n");
    parse_request(text.as_bytes(), 0, &HeadLimits::default(), &mut exchange.request).unwrap().unwrap();
    match filter(written).on_request(&mut exchange, &Offline).await {
        Verdict::Continue => {
            assert_eq!(exchange.body_limit, Some(10));
            200
        }
        Verdict::Fail(fault) => fault.status(),
        Verdict::Respond(_) => panic!("it answers nothing"),
    }
}

#[tokio::test]
async fn a_length_is_asked_of_bodies_or_as_kong_does_of_all_that_is_not_in_chunks() {
    let (chunked, none) = ("\nTransfer-Encoding: chunked", "");
    for (rule, fields, expected) in [
        ("false", none, 200),
        ("false", chunked, 200),
        ("true", none, 200),
        ("true", "\nContent-Length: 10", 200),
        ("true", chunked, 411),
        ("unless_chunked", none, 411),
        ("unless_chunked", chunked, 200),
        ("unless_chunked", "\nContent-Length: 0", 200),
        ("unless_chunked", "\nContent-Length: 10", 200),
        ("unless_chunked", "\nContent-Length: 11", 413),
    ] {
        let written = format!("{{ limit: 10B, require_content_length: {rule} }}");
        for method in ["GET", "POST"] {
            assert_eq!(status(&written, method, fields).await, expected, "{rule} {method} {fields}");
        }
    }
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told_413_or_as_kong_does_417() {
    let (plain, kong) = ("10B", "{ limit: 10B, expectation_failed: true }");
    let (long, waits) = ("\nContent-Length: 11", "\nExpect: 100-continue\nContent-Length: 11");
    for (written, fields, expected) in [
        (plain, long, 413),
        (plain, waits, 413),
        (kong, long, 413),
        (kong, waits, 417),
        (kong, "\nExpect: 100-continue\nContent-Length: 10", 200),
    ] {
        assert_eq!(status(written, "POST", fields).await, expected, "{written} {fields}");
    }
}
