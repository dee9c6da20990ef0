//! Tokens: of an issuer, of consumers, and by keys that cannot be fetched.

use super::{Case, case, guard, now};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use torana_credential::jose::{Algorithm, SigningKey};

pub(super) const OF_ALICE: &str = "a secret of alice with thirty-two bytes";
pub(super) const OF_BOB: &str = "a secret of bob that has at least sixty-four bytes, as HS512 asks for";

pub(super) const ROUTES: &[&str] = &[
    "- { path: /token/*, service: api, policies: { jwt: { secret: \"${env:KEY}\", issuer: login, audience: api, from: { headers: [Authorization, X-Token], cookies: [token], query: [token] } } } }",
    "- { path: /young/*, service: api, policies: { jwt: { secret: \"${env:KEY}\", max_age: 1h, max_lifetime: 1d } } }",
    "- { path: /typed/*, service: api, policies: { jwt: { secret: \"${env:KEY}\", types: [at+jwt] } } }",
    "- { path: /own/*, service: api, policies: { jwt: { consumers: on } } }",
    "- { path: /own-gold/*, service: api, policies: { jwt: { consumers: on }, acl: [gold] } }",
    "- { path: /fetched/*, service: api, policies: { jwt: { jwks: \"http://127.0.0.1:9/keys\", audience: api } } }",
];

fn good() -> Value {
    json!({"sub": "u", "iss": "login", "aud": "api", "exp": now() + 600, "iat": now() - 60, "nbf": now() - 60})
}

/// A good token with a claim changed, or removed where the value is `null`.
fn with(name: &str, value: Value) -> String {
    let mut claims = good();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().shift_remove(name)),
        value => claims[name] = value,
    }
    guard::exactly(&claims.to_string())
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn signed(header: &str, claims: &Value, secret: &str, algorithm: Algorithm) -> String {
    let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims.to_string()));
    let key = SigningKey::secret(secret.as_bytes(), algorithm).unwrap();
    format!("{text}.{}", BASE64.encode(key.sign(text.as_bytes()).unwrap()))
}

fn own(claims: &Value, secret: &str, algorithm: Algorithm) -> String {
    signed(&json!({"alg": algorithm.name()}).to_string(), claims, secret, algorithm)
}

pub(super) fn cases() -> Vec<Case> {
    [shown(), said(), forged(), of_consumers(), others()].into_iter().flatten().collect()
}

/// Where a token stands.
fn shown() -> Vec<Case> {
    let (token, other) = (guard::exactly(&good().to_string()), with("sub", json!("other")));
    let at = |what, fields: String, status| case(what, "GET /token/x", fields, status);
    let by_query = |what, query: &str, fields: &str, status| {
        case(what, &format!("GET /token/x?{query}"), fields, status)
    };
    vec![
        at("a token", bearer(&token), 200),
        at("the scheme in small letters", format!("authorization: bearer {token}"), 200),
        at("the scheme in capitals", format!("AUTHORIZATION: BEARER {token}"), 200),
        at("more spaces", format!("Authorization: Bearer   {token}"), 200),
        at("a field of its own", format!("X-Token: {token}"), 200),
        at("a cookie", format!("Cookie: a=b; token={token}"), 200),
        by_query("a parameter", &format!("a=b&token={token}"), "", 200),
        at("the same twice", format!("{}\nCookie: token={token}", bearer(&token)), 200),
        at("nothing", String::new(), 401),
        at("another scheme", format!("Authorization: Token {token}"), 401),
        at("a scheme without token", "Authorization: Bearer".into(), 401),
        at("a token without scheme", format!("Authorization: {token}"), 401),
        at("a password", "Authorization: Basic YWxpY2U6c2VjcmV0".into(), 401),
        at("two fields", format!("{}\n{}", bearer(&token), bearer(&token)), 401),
        at("two tokens in a field", format!("Authorization: Bearer {token}, Bearer {token}"), 401),
        at("two different ones", format!("{}\nX-Token: {other}", bearer(&token)), 401),
        at("a good one beside a wrong one", format!("{}\nCookie: token=x.y.z", bearer(&token)), 401),
        by_query("a parameter twice", &format!("token={token}&token={other}"), "", 401),
        at("another cookie", format!("Cookie: session={token}"), 401),
        at("a cookie of another case", format!("Cookie: Token={token}"), 401),
        by_query("another parameter", &format!("jwt={token}"), "", 401),
        at("an underscore", format!("X_Token: {token}"), 401),
        at("meant for a proxy", format!("Proxy-Authorization: Bearer {token}"), 401),
        at("claims of identity", "X-Consumer-Username: alice\nX-User-Id: u".into(), 401),
        at("said to end here, and does not", format!("Connection: Authorization\n{}", bearer(&token)), 200),
    ]
}

/// What a token says.
fn said() -> Vec<Case> {
    let at = |what, name, value, status| case(what, "GET /token/x", bearer(&with(name, value)), status);
    vec![
        at("one of several audiences", "aud", json!(["x", "api"]), 200),
        at("a number for a name", "sub", json!(17), 200),
        at("just expired, within the leeway", "exp", json!(now() - 5), 200),
        at("expired", "exp", json!(now() - 60), 401),
        at("long expired", "exp", json!(1), 401),
        at("that never ends", "exp", Value::Null, 401),
        at("an end as text", "exp", json!("9999999999"), 401),
        at("an end before all time", "exp", json!(-1), 401),
        at("too early", "nbf", json!(now() + 90), 401),
        at("issued later", "iat", json!(now() + 90), 401),
        at("another issuer", "iss", json!("Login"), 401),
        at("an issuer in a list", "iss", json!(["login"]), 401),
        at("no issuer", "iss", Value::Null, 401),
        at("another audience", "aud", json!("web"), 401),
        at("no audience", "aud", Value::Null, 401),
        at("an empty list of audiences", "aud", json!([]), 401),
        at("nobody", "sub", Value::Null, 401),
        at("an empty name", "sub", json!(""), 401),
        at("roles that are no texts", "roles", json!([1]), 200),
    ]
}

