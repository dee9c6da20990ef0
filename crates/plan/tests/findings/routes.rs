//! Routes and where they lead.

use super::{findings, route, with};
use torana_config::{FixedResolver, render};
use torana_plan::load;

#[test]
fn routes_say_exactly_one_thing_that_happens() {
    assert_eq!(with("routes:\n- { path: /x, service: a }\n- { path: /y }"), ["4:3 error[no-action]"]);
    assert_eq!(route("respond: { status: 204 }"), ["3:27 error[two-actions]"]);
    assert_eq!(route("strip_prefix: /y"), ["3:41 error[bad-prefix]"]);
    assert_eq!(route("methods: [get, CONNECT, \"a b\"]").len(), 3);
    assert_eq!(route("headers: { a: { exact: x, present: true } }"), ["3:41 error[bad-condition]"]);
    assert_eq!(with("routes:\n- { path: x, service: a }"), ["3:11 error[bad-path]"]);
    let alike = |others: &str| route(&format!("query: {{ sort: a, {others} }}")).len();
    assert_eq!([alike("Sort: b"), alike("sort.: b"), alike("by: b")], [1, 0, 0]);
    for (sort, count) in [("{ present: true }", 0), ("{ present: false }", 1), ("b", 1)] {
        assert_eq!(
            route(&format!("query: {{ sort: {{ present: true }}, Sort: {sort} }}")).len(),
            count,
            "{sort}"
        );
    }
    for (one, other, count) in [
        ("page: \"1\"", "\"page[size]\": \"10\"", 1),
        ("page: { present: true }", "\"page[size]\": \"10\"", 0),
        ("page: { present: false }", "\"page[size]\": \"10\"", 1),
        ("page: \"1\"", "\"page[size]\": { present: false }", 0),
    ] {
        let counts = [[one, other], [other, one]]
            .map(|both| route(&format!("query: {{ {} }}", both.join(", "))).len());
        assert_eq!(counts, [count, count], "{one} {other}");
    }
    let twice = with("routes:\n- { name: n, path: /x, service: a }\n- { name: n, path: /y, service: a }");
    assert_eq!(twice, ["4:11 error[duplicate-name]"]);
    let both = with("routes:\n- { path: /x, service: a }\n- { path: /y, respond: { body: b, json: 1 } }");
    assert_eq!(both, ["4:35 error[two-bodies]"]);
}

#[test]
fn routes_that_get_in_each_others_way_are_shown_with_an_example() {
    let routes = |rest: &str| with(&format!("routes:\n- {{ path: \"/u/{{id}}\", service: a }}\n{rest}"));
    assert_eq!(routes("- { path: /u/*/x, service: a }"), Vec::<String>::new());
    assert_eq!(routes("- { path: \"/u/{id}\", service: a }"), ["4:11 error[duplicate-route]"]);
    let two = "- { path: /v, methods: [GET, PUT], service: a }\n- { path: /v, methods: [PUT], service: a }";
    assert_eq!(routes(two), ["5:11 error[ambiguous-route]"]);
    assert_eq!(
        routes("- { path: \"/u/{name}\", service: a, priority: 1 }"),
        ["3:11 warning[shadowed-route]"]
    );
    let text = "services: { a: { endpoints: [http://a] } }\nroutes:\n- { path: /x/*/y, service: a }\n- { path: \"/x/{id}/y\", service: a }\n";
    let loaded = load("t.yaml", text, &FixedResolver::default());
    let rendered = render(&loaded.findings, &loaded.source, false);
    assert!(rendered.contains("GET http://gateway/x/x/y"), "{rendered}");
}

#[test]
fn patterns_that_cannot_match_are_located() {
    assert_eq!(with("routes:\n- { path: /a//b, service: a }"), ["3:11 error[bad-path]"]);
    assert_eq!(with("routes:\n- { path: \"~/a(\", service: a }"), ["3:11 error[bad-path]"]);
    assert_eq!(route("host: [a.test, http://b]"), ["3:42 error[bad-host]"]);
    assert_eq!(route("headers: { x: { regex: \"(\" } }"), ["3:50 error[bad-regex]"]);
}

