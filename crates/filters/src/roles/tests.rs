use super::*;
use torana_filter::{Consumer, Offline};
use torana_plan::PolicyPlan;

/// Plans what stands under `roles` in a file.
fn filter(written: &str) -> RolesFilter {
    let text = format!(
        "policies: {{ jwt: {{ secret: 'a secret of at least thirty-two bytes' }} }}\nroutes:\n- path: /*\n  respond: {{}}\n  policies:\n    roles: {written}\n"
    );
    let loaded = torana_plan::load("test.yaml", &text, &torana_config::FixedResolver::default());
    let plan = loaded.plan.unwrap_or_else(|| panic!("{written}: {:?}", loaded.findings));
    let policies = &plan.routes[0].policies;
    let roles = policies.iter().find_map(|planned| match &planned.policy {
        PolicyPlan::Roles(roles) => Some(RolesFilter::prepare(roles)),
        _ => None,
    });
    roles.unwrap()
}

fn caller(roles: &[&str]) -> Identity {
    let groups = [Arc::from("staff"), Arc::from("eu")].into();
    Identity {
        consumer: "ada".into(),
        roles: roles.iter().map(ToString::to_string).collect(),
        record: Some(Arc::new(Consumer { id: "1".into(), groups, ..Consumer::default() })),
        claims:
            serde_json::json!({ "realm_access": { "roles": ["editor"] }, "scope": "read write", "level": 3 })
                .as_object()
                .cloned()
                .unwrap()
                .into(),
        ..Identity::default()
    }
}

/// 200 for passed, else the status of the refusal.
fn judge(filter: &RolesFilter, identity: Option<&Identity>, method: &str, path: &str) -> u16 {
    let refusal = filter.inner.refusal(identity, method.as_bytes(), path.as_bytes());
    refusal.map_or(200, |fault| fault.status())
}

const SEED: &str =
    "{ rules: { /api/admin/*: [admin], /api/users/*/profile: [user, admin], /api/orders/*: [user, admin] } }";
const METHODS: &str = "{ any: [user], rules: { GET /docs/*: [reader], 'PUT,PATCH /docs/*': [writer], /docs/*: [owner], /docs/open: anyone } }";
const ESCAPED: &str = "{ rules: { /v1/%40me: [self], /v1/%40you: [self], /v1/%40them: [self], /v1/@you: [other], /v1/@them: deny, /v1/*: [admin] } }";
const VERBS: &str = "{ rules: { /v1/*: [user], '/v1/items:delete': [admin], '~/v1/[a-z]+:purge': deny, '/v1/{id}': [user], /v1/@me: [self], '/v1/$batch/(all)': [admin] } }";
const DENY: &str = "{ rules: { /api/*: { any: [user], deny: [banned] }, /api/open/*: anyone, /api/open/closed/*: deny, /api/open/closed/not/*: [user] } }";

