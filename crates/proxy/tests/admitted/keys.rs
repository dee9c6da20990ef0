//! Keys and passwords.

use super::{Case, case};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

pub(super) const ROUTES: &[&str] = &[
    "- { path: /key/*, service: api, policies: { key_auth: { headers: [apikey, X-Key], query: [key], cookies: [key] } } }",
    "- { path: /password/*, service: api, policies: { basic_auth: on } }",
    "- { path: /guest/*, service: api, policies: { auth: { anonymous: guest }, key_auth: on } }",
    "- { path: /gold-guest/*, service: api, policies: { auth: { anonymous: guest }, key_auth: on, acl: [gold] } }",
    "- { path: /two/*, service: api, policies: { auth: all, key_auth: on, basic_auth: on } }",
    "- { path: /one/*, service: api, policies: { auth: any, key_auth: on, basic_auth: on } }",
];

fn basic(pair: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(pair))
}

pub(super) fn cases() -> Vec<Case> {
    [by_key(), by_password(), together()].into_iter().flatten().collect()
}

fn by_key() -> Vec<Case> {
    let at = |what, fields: &str, status| case(what, "GET /key/x", fields, status);
    let by_query = |what, query: &str, status| case(what, &format!("GET /key/x?{query}"), "", status);
    vec![
        at("a key", "apikey: key-of-alice", 200),
        at("a field of another case", "APIKEY: key-of-alice", 200),
        at("another field", "X-Key: key-of-bob", 200),
        at("a cookie", "Cookie: a=b; key=key-of-alice", 200),
        by_query("a parameter", "key=key-of-alice", 200),
        by_query("an encoded parameter", "key=key%2Dof%2Dalice", 200),
        at("the same twice, in two places", "apikey: key-of-alice\nCookie: key=key-of-alice", 200),
        at("nothing", "", 401),
        at("an empty one", "apikey:", 401),
        at("a wrong one", "apikey: key-of-carol", 401),
        at("one that was good", "apikey: old-key-of-alice", 401),
        at("of another case", "apikey: Key-Of-Alice", 401),
        at("the beginning of one", "apikey: key-of-alic", 401),
        at("more than one", "apikey: key-of-alice2", 401),
        at("with a comma", "apikey: key-of-alice, key-of-bob", 401),
        at("two different ones", "apikey: key-of-alice\nX-Key: key-of-bob", 401),
        at("a field twice", "apikey: key-of-alice\napikey: key-of-bob", 401),
        at("a good one beside a wrong one", "apikey: key-of-alice\nCookie: key=x", 401),
        by_query("a parameter twice", "key=key-of-alice&key=key-of-bob", 401),
        by_query("a parameter of another case", "Key=key-of-alice", 401),
        by_query("an encoded name is a name", "%6bey=key-of-carol", 401),
        by_query("encoded twice", "key=key%252Dof%252Dalice", 401),
        at("an underscore", "api_key: key-of-alice", 401),
        at("in another field", "Authorization: key-of-alice", 401),
        at("as a bearer token", "Authorization: Bearer key-of-alice", 401),
        at("claims of identity", "X-Consumer-Username: alice\nX-Credential-Identifier: alice", 401),
    ]
}

fn by_password() -> Vec<Case> {
    let at = |what, fields: String, status| case(what, "GET /password/x", fields, status);
    let encoded = |text: String| format!("Authorization: Basic {text}");
    let alice = "alice:secret:of alice";
    vec![
        at("a password with a colon", basic(alice), 200),
        at("the scheme in small letters", basic("bob:secret-of-bob").replace("Basic", "basic"), 200),
        at("without padding", encoded(STANDARD_NO_PAD.encode("bob:secret-of-bob")), 200),
        at("meant for a proxy", basic(alice).replace("Auth", "Proxy-Auth"), 200),
        at(
            "for a proxy before the other",
            format!("{}\n{}", basic("bob:x"), basic(alice).replace("Auth", "Proxy-Auth")),
            200,
        ),
        at("nothing", String::new(), 401),
        at("a wrong password", basic("alice:secret"), 401),
        at("the password of another", basic("bob:secret:of alice"), 401),
        at("an empty password", basic("alice:"), 401),
        at("nobody", basic(":secret-of-bob"), 401),
        at("somebody else", basic("carol:secret-of-bob"), 401),
        at("a name of another case", basic("Alice:secret:of alice"), 401),
        at("a password of another case", basic("bob:Secret-of-bob"), 401),
        at("with a byte too many", basic("bob:secret-of-bob\0"), 401),
        at("no colon", basic("alice"), 401),
        at("no base64", encoded("???".into()), 401),
        at("another alphabet", encoded(URL_SAFE.encode("bob:secret-of-bob\u{ff}\u{3f}")), 401),
        at("nothing after the scheme", encoded(String::new()), 401),
        at("another scheme", basic(alice).replace("Basic", "Bearer"), 401),
        at("two fields", format!("{}\n{}", basic(alice), basic(alice)), 401),
        at("too long", basic(&format!("alice:{}", "x".repeat(5_000))), 401),
        at(
            "a wrong one for a proxy first",
            format!("{}\n{}", basic(alice), basic("bob:x").replace("Auth", "Proxy-Auth")),
            401,
        ),
    ]
}

fn together() -> Vec<Case> {
    let (key, password) = ("apikey: key-of-alice", basic("bob:secret-of-bob"));
    let (wrong_key, wrong) = ("apikey: x", basic("bob:x"));
    vec![
        case("both of two", "GET /two/x", format!("{key}\n{password}"), 200),
        case("one of two that are asked for", "GET /two/x", key, 401),
        case("the other of two that are asked for", "GET /two/x", password.clone(), 401),
        case("a wrong one of two", "GET /two/x", format!("{wrong_key}\n{password}"), 401),
        case("one that is enough", "GET /one/x", key, 200),
        case("the other that is enough", "GET /one/x", password.clone(), 200),
        case("a wrong one beside one that is enough", "GET /one/x", format!("{wrong_key}\n{password}"), 200),
        case("two wrong ones", "GET /one/x", format!("{wrong_key}\n{wrong}"), 401),
        case("none of two", "GET /one/x", "", 401),
        case("a guest", "GET /guest/x", "", 200),
        case("a guest with a wrong key", "GET /guest/x", wrong_key, 200),
        case("a guest who says to be another", "GET /gold-guest/x", "X-Consumer-Groups: gold", 401),
        case("a guest where a group is asked for", "GET /gold-guest/x", "", 401),
        case("no guest", "GET /gold-guest/x", key, 200),
    ]
}
