//! What is found wrong with policies about who may what.

mod common;

use common::{codes, finding, findings};

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

#[test]
fn a_login_that_could_not_work_is_found() {
    let login = |more: &str, path: &str| {
        format!(
            "policies: {{ oidc_login: {{ issuer: 'https://login.test', client_id: shop, session_keys: '${{env:KEY}}', external_url: 'https://shop.test'{more} }} }}
routes: [{{ path: {path}, respond: {{}} }}]\n"
        )
    };
    for (more, path, code, count) in [
        ("", "/app", "no-login-route", 2),
        (", logout_path: /app", "/app", "no-login-route", 1),
        ("", "/*", "no-login-route", 0),
        (", callback_path: '/a?b'", "/*", "bad-path", 1),
        (", callback_path: 'a//b'", "/*", "bad-path", 1),
        (", callback_path: /oauth2/logout", "/*", "contradiction", 1),
        (", post_logout_redirect: 'javascript:1'", "/*", "bad-value", 1),
        (", post_logout_redirect: '//evil.test'", "/*", "bad-value", 1),
        (", parameters: { state: x }", "/*", "reserved-parameter", 1),
        (", idle: 0s", "/*", "zero-deadline", 1),
        (", cookie: { name: 'a b' }", "/*", "bad-name", 1),
        (", cookie: { secure: false }", "/*", "insecure-cookie", 1),
        (", scopes: ['a b']", "/*", "bad-value", 1),
        (", claims_to_headers: { sub: Host }", "/*", "reserved-field", 1),
    ] {
        assert_eq!(codes(&login(more, path), code), count, "{more} {path}");
    }
    let short = login("", "/*").replace("${env:KEY}", "short");
    assert_eq!(codes(&short, "short-secret"), 1);
    let plain = login("", "/*").replace("https://login.test", "http://login.test");
    assert_eq!(codes(&plain, "insecure-issuer"), 1);
}

#[test]
fn who_says_who_calls_is_asked_over_tls_or_on_the_same_machine() {
    for (policy, code) in [
        ("jwt: { issuer: a, audience: b, jwks: 'URL/keys' }", "insecure-keys"),
        ("jwt: { issuer: a, audience: b, jwks: { url: 'URL/keys' } }", "insecure-keys"),
        ("jwt: { audience: b, discovery: 'URL' }", "insecure-issuer"),
        ("jwt: { issuers: [{ audience: b, discovery: { url: 'URL' } }] }", "insecure-issuer"),
        ("oauth2_introspection: { url: 'URL/x', client: { id: i, secret: '${env:KEY}' } }", "insecure-url"),
        ("forward_auth: { url: 'URL/x' }", "insecure-url"),
    ] {
        let text = |url: &str| {
            let policy = policy.replace("URL", url);
            format!(
                "services: {{ a: {{ endpoints: ['http://a'] }} }}\nroutes:\n- {{ service: a, policies: {{ {policy} }} }}\n"
            )
        };
        let told = |url: &str| {
            let findings = findings(&text(url));
            assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
            findings.into_iter().filter(|finding| finding.code.starts_with("insecure-")).collect::<Vec<_>>()
        };
        for plain in ["http://login.example.com", "http://10.0.0.7:9100", "http://idp"] {
            let found = told(plain);
            assert!(found.len() == 1 && found[0].code == code, "{policy} {plain}: {found:?}");
            let at = found[0].span.as_ref().unwrap();
            assert!(text(plain)[at.start..at.end].contains(plain), "{policy} {plain}");
        }
        for fine in
            ["https://login.example.com", "http://127.0.0.1:9100", "http://[::1]:9100", "http://localhost"]
        {
            assert_eq!(told(fine).len(), 0, "{policy} {fine}");
        }
    }
    // A service's endpoints are what its own settings say.
    let named = "services: { a: { endpoints: ['http://a'] }, b: { endpoints: ['http://b.test'] } }
routes: [{ service: a, policies: { forward_auth: { service: b } } }]\n";
    assert_eq!(codes(named, "insecure-url"), 0);
}