/// What is written, the caller's roles (`-` is nobody), method, path, status.
const CASES: &[(&str, &str, &str, &str, u16)] = &[
    // A plain list: one is enough.
    ("[user, admin]", "user", "GET", "/x", 200),
    ("[user, admin]", "admin", "GET", "/x", 200),
    ("[user, admin]", "guest", "GET", "/x", 403),
    ("[user, admin]", "User", "GET", "/x", 403),
    ("[user, admin]", "use", "GET", "/x", 403),
    ("[user, admin]", "", "GET", "/x", 403),
    ("[user, admin]", "-", "GET", "/x", 401),
    ("admin", "admin", "GET", "/x", 200),
    ("admin", "user", "GET", "/x", 403),
    // All of them, and both lists.
    ("{ all: [a, b] }", "b a", "GET", "/x", 200),
    ("{ all: [a, b] }", "a", "GET", "/x", 403),
    ("{ all: [a, b] }", "-", "GET", "/x", 401),
    ("{ any: [x, y], all: [a] }", "a y", "GET", "/x", 200),
    ("{ any: [x, y], all: [a] }", "y", "GET", "/x", 403),
    ("{ any: [x, y], all: [a] }", "a", "GET", "/x", 403),
    // Elsewhere than in the token's roles.
    ("{ any: [staff], from: groups }", "", "GET", "/x", 200),
    ("{ any: [staff], from: groups }", "staff", "GET", "/x", 200),
    ("{ any: [admin], from: groups }", "admin", "GET", "/x", 403),
    ("{ any: [editor], from: claims.realm_access.roles }", "", "GET", "/x", 200),
    ("{ any: [author], from: claims.realm_access.roles }", "author", "GET", "/x", 403),
    ("{ all: [read, write], from: claims.scope }", "", "GET", "/x", 200),
    ("{ all: [read, delete], from: claims.scope }", "", "GET", "/x", 403),
    ("{ any: [rea], from: claims.scope }", "", "GET", "/x", 403),
    ("{ any: ['3'], from: claims.level }", "", "GET", "/x", 403),
    ("{ any: [x], from: claims.nope.roles }", "", "GET", "/x", 403),
    (
        "{ all: [admin, eu, editor], from: [roles, groups, claims.realm_access.roles] }",
        "admin",
        "GET",
        "/x",
        200,
    ),
    ("{ all: [admin, eu, editor], from: [roles, groups] }", "admin", "GET", "/x", 403),
    // The seed's rules; a path without a rule asks for nothing.
    (SEED, "admin", "GET", "/api/admin/users", 200),
    (SEED, "admin", "GET", "/api/admin", 200),
    (SEED, "user", "GET", "/api/admin/users", 403),
    (SEED, "user", "GET", "/api/admin", 403),
    (SEED, "user", "GET", "/api/admin/", 403),
    (SEED, "-", "GET", "/api/admin/users", 401),
    (SEED, "user", "GET", "/api/administrator", 200),
    (SEED, "user", "GET", "/api/users/7/profile", 200),
    (SEED, "admin", "GET", "/api/users/7/profile", 200),
    (SEED, "guest", "GET", "/api/users/7/profile", 403),
    (SEED, "guest", "GET", "/api/users/7/profile/", 403),
    (SEED, "guest", "POST", "/api/users/7/profile", 403),
    (SEED, "guest", "GET", "/api/users/7/profiles", 200),
    (SEED, "guest", "GET", "/api/users/7/8/profile", 200),
    (SEED, "guest", "GET", "/api/users/profile", 200),
    (SEED, "user", "DELETE", "/api/orders/7", 200),
    (SEED, "guest", "DELETE", "/api/orders/7", 403),
    (SEED, "-", "GET", "/api/auth/login", 200),
    (SEED, "-", "GET", "/api/orders/7", 401),
    // A parameter of a segment hides no path.
    (SEED, "user", "GET", "/api/admin;v=1/users", 403),
    (SEED, "user", "GET", "/api;a/admin/users", 403),
    (SEED, "guest", "GET", "/api/users/7;x/profile;y", 403),
    (SEED, "guest", "GET", "/api/orders;a/;b/", 403),
    (SEED, "user", "GET", "/;/api/admin/users", 403),
    (SEED, "user", "GET", "/api/;x/admin", 403),
    (SEED, "admin", "GET", "/api/admin;v=1/users", 200),
    // Nor does an escape of what may stand as it is.
    (VERBS, "user", "POST", "/v1/items:delete", 403),
    (VERBS, "user", "POST", "/v1/items%3Adelete", 403),
    (VERBS, "user", "POST", "/v1/items%3Adelete/", 403),
    (VERBS, "user", "POST", "/v1/items%3Adelete;x", 403),
    (VERBS, "user", "POST", "/v1/items%3ADELETE", 403),
    (VERBS, "user admin", "POST", "/v1/items%3Adelete", 200),
    (VERBS, "user", "POST", "/v1/items%3Aget", 200),
    (VERBS, "user admin", "POST", "/v1/items:purge", 403),
    (VERBS, "user admin", "POST", "/v1/items%3Apurge", 403),
    (VERBS, "user", "GET", "/v1/%40me", 403),
    (ESCAPED, "self", "GET", "/v1/%40me", 200),
    (ESCAPED, "admin", "GET", "/v1/%40me", 403),
    (ESCAPED, "self", "GET", "/v1/@me", 403),
    (ESCAPED, "self", "GET", "/v1/%40you", 403),
    (ESCAPED, "self", "GET", "/v1/%40them", 403),
    ("{ rules: { '~/v1/[^:]+': [user], /v1/*: [admin] } }", "user", "POST", "/v1/items%3Adelete", 403),
    ("{ rules: { '~/v1/[^:]+': [user], /v1/*: [admin] } }", "user", "POST", "/v1/items", 200),
    ("{ rules: { '~/v1/[^:]+': [user] }, any: [admin] }", "user", "POST", "/v1/items%3Adelete", 403),
    (ESCAPED, "self", "GET", "/v1/%40me;v=1", 403),
    (ESCAPED, "self admin", "GET", "/v1/%40me;v=1", 200),
    (ESCAPED, "self", "GET", "/v1/%40them;v=1", 403),
    (VERBS, "user self", "GET", "/v1/%40me", 200),
    (VERBS, "user", "GET", "/v1/%40you", 200),
    (VERBS, "user", "GET", "/v1/%24batch/%28all%29", 403),
    (VERBS, "user", "GET", "/v1/%24batch/(all)", 403),
    (VERBS, "-", "GET", "/v1/%40me", 401),
    // Methods: the named one before any, GET for HEAD, what no rule names is asked for by the lists.
    (METHODS, "reader", "GET", "/docs/a", 200),
    (METHODS, "reader", "HEAD", "/docs/a", 200),
    (METHODS, "reader", "PUT", "/docs/a", 403),
    (METHODS, "writer", "PUT", "/docs/a", 200),
    (METHODS, "writer", "PATCH", "/docs/a", 200),
    (METHODS, "writer", "GET", "/docs/a", 403),
    (METHODS, "owner", "DELETE", "/docs/a", 200),
    (METHODS, "owner", "GET", "/docs/a", 403),
    (METHODS, "writer", "DELETE", "/docs/a", 403),
    (METHODS, "guest", "GET", "/docs/open", 200),
    (METHODS, "guest", "DELETE", "/docs/open/", 200),
    (METHODS, "-", "GET", "/docs/open", 401),
    (METHODS, "user", "GET", "/elsewhere", 200),
    (METHODS, "guest", "GET", "/elsewhere", 403),
    (METHODS, "-", "GET", "/elsewhere", 401),
    // What one rule denies, a more specific one does not allow.
    (DENY, "user", "GET", "/api/x", 200),
    (DENY, "guest", "GET", "/api/x", 403),
    (DENY, "user banned", "GET", "/api/x", 403),
    (DENY, "guest", "GET", "/api/open/x", 200),
    (DENY, "banned", "GET", "/api/open/x", 403),
    (DENY, "user", "GET", "/api/open/closed/x", 403),
    (DENY, "user", "GET", "/api/open/closed", 403),
    (DENY, "user", "GET", "/api/open/closed/not/x", 403),
    (DENY, "-", "GET", "/api/open/closed/x", 403),
    (DENY, "-", "GET", "/api/open/x", 401),
    (DENY, "-", "GET", "/api/x", 401),
    (DENY, "banned", "GET", "/other", 200),
    // Regular expressions are told apart by a slash at the end, other patterns are not.
    ("{ rules: { '~/v[0-9]+/admin/?': [admin] } }", "user", "GET", "/v2/admin", 403),
    ("{ rules: { '~/v[0-9]+/admin/?': [admin] } }", "user", "GET", "/v2/admin/", 403),
    ("{ rules: { '~/v[0-9]+/admin/': [admin] } }", "user", "GET", "/v2/admin/", 403),
    ("{ rules: { '~/v[0-9]+/admin/': [admin] } }", "user", "GET", "/v2/admin", 200),
    ("{ rules: { /docs/: [admin] } }", "user", "GET", "/docs", 403),
    ("{ rules: { /docs/: [admin] } }", "user", "GET", "/docs/", 403),
    ("{ any: [user], rules: { /health/: anyone } }", "guest", "GET", "/health/", 200),
    ("{ rules: { '/a/{id}': [admin], /a/me: anyone } }", "user", "GET", "/a/me", 200),
    ("{ rules: { '/a/{id}': [admin], /a/me: anyone } }", "user", "GET", "/a/you", 403),
    ("{ rules: { /: [admin] } }", "user", "GET", "/", 403),
    ("{ rules: { /*: [admin], /login: anyone } }", "user", "GET", "/a/b/c", 403),
    ("{ rules: { /*: [admin], /login: anyone } }", "user", "GET", "/login", 200),
    ("{ rules: { /x: { all: [a, b], deny: [c] } } }", "a b", "GET", "/x", 200),
    ("{ rules: { /x: { all: [a, b], deny: [c] } } }", "a b c", "GET", "/x", 403),
    ("{ rules: { /x: { deny: [c] } } }", "a", "GET", "/x", 200),
    ("{ rules: { /x: { deny: [c] } } }", "-", "GET", "/x", 401),
    ("{ from: groups, rules: { /x: staff, /y: us } }", "", "GET", "/x", 200),
    ("{ from: groups, rules: { /x: staff, /y: us } }", "us", "GET", "/y", 403),
];