/// What was not signed so.
fn forged() -> Vec<Case> {
    let token = guard::exactly(&good().to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let root =
        guard::exactly(&json!({"sub": "root", "iss": "login", "aud": "api", "exp": now() + 600}).to_string());
    let payload = root.split('.').nth(1).unwrap();
    let header = |header: &str| signed(header, &good(), super::yaml::SECRET, Algorithm::Hs256);
    let own_key = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": BASE64.encode(OF_ALICE)}}).to_string();
    let flipped = if parts[2].starts_with('A') { "B" } else { "A" };
    let at = |what, token: String| case(what, "GET /token/x", bearer(&token), 401);
    vec![
        at("not signed", format!("{}.{}.", BASE64.encode(r#"{"alg":"none"}"#), parts[1])),
        at("not signed, in capitals", format!("{}.{}.", BASE64.encode(r#"{"alg":"NONE"}"#), parts[1])),
        at("said to be by a public key", header(r#"{"alg":"RS256"}"#)),
        at("said to be by another hash", header(r#"{"alg":"HS512"}"#)),
        at("by another hash", own(&good(), super::yaml::SECRET, Algorithm::Hs512)),
        at("an algorithm in small letters", header(r#"{"alg":"hs256"}"#)),
        at("no algorithm", header(r#"{"typ":"JWT"}"#)),
        at("an algorithm twice", header(r#"{"alg":"HS256","alg":"none"}"#)),
        at("something critical", header(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#)),
        at("a key of its own", signed(&own_key, &good(), OF_ALICE, Algorithm::Hs256)),
        at("another key", own(&good(), OF_ALICE, Algorithm::Hs256)),
        at("another payload", format!("{}.{payload}.{}", parts[0], parts[2])),
        at("a signature that was changed", format!("{}.{}.{flipped}{}", parts[0], parts[1], &parts[2][1..])),
        at("a signature that was cut", token[..token.len() - 2].to_owned()),
        at("no signature", format!("{}.{}.", parts[0], parts[1])),
        at("two parts", format!("{}.{}", parts[0], parts[1])),
        at("four parts", format!("{token}.AA")),
        at("padding", format!("{token}=")),
        at("a line end, encoded", format!("{token}%0A")),
        at("dots", "....".into()),
        at("too long", "x".repeat(20_000)),
    ]
}

fn of_consumers() -> Vec<Case> {
    let claims = |key: &str| json!({"iss": key, "exp": now() + 600, "groups": ["gold"], "roles": ["admin"]});
    let expired = json!({"iss": "alice-app", "exp": now() - 60});
    let endless = json!({"iss": "alice-app"});
    let at = |what, path, claims: &Value, secret, algorithm, status| {
        case(what, &format!("GET {path}"), bearer(&own(claims, secret, algorithm)), status)
    };
    let (hs256, hs512) = (Algorithm::Hs256, Algorithm::Hs512);
    vec![
        at("by her own key", "/own/x", &claims("alice-app"), OF_ALICE, hs256, 200),
        at("by his own key", "/own/x", &claims("bob-app"), OF_BOB, hs512, 200),
        at("by the key of another", "/own/x", &claims("bob-app"), OF_ALICE, hs256, 401),
        at("in the name of another", "/own/x", &claims("alice-app"), OF_BOB, hs512, 401),
        at("by another algorithm", "/own/x", &claims("bob-app"), OF_BOB, hs256, 401),
        at("by a key that nobody has", "/own/x", &claims("carol-app"), OF_ALICE, hs256, 401),
        at("by a key of another case", "/own/x", &claims("Alice-App"), OF_ALICE, hs256, 401),
        at("expired, of a consumer", "/own/x", &expired, OF_ALICE, hs256, 401),
        at("that never ends, of a consumer", "/own/x", &endless, OF_ALICE, hs256, 401),
        at("of the group", "/own-gold/x", &claims("alice-app"), OF_ALICE, hs256, 200),
        at("of the group by own word", "/own-gold/x", &claims("bob-app"), OF_BOB, hs512, 403),
    ]
}

fn others() -> Vec<Case> {
    let token = |issued: u64, expires: u64| {
        bearer(&guard::exactly(&json!({"sub": "u", "iat": issued, "exp": expires}).to_string()))
    };
    let typed = |kind: &str| {
        let header = json!({"alg": "HS256", "typ": kind}).to_string();
        bearer(&signed(&header, &good(), super::yaml::SECRET, Algorithm::Hs256))
    };
    vec![
        case("young", "GET /young/x", token(now() - 60, now() + 60), 200),
        case("too old", "GET /young/x", token(now() - 7200, now() + 60), 401),
        case("too long to go", "GET /young/x", token(now(), now() + 200_000), 401),
        case("no birthday", "GET /young/x", bearer(&with("iat", Value::Null)), 401),
        case("of the type", "GET /typed/x", typed("at+jwt"), 200),
        case("of the type by its whole name", "GET /typed/x", typed("application/AT+JWT"), 200),
        case("of another type", "GET /typed/x", typed("JWT"), 401),
        case("nothing, while keys cannot be fetched", "GET /fetched/x", "", 401),
        case("malformed, while keys cannot be fetched", "GET /fetched/x", bearer("x.y.z"), 401),
        case(
            "a token, while keys cannot be fetched",
            "GET /fetched/x",
            bearer(&signed(r#"{"alg":"ES256"}"#, &good(), OF_ALICE, Algorithm::Hs256)),
            503,
        ),
    ]
}
