//! A request for the tests of this crate.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use serde_json::{Map, Value as Json, json};
use std::borrow::Cow;
use torana_expression::{Fact, Facts, Found, Value};

/// Facts that a test has made up.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) roles: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) consumer: String,
    pub(crate) claims: Map<String, Json>,
    pub(crate) metadata: Map<String, Json>,
    pub(crate) address: String,
    pub(crate) now: i64,
}

impl Default for Request {
    fn default() -> Self {
        let claims = json!({
            "sub": "ada", "tier": "gold", "level": 3, "ratio": 0.5, "admin": false, "nothing": null,
            "scopes": ["read", "write"], "iat": 1_795_557_600, "until": "2026-12-24T01:00:00+01:00", "big": 9_007_199_254_740_993_i64,
            "realm_access": { "roles": ["user", "editor"] }, "mixed": [1, "a", true, null]
        });
        Self {
            method: "POST",
            path: "/api/orders/42".into(),
            query: "a=1&b=x%20y".into(),
            headers: vec![("x-tenant", "Blue".into()), ("user-agent", "curl/8".into())],
            parameters: vec![("a".into(), "1".into()), ("b".into(), "x y".into())],
            roles: vec!["user".into(), "editor".into()],
            groups: vec!["staff".into()],
            consumer: "ada".into(),
            claims: claims.as_object().cloned().unwrap_or_default(),
            metadata: json!({ "plan": "yearly", "seats": 5 }).as_object().cloned().unwrap_or_default(),
            address: "10.1.2.3".into(),
            now: 1_795_557_600_250, // 2026-11-24T22:00:00.250Z, a Tuesday
        }
    }
}

impl Facts for Request {
    fn fact(&self, fact: Fact) -> Value<'_> {
        match fact {
            Fact::Method => Value::text(self.method),
            Fact::Path => Value::text(&self.path),
            Fact::Host => Value::text("api.example.com"),
            Fact::Scheme => Value::text("https"),
            Fact::Query => Value::text(&self.query),
            Fact::Size => Value::Int(128),
            Fact::ClientAddress => Value::text(&self.address),
            Fact::Authenticated => Value::Bool(!self.consumer.is_empty()),
            Fact::Consumer => Value::text(&self.consumer),
            Fact::Roles => Value::Texts(&self.roles),
            Fact::Groups => Value::Texts(&self.groups),
            Fact::Claims => Value::Object(&self.claims),
            Fact::Metadata => Value::Object(&self.metadata),
            Fact::Now => Value::Timestamp(self.now),
            Fact::Headers | Fact::Parameters => Value::Null,
        }
    }

    fn header(&self, name: &str) -> Found<'_> {
        found(self.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value))
    }

    fn parameter(&self, name: &str) -> Found<'_> {
        found(self.parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value))
    }

    fn parameter_cost(&self) -> usize {
        self.query.len()
    }
}

fn found<'v>(mut values: impl Iterator<Item = &'v String>) -> Found<'v> {
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(value), None) => Found::One(Cow::Borrowed(value)),
        (Some(_), Some(_)) => Found::Several,
    }
}