#[test]
fn who_may_do_what() {
    assert!(CASES.len() >= 90, "{} cases", CASES.len());
    for (written, roles, method, path, status) in CASES {
        let roles: Vec<&str> = roles.split_ascii_whitespace().collect();
        let identity = (roles != ["-"]).then(|| caller(&roles));
        let told = judge(&filter(written), identity.as_ref(), method, path);
        assert_eq!(told, *status, "{written} for {roles:?}: {method} {path}");
    }
}

#[test]
fn who_is_taken_for_somebody_has_the_roles_of_that_one_and_is_not_known() {
    for (written, path, status) in [
        ("{ any: [guest] }", "/x", 200),
        ("{ any: [staff], from: groups }", "/x", 200),
        ("{ any: [admin] }", "/x", 401),
        ("{ all: [guest, admin] }", "/x", 401),
        ("{ rules: { /x: anyone } }", "/x", 401),
        ("{ rules: { /x: anyone } }", "/y", 200),
        ("{ rules: { /x: { deny: [banned] } } }", "/x", 401),
        ("{ rules: { /x: { deny: [guest] } } }", "/x", 403),
        ("{ rules: { /x: deny } }", "/x", 403),
    ] {
        let guest = Identity { anonymous: true, ..caller(&["guest"]) };
        assert_eq!(judge(&filter(written), Some(&guest), "GET", path), status, "{written} {path}");
    }
}

