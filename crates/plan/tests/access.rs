//! What is found wrong with policies about who may what.

mod common;

use common::{codes, finding};

const JWT: &str = "policies: { jwt: { secret: '${env:KEY}' } }\n";

fn route(policies: &str) -> String {
    format!("{JWT}routes:\n- {{ path: /*, respond: {{}}, policies: {policies} }}\n")
}

#[test]
fn rules_that_no_precedence_decides_between_are_conflicts() {
    let text = route("{ roles: { rules: { '/a/{id}': [x], '/a/*/b': [y], '/a/{name}': [z] } } }");
    let found = finding(&text, "conflicting-rules");
    assert_eq!(found.message, "this rule is as specific as `/a/{id}` for `GET /a/id`");
    assert_eq!(found.related.len(), 1);
    let text = route("{ roles: { rules: { GET /a: [x], /a: [y], POST /a/: [z] } } }");
    assert_eq!(codes(&text, "conflicting-rules"), 0, "methods tell them apart");
    let text = route("{ roles: { rules: { 'GET,PUT /a': [x], 'PUT /a/': [y] } } }");
    assert_eq!(codes(&text, "conflicting-rules"), 1);
}

#[test]
fn rules_are_read_strictly() {
    for (rules, code) in [
        ("{ a/b: [x] }", "bad-path"),
        ("{ /a*/b: [x] }", "bad-path"),
        ("{ get /a: [x] }", "bad-method"),
        ("{ 'CONNECT /a': [x] }", "bad-method"),
        ("{ /a: [] }", "empty-roles"),
        ("{ /a: [''] }", "empty-roles"),
        ("{ /a: { any: [] } }", "empty-roles"),
    ] {
        assert_eq!(codes(&route(&format!("{{ roles: {{ rules: {rules} }} }}")), code), 1, "{rules}");
    }
    let text = route("{ roles: { any: [x], from: [claims.a, grops] } }");
    assert_eq!(finding(&text, "bad-value").help.as_deref(), Some("did you mean `groups`?"));
    let text = route("{ roles: { any: [x], from: realm_access.roles } }");
    assert!(finding(&text, "bad-value").help.unwrap().contains("`claims.realm_access.roles`"));
}

#[test]
fn groups_that_say_nothing_or_two_things_are_found() {
    assert_eq!(codes(&route("{ acl: { groups: both } }"), "empty-groups"), 1);
    assert_eq!(codes(&route("{ acl: [''] }"), "empty-groups"), 1);
    assert_eq!(codes(&route("{ acl: { allow: [a], deny: [a] } }"), "contradiction"), 1);
}

#[test]
fn what_nobody_could_pass_is_an_error_and_what_everybody_may_pass_is_none() {
    let public = |policies: &str| format!("routes:\n- {{ path: /*, respond: {{}}, policies: {policies} }}\n");
    assert_eq!(codes(&public("{ acl: [staff] }"), "acl-without-authentication"), 1);
    assert_eq!(codes(&public("{ roles: [user] }"), "roles-without-authentication"), 1);
    let rules = public("{ roles: { rules: { /api/admin/*: [admin] } } }");
    assert_eq!(codes(&rules, "roles-without-authentication"), 0, "other paths are open to all");
}
