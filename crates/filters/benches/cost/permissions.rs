//! What callers may do.

use crate::case::{Case, Named, request};
use serde_json::json;
use torana_filter::Identity;

const WAY: &str = "jwt: { secret: a secret of at least thirty-two bytes }";

fn alice() -> Identity {
    let claims = json!({ "sub": "alice", "tier": "gold", "realm_access": { "roles": ["viewer", "editor"] } });
    Identity {
        consumer: "alice".into(),
        roles: ["viewer", "user", "editor"].map(Into::into).into(),
        authenticated_groups: ["everybody", "staff"].map(Into::into).into(),
        claims: claims.as_object().cloned().unwrap().into(),
        ..Identity::default()
    }
}

fn case(name: &'static str, policy: &'static str) -> Named {
    (name, Box::new(move || Case::new(name, &format!("{WAY}, {policy}")).caller(alice())))
}

fn rule(name: &'static str, expression: &'static str) -> Named {
    (
        name,
        Box::new(move || {
            Case::new(name, &format!("{WAY}, allow_if: '{expression}'")).caller(alice()).bar(500)
        }),
    )
}

pub fn cases() -> impl Iterator<Item = Named> {
    let rules: Named = (
        "roles, 200 rules by path and method",
        Box::new(|| {
            let more: String =
                (0..198).map(|number| format!("\"GET /api/things-{number}/*\": [admin], ")).collect();
            let policy = format!(
                "{WAY}, roles: {{ rules: {{ {more}\"/api/users/*/profile\": [user, admin], \"/api/*\": [admin] }} }}"
            );
            Case::new("roles, 200 rules by path and method", &policy)
                .caller(alice())
                .heads(|_| request("GET /api/users/17/profile", ""))
        }),
    );
    [
        case("roles, any of two", "roles: [admin, editor]"),
        rules,
        case("acl, any of two groups", "acl: [admins, staff]"),
        rule("allow_if, path and claim", r#"request.path.startsWith("/api") && claims.tier == "gold""#),
        rule("allow_if, group", r#""staff" in groups"#),
        rule("allow_if, groups by exists", r#"groups.exists(group, group == "staff")"#),
        rule("allow_if, nested claim", r#""editor" in claims.realm_access.roles"#),
        rule("allow_if, network", r#"cidr("10.0.0.0/8").containsIP(client.address)"#),
        rule("allow_if, address", r#"client.address == "10.1.2.3""#),
        rule("allow_if, hours", "now.getHours() >= 0 && now.getDayOfWeek() in [0, 1, 2, 3, 4, 5, 6]"),
        rule("allow_if, parameter", r#"request.parameters.page == "2""#),
    ]
    .into_iter()
}
