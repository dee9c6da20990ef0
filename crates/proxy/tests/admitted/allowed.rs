//! What callers may do who are known.

use super::{Case, case, guard};

pub(super) const ROUTES: &[&str] = &[
    "- { path: /role/*, service: api, policies: { jwt: { secret: \"${env:KEY}\" }, roles: { any: [user, admin], all: [eu] } } }",
    "- { path: /ruled/*, service: api, policies: { jwt: { secret: \"${env:KEY}\" }, roles: { rules: { /ruled/admin/*: [admin], /ruled/users/*/profile: [user, admin], \"DELETE /ruled/orders/*\": [admin], /ruled/orders/*: { any: [user, admin], deny: [suspended] }, /ruled/orders/export: deny, /ruled/status: anyone } } } }",
    "- { path: /group/*, service: api, policies: { key_auth: on, acl: [gold] } }",
    "- { path: /not-group/*, service: api, policies: { key_auth: on, acl: { deny: [gold] } } }",
    "- { path: /tier/*, service: api, policies: { jwt: { secret: \"${env:KEY}\" }, allow_if: 'claims.tier == \"gold\" && request.method == \"GET\"' } }",
    "- { path: /open/*, service: api, policies: { access: public } }",
    "- { path: /forgotten/*, service: api }",
];

fn caller(claims: &str) -> String {
    format!("Authorization: Bearer {}", guard::token(claims))
}

const USER: &str = r#"{"sub":"u","roles":["user","eu"]}"#;
const ADMIN: &str = r#"{"sub":"r","roles":["admin"]}"#;

pub(super) fn cases() -> Vec<Case> {
    [by_role(), by_rule(), by_group(), by_expression(), by_route()].into_iter().flatten().collect()
}

fn by_role() -> Vec<Case> {
    let at = |what, claims: &str, status| case(what, "GET /role/x", caller(claims), status);
    vec![
        at("one of the roles, and all", USER, 200),
        at("one of the roles, not all", ADMIN, 403),
        at("another role", r#"{"sub":"u","roles":["guest","eu"]}"#, 403),
        at("a role of another case", r#"{"sub":"u","roles":["User","eu"]}"#, 403),
        at("roles as words", r#"{"sub":"u","roles":"user eu"}"#, 200),
        at("no roles", r#"{"sub":"u"}"#, 403),
        at("roles that are no texts", r#"{"sub":"u","roles":[{"name":"user"},{"name":"eu"}]}"#, 403),
        at("roles in another claim", r#"{"sub":"u","role":["user","eu"]}"#, 403),
        at("a part of a role", r#"{"sub":"u","roles":["use","eu"]}"#, 403),
        case(
            "roles in a field",
            "GET /role/x",
            format!("{}\nX-Roles: user,eu", caller(r#"{"sub":"u"}"#)),
            403,
        ),
        case("nobody", "GET /role/x", "X-Roles: user,eu", 401),
    ]
}

fn by_rule() -> Vec<Case> {
    let user = |what, line: &str, status| case(what, line, caller(USER), status);
    let admin = |what, line: &str, status| case(what, line, caller(ADMIN), status);
    let suspended = r#"{"sub":"u","roles":["user","suspended"]}"#;
    let unread = r#"{"sub":"u","roles":["user",{"name":"suspended"}]}"#;
    vec![
        user("a profile", "GET /ruled/users/17/profile", 200),
        user("a status", "GET /ruled/status", 200),
        user("an order", "GET /ruled/orders/17", 200),
        user("an order by POST", "POST /ruled/orders/17", 200),
        user("an order that goes", "DELETE /ruled/orders/17", 403),
        admin("an order that an administrator has go", "DELETE /ruled/orders/17", 200),
        case("an order for a suspended one", "GET /ruled/orders/17", caller(suspended), 403),
        case("an order for one who may be suspended", "GET /ruled/orders/17", caller(unread), 403),
        admin("what is denied", "GET /ruled/orders/export", 403),
        user("administration", "GET /ruled/admin/x", 403),
        admin("administration by an administrator", "GET /ruled/admin/x", 200),
        user("administration, encoded", "GET /ruled/%61dmin/x", 403),
        user("administration, slashes", "GET /ruled//admin//x", 403),
        user("administration, a way round", "GET /ruled/status/../admin/x", 403),
        user("administration, an encoded way round", "GET /ruled/status/%2e%2e/admin/x", 403),
        user("administration, a parameter", "GET /ruled/admin;v=1/x", 403),
        user("administration, a slash at the end", "GET /ruled/admin/x/", 403),
        user("administration, in absolute form", "GET http://a.test/ruled/admin/x", 403),
        user("administration, a fragment of a query", "GET /ruled/admin/x?/ruled/status", 403),
        user("a profile, by HEAD", "HEAD /ruled/admin/x", 403),
        case("nobody's profile", "GET /ruled/users/17/profile", "", 401),
        case(
            "another path by a field",
            "GET /ruled/admin/x",
            format!("{}\nX-Original-URL: /ruled/status\nX-Rewrite-URL: /ruled/status", caller(USER)),
            403,
        ),
        case(
            "another method by a field",
            "POST /ruled/admin/x",
            format!("{}\nX-HTTP-Method-Override: GET", caller(USER)),
            403,
        ),
    ]
}

fn by_group() -> Vec<Case> {
    let at = |what, line: &str, fields: &str, status| case(what, line, fields, status);
    vec![
        at("of the group", "GET /group/x", "apikey: key-of-alice", 200),
        at("not of the group", "GET /group/x", "apikey: key-of-bob", 403),
        at("of the group by own word", "GET /group/x", "apikey: key-of-bob\nX-Consumer-Groups: gold", 403),
        at("of a denied group", "GET /not-group/x", "apikey: key-of-alice", 403),
        at("of no denied group", "GET /not-group/x", "apikey: key-of-bob", 200),
        at("nobody, of no denied group", "GET /not-group/x", "", 401),
    ]
}

fn by_expression() -> Vec<Case> {
    let at = |what, line: &str, claims: &str, status| case(what, line, caller(claims), status);
    let gold = r#"{"sub":"u","tier":"gold"}"#;
    vec![
        at("what the expression asks for", "GET /tier/x", gold, 200),
        at("another method", "POST /tier/x", gold, 403),
        at("another tier", "GET /tier/x", r#"{"sub":"u","tier":"silver"}"#, 403),
        at("a tier of another type", "GET /tier/x", r#"{"sub":"u","tier":["gold"]}"#, 403),
        at("no tier", "GET /tier/x", r#"{"sub":"u"}"#, 403),
        case("nobody of a tier", "GET /tier/x", "X-Tier: gold", 401),
    ]
}

fn by_route() -> Vec<Case> {
    vec![
        case("a public route", "GET /open/x", "", 200),
        case("a public route with a wrong credential", "GET /open/x", "Authorization: Bearer x", 200),
        case("from a public route to another", "GET /open/../role/x", "", 401),
        case("from a public route, encoded", "GET /open/%2e%2e/role/x", "", 401),
        case("a route that nobody thought of", "GET /forgotten/x", "", 401),
        case("a route that nobody thought of, with a key", "GET /forgotten/x", "apikey: key-of-alice", 401),
        case("no route", "GET /nowhere", "", 404),
    ]
}
