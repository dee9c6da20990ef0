//! A public route beside protected ones takes nothing that a service could read as one of theirs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "support/guard.rs"]
mod guard;
#[path = "yaml.rs"]
mod yaml;

use torana_testkit::{Origin, Reply};
use yaml::Running;

/// The line of the request without its version, fields, and the status: 200 is public.
const CASES: &[(&str, &str, u16)] = &[
    ("GET /", "", 200),
    ("GET /anything", "", 200),
    ("GET /Anything/", "", 200),
    ("GET /admin", "", 401),
    ("GET //admin", "", 401),
    ("GET /%61dmin", "", 401),
    ("GET /./admin", "", 401),
    ("GET /x/../admin", "", 401),
    ("GET /admin?x=/", "", 401),
    ("GET http://api.test/admin", "", 401),
    ("GET /admin/", "", 400),
    ("GET /admin//", "", 400),
    ("GET /admin/.", "", 400),
    ("GET /admin/x/..", "", 400),
    ("GET /ADMIN", "", 400),
    ("GET /aDmin/", "", 400),
    ("GET /%41dmin", "", 400),
    ("GET /admin;x", "", 400),
    ("GET /admin;x/", "", 400),
    ("GET /ADMIN;x", "", 400),
    ("GET /;x/admin", "", 400),
    ("GET /admin%3Bx", "", 400),
    ("GET /admin%2F", "", 400),
    ("GET /x%2F..%2Fadmin", "", 400),
    ("GET /%2Fadmin", "", 400),
    ("GET /admin%5C", "", 400),
    ("GET http://api.test/Admin", "", 400),
    // What lies below or beside is another thing; `check` tells of it.
    ("GET /admin/x", "", 200),
    ("GET /adminx", "", 200),
    ("GET /admin.x", "", 200),
    ("GET /.admin", "", 200),
    ("GET /x./admin.", "", 200),
    // Services on Windows serve the path without dots and spaces at the end of its segments.
    ("GET /admin.", "", 400),
    ("GET /admin...", "", 400),
    ("GET /admin%20", "", 400),
    ("GET /admin.%20.", "", 400),
    ("GET /admin./", "", 400),
    ("GET /admin/%20", "", 400),
    ("GET /admin/...", "", 400),
    ("GET /Admin.", "", 400),
    ("GET /admin.;x", "", 400),
    ("GET /panel.", "", 400),
    ("GET /Reports./7", "", 400),
    ("GET /reports./7.", "", 200),
    ("GET /api.", "", 400),
    ("GET /api./x", "", 400),
    ("GET /api%20/x", "", 400),
    ("GET /api.x/y.", "", 200),
    // What is protected with a slash is protected without.
    ("GET /panel/", "", 401),
    ("GET /panel", "", 400),
    ("GET /Panel", "", 400),
    // Written with capitals.
    ("GET /Reports/7", "", 401),
    ("GET /Reports/7/", "", 400),
    // Below a protected one all is protected, and what is written as public in it is meant so.
    ("GET /api", "", 401),
    ("GET /api/", "", 401),
    ("GET /api/x", "", 401),
    ("GET /API/x", "", 400),
    ("GET /api/login", "", 200),
    ("GET /api/login/", "", 401),
    ("GET /api/LOGIN", "", 401),
    ("GET /Status", "", 200),
    ("GET /status", "", 401),
    ("GET /STATUS", "", 400),
    // Escapes of what may stand as it is: services that decode first read the same.
    ("GET /v1/items:delete", "", 401),
    ("GET /v1/items%3Adelete", "", 400),
    ("GET /v1/items%3adelete/", "", 400),
    ("GET /V1/items%3ADelete", "", 400),
    ("GET /v1/items%3Adelete;x", "", 400),
    ("GET /v1/items:delete%3Bx", "", 400),
    ("GET /v1/items%3Aget", "", 200),
    ("GET /%24batch", "", 400),
    ("GET /a%2Bb", "", 400),
    ("GET /Items%283%29", "", 400),
    ("GET /items(3%29", "", 200),
    ("GET /people/@me", "", 401),
    ("GET /people/%40me", "", 200),
    ("GET /people/%40ME", "", 400),
    ("GET /people/%40you", "", 200),
    // Another method.
    ("GET /things/7", "", 200),
    ("POST /things/7", "", 200),
    ("DELETE /things/7", "", 401),
    ("DELETE /things/7/", "", 400),
    ("DELETE /Things/7", "", 400),
];

