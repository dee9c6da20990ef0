//! Services that are asked who calls, while they answer and while they do not.

use super::{Case, case};

pub(super) const ROUTES: &[&str] = &[
    "- { path: /door/*, service: api, policies: { forward_auth: { service: door, refusals: [401, 403, 302], identity: { consumer: X-User, groups: X-Groups } } } }",
    "- { path: /staff/*, service: api, policies: { forward_auth: { service: door, refusals: [401, 403, 302], identity: { consumer: X-User, groups: X-Groups } }, acl: { allow: [staff], groups: authenticated } } }",
    "- { path: /opaque/*, service: api, policies: { oauth2_introspection: { service: login, audience: api } } }",
    "- { path: /scope/*, service: api, policies: { oauth2_introspection: { service: login, audience: api, scopes: [write] } } }",
    "- { path: /door-down/*, service: api, policies: { forward_auth: { service: down } } }",
    "- { path: /opaque-down/*, service: api, policies: { oauth2_introspection: { service: down } } }",
    "- { path: /down-or-key/*, service: api, policies: { auth: any, key_auth: on, oauth2_introspection: { service: down } } }",
    "- { path: /down-or-guest/*, service: api, policies: { auth: { anonymous: guest }, oauth2_introspection: { service: down } } }",
    "- { path: /*, host: browser.test, service: api, policies: { oidc_login: { issuer: \"http://127.0.0.1:9\", client_id: shop, session_keys: \"${env:KEY}\", external_url: \"https://browser.test\" } } }",
];

pub(super) fn cases() -> Vec<Case> {
    [by_door(), by_login(), while_down(), by_browser()].into_iter().flatten().collect()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn by_door() -> Vec<Case> {
    let at = |what, line: &str, fields: &str, status| case(what, line, fields, status);
    vec![
        at("who may pass", "GET /door/x", "Authorization: Bearer good", 200),
        at("who may read", "GET /door/x", "Authorization: Bearer reader", 200),
        at("who may read, writing", "DELETE /door/x", "Authorization: Bearer reader", 403),
        at(
            "by another method, it is said",
            "DELETE /door/x",
            "Authorization: Bearer reader\nX-Forwarded-Method: GET",
            403,
        ),
        at("who is banned", "GET /door/x", "Authorization: Bearer banned", 403),
        at("who is wrong", "GET /door/x", "Authorization: Bearer wrong", 401),
        at("who is sent elsewhere", "GET /door/x", "", 302),
        at("who says it was judged", "GET /door/x", "X-User: alice\nX-Groups: staff", 302),
        at("an answer that is none", "GET /door/x", "Authorization: Bearer broken", 503),
        at("an answer without a name", "GET /door/x", "Authorization: Bearer nameless\nX-User: alice", 503),
        at("of the staff", "GET /staff/x", "Authorization: Bearer good", 200),
        at("not of the staff", "GET /staff/x", "Authorization: Bearer reader\nX-Groups: staff", 403),
    ]
}

fn by_login() -> Vec<Case> {
    let at = |what, token: &str, status| case(what, "GET /opaque/x", bearer(token), status);
    vec![
        at("a token that is good", "opaque", 200),
        at("a token that has ended", "old", 401),
        at("a token that is not good yet", "early", 401),
        at("a token for others", "other", 401),
        at("a token that nobody knows", "x", 401),
        at("a token that asks for another", "x&token=opaque", 401),
        at("a token encoded", "%6fpaque", 401),
        at("an answer that is no JSON", "broken", 503),
        at("an answer of another type", "text", 503),
        at("an answer that says both", "twice", 503),
        case("no token", "GET /opaque/x", "", 401),
        case("a key", "GET /opaque/x", "apikey: key-of-alice", 401),
        case("two tokens", "GET /opaque/x", format!("{}\n{}", bearer("opaque"), bearer("x")), 401),
        case("the scope", "GET /scope/x", bearer("opaque"), 200),
        case("another scope", "GET /scope/x", bearer("reader"), 403),
        case(
            "the scope by own word",
            "GET /scope/x",
            format!("{}\nX-Authenticated-Scope: write", bearer("reader")),
            403,
        ),
    ]
}

/// Nobody answers, so nobody is told to be wrong.
fn while_down() -> Vec<Case> {
    vec![
        case("nobody decides", "GET /door-down/x", bearer("good"), 503),
        case("nobody decides about nothing", "GET /door-down/x", "", 503),
        case("nobody explains", "GET /opaque-down/x", bearer("opaque"), 503),
        case("nothing to explain", "GET /opaque-down/x", "", 401),
        case("a key helps", "GET /down-or-key/x", format!("apikey: key-of-alice\n{}", bearer("opaque")), 200),
        case("a wrong key does not", "GET /down-or-key/x", format!("apikey: x\n{}", bearer("opaque")), 503),
        case("a guest shows nothing", "GET /down-or-guest/x", "", 200),
        case("who shows a token is no guest", "GET /down-or-guest/x", bearer("opaque"), 503),
    ]
}

fn by_browser() -> Vec<Case> {
    let at = |what, target: &str, fields: &str, status| {
        case(what, &format!("GET http://browser.test{target}"), fields, status)
    };
    let page = "Sec-Fetch-Mode: navigate\nAccept: text/html";
    vec![
        at("no session, by a program", "/x", "", 401),
        at("a session that was made up", "/x", "Cookie: __Host-torana_session=1.e30", 401),
        at("an empty session", "/x", "Cookie: __Host-torana_session=", 401),
        at("a session twice", "/x", "Cookie: __Host-torana_session=1.e30; __Host-torana_session=1.e30", 401),
        at("a session under another name", "/x", "Cookie: torana_session=1.e30", 401),
        at("a token in place of a session", "/x", "Authorization: Bearer x.y.z", 401),
        at("a page, while the provider is down", "/x", page, 503),
        at(
            "back from a login that never began",
            "/oauth2/callback?code=c&state=AAAAAAAAAAAAAAAAAAAAAA",
            page,
            401,
        ),
        at("back without a state", "/oauth2/callback?code=c", page, 401),
    ]
}
