//! Who may do what, on a whole gateway in process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "support/guard.rs"]
mod guard;
#[path = "yaml.rs"]
mod yaml;

use guard::as_caller;
use torana_testkit::{Origin, Reply};
use yaml::Running;

#[test]
fn rules_of_a_wider_scope_hold_for_every_spelling_of_a_path() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
policies:
  jwt: {{ secret: \"${{env:KEY}}\" }}
  roles: {{ rules: {{ /api/admin/*: [admin], /api/users/*/profile: [user, admin], DELETE /api/*: deny }} }}
routes:
- {{ path: /*, service: api }}
- {{ path: /api/auth/login, respond: {{ body: login }}, policies: {{ jwt: off }} }}
",
        origin.url()
    ));
    let (user, admin) = (r#"{"sub":"u","roles":["user"]}"#, r#"{"sub":"a","roles":["admin"]}"#);
    for path in [
        "/api/admin/users",
        "/api/admin",
        "/api/admin/",
        "//api//admin/x",
        "/api/%61dmin/x",
        "/api/x/../admin/x",
        "/api/%2e/admin/x",
        "/api/admin;v=1/x",
        "/api;v=1/admin",
    ] {
        assert_eq!(as_caller(&gateway, user, &format!("GET {path}")).status, 403, "{path}");
        assert_eq!(as_caller(&gateway, admin, &format!("GET {path}")).text(), "in", "{path}");
        assert_eq!(gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a")).status, 401, "{path}");
    }
    assert_eq!(as_caller(&gateway, admin, "DELETE /api/orders/1").status, 403);
    assert_eq!(as_caller(&gateway, user, "GET /api/users/7/profile").status, 200);
    assert_eq!(as_caller(&gateway, r#"{"sub":"g"}"#, "GET /api/users/7/profile").status, 403);
    assert_eq!(as_caller(&gateway, r#"{"sub":"g"}"#, "GET /api/search").status, 200);
    assert_eq!(gateway.ask("POST /api/auth/login HTTP/1.1\nHost: a\nContent-Length: 0").text(), "login");
}

#[test]
fn groups_that_a_client_claims_for_itself_never_arrive() {
    let origin = Origin::respond(|request| Reply::ok(request.header("X-Consumer-Groups").unwrap_or("none")));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /*, service: api, policies: {{ access: public }} }}
- {{ path: /staff, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }}, acl: [staff] }} }}
",
        origin.url()
    ));
    let claims = "GET / HTTP/1.1\nHost: a\nX-Consumer-Groups: staff\nx-authenticated-groups: staff";
    assert_eq!(gateway.ask(claims).text(), "none");
    let refused = gateway.ask(&claims.replace("GET / ", "GET /staff "));
    assert_eq!(refused.status, 401);
    assert_eq!(as_caller(&gateway, r#"{"sub":"u"}"#, "GET /staff").status, 403);
}

#[test]
fn a_route_is_protected_unless_it_says_otherwise() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }}, open: {{ endpoints: [{}], policies: {{ access: public }} }} }}
routes:
- {{ path: /me, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }} }}
- {{ path: /forgotten, service: api }}
- {{ path: /off, service: api, policies: {{ jwt: off }} }}
- {{ path: /public, service: api, policies: {{ access: public }} }}
- {{ path: /open, service: open }}
- {{ path: /again, service: open, policies: {{ access: protected }} }}
",
        origin.url(),
        origin.url()
    ));
    for (path, status) in
        [("/me", 401), ("/forgotten", 401), ("/off", 200), ("/public", 200), ("/open", 200), ("/again", 401)]
    {
        assert_eq!(gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a")).status, status, "{path}");
    }
    assert_eq!(as_caller(&gateway, r#"{"sub":"u"}"#, "GET /me").status, 200);
}

/// Whoever is taken for somebody is served where nothing more is asked, and is not known where somebody is asked for.
#[test]
fn an_anonymous_caller_is_nobody_where_somebody_has_to_be_known() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
consumers: [{{ username: guest, groups: [guests] }}]
policies:
  auth: {{ require: any, anonymous: guest }}
  jwt: {{ secret: \"${{env:KEY}}\", realm: here }}
routes:
- {{ path: /*, service: api }}
- {{ path: /admin/*, service: api, policies: {{ access: protected }} }}
- {{ path: /roles/*, service: api, policies: {{ roles: {{ rules: {{ /roles/any: anyone, /roles/most: {{ deny: [banned] }}, /roles/admin: [admin] }} }} }} }}
- {{ path: /guests, service: api, policies: {{ roles: {{ any: [guests], from: groups }} }} }}
- {{ path: /if, service: api, policies: {{ allow_if: 'consumer == \"u\"' }} }}
- {{ path: /acl, service: api, policies: {{ acl: [staff] }} }}
",
        origin.url()
    ));
    let user = r#"{"sub":"u"}"#;
    for (path, nobody, known) in [
        ("/x", 200, 200),
        ("/admin/x", 401, 200),
        ("/roles/any", 401, 200),
        ("/roles/most", 401, 200),
        ("/roles/admin", 401, 403),
        ("/roles/other", 200, 200),
        ("/guests", 200, 403),
        ("/if", 401, 200),
        ("/acl", 401, 403),
    ] {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a"));
        assert_eq!(answer.status, nobody, "{path}");
        if nobody == 401 {
            // As the way itself says it.
            assert!(answer.header("WWW-Authenticate").unwrap().contains("realm=\"here\""), "{path}");
        }
        assert_eq!(as_caller(&gateway, user, &format!("GET {path}")).status, known, "{path}");
    }
}

/// A service may take for the field what is only spelled like it.
#[test]
fn no_field_arrives_that_is_spelled_like_one_that_a_condition_names() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }}
routes:
- {{ path: /*, service: api, policies: {{ allow_if: 'request.headers[\"x-tenant\"] == claims.tenant' }} }}
- {{ path: /beta, headers: {{ X-Beta: \"1\" }}, service: api }}
",
        origin.url()
    ));
    let token = guard::token(r#"{"sub":"u","tenant":"own"}"#);
    let head = |fields: &str| format!("GET /x HTTP/1.1\nHost: a\nAuthorization: Bearer {token}\n{fields}");
    for (fields, status) in [
        ("X-Tenant: own", 200),
        ("X-Tenant: victim", 403),
        ("X-Tenant: own\nX-Tenant: victim", 403),
        ("X_Tenant: own", 403),
        ("X-Tenant: own\nX_Tenant: victim\nX.Beta: 1\nX-Beta: 2", 200),
    ] {
        assert_eq!(gateway.ask(&head(fields)).status, status, "{fields}");
    }
    let seen = origin.requests().pop().unwrap().head_text();
    assert!(!seen.contains("victim") && !seen.contains("X.Beta") && seen.contains("X-Beta: 2"), "{seen}");
}

#[test]
fn no_field_arrives_that_is_spelled_like_one_that_is_asked_for_or_counted() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- path: /*
  service: api
  policies:
    required_headers: {{ X-Debug: {{ present: false }}, X-Tenant: {{ regex: \"[a-z]+\" }} }}
    rate_limits:
      plan: {{ limit: 1000/s, by: {{ expression: 'request.headers[\"x-plan\"]' }} }}
      team: {{ limit: 1000/s, by: {{ header: X-Team }} }}
",
        origin.url()
    ));
    let head = |fields: &str| format!("GET /x HTTP/1.1\nHost: a\n{fields}");
    for (fields, status) in [
        ("X-Tenant: own", 200),
        ("X_Tenant: own", 400),
        ("X-Tenant: own\nX-Debug: 1", 400),
        (
            "X-Tenant: own\nX_Tenant: evil\nX_Debug: evil\nX.Plan: evil\nX-Plan: a\nX_Team: evil\nX-Team: b",
            200,
        ),
    ] {
        assert_eq!(gateway.ask(&head(fields)).status, status, "{fields}");
    }
    let seen = origin.requests().pop().unwrap().head_text();
    assert!(
        !seen.contains("evil")
            && ["X-Tenant: own", "X-Plan: a", "X-Team: b"].iter().all(|one| seen.contains(one)),
        "{seen}"
    );
}

#[test]
fn expressions_decide_over_request_caller_and_time() {
    let gateway = Running::start(
        "access_log: off
policies:
  jwt: { secret: \"${env:KEY}\" }
  allow_if:
    all: ['request.path.startsWith(\"/x\") && claims.tier == \"gold\"']
    deny: ['\"suspended\" in roles', 'request.parameters.debug == \"1\"']
routes:
- { path: /*, respond: { body: in } }
- { path: /office, respond: { body: open }, policies: { jwt: off, allow_if: 'cidr(\"127.0.0.0/8\").containsIP(client.address)' } }
- { path: /never, respond: {}, policies: { access: public, allow_if: 'now < timestamp(\"2020-01-01T00:00:00Z\")' } }
",
    );
    let gold = r#"{"sub":"u","tier":"gold"}"#;
    for (claims, path, status) in [
        (gold, "/x/1?debug=0", 200),
        (gold, "/y?debug=0", 403),
        (gold, "/x?debug=1", 403),
        (gold, "/x?debug=0&debug=1", 403),
        (gold, "/x?debug=0&a=0;debug=1", 403),
        (gold, "/x", 403), // a condition without a value counts as if it held: `deny` never opens by mistake
        (r#"{"sub":"u","tier":"free"}"#, "/x?debug=0", 403),
        (r#"{"sub":"u"}"#, "/x?debug=0", 403),
        (r#"{"sub":"u","tier":7}"#, "/x?debug=0", 403),
        (r#"{"sub":"u","tier":"gold","roles":["suspended"]}"#, "/x?debug=0", 403),
    ] {
        assert_eq!(as_caller(&gateway, claims, &format!("GET {path}")).status, status, "{claims} {path}");
    }
    assert_eq!(gateway.ask("GET /office HTTP/1.1\nHost: a").text(), "open");
    assert_eq!(gateway.ask("GET /never HTTP/1.1\nHost: a").status, 403);
    assert_eq!(gateway.ask("GET /x HTTP/1.1\nHost: a").status, 401);
}

#[test]
fn what_is_written_of_a_consumer_decides_too() {
    let gateway = Running::start(
        "access_log: off
consumers:
- { username: alice, keys: [the-key-of-alice-16], metadata: { plan: yearly, seats: 5 } }
- { username: bob, keys: [the-key-of-bob-16-bytes], metadata: { plan: monthly } }
- { username: carol, keys: [the-key-of-carol-16] }
policies:
  key_auth: { headers: [apikey] }
  allow_if: 'consumer_metadata.plan == \"yearly\" && consumer_metadata.seats > 4'
routes:
- { path: /*, respond: { body: in } }
- { path: /any, respond: { body: in }, policies: { allow_if: '!has(consumer_metadata.plan)' } }
",
    );
    for (key, all, any) in [
        ("the-key-of-alice-16", 200, 403),
        ("the-key-of-bob-16-bytes", 403, 403),
        ("the-key-of-carol-16", 403, 200),
        ("nobody", 401, 401),
    ] {
        for (path, status) in [("/", all), ("/any", any)] {
            let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a\napikey: {key}"));
            assert_eq!(answer.status, status, "{key} {path}");
        }
    }
}