#[test]
fn the_help_for_a_login_without_a_way_back_is_one() {
    const LOGIN: &str =
        "oidc_login: &login { issuer: 'https://login.test', client_id: shop, session_keys: '${env:KEY}' }";
    let text = |global: &str, service: &str, first: &str, second: &str| {
        format!(
            "services: {{ a: {{ endpoints: ['http://a'], policies: {{ {service} }} }} }}
policies: {{ {global} }}
routes:
- {{ path: /app, service: a, policies: {{ {first} }} }}
{second}"
        )
    };
    for (global, service, first) in [(LOGIN, "", ""), ("", LOGIN, ""), ("", "", LOGIN)] {
        let help = finding(&text(global, service, first, ""), "no-login-route").help.unwrap();
        let mut parts = help.split('`').filter(|part| part.starts_with("{ path: /oauth2/*"));
        let shown = parts.next().unwrap_or_else(|| panic!("{help}")).replace("...", "a");
        let mended = text(global, service, first, &format!("- {shown}\n"));
        assert_eq!(codes(&mended, "no-login-route"), 0, "{mended}");
    }
}

#[test]
fn keys_of_tokens_are_those_of_consumers_or_of_issuers() {
    let text = |jwt: &str, consumers: &str| {
        format!("{consumers}policies: {{ jwt: {{ {jwt} }} }}\nroutes: [{{ path: /*, respond: {{}} }}]\n")
    };
    let bob = "consumers: [{ username: bob, jwt: [{ key: k, secret: '${env:KEY}' }] }]\n";
    assert_eq!(codes(&text("consumers: on, secret: '${env:KEY}'", bob), "too-many-keys"), 1);
    assert_eq!(codes(&text("consumers: { key_claim: '' }", bob), "bad-value"), 1);
    assert_eq!(codes(&text("consumers: on", ""), "no-consumers"), 1);
    for code in ["too-many-keys", "no-key", "no-consumers"] {
        assert_eq!(codes(&text("consumers: on", bob), code), 0, "{code}");
    }
}

#[test]
fn an_off_that_is_wider_leaves_what_a_narrower_scope_asks_for() {
    let load = |text: &str| common::loaded(text).plan.unwrap();
    let text = |global: &str, service: &str, route: &str| {
        format!(
            "policies: {global}\nservices: {{ a: {{ endpoints: [http://a], policies: {service} }} }}\nroutes:\n- {{ path: /x, service: a, policies: {route} }}\n- {{ path: /y, service: a }}\n"
        )
    };
    let jwt = "{ jwt: { secret: '${env:KEY}' } }";
    for (global, service, route, protected) in [
        (jwt, "{ auth: off }", jwt, [true, false]),
        ("{ auth: off }", "{}", jwt, [true, false]),
        ("{ auth: off }", jwt, "{}", [true, true]),
        (jwt, "{ auth: off }", "{}", [false, false]),
        (jwt, "{}", "{ auth: off }", [false, true]),
        (jwt, jwt, "{ auth: off }", [false, true]),
    ] {
        let plan = load(&text(global, service, route));
        let found: Vec<bool> = plan.routes.iter().map(|route| route.protected).collect();
        assert_eq!(found, protected, "{global} {service} {route}");
    }
    let both = "{ auth: off, jwt: { secret: '${env:KEY}' } }";
    for (global, service, route) in [(both, "{}", "{}"), ("{}", both, "{}"), ("{}", "{}", both)] {
        assert_eq!(codes(&text(global, service, route), "contradiction"), 1, "{global} {service} {route}");
    }
}

#[test]
fn claims_that_consumers_make_themselves_are_warned_of_and_grant_nothing_unless_asked_to() {
    let text = |jwt: &str, policies: &str| {
        format!(
            "consumers: [{{ username: bob, jwt: [{{ key: k, secret: '${{env:KEY}}' }}] }}]\npolicies: {{ jwt: {{ {jwt} }}{policies} }}\nroutes: [{{ path: /*, respond: {{}} }}]\n"
        )
    };
    for (jwt, policies, count) in [
        ("consumers: on", ", acl: [gold], allow_if: '\"gold\" in groups', roles: [a]", 0),
        ("consumers: on, roles_claim: scope", "", 1),
        ("consumers: on, roles_claim: roles, groups_claim: groups", "", 2),
        ("consumers: on, claims_to_headers: { sub: X-User }", "", 1),
        ("consumers: on, upstream_token: { secret: '${env:KEY}', issuer: gateway }", "", 1),
        ("consumers: on, upstream_token: strip", "", 0),
        ("consumers: on", ", allow_if: 'claims.tier == \"gold\"'", 1),
        ("consumers: on", ", roles: { any: [a], from: claims.scope }", 1),
        ("consumers: on", ", rate_limit: { limit: 1/minute, by: { claim: sub } }", 1),
        ("secret: '${env:KEY}', roles_claim: scope", ", allow_if: 'claims.tier == \"gold\"'", 0),
    ] {
        assert_eq!(codes(&text(jwt, policies), "self-made-claims"), count, "{jwt}{policies}");
    }
}

