//! Rules over a request and its caller allocate nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;
use torana_expression::Expression;
use torana_filter::{Consumer, Exchange, Identity};
use torana_filters::ExchangeFacts;
use torana_http::h1::{HeadLimits, parse_request};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// All of them hold for the request of the test.
const RULES: [&str; 12] = [
    r#"request.path.startsWith("/api") && claims.tier == "gold""#,
    r#"request.method in ["GET", "PUT"] && request.scheme == "http" && request.size == 0"#,
    r#"request.host == "api.test" && request.query == "page=2""#,
    r#"request.headers["x-tenant"] == "Blue" && !("x-other" in request.headers)"#,
    r#"request.parameters.page == "2" && !has(request.parameters.other)"#,
    r#""staff" in groups && "gold" in groups && !("x" in groups)"#,
    r#"groups.exists(group, group == "staff") && size(groups) == 2"#,
    r#""editor" in roles && roles.all(role, role != "admin")"#,
    r#"client.address == "10.1.2.3" && cidr("10.0.0.0/8").containsIP(client.address)"#,
    r#""editor" in claims.realm_access.roles && has(claims.tier) && !has(claims.suspended)"#,
    r#"authenticated && consumer == "alice" && now.getHours() >= 0"#,
    r#"request.path.matches("^/api/[a-z]+$") || request.path.endsWith("x")"#,
];

#[test]
fn a_rule_allocates_nothing() {
    let head = "GET /api/orders?page=2 HTTP/1.1\r\nHost: api.test:80\r\nX-Tenant: Blue\r\n\r\n";
    let mut exchange = Exchange { client_address: "10.1.2.3".parse().unwrap(), ..Exchange::default() };
    parse_request(head.as_bytes(), 0, &HeadLimits::default(), &mut exchange.request).unwrap().unwrap();
    let claims = serde_json::json!({ "tier": "gold", "realm_access": { "roles": ["editor"] } });
    exchange.identity = Some(Arc::new(Identity {
        consumer: "alice".into(),
        record: Some(Arc::new(Consumer { groups: ["gold".into()].into(), ..Consumer::default() })),
        roles: vec!["user".into(), "editor".into()],
        authenticated_groups: vec!["staff".into()],
        claims: claims.as_object().cloned().unwrap().into(),
        ..Identity::default()
    }));
    for source in RULES {
        let rule = Expression::condition(source).unwrap();
        // What a regular expression keeps for its thread is made once.
        assert_eq!(rule.holds(&ExchangeFacts::new(&exchange)), Ok(true), "{source}");
        let region = Region::new(ALLOCATOR);
        let holds = rule.holds(&ExchangeFacts::new(&exchange));
        let change = region.change();
        assert_eq!((holds, change.allocations), (Ok(true), 0), "{source}");
    }
}