/// The same where fields that ask for another method are passed on; else none of them arrives.
const OVERRIDES: &[(&str, &str, u16)] = &[
    ("POST /things/7", "X-HTTP-Method-Override: DELETE", 401),
    ("POST /things/7", "x-method-override: delete", 401),
    ("GET /things/7", "X-HTTP-Method:  Delete ", 401),
    ("GET /things/7", "X_HTTP_Method_Override: DELETE", 401),
    ("GET /things/7", "X.Http.Method: DELETE", 401),
    ("POST /things/7", "X-HTTP-Method-Override: PATCH\nX-HTTP-Method-Override: DELETE", 401),
    ("POST /things/7", "X-HTTP-Method-Override: POST", 200),
    ("POST /things/7", "X-HTTP-Method-Override: get", 200),
    ("POST /things/7", "X-HTTP-Method-Override:", 200),
    ("POST /THINGS/7", "X-HTTP-Method-Override: DELETE", 400),
    ("POST /THINGS/7", "X-HTTP-Method-Override: PUT", 200),
    // Another route, although it asks for nobody either: its other rules would be passed by.
    ("POST /things/7", "X-HTTP-Method-Override: PATCH", 403),
    ("POST /only", "X-HTTP-Method-Override: DELETE", 403),
];

/// Ways by which everybody passes, known or not.
const OPEN: [&str; 3] = [
    "access: public",
    "auth: { anonymous: guest }, jwt: { secret: \"${env:KEY}\" }",
    "forward_auth: { url: \"http://127.0.0.1:1\", on_failure: allow }",
];

