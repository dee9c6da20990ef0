//! What counts as a guess where several ways to say who calls stand side by side.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "support/doors.rs"]
mod doors;
#[path = "support/guard.rs"]
mod guard;
#[path = "yaml.rs"]
mod yaml;

use torana_testkit::{Origin, Reply};
use yaml::Running;

const JWT: &str = "jwt: { secret: \"${env:KEY}\" }";

/// Knows whatever ends with `good`.
fn login() -> Origin {
    Origin::respond(|request| {
        let good =
            request.body_text().split('&').any(|pair| pair.starts_with("token=") && pair.ends_with("good"));
        Reply::ok(if good { r#"{"active":true,"sub":"alice"}"# } else { r#"{"active":false}"# })
    })
}

/// A service behind the given policies, with three guesses an hour.
struct Behind {
    gateway: Running,
    origin: Origin,
    _asked: [Origin; 2],
}

impl Behind {
    fn new(policies: &str) -> Self {
        let (origin, door, login) = (Origin::always(Reply::ok("in")), doors::door(), login());
        let gateway = Running::start(&format!(
            "access_log: off
limits: {{ failed_credentials: 3/hour }}
services:
  api: {{ endpoints: [\"{}\"] }}
  door: {{ endpoints: [\"{}\"] }}
  login: {{ endpoints: [\"{}\"] }}
consumers:
- {{ username: alice, keys: [k-1], basic: [{{ username: alice, password: secret }}] }}
- {{ username: guest }}
routes:
- {{ path: /x, service: api, policies: {{ {policies} }} }}
",
            origin.url(),
            door.url(),
            login.url()
        ));
        Self { gateway, origin, _asked: [door, login] }
    }

    fn ask(&self, fields: &str) -> u16 {
        self.gateway.ask(&format!("GET /x HTTP/1.1\nHost: a\n{fields}")).status
    }

    /// Shows what is wrong until nothing more is looked at, and says how often.
    fn guesses(&self, fields: impl Fn(usize) -> String) -> usize {
        (0..20).find(|number| self.ask(&fields(*number)) == 429).unwrap_or(20)
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// A token in form, with a signature that nobody made.
fn forged(claims: &str, signature: &str) -> String {
    let token = guard::token(claims);
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{signature}")
}

#[test]
fn whoever_is_accepted_has_guessed_at_nothing_that_is_no_token_of_another_way() {
    let opaque = "oauth2_introspection: { service: login }";
    for (policies, fields) in [
        (format!("auth: any, {JWT}, {opaque}"), [bearer("0good"), bearer("1good"), bearer("2.x.good")]),
        (
            format!("auth: any, {JWT}, forward_auth: {{ service: door }}"),
            [bearer("good"), bearer("good"), "Cookie: s=1".into()],
        ),
        (
            "auth: any, jwt: { secret: \"${env:KEY}\", issuer: own }, key_auth: {}".to_owned(),
            [
                format!("apikey: k-1\n{}", bearer("opaque")),
                format!("apikey: k-1\n{}", bearer(&guard::token(r#"{"iss":"other","sub":"u"}"#))),
                format!("apikey: k-1\n{}", bearer("a.b.c")),
            ],
        ),
    ] {
        let behind = Behind::new(&policies);
        for round in 0..5 {
            for fields in &fields {
                assert_eq!(behind.ask(fields), 200, "{policies} {fields} {round}");
            }
        }
        assert_eq!(behind.guesses(|number| bearer(&format!("bad-{number}"))), 3, "{policies}");
    }
}

#[test]
fn a_good_credential_of_one_way_lets_nobody_guess_at_another() {
    let behind = Behind::new(&format!("auth: any, {JWT}, key_auth: {{}}, basic_auth: {{}}"));
    let claims = r#"{"sub":"u"}"#;
    for number in 0..3 {
        assert_eq!(
            behind.ask(&format!("apikey: k-1\n{}", bearer(&forged(claims, &format!("AAA{number}"))))),
            200
        );
    }
    // The right one is not looked at any more.
    assert_eq!(behind.ask(&format!("apikey: k-1\n{}", bearer(&guard::token(claims)))), 200);
    let seen = behind.origin.requests().pop().unwrap();
    assert_eq!((seen.header("X-Consumer-Username"), seen.header("Authorization")), (Some("alice"), None));
    assert_eq!(behind.ask("Authorization: Basic YWxpY2U6d3Jvbmc="), 429);
    // Nor does a service that lets everybody pass vouch for a password.
    let behind = Behind::new("auth: any, basic_auth: {}, forward_auth: { service: api }");
    assert_eq!(behind.guesses(|_| "Authorization: Basic YWxpY2U6d3Jvbmc=".into()), 2);
}

#[test]
fn one_guess_counts_once_and_two_count_twice() {
    let opaque = "oauth2_introspection: { service: login }";
    let claims = r#"{"sub":"u"}"#;
    for (policies, fields, guesses) in [
        (format!("auth: any, {JWT}, {opaque}"), bearer("bad"), 3),
        // The third is counted by the first way, so that the second one looks at nothing more.
        (format!("auth: any, {JWT}, {opaque}"), bearer(&forged(claims, "AAAA")), 2),
        (format!("auth: any, {JWT}, forward_auth: {{ service: door }}"), bearer("bad"), 3),
        (format!("auth: any, {JWT}, forward_auth: {{ service: door }}"), bearer(&forged(claims, "AAAA")), 2),
        (format!("auth: any, {JWT}, forward_auth: {{ service: door }}"), bearer("banned"), 3),
        (
            format!("auth: any, {JWT}, key_auth: {{}}"),
            format!("apikey: bad\n{}", bearer(&forged(claims, "AAAA"))),
            1,
        ),
        (format!("auth: {{ require: any, anonymous: guest }}, {JWT}, {opaque}"), bearer("bad"), 3),
        (format!("auth: {{ anonymous: guest }}, {JWT}"), bearer("bad"), 3),
        (JWT.to_owned(), bearer("bad"), 3),
    ] {
        assert_eq!(Behind::new(&policies).guesses(|_| fields.clone()), guesses, "{policies} {fields}");
    }
}

#[test]
fn what_a_later_way_verifies_itself_was_no_guess_at_an_earlier_one() {
    let behind = Behind::new(&format!("auth: any, {JWT}, oauth2_introspection: {{ service: login }}"));
    for number in 0..10 {
        let token = forged(&format!(r#"{{"sub":"u{number}"}}"#), "AAAAgood");
        assert_eq!(behind.ask(&bearer(&token)), 200, "{number}");
    }
    assert_eq!(behind.guesses(|number| bearer(&forged(r#"{"sub":"u"}"#, &format!("AAA{number}")))), 2);
}