#[test]
fn whoever_has_more_roles_than_can_be_read_may_have_one_that_is_denied() {
    let odd = |groups: bool| Identity { unread_roles: !groups, unread_groups: groups, ..caller(&["user"]) };
    for (written, groups, status) in [
        ("[user]", false, 200),
        ("[admin]", false, 403),
        ("{ rules: { /x: { any: [user], deny: [banned] } } }", false, 403),
        ("{ rules: { /x: { any: [user], deny: [banned] } } }", true, 200),
        ("{ rules: { /x: { deny: [banned] } }, from: [roles, groups] }", true, 403),
        ("{ rules: { /x: { deny: [banned] } }, from: claims.level }", false, 403),
        ("{ rules: { /x: { deny: [banned] } }, from: claims.scope }", false, 200),
        ("{ rules: { /x: { deny: [banned] } }, from: claims.nope }", false, 200),
        ("{ rules: { /x: anyone } }", false, 200),
    ] {
        assert_eq!(judge(&filter(written), Some(&odd(groups)), "GET", "/x"), status, "{written} {groups}");
    }
    let refusal = filter("[admin]").inner.refusal(Some(&odd(false)), b"GET", b"/x").unwrap();
    assert_eq!(
        refusal.detail(),
        Some("ada lacks the role admin, and the claim with its roles has what is no text")
    );
}

#[tokio::test]
async fn refusals_tell_the_log_why_and_the_caller_nothing() {
    let mut exchange = Exchange { identity: Some(Arc::new(caller(&["guest"]))), ..Exchange::default() };
    let Verdict::Fail(fault) = filter("[admin]").on_request(&mut exchange, &Offline).await else {
        panic!("refused")
    };
    assert_eq!(fault.reason, Reason::Forbidden);
    assert_eq!(fault.detail(), Some("ada lacks the role admin"));
    assert!(fault.fields().is_empty());
}

#[tokio::test]
async fn a_method_that_a_service_may_take_instead_is_judged_too() {
    let filter = filter("{ rules: { DELETE /*: [admin] } }");
    for (field, method, refused) in [
        ("X-HTTP-Method-Override", "DELETE", true),
        ("x-http-method", "delete", true),
        ("X-Method-Override", " Delete ", true),
        ("X_HTTP_Method_Override", "DELETE", true),
        ("x.http-method_override", "delete", true),
        ("X-HTTP-Method-Override", "PUT", false),
        ("X-Other", "DELETE", false),
    ] {
        let mut exchange = Exchange { identity: Some(Arc::new(caller(&["user"]))), ..Exchange::default() };
        let text = format!("POST /x HTTP/1.1\r\nHost: a\r\n{field}: {method}\r\n\r\n");
        let limits = torana_http::h1::HeadLimits::default();
        let read = torana_http::h1::parse_request(text.as_bytes(), 0, &limits, &mut exchange.request);
        assert!(read.unwrap().is_some());
        let verdict = filter.on_request(&mut exchange, &Offline).await;
        assert_eq!(matches!(verdict, Verdict::Fail(_)), refused, "{field}: {method}");
    }
}

#[test]
fn the_description_reads_well() {
    for (written, said) in [
        ("[user, admin]", "one of the roles user, admin"),
        ("{ any: [a, b], all: [c, d] }", "one of the roles a, b and all of the roles c, d"),
        (
            "{ any: [user], rules: { GET /docs/*: reader, /x: deny, /y: { deny: [guest] } } }",
            "the role reader on GET /docs/*; nobody on /x; not the role guest on /y; the role user elsewhere",
        ),
    ] {
        assert_eq!(filter(written).describe(), said);
    }
}