#[test]
fn where_requests_go_is_said_without_contradiction() {
    let codes = |text: String| -> Vec<String> {
        findings(&text).iter().filter_map(|found| Some(found.split_once(' ')?.1.to_owned())).collect()
    };
    let service = |keys: &str| {
        codes(format!("services: {{ a: {{ endpoints: [http://a], {keys} }} }}\nroutes: [{{ service: a }}]\n"))
    };
    for (keys, expected) in [
        ("balance: { by: weighted, hash: path }", "error[balance]"),
        ("balance: { table: maglev }", "error[balance]"),
        ("balance: { hash: { header: a, cookie: b } }", "error[hash]"),
        ("balance: { hash: { segment: 0 } }", "error[hash]"),
        ("balance: { hash: [address, { header: a }] }", "warning[hash]"),
        ("balance: { zone: { own: z } }", "warning[zone]"),
    ] {
        assert_eq!(service(keys), [expected], "{keys}");
    }
    let secret = service("balance: { sticky: { cookie: c, secret: short } }");
    assert!(secret.contains(&"error[short-secret]".to_owned()), "{secret:?}");
    let route = |keys: &str| {
        let services = "services: { a: { endpoints: [http://a] }, b: { endpoints: [http://b] } }";
        codes(format!("{services}\nroutes: [{{ service: a, {keys} }}, {{ path: /b, service: b }}]\n"))
    };
    for (keys, expected) in [
        ("split: { to: { b: 60%, a: 1% } }", "error[split]"),
        ("split: { to: { c: 1% } }", "error[unknown-service]"),
        ("mirror: { service: c }", "error[unknown-service]"),
        ("mirror: { service: b, timeout: 0s }", "error[zero-deadline]"),
        ("faults: {}", "error[faults]"),
    ] {
        assert_eq!(route(keys), [expected], "{keys}");
    }
    for keys in [
        "split: { to: { b: 5% }, by: consumer }",
        "mirror: { service: b }",
        "faults: { abort: { status: 500 } }",
    ] {
        assert_eq!(route(keys), Vec::<String>::new(), "{keys}");
    }
    assert_eq!(
        with(
            "routes:\n- { path: /x, service: a }\n- { path: /y, respond: {}, faults: { abort: { status: 500 } } }"
        ),
        ["4:28 error[no-service]"]
    );
}