fn file(origin: &Origin, paths: &str, open: &str) -> String {
    let closed = "policies: { jwt: { secret: \"${env:KEY}\" } }";
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
{paths}services: {{ api: {{ endpoints: [{}] }} }}
consumers: [{{ username: guest }}]
routes:
- {{ path: /*, service: api, policies: {{ {open} }} }}
- {{ path: /admin, service: api, {closed} }}
- {{ path: /panel/, service: api, {closed} }}
- {{ path: \"/Reports/{{id}}\", service: api, {closed} }}
- {{ path: /api/*, service: api, {closed} }}
- {{ path: /api/login, service: api, policies: {{ access: public }} }}
- {{ path: /Status, service: api, policies: {{ access: public }} }}
- {{ path: /status, service: api, {closed} }}
- {{ path: /things/*, methods: [GET, POST], service: api, policies: {{ {open} }} }}
- {{ path: /only, methods: [POST], service: api, policies: {{ {open} }} }}
- {{ path: \"/v1/items:delete\", service: api, {closed} }}
- {{ path: /$batch, service: api, {closed} }}
- {{ path: /a+b, service: api, {closed} }}
- {{ path: /Items(3), service: api, {closed} }}
- {{ path: /people/@me, service: api, {closed} }}
- {{ path: /people/%40me, service: api, policies: {{ access: public }} }}
- {{ path: \"/things/{{id}}\", methods: [DELETE], service: api, {closed} }}
",
        origin.url()
    )
}

#[test]
fn other_spellings_of_protected_paths_are_not_public() {
    for open in OPEN {
        let origin = Origin::always(Reply::ok("in"));
        let gateway = Running::start(&file(&origin, "", open));
        let mut wrong = Vec::new();
        for (line, fields, status) in CASES {
            let got = gateway.ask(&format!("{line} HTTP/1.1\nHost: api.test\n{fields}")).status;
            if got != *status {
                wrong.push(format!("{line} {fields}: {got}, not {status}"));
            }
        }
        assert!(wrong.is_empty(), "{open}: {wrong:#?}");
        assert_eq!(origin.count(), CASES.iter().filter(|(_, _, status)| *status == 200).count());
    }
}

/// One set of rules on several routes makes no path another's.
#[test]
fn routes_that_ask_the_same_of_a_caller_are_one_whatever_is_read() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}] }} }}
consumers: [{{ username: guest, groups: [all] }}]
policies: {{ auth: {{ anonymous: guest }}, jwt: {{ secret: \"${{env:KEY}}\" }} }}
routes:
- {{ path: /*, service: api }}
- {{ path: /docs/*, service: api }}
- {{ path: /staff/*, service: api, policies: {{ acl: [staff] }} }}
",
        origin.url()
    ));
    for (path, status) in [
        ("/Docs/a", 200),
        ("/docs./a", 200),
        ("/docs/A/", 200),
        ("/X/", 200),
        ("/staff/a", 401),
        ("/STAFF/a", 400),
        ("/staff./a", 400),
    ] {
        let got = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: api.test")).status;
        assert_eq!(got, status, "{path}");
    }
}

/// Nor are spellings of one protected path for another route that asks less of the caller.
#[test]
fn between_protected_routes_no_spelling_passes_by_what_one_of_them_asks() {
    let origin = Origin::always(Reply::ok("in"));
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
paths: {{ encoded_slashes: keep }}
services: {{ api: {{ endpoints: [{}] }} }}
consumers: [{{ username: alice, groups: [staff], keys: [k-1] }}]
policies: {{ {jwt} }}
routes:
- {{ path: /*, service: api }}
- {{ path: /api/admin, service: api, policies: {{ roles: [admin] }} }}
- {{ path: /api/if, service: api, policies: {{ allow_if: 'claims.tier == \"gold\"' }} }}
- {{ path: /api/plain, service: api }}
- {{ path: \"/api/items:delete\", service: api, policies: {{ roles: [admin] }} }}
- {{ path: /lax/*, service: api, policies: {{ auth: {{ preflight: options }} }} }}
- {{ path: /lax/strict, service: api, policies: {{ auth: {{ preflight: required }} }} }}
- {{ path: /api/keys/*, service: api, policies: {{ key_auth: {{}} }} }}
- {{ path: /api/acl/*, service: api, policies: {{ acl: [staff] }} }}
- {{ path: \"/Reports/{{id}}\", service: api, policies: {{ roles: [reporter] }} }}
- {{ path: /rules/*, service: api, policies: {{ roles: {{ any: [user], rules: {{ /rules/admin/*: [admin], /rules/Reports/*: [reporter], '/rules/items:delete': [admin], /rules/*: [user] }} }} }} }}
",
        origin.url()
    ));
    let mut wrong = Vec::new();
    for (path, roles, status) in [
        ("/api/admin", "[\"admin\"]", 200),
        ("/api/admin", "[]", 403),
        ("/api/admin/", "[]", 400),
        ("/api/ADMIN", "[]", 400),
        ("/api/admin.", "[]", 400),
        ("/api/admin%20", "[]", 400),
        ("/API/admin", "[]", 400),
        ("/api%2Fadmin", "[]", 400),
        ("/api/admin;x", "[]", 400),
        ("/api/ADMIN", "[\"admin\"]", 400),
        ("/api/IF", "[]", 400),
        ("/api/items:delete", "[\"admin\"]", 200),
        ("/api/items%3Adelete", "[]", 400),
        ("/api/items%3ADELETE", "[]", 400),
        ("/api/items%3Aget", "[]", 200),
        ("/api/keys", "[]", 401),
        ("/api/KEYS/1", "[]", 400),
        ("/api/acl./1", "[]", 400),
        ("/api/Plain/", "[]", 200),
        ("/api/other/", "[]", 200),
        ("/api/OTHER.", "[]", 200),
        ("/Anything", "[]", 200),
        ("/lax/strict", "[]", 200),
        ("/lax/STRICT", "[]", 400),
        ("/lax/Other", "[]", 200),
        // What is written with capitals is meant so, although `/*` is read for it.
        ("/Reports/7", "[\"reporter\"]", 200),
        ("/Reports/7", "[]", 403),
        // The same for rules.
        ("/rules/x", "[\"user\"]", 200),
        ("/rules/X/", "[\"user\"]", 200),
        ("/rules/admin/x", "[\"user\"]", 403),
        ("/rules/ADMIN/x", "[\"user\"]", 403),
        ("/rules/admin./x", "[\"user\"]", 403),
        ("/rules/admin%20/x", "[\"user\"]", 403),
        ("/rules/admin%2Fx", "[\"user\"]", 403),
        ("/rules/Admin;v=1/x/", "[\"user\"]", 403),
        ("/rules/items%3Adelete", "[\"user\"]", 403),
        ("/rules/items%3Adelete", "[\"admin\",\"user\"]", 200),
        ("/rules/Admin/x", "[\"admin\",\"user\"]", 200),
        ("/rules/Reports/7", "[\"reporter\"]", 200),
        ("/rules/Reports/7", "[\"user\"]", 403),
    ] {
        let token = guard::token(&format!(r#"{{"sub":"u","roles":{roles}}}"#));
        let head = format!("GET {path} HTTP/1.1\nHost: api.test\nAuthorization: Bearer {token}");
        let got = gateway.ask(&head).status;
        if got != status {
            wrong.push(format!("{path} {roles}: {got}, not {status}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// As the page of `access` says: beside a public `/*`, to a service that ignores case.
#[test]
fn protected_paths_in_lower_case_are_protected_in_any_and_others_as_they_are_written() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = |paths: &[&str]| {
        let protected = |path: &&str| {
            format!(
                "- {{ path: {path}, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }} }}\n"
            )
        };
        Running::start(&format!(
            "access_log: off\nservices: {{ api: {{ endpoints: [{}] }} }}\nroutes:\n- {{ path: /*, service: api, policies: {{ access: public }} }}\n{}",
            origin.url(),
            paths.iter().map(protected).collect::<String>()
        ))
    };
    let lower = [("/admin/x", 401), ("/Admin/x", 400), ("/ADMIN/x", 400)];
    let capitals = [("/admin/x", 200), ("/Admin/x", 401), ("/ADMIN/x", 200)];
    let both = [("/admin/x", 401), ("/Admin/x", 401), ("/ADMIN/x", 400)];
    for (paths, answers) in
        [(&["/admin/*"][..], lower), (&["/Admin/*"], capitals), (&["/admin/*", "/Admin/*"], both)]
    {
        let gateway = gateway(paths);
        for (path, status) in answers {
            let got = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a")).status;
            assert_eq!(got, status, "{paths:?} {path}");
        }
    }
}

/// Nor past anything else that a route does, who calls or not.
#[test]
fn a_path_that_decoded_is_another_routes_is_refused() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /v1/*, service: api }}
- {{ path: \"/v1/items:delete\", service: api, policies: {{ ip_restriction: {{ allow: [192.0.2.0/24] }} }} }}
- {{ path: \"~/v2/[a-z%0-9A-F]+\", service: api }}
- {{ path: /v2/*, respond: {{ status: 404 }} }}
",
        origin.url()
    ));
    for (path, status) in [
        ("/v1/items:delete", 403),
        ("/v1/items%3Adelete", 400),
        ("/v1/items;x%3Adelete", 200),
        ("/v1/items%3Bx:delete", 200),
        ("/v1/items%3Aget", 200),
        ("/v2/a:b", 404),
        // Written for the path with its escapes.
        ("/v2/a%3Ab", 200),
    ] {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    assert!(
        origin.requests().iter().any(|request| request.target == "/v1/items%3Aget"),
        "as the client sent it"
    );
}

#[test]
fn another_method_is_asked_for_in_vain() {
    let origin = Origin::always(Reply::ok("in"));
    for open in OPEN {
        let removing = Running::start(&file(&origin, "", open));
        let passing = Running::start(&file(&origin, "method_overrides: forward\n", open));
        for (line, fields, status) in OVERRIDES {
            let head = format!("{line} HTTP/1.1\nHost: api.test\n{fields}");
            assert_eq!(passing.ask(&head).status, *status, "{open}: {line} {fields}");
            assert_eq!(removing.ask(&head).status, 200, "{open}: {line} {fields}");
            let requests = origin.requests();
            let arrived = requests.last().unwrap();
            assert!(
                fields.lines().all(|field| arrived.header(field.split(':').next().unwrap()).is_none()),
                "{arrived:?}"
            );
        }
    }
}

/// What is decided for the request's method holds for the one that a field asks for, where both are known callers.
#[test]
fn another_method_passes_by_no_rule() {
    let origin = Origin::always(Reply::ok("in"));
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let text = |overrides: &str| {
        format!(
            "access_log: off
limits: {{ failed_credentials: off }}
{overrides}services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /if, service: api, policies: {{ {jwt}, allow_if: 'request.method != \"DELETE\" || claims.tier == \"gold\"' }} }}
- {{ path: /deny, service: api, policies: {{ {jwt}, allow_if: {{ deny: ['request.method == \"DELETE\"'] }} }} }}
- {{ path: /query, service: api, policies: {{ {jwt}, allow_if: 'request.query != \"x\"' }} }}
- {{ path: /split, methods: [GET, POST], service: api, policies: {{ {jwt} }} }}
- {{ path: /split, methods: [DELETE], service: api, policies: {{ {jwt}, allow_if: 'claims.tier == \"gold\"' }} }}
",
            origin.url()
        )
    };
    let (passing, removing) =
        (Running::start(&text("method_overrides: forward\n")), Running::start(&text("")));
    let ask = |gateway: &Running, claims: &str, line: &str, field: &str| {
        let token = guard::token(claims);
        let head = format!("{line} HTTP/1.1\nHost: api.test\nAuthorization: Bearer {token}\n{field}");
        gateway.ask(&head).status
    };
    let (plain, gold) = (r#"{"sub":"u"}"#, r#"{"sub":"u","tier":"gold"}"#);
    for (claims, line, field, status) in [
        (plain, "POST /if", "", 200),
        (plain, "POST /if", "X-HTTP-Method-Override: PUT", 200),
        (plain, "POST /if", "X-HTTP-Method-Override: DELETE", 403),
        (plain, "POST /if", "x_http_method: delete", 403),
        (plain, "POST /if", "X-HTTP-Method-Override: PUT\nX-Method-Override: DELETE", 403),
        (gold, "POST /if", "X-HTTP-Method-Override: DELETE", 200),
        (plain, "DELETE /if", "X-HTTP-Method-Override: GET", 403),
        (gold, "POST /deny", "X-HTTP-Method: DELETE", 403),
        (gold, "POST /query", "X-HTTP-Method: DELETE", 200),
        (gold, "POST /split", "X-HTTP-Method-Override: GET", 200),
        (plain, "POST /split", "X-HTTP-Method-Override: DELETE", 403),
        (gold, "POST /split", "X-HTTP-Method-Override: DELETE", 403),
        (gold, "POST /split", "X-HTTP-Method-Override: PUT", 403),
        (gold, "DELETE /split", "X-HTTP-Method-Override: POST", 403),
    ] {
        assert_eq!(ask(&passing, claims, line, field), status, "{line} {field}");
        let expected = if line.starts_with("DELETE") && claims == plain { 403 } else { 200 };
        assert_eq!(ask(&removing, claims, line, field), expected, "{line} {field}");
    }
}

#[test]
fn slashes_that_are_kept_encoded_hide_no_protected_path() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&origin, "paths: { encoded_slashes: keep }\n", OPEN[0]));
    for (path, status) in [
        ("/x%2Fy", 200),
        ("/admin%2F", 400),
        ("/%2Fadmin", 400),
        ("/x/%2F/admin", 200),
        ("/Reports%2F7", 400),
        ("/API%5Cx", 400),
        ("/api%2Fx", 400),
        ("/api/a%2Fb", 401),
    ] {
        let got = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: api.test")).status;
        assert_eq!(got, status, "{path}");
    }
}

/// A service takes the first of several values or the last, whatever the gateway makes of them.
#[test]
fn a_value_that_is_there_twice_leads_to_no_route_that_asks_less() {
    let origin = Origin::always(Reply::ok("in"));
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /api, query: {{ admin: \"1\" }}, service: api, policies: {{ {jwt} }} }}
- {{ path: /api, service: api, policies: {{ access: public }} }}
- {{ path: /field, headers: {{ X-Admin: \"1\" }}, service: api, policies: {{ {jwt} }} }}
- {{ path: /field, service: api, policies: {{ access: public }} }}
- {{ path: /roles, query: {{ admin: \"1\" }}, service: api, policies: {{ {jwt}, roles: [admin] }} }}
- {{ path: /roles, service: api, policies: {{ {jwt} }} }}
- {{ path: /api/open, service: api, policies: {{ access: public }} }}
- {{ path: /api/*, query: {{ admin: \"1\" }}, service: api, policies: {{ {jwt} }} }}
",
        origin.url()
    ));
    let token = guard::token(r#"{"sub":"u"}"#);
    for (path, fields, status) in [
        ("/api", "", 200),
        ("/api?admin=0", "", 200),
        ("/api?admin=0&admin=2", "", 200),
        ("/api?admin=1", "", 401),
        ("/api?admin=1&admin=1", "", 400),
        ("/api?admin=0&admin=1", "", 400),
        ("/api?a=0;admin=1", "", 400),
        ("/api?admin=1;a=0", "", 400),
        ("/api?%61dmin=1&admin", "", 400),
        ("/api?Admin=1", "", 400),
        ("/api?%20admin=1", "", 400),
        ("/api?admin%00=1", "", 400),
        ("/api?admin[]=1", "", 400),
        ("/api?admin=0&ADMIN=1", "", 400),
        ("/api?]admin=1", "", 400),
        ("/api?[admin=1", "", 400),
        ("/api?admin]=1", "", 400),
        ("/api?[[admin]]=1", "", 400),
        ("/api?%u0061dmin=1", "", 400),
        ("/api?admin=%u0031", "", 400),
        ("/api?admin=0&%u0061=1", "", 200),
        ("/api?Admin=0&administer=1", "", 200),
        ("/API?admin=1&admin=1", "", 404),
        // The more specific one is meant for it, however its query is read.
        ("/api/open?admin=1&admin=1", "", 200),
        ("/field", "X-Admin: 2", 200),
        ("/field", "X-Admin: 1", 401),
        ("/field", "X-Admin: 2\nX-Admin: 1", 400),
        ("/field", "X_Admin: 1", 200),
        ("/roles?admin=1", "", 401),
        ("/roles?admin=1&admin=0", "", 400),
        ("/roles?Admin=1", "", 400),
        ("/roles?admin=0", "", 401),
    ] {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a\n{fields}"));
        assert_eq!(answer.status, status, "{path} {fields}: {}", answer.text());
    }
    for (path, status) in
        [("/roles", 200), ("/roles?admin=1", 403), ("/roles?admin=1&admin=1", 400), ("/roles?Admin=1", 400)]
    {
        let head = format!("GET {path} HTTP/1.1\nHost: a\nAuthorization: Bearer {token}");
        assert_eq!(gateway.ask(&head).status, status, "{path}");
    }
    for request in origin.requests() {
        assert!(!request.head_text().contains("X_Admin"), "{}", request.head_text());
    }
}

/// An open route that would take one of two values hides none that is read there, too.
#[test]
fn several_values_and_another_spelling_together_pass_by_nothing() {
    let origin = Origin::always(Reply::ok("in"));
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let gateway = Running::start(&format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /*, service: api, policies: {{ access: public }} }}
- {{ path: /admin, service: api, policies: {{ {jwt} }} }}
- {{ path: /admin, query: {{ view: help }}, service: api, policies: {{ access: public }} }}
- {{ path: /reports, query: {{ full: \"1\" }}, service: api, policies: {{ {jwt} }} }}
- {{ path: /modes, query: {{ mode: public }}, service: api, policies: {{ access: public }} }}
- {{ path: /modes, service: api, policies: {{ {jwt} }} }}
- {{ path: /plain, query: {{ admin: {{ present: false }} }}, service: api, policies: {{ access: public }} }}
- {{ path: /plain, service: api, policies: {{ {jwt} }} }}
- {{ path: /bare, query: {{ help: {{ present: false }} }}, service: api, policies: {{ {jwt} }} }}
- {{ path: /bare, service: api, policies: {{ access: public }} }}
",
        origin.url()
    ));
    for (path, status) in [
        ("/admin", 401),
        ("/admin?view=help", 200),
        ("/admin/?view=help", 200),
        ("/admin/?view=users", 400),
        ("/admin/?view=users&view=help", 400),
        ("/ADMIN?view=help&view=users", 400),
        ("/reports", 200),
        ("/reports/?full=1", 400),
        ("/reports/?full=0&full=1", 400),
        ("/modes?mode=public", 200),
        ("/modes?mode=public&x=1;y=2", 200),
        ("/modes?mode=public&x=1;mode=private", 401),
        ("/modes?mode=public&Mode=private", 401),
        ("/plain?x=1", 200),
        ("/plain?x=1;admin=1", 401),
        ("/plain?Admin=1", 401),
        ("/plain?[admin=1", 401),
        ("/plain?%u0061dmin=1", 401),
        ("/bare", 401),
        ("/bare?help", 200),
        ("/bare?Help", 400),
        ("/bare?x;help", 400),
    ] {
        let answer = gateway.ask(&format!("GET {path} HTTP/1.1\nHost: a"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
}