#[test]
fn every_public_route_is_told_of_where_any_scope_asks_who_calls() {
    let open = "services: { a: { endpoints: [http://127.0.0.1:9000], policies: { access: public } } }
routes: [{ path: /*, service: a }]
";
    assert_eq!(codes(&format!("{JWT}{open}"), "public-route"), 1);
    assert_eq!(codes(open, "public-route"), 0, "nobody meant to ask");
    let off = format!("policies: {{ auth: any, jwt: off }}\n{open}");
    assert_eq!(codes(&off, "public-route"), 0, "nobody meant to ask");
}

#[test]
fn fields_that_no_proxy_may_send_are_found() {
    let file = |proxies: &str| {
        format!("{proxies}trusted_headers: [X-Forwarded-User]\nroutes: [{{ path: /, respond: {{}} }}]\n")
    };
    assert_eq!(codes(&file(""), "no-trusted-proxy"), 1);
    assert_eq!(codes(&file("trusted_proxies: [10.0.0.1]\n"), "no-trusted-proxy"), 0);
}

#[test]
fn fields_that_are_removed_before_anybody_looks_are_found() {
    let file = |head: &str| {
        format!(
            "{head}routes:
- {{ path: /a, headers: {{ X-SSL-Client-Verify: SUCCESS }}, respond: {{}} }}
- {{ path: /b, respond: {{}}, policies: {{ key_auth: {{ headers: [X-Auth-Request-Access-Token, X-API-Key] }} }} }}
- {{ path: /c, headers: {{ X-Tenant: a }}, respond: {{}} }}
consumers: [{{ username: a, keys: [\"${{env:KEY}}\"] }}]
"
        )
    };
    assert_eq!(codes(&file(""), "removed-field"), 2);
    let trusting =
        "trusted_proxies: [10.0.0.1]\ntrusted_headers: [x-ssl-client-verify, X-Auth-Request-Access-Token]\n";
    assert_eq!(codes(&file(trusting), "removed-field"), 0);
    let wide = "trusted_proxies: [10.0.0.1]\ntrusted_headers: [\"X-SSL-Client-*\"]\n";
    assert_eq!((codes(&file(wide), "removed-field"), codes(&file(wide), "bad-name")), (2, 1));
}

#[test]
fn whatever_looks_for_a_field_that_is_removed_is_found() {
    let file = |more: &str| {
        format!(
            "services: {{ a: {{ endpoints: [http://127.0.0.1:9000] }}, b: {{ endpoints: [http://127.0.0.1:9001] }} }}
routes: [{{ path: /*, service: a, {more} }}]
consumers: [{{ username: a, keys: [\"${{env:KEY}}\"] }}]
"
        )
    };
    for (more, count) in [
        ("headers: { X_SSL_Client_Verify: SUCCESS }", 1),
        ("headers: { X-SSL-Client-Verify: { present: false } }", 0),
        ("policies: { required_headers: [X-Forwarded-Email, X.Forwarded.User] }", 2),
        ("policies: { required_headers: { X-Forwarded-Email: { present: false } } }", 0),
        ("policies: { allow_if: 'request.headers[\"x-forwarded-user\"] == \"ada\"' }", 1),
        ("policies: { rate_limit: { limit: 1/s, by: { header: X-Auth-Request-User }, missing: skip } }", 1),
        (
            "policies: { rate_limit: { limit: 1/s, by: { expression: 'request.headers[\"remote-user\"]' } } }",
            1,
        ),
        ("policies: { rate_limit: { limit: 1/s, cost: { request_header: X-WebAuth-Cost } } }", 1),
        ("split: { to: { b: 10% }, by: [{ header: X-Forwarded-User }, address] }", 1),
        ("faults: { header: X-Remote-User, abort: { status: 503 } }", 1),
        ("headers: { X-Forwarded-Scheme: https }", 1),
        ("headers: { X-Forwarded-Proto: https }", 0),
        ("policies: { rate_limit: { limit: 1/s, by: { header: CF-Connecting-IP }, missing: skip } }", 1),
        // A policy has written these when they are looked for, but not before.
        ("policies: { key_auth: {}, allow_if: 'request.headers[\"x-consumer-username\"] == \"a\"' }", 0),
        ("policies: { allow_if: 'request.headers[\"x-consumer-username\"] == \"a\"' }", 1),
        ("policies: { key_auth: {} }, headers: { X-Consumer-Username: a }", 1),
        ("policies: { key_auth: {} }, split: { to: { b: 10% }, by: { header: X-Consumer-ID } }", 0),
        (
            "policies: { jwt: { secret: '${env:KEY}', claims_to_headers: { sub: X-User } } }, headers: { x_user: a }",
            1,
        ),
        (
            "policies: { forward_auth: { url: 'http://127.0.0.1:1', request_headers: [X-Forwarded-User], response_headers: [X-Forwarded-User] }, allow_if: 'request.headers[\"x-forwarded-user\"] != \"\"' }",
            0,
        ),
    ] {
        assert_eq!(codes(&file(more), "removed-field"), count, "{more}: {:?}", findings(&file(more)));
    }
    let hash = |field: &str, policies: &str| {
        format!(
            "services: {{ a: {{ endpoints: [http://127.0.0.1:9000], balance: {{ hash: [{{ header: {field} }}, address] }} }} }}
routes: [{{ path: /*, service: a, policies: {policies} }}]
consumers: [{{ username: a, keys: [\"${{env:KEY}}\"] }}]
"
        )
    };
    for (field, policies, count) in [
        ("X-Forwarded-User", "{}", 1),
        ("X-Tenant", "{}", 0),
        ("X-Consumer-ID", "{}", 1),
        ("X-Consumer-ID", "{ key_auth: {} }", 0),
    ] {
        assert_eq!(codes(&hash(field, policies), "removed-field"), count, "{field} {policies}");
    }
    let trusted = format!("trusted_proxies: [10.0.0.1]\n{}", file("headers: { X-Forwarded-Scheme: https }"));
    assert_eq!(codes(&trusted, "removed-field"), 0);
    let own = "reserved_headers: [X-Inner]\nroutes: [{ path: /, headers: { x_inner: a }, respond: {} }]\n";
    assert_eq!(codes(own, "removed-field"), 1);
    let spelled = "trusted_proxies: [10.0.0.1]\ntrusted_headers: [X-Inner]\n";
    let asked =
        |field: &str| format!("{spelled}routes: [{{ path: /, headers: {{ {field}: a }}, respond: {{}} }}]\n");
    assert_eq!(codes(&asked("x-inner"), "removed-field"), 0);
    assert_eq!(
        codes(&asked("X_Inner"), "removed-field"),
        1,
        "from proxies it comes in its own spelling alone"
    );
}

#[test]
fn fields_that_not_even_trusted_proxies_may_send_are_found() {
    let file = |field: &str, policies: &str| {
        format!(
            "trusted_proxies: [10.0.0.1]
trusted_headers: [{field}]
consumers: [{{ username: a, keys: [\"${{env:KEY}}\"] }}]
routes: [{{ path: /, respond: {{}}, policies: {policies} }}]
"
        )
    };
    let jwt = "{ jwt: { secret: '${env:KEY}', claims_to_headers: { sub: X-User } } }";
    for (field, policies, count) in [
        ("X-Consumer-Username", "{}", 0),
        ("X-Consumer-Username", jwt, 0),
        ("X-Consumer-Username", "{ jwt: { consumers: on } }", 1),
        ("x_consumer_id", "{ key_auth: {} }", 1),
        ("X-Consumer-Groups", "{ key_auth: {} }", 0),
        ("X-Consumer-Groups", "{ key_auth: {}, acl: [gold] }", 0),
        ("X-Consumer-Groups", "{ key_auth: {}, acl: { allow: [gold], send_groups: true } }", 1),
        (
            "X-Consumer-Groups",
            "{ key_auth: {}, acl: { allow: [gold], send_groups: true, groups: authenticated } }",
            0,
        ),
        ("X-Consumer-ID", &jwt.replace("{ jwt", "{ auth: { anonymous: a }, jwt"), 1),
        ("X-User", jwt, 1),
        ("X-Forwarded-User", jwt, 0),
        ("X-Anonymous-Consumer", "{ forward_auth: { url: 'http://127.0.0.1:1', on_failure: allow } }", 1),
        ("X-Consumer-ID", "{ forward_auth: { url: 'http://127.0.0.1:1', on_failure: allow } }", 0),
        ("X-HTTP-Method", "{}", 1),
        ("Proxy-Authorization", "{}", 1),
    ] {
        assert_eq!(
            codes(&file(field, policies), "removed-field"),
            count,
            "{field} {policies}: {:?}",
            findings(&file(field, policies))
        );
    }
    let forwarding = format!("method_overrides: forward\n{}", file("X-HTTP-Method", "{}"));
    assert_eq!(codes(&forwarding, "removed-field"), 0);
}