#[test]
fn a_split_or_a_mirror_goes_round_no_policy_of_the_other_service() {
    let codes = |global: &str, other: &str, route: &str, to: &str| {
        let text = format!(
            "consumers: [{{ username: a, keys: [\"${{env:KEY}}\"] }}]
policies: {global}
services:
  site: {{ endpoints: [http://a], policies: {{ access: public }} }}
  internal: {{ endpoints: [http://b], policies: {other} }}
routes:
- {{ path: /x, service: site, policies: {route}, {to} }}
- {{ path: /y, service: internal }}
"
        );
        let mut found = findings(&text);
        found.retain(|line| line.contains(" error["));
        found
    };
    let (split, mirror) = ("split: { to: { internal: 100% } }", "mirror: { service: internal }");
    assert_eq!(codes("{}", "{ key_auth: {} }", "{}", split), ["7:59 error[policy-bypassed]"]);
    assert_eq!(codes("{}", "{ key_auth: {} }", "{}", mirror), ["7:63 error[policy-bypassed]"]);
    for (global, other, route, count) in [
        // It asks for nothing, or for what cannot refuse.
        ("{}", "{}", "{}", 0),
        ("{}", "{ security_headers: on, cors: { origins: ['https://a.test'] } }", "{}", 0),
        // The route says it itself, either way.
        ("{}", "{ key_auth: {} }", "{ key_auth: {} }", 0),
        ("{}", "{ key_auth: {} }", "{ key_auth: off }", 0),
        ("{}", "{ key_auth: {} }", "{ access: public }", 0),
        ("{}", "{ key_auth: {} }", "{ auth: off }", 0),
        ("{}", "{ key_auth: {}, acl: [a] }", "{ key_auth: {} }", 1),
        // What the route's own service has switched off.
        ("{ key_auth: {} }", "{}", "{}", 1),
        ("{ key_auth: {} }", "{ access: public }", "{}", 0),
        ("{}", "{ access: protected, key_auth: {} }", "{ key_auth: {} }", 0),
        ("{}", "{ ip_restriction: { allow: [10.0.0.0/8] } }", "{}", 1),
        (
            "{}",
            "{ ip_restriction: { allow: [10.0.0.0/8] } }",
            "{ ip_restriction: { allow: [10.0.0.0/8] } }",
            0,
        ),
        ("{}", "{ rate_limit: 10/minute }", "{}", 1),
        ("{}", "{ rate_limit: 10/minute }", "{ rate_limit: 20/minute }", 0),
        // The same ways, and fewer of them asked for.
        ("{}", "{ key_auth: {}, basic_auth: {} }", "{ key_auth: {}, basic_auth: {} }", 0),
        (
            "{ auth: any }",
            "{ auth: all, key_auth: {}, basic_auth: {} }",
            "{ key_auth: {}, basic_auth: {} }",
            1,
        ),
    ] {
        assert_eq!(codes(global, other, route, split).len(), count, "{global} {other} {route}");
    }
}

#[test]
fn a_protected_path_is_told_whose_lower_part_is_public() {
    let found = |routes: &str| -> Vec<String> {
        let found =
            with(&format!("routes:\n- {{ path: /*, service: a, policies: {{ access: public }} }}\n{routes}"));
        found.into_iter().filter(|finding| !finding.contains("public-route")).collect()
    };
    let closed = "service: a, policies: { jwt: { secret: \"${env:KEY}\" } }";
    assert_eq!(found(&format!("- {{ path: /admin, {closed} }}")), ["4:11 note[public-below]"]);
    assert_eq!(
        found(&format!("- {{ path: \"/users/{{id}}\", host: a.test, {closed} }}")),
        ["4:11 note[public-below]"]
    );
    assert!(found(&format!("- {{ path: /admin/*, {closed} }}")).is_empty());
    assert!(found(&format!("- {{ path: /admin, {closed} }}\n- {{ path: /admin/*, {closed} }}")).is_empty());
    assert!(found(&format!("- {{ path: /admin/, {closed} }}")).is_empty());
    // What many services read as the same is told as well.
    assert_eq!(
        found(&format!("- {{ path: /people/%40me/*, {closed} }}")),
        ["4:11 warning[public-unescaped]"]
    );
    for both in ["/people/%61/*", "/people/%20/*", "/people/@me/*"] {
        assert!(found(&format!("- {{ path: \"{both}\", {closed} }}")).is_empty(), "{both}");
    }
    let both = format!("- {{ path: /p/%40me/*, {closed} }}\n- {{ path: /p/@me/*, {closed} }}");
    assert!(found(&both).is_empty());
    assert_eq!(found(&format!("- {{ path: /Reports/*, {closed} }}")), ["4:11 warning[public-lower-case]"]);
    assert!(found(&format!("- {{ path: \"/users/{{Id}}/*\", {closed} }}")).is_empty());
    let open = "service: a, policies: { access: public }";
    let both =
        format!("- {{ path: /R/*, {closed} }}\n- {{ path: /r/*, {closed} }}\n- {{ path: /Open/*, {open} }}");
    assert!(found(&both).is_empty());
    let refused = format!("- {{ path: /x/*, {closed} }}\n- {{ path: /x/Open/*, {open} }}");
    assert_eq!(found(&refused), ["5:11 warning[public-refused]"]);
    let refused = format!("- {{ path: /x/*, {closed} }}\n- {{ path: /x/Open, {open} }}");
    assert!(found(&refused).is_empty());
}

#[test]
fn escapes_that_no_path_has_are_told() {
    let path = |path: &str, more: &str| with(&format!("{more}\nroutes: [{{ path: {path}, service: a }}]"));
    for (lost, place) in [("/files/a%2fb", 18), ("'~/items%3adelete'", 18), ("'~/(%61|b)'", 18)] {
        assert_eq!(path(lost, ""), [format!("3:{place} warning[unmatched-escape]")], "{lost}");
    }
    assert!(path("/files/a%2fb", "paths: { encoded_slashes: keep }").is_empty());
    for fine in ["/%61%3a%20", "'~/items%3Adelete'", "'~/(?i:%3a)[%3a]'"] {
        assert!(path(fine, "").is_empty(), "{fine}");
    }
}

#[test]
fn a_route_that_everybody_passes_is_told_whatever_it_asks() {
    let open = "services: { a: { endpoints: [http://a] } }\nconsumers: [{ username: guest, keys: [\"${env:KEY}\"] }]";
    let closed = "service: a, policies: { jwt: { secret: \"${env:KEY}\" } }";
    let told = |policies: &str| -> Vec<String> {
        let text = format!(
            "{open}\nroutes:\n- {{ path: /*, service: a, policies: {{ {policies} }} }}\n- {{ path: /admin, {closed} }}\n"
        );
        let found = findings(&text).into_iter();
        found.filter(|finding| finding.contains("public-")).collect()
    };
    let asked = "forward_auth: { url: http://b.test, on_failure: allow }";
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let both = ["4:3 note[public-route]", "5:11 note[public-below]"];
    for everybody in [
        "access: public".to_owned(),
        format!("auth: {{ anonymous: guest }}, {jwt}"),
        format!("auth: {{ require: any, anonymous: guest }}, {jwt}, key_auth: {{}}"),
        asked.into(),
        format!("auth: any, {jwt}, {asked}"),
    ] {
        let mut found = told(&everybody);
        found.sort();
        assert_eq!(found, both, "{everybody}");
    }
    for known in [jwt.to_owned(), format!("{jwt}, {asked}"), format!("auth: any, {jwt}, key_auth: {{}}")] {
        assert!(told(&known).is_empty(), "{known}");
    }
}
