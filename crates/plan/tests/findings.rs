//! Every lint fires where it should, and says so where people look.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use torana_config::{FixedResolver, has_errors, plain, render};
use torana_plan::load;

const SECRET: &str = "an example secret of 32 bytes or more";

/// The findings of a file as `line:column severity[code]`.
fn findings(text: &str) -> Vec<String> {
    let resolver = FixedResolver::default().with_environment("KEY", SECRET);
    let loaded = load("t.yaml", text, &resolver);
    assert_eq!(loaded.plan.is_none(), has_errors(&loaded.findings));
    assert!(!render(&loaded.findings, &loaded.source, false).contains(SECRET));
    let short = |line: String| {
        let place = line.trim_start_matches("t.yaml:").to_owned();
        place.split_once("]: ").map_or(place.clone(), |(short, _)| format!("{short}]").replace(": ", " "))
    };
    loaded.findings.iter().map(|finding| short(plain(finding))).collect()
}

/// A file with one service `a`, and these lines at the end.
fn with(rest: &str) -> Vec<String> {
    findings(&format!("services: {{ a: {{ endpoints: [http://a] }} }}\n{rest}\n"))
}

/// A file with one service `a` and a route to it, with these keys.
fn route(keys: &str) -> Vec<String> {
    with(&format!("routes:\n- {{ path: /x, service: a, {keys} }}"))
}

const JWT: &str = "policies: { jwt: { secret: \"${env:KEY}\" } }";

#[test]
fn a_service_that_does_not_exist_is_suggested() {
    let text = "services: { users: { endpoints: [http://a] } }\nroutes: [{ path: /x, service: user }]\n";
    let loaded = load("t.yaml", text, &FixedResolver::default());
    let rendered = render(&loaded.findings, &loaded.source, false);
    assert!(rendered.contains("there is no service `user`"), "{rendered}");
    assert!(rendered.contains("did you mean `users`?"), "{rendered}");
    assert!(rendered.contains("t.yaml:2:31"), "{rendered}");
    assert!(rendered.contains("no route leads to the service `users`"), "{rendered}");
}

#[test]
fn routes_say_exactly_one_thing_that_happens() {
    assert_eq!(with("routes:\n- { path: /x, service: a }\n- { path: /y }"), ["4:3 error[no-action]"]);
    assert_eq!(route("respond: { status: 204 }"), ["3:27 error[two-actions]"]);
    assert_eq!(route("strip_prefix: /y"), ["3:41 error[bad-prefix]"]);
    assert_eq!(route("methods: [get, CONNECT, \"a b\"]").len(), 3);
    assert_eq!(route("headers: { a: { exact: x, present: true } }"), ["3:41 error[bad-condition]"]);
    assert_eq!(with("routes:\n- { path: x, service: a }"), ["3:11 error[bad-path]"]);
    let twice = with("routes:\n- { name: n, path: /x, service: a }\n- { name: n, path: /y, service: a }");
    assert_eq!(twice, ["4:11 error[duplicate-name]"]);
    let both = with("routes:\n- { path: /x, service: a }\n- { path: /y, respond: { body: b, json: 1 } }");
    assert_eq!(both, ["4:35 error[two-bodies]"]);
}

#[test]
fn nothing_can_break_a_line_of_a_message() {
    let respond = |keys: &str| {
        with(&format!("routes:\n- {{ path: /x, service: a }}\n- {{ path: /y, respond: {{ {keys} }} }}"))
    };
    assert_eq!(respond("headers: { X-A: \"a\\r\\nb\" }"), ["4:42 error[bad-value]"]);
    assert_eq!(respond("headers: { Content-Length: 5 }").len(), 1);
    assert_eq!(respond("status: 204, body: x"), ["4:15 error[body-not-allowed]"]);
    let claims = JWT.replace("\" }", "\", claims_to_headers: { sub: Host } }");
    assert_eq!(with(&format!("{claims}\nroutes: [{{ service: a }}]")), ["2:68 error[reserved-field]"]);
}

#[test]
fn roles_need_somebody_who_says_who_calls() {
    assert_eq!(route("policies: { roles: [admin] }"), ["3:3 error[roles-without-authentication]"]);
    let off = with(&format!(
        "{JWT}\nroutes:\n- {{ path: /x, service: a, policies: {{ jwt: off, roles: [admin] }} }}"
    ));
    assert!(off.contains(&"4:3 error[roles-without-authentication]".to_owned()), "{off:?}");
    assert_eq!(with(&format!("{JWT}\nroutes:\n- {{ service: a, policies: {{ roles: [] }} }}")).len(), 1);
}

#[test]
fn a_limit_by_consumer_needs_one_too() {
    let found = route("policies: { rate_limit: { limit: 5/s, by: consumer } }");
    assert_eq!(found, ["3:3 warning[limit-without-consumer]"]);
}

#[test]
fn limits_that_say_too_little_or_contradict_themselves_are_found() {
    let limit = |written: &str| route(&format!("policies: {{ rate_limit: {written} }}"));
    assert_eq!(limit("{ by: address }"), ["3:51 error[no-limit]"]);
    assert_eq!(limit("[5/s, 3/minute]"), ["3:51 error[longer-is-less]"]);
    assert_eq!(limit("[5/s, 7/s]"), ["3:57 error[duplicate-window]"]);
    assert_eq!(limit("{ limit: 9/month, window: sliding }"), ["3:60 error[calendar-window]"]);
    assert_eq!(limit("{ limit: { rate: 9/day, burst: 3 } }"), ["3:60 error[burst-without-pace]"]);
    assert_eq!(limit("{ limit: 9/s, by: { header: a, claim: b } }"), ["3:69 error[bad-key]"]);
    assert_eq!(limit("{ limit: 9/s, by: { header: \"a b\" } }"), ["3:79 error[bad-name]"]);
    assert_eq!(limit("{ limit: 9/s, ipv6_prefix: 129 }"), ["3:78 error[bad-value]"]);
    assert_eq!(limit("{ limit: 9/s, cost: { response_header: host } }"), ["3:90 error[reserved-field]"]);
    assert!(limit("[9/s, 9/minute, 90/hour, 900/day, 9000/month, 9000/year]").is_empty());
}

#[test]
fn what_a_narrower_scope_removes_is_told() {
    let found = with(&format!(
        "{JWT}\nroutes:\n- {{ path: /x, service: a, policies: {{ jwt: off, rate_limit: off }} }}\n- {{ path: /y, service: a, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }} }}"
    ));
    let expected = [
        "4:3 note[public-route]",
        "4:39 note[policy-off]",
        "4:49 warning[nothing-to-switch-off]",
        "5:39 note[policy-replaced]",
    ];
    assert_eq!(found, expected);
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

#[test]
fn secrets_are_judged_without_being_shown() {
    let clear = |secret: &str| {
        with(&format!("policies: {{ jwt: {{ secret: {secret} }} }}\nroutes: [{{ service: a }}]"))
    };
    assert_eq!(clear(&format!("\"{SECRET}\"")), ["2:28 warning[secret-in-clear]"]);
    assert_eq!(clear(&format!("\"${{env:KEY:-{SECRET}}}\"")), ["2:28 warning[secret-in-clear]"]);
    assert_eq!(clear("short"), ["2:28 warning[short-secret]", "2:28 warning[secret-in-clear]"]);
    assert!(clear("\"\"").contains(&"2:28 error[empty-secret]".to_owned()));
}

#[test]
fn addresses_do_not_collide_and_trust_is_not_blind() {
    let routes = "routes: [{ service: a }]";
    let listen = |lines: &str| with(&format!("{lines}\n{routes}"));
    assert_eq!(listen("listen: [127.0.0.1:80, 127.0.0.1:80]"), ["2:24 error[duplicate-listen]"]);
    assert_eq!(listen("listen: :80\nadmin: 127.0.0.1:80"), ["3:8 error[duplicate-listen]"]);
    assert_eq!(listen("listen: [127.0.0.1:0, 127.0.0.1:0]"), Vec::<String>::new());
    assert_eq!(listen("trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]"), ["2:31 warning[trusts-everybody]"]);
}

#[test]
fn settings_that_let_nothing_through_are_errors() {
    let setting = |line: &str| with(&format!("{line}\nroutes: [{{ service: a }}]"));
    assert_eq!(setting("timeouts: { head: 0s }"), ["2:19 error[zero-deadline]"]);
    assert_eq!(setting("limits: { head_bytes: 1KiB }"), ["2:9 error[limits]"]);
    assert_eq!(setting("limits: { header_count: 257 }"), ["2:25 error[out-of-range]"]);
    assert_eq!(setting("limits: { header_count: 256, head_bytes: 64KiB }"), Vec::<String>::new());
    assert_eq!(setting("limits: { head_bytes: 65537B }"), ["2:23 error[limits]"]);
    assert_eq!(setting("request_id: { header: \"a b\" }"), ["2:23 error[bad-name]"]);
    assert_eq!(setting("forwarded: { via: \"a b\" }"), ["2:19 error[bad-name]"]);
    assert_eq!(route("timeouts: { total: 0s }"), ["3:46 error[zero-deadline]"]);
}

#[test]
fn services_are_looked_into() {
    let service =
        |keys: &str| findings(&format!("services:\n  a: {{ {keys} }}\nroutes: [{{ service: a }}]\n"));
    assert_eq!(service("endpoints: [http://a, \"http://a:80\"]"), ["2:30 error[duplicate-endpoint]"]);
    assert_eq!(service("endpoints: [{ url: http://a, weight: 0 }]"), ["2:19 warning[drained-service]"]);
    let ignored = service("balance: round_robin, endpoints: [{ url: http://a, weight: 2 }]");
    assert_eq!(ignored, ["2:17 warning[weights-ignored]"]);
    assert_eq!(service("endpoints: [http://a], host: \"a/b\""), ["2:37 error[bad-host]"]);
    let unused =
        findings("services: { a: { endpoints: [http://a] } }\nroutes: [{ respond: { status: 204 } }]\n");
    assert_eq!(unused, ["1:13 warning[unused-service]"]);
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
fn wrong_forms_do_not_hide_what_else_is_wrong() {
    let found = findings(
        "listn: 1
services:
  a: { endpoints: [http://a], pool: { max_connections: 0 }, host: \"x y\" }
  b: { endpoints: http://b }
routes:
- { path: x, service: a, retries: 3 }
- { path: /y, service: b, methods: [get] }
- { path: /z, service: a, headers: { \"a b\": c } }
timeouts: { head: 0s, body: 5 }
",
    );
    let expected = [
        "1:1 error[unknown-key]",
        "3:56 error[out-of-range]",
        "3:67 error[bad-host]",
        "4:19 error[wrong-type]",
        "6:11 error[bad-path]",
        "6:26 error[unknown-key]",
        "7:37 error[bad-method]",
        "8:38 error[bad-name]",
        "9:19 error[zero-deadline]",
        "9:29 error[bad-format]",
    ];
    assert_eq!(found, expected);
}

#[test]
fn one_wrong_key_raises_no_alarm_elsewhere() {
    let good = [
        include_str!("../../../examples/seed.yaml"),
        include_str!("../../../examples/minimal.yaml"),
        include_str!("../../../examples/hosts.yaml"),
    ];
    let resolver = FixedResolver::default().with_environment("JWT_SECRET", SECRET);
    let mut tried = 0;
    for text in good {
        let keys = text.match_indices(':').map(|(at, _)| at).filter(|at| {
            let before = text[..*at].chars().next_back();
            before.is_some_and(|character| character.is_ascii_lowercase())
                && text[at + 1..].starts_with([' ', '\n'])
        });
        for at in keys {
            let broken = format!("{}x{}", &text[..at], &text[at..]);
            let line = text[..at].lines().count();
            let loaded = load("t.yaml", &broken, &resolver);
            if !has_errors(&loaded.findings) {
                continue; // A name that people choose, or a comment.
            }
            tried += 1;
            for finding in loaded.findings.iter().filter(|finding| has_errors(std::slice::from_ref(finding)))
            {
                let place = finding.span.as_ref().map_or(0, |span| span.line);
                let blamed = place == line || matches!(finding.code, "missing-key" | "unknown-service");
                assert!(blamed, "line {line}: {}\n{broken}", plain(finding));
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn what_guards_a_service_can_do_what_it_says() {
    let service = |keys: &str| {
        findings(&format!(
            "services: {{ a: {{ endpoints: [http://a], {keys} }} }}\nroutes: [{{ service: a }}]\n"
        ))
    };
    let codes = |keys: &str| {
        service(keys).iter().filter_map(|found| Some(found.split_once(' ')?.1.to_owned())).collect::<Vec<_>>()
    };
    for (keys, expected) in [
        ("retries: { on: [700] }", "error[bad-status]"),
        ("retries: { methods: [\"a b\"] }", "error[bad-name]"),
        ("retries: { backoff: { base: 1s, max: 1ms } }", "error[backoff]"),
        ("retries: { per_try_timeout: 0s }", "error[zero-deadline]"),
        ("health: { probes: { service: a } }", "error[probes]"),
        ("health: { probes: { kind: grpc, service: \"\" } }", "error[probes]"),
        ("health: { probes: { kind: grpc, path: /x } }", "error[probes]"),
        ("health: { probes: { kind: tcp, body: x } }", "error[probes]"),
        ("retries: { hedge: { after: 0s } }", "error[zero-deadline]"),
        ("retries: { hedge: { after: 1s, at_once: 1 } }", "error[hedge]"),
        ("retries: { hedge: { after: 1s }, attempts: 1 }", "error[hedge]"),
        ("breaker: { on: [] }", "error[breaker]"),
        ("breaker: { window: { slow_share: 5% } }", "error[breaker]"),
        ("breaker: { open_for: 0s }", "error[zero-deadline]"),
        ("breaker: { fallback: { body: a, json: 1 } }", "error[two-bodies]"),
        ("health: {}", "warning[health]"),
        ("health: { ejection: { for: off } }", "error[ejection]"),
        ("health: { probes: { healthy_after: 0 } }", "error[probes]"),
        ("health: { probes: { headers: { X-A: [] } } }", "error[too-few]"),
        ("health: { probes: { headers: { X-A: [a, \"b\\r\"] } } }", "error[bad-value]"),
        ("health: { probes: { tls: { server_name: \"a b\" } } }", "error[bad-server-name]"),
        ("health: { probes: { tls: { verify: off } } }", "warning[tls-not-verified]"),
        ("health: { probes: { path: x } }", "error[bad-path]"),
        ("health: { probes: { interval: off } }", "warning[probes]"),
        ("health: { probes: { headers: { \"a b\": c } } }", "error[bad-name]"),
    ] {
        assert_eq!(codes(keys), [expected], "{keys}");
    }
    for keys in [
        "breaker: {}",
        "breaker: { failures: 5, open_for: 30s }",
        "health: { probes: {} }",
        "health: { probes: { tls: {}, headers: { X-A: a, X-B: [a, b] } } }",
        "health: { probes: { tls: off } }",
        "health: { ejection: {} }",
    ] {
        assert_eq!(codes(keys), Vec::<String>::new(), "{keys}");
    }
}

#[test]
fn a_body_that_is_signed_is_not_changed_before() {
    for (ways, expected) in [
        ("key_auth: { body: [k] }, hmac_auth: on", 1),
        ("key_auth: { body: [k] }, sigv4: on, auth: all", 1),
        ("key_auth: { body: [k] }, sigv4: on, auth: any", 0),
        ("key_auth: { body: [k], hide_credentials: false }, hmac_auth: on", 0),
        ("key_auth: on, hmac_auth: on", 0),
        ("key_auth: { body: [k] }, basic_auth: on", 0),
    ] {
        let text = format!(
            "consumers: [{{ username: a }}]\npolicies: {{ {ways} }}\nroutes: [{{ path: /a, respond: {{}} }}, {{ path: /b, respond: {{}} }}]\n"
        );
        let found = findings(&text);
        let said = found.iter().filter(|line| line.contains("error[contradiction]")).count();
        assert_eq!(said, expected, "{ways}: {found:?}");
    }
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
fn connections_of_many_clients_introduce_none() {
    for service in ["endpoints: [h2://a]", "endpoints: [http://a], protocol: http2"] {
        let found = findings(&format!(
            "services: {{ a: {{ proxy_protocol: v1, {service} }} }}\nroutes: [{{ service: a }}]\n"
        ));
        assert_eq!(found, ["1:18 error[http2-introduced]"], "{service}");
    }
}

#[test]
fn windows_of_http_2_are_those_that_can_be() {
    let with_window =
        |text: &str| with(&format!("routes: [{{ path: /x, service: a }}]\nhttp2: {{ {text} }}"));
    assert_eq!(with_window("stream_window: 64KiB, connection_window: 1MiB"), [""; 0]);
    assert_eq!(with_window("stream_window: 0"), ["3:25 error[http2-window]"]);
    assert_eq!(with_window("connection_window: 3GiB"), ["3:29 error[http2-window]"]);
    assert_eq!(with_window("stream_window: 2MiB, connection_window: 1MiB"), ["3:50 error[http2-window]"]);
}

#[test]
fn a_store_is_looked_into_and_what_needs_one_says_so() {
    let limit = |store: &str, written: &str| {
        let limit = format!("routes:\n- {{ path: /x, service: a, policies: {{ rate_limit: {written} }} }}");
        with(&format!("store: {store}\n{limit}"))
    };
    let found = ["2:1 note[store-without-key]", "2:1 warning[gateways-unsaid]"];
    assert!(limit("memory", "5/s").is_empty());
    assert_eq!(limit("redis://a:7", "5/s"), found);
    let whole = "{ url: \"redis://a\", gateways: 1, key: \"${env:KEY}\" }";
    assert_eq!(limit(whole, "{ limit: 5/s, mode: exact }").len(), 0);
    assert_eq!(limit("{ cluster: [\"redis://a\", \"redis://b\"] }", "5/s"), found);
    assert_eq!(limit("{ sentinel: { master: main, nodes: [\"redis://a\"] } }", "5/s"), found);
    for wrong in
        ["memry", "\"redis://u:p@a\"", "{ timeout: 5ms }", "{ url: \"redis://a\", cluster: [\"redis://b\"] }"]
    {
        let found = limit(wrong, "5/s");
        assert!(found.iter().any(|line| line.ends_with("error[bad-store]")), "{wrong} {found:?}");
    }
    let needs = |written: &str, code: &str| {
        let found = limit("memory", written);
        assert!(found.iter().any(|line| line.ends_with(code)), "{written} {found:?}");
    };
    needs("{ limit: 5/s, mode: leased }", "error[no-store]");
    needs("{ limit: 5/s, when_store_fails: open }", "error[no-store]");
    let found = limit("redis://a", "{ limit: 5/s, count_refused: true }");
    assert!(found.iter().any(|line| line.ends_with("error[leased-refusals]")), "{found:?}");
    let found = limit("redis://a", "{ limit: 1/day, burst: 4000000, window: steady }");
    assert!(found.iter().any(|line| line.ends_with("error[too-long]")), "{found:?}");
}

/// A file with services `a` and `b`, and this policy on a route.
fn policy(policy: &str) -> Vec<String> {
    findings(&format!(
        "services: {{ a: {{ endpoints: [http://a] }}, b: {{ endpoints: [http://b] }} }}\nconsumers: [{{ username: u, keys: [\"${{env:KEY}}\"] }}]\nroutes:\n- path: /x\n  service: a\n  policies:\n    {policy}\n"
    ))
}

#[test]
fn who_is_asked_must_be_there_and_asked_in_a_way_that_can_be() {
    assert_eq!(policy("forward_auth: { service: b }"), Vec::<String>::new());
    assert_eq!(
        policy("forward_auth: { url: \"https://c.test/x?m={method}\" }"),
        ["1:43 warning[unused-service]"]
    );
    let without_b = |rest: &str| policy(&format!("forward_auth: {{ service: b, {rest} }}"));
    let finds =
        |written: &str, found: &str| assert!(policy(written).contains(&found.to_owned()), "{written}");
    finds("forward_auth: { service: bb }", "7:30 error[unknown-service]");
    finds("forward_auth: {}", "7:19 error[who-is-asked]");
    for good in ["headers: [Authorization, Cookie, X-Key]", "ttl: 5s"] {
        assert_eq!(
            policy(&format!("forward_auth: {{ service: b, cache: {{ {good} }} }}")),
            Vec::<String>::new()
        );
    }
    for chosen in [
        "request_headers: [X-Key], cache: { headers: [x-key] }",
        "request_headers: [X-Key, Accept-Language, User-Agent, X-Requested-With], cache: { headers: [X-Key] }",
        "request_headers: [Accept], cache: { headers: [] }",
    ] {
        assert_eq!(
            policy(&format!("forward_auth: {{ service: b, {chosen} }}")),
            Vec::<String>::new(),
            "{chosen}"
        );
    }
    finds("forward_auth: { service: b, url: \"http://c.test\" }", "7:19 error[who-is-asked]");
    for (rest, code) in [
        ("path: x", "error[bad-target]"),
        ("path: \"/{pth}\"", "error[bad-target]"),
        ("path: \"/a#b\"", "error[bad-target]"),
        ("timeout: 0s", "error[zero-deadline]"),
        ("refusals: [200]", "error[bad-status]"),
        ("refusals: [304]", "error[bad-status]"),
        ("refusals: [500]", "error[bad-status]"),
        ("request_headers: [Host]", "error[reserved-field]"),
        ("response_headers: [Content-Length]", "error[reserved-field]"),
        ("response_headers: [\"*\"]", "error[bad-name]"),
        ("refusal_headers: [\"a b\"]", "error[bad-name]"),
        ("cache: { ttl: 500ms }", "error[no-ttl]"),
        ("request_headers: [\"*\"], cache: {}", "warning[cache-of-nothing]"),
        ("cache: { headers: [Authorization] }", "error[cache-of-everybody]"),
        ("cache: { headers: [cookie, X-Key] }", "error[cache-of-everybody]"),
        ("request_headers: [\"*\"], cache: { headers: [authorization] }", "error[cache-of-everybody]"),
        (
            "request_headers: [\"*\"], cache: { headers: [Authorization, Cookie] }",
            "warning[cache-of-everybody]",
        ),
        ("request_headers: [X-Api-Key], cache: { headers: [Accept] }", "error[cache-of-everybody]"),
        ("request_headers: [X-Tenant, Accept], cache: { headers: [] }", "error[cache-of-everybody]"),
        ("on_failure: allow", "warning[fails-open]"),
    ] {
        let mut found = without_b(rest);
        found.retain(|one| !one.contains("public-route"));
        assert!(found.len() == 1 && found[0].ends_with(code), "{rest}: {found:?}");
    }
}

#[test]
fn introspection_is_asked_with_a_secret_that_does_not_stand_in_the_file() {
    let good = "service: b, client: { id: g, secret: \"${env:KEY}\" }";
    assert_eq!(policy(&format!("oauth2_introspection: {{ {good} }}")), Vec::<String>::new());
    let clear = "oauth2_introspection: { service: b, client: { id: g, secret: in-the-clear } }";
    assert_eq!(policy(clear), ["7:66 warning[secret-in-clear]"]);
    for (rest, code) in [
        ("scopes: [\"a b\"]", "error[bad-scope]"),
        ("scopes: [\"a\\\"\"]", "error[bad-value]"),
        ("realm: \"a\\nb\"", "error[bad-value]"),
        ("from: {}", "error[no-source]"),
        ("claims_to_headers: { sub: Host }", "error[reserved-field]"),
        ("path: introspect", "error[bad-target]"),
    ] {
        let found = policy(&format!("oauth2_introspection: {{ {good}, {rest} }}"));
        assert!(found.len() == 1 && found[0].ends_with(code), "{rest}: {found:?}");
    }
}

#[test]
fn certificates_are_asked_for_and_each_is_one_thing() {
    let unasked = policy("mtls_auth: on");
    assert!(unasked.contains(&"7:5 warning[no-client-certificates]".to_owned()), "{unasked:?}");
    assert!(
        policy("mtls_auth: { ca: missing.pem }").iter().any(|one| one.ends_with("error[unreadable-file]"))
    );
    let consumer = |certificates: &str| {
        with(&format!(
            "consumers: [{{ username: u, certificates: [{certificates}] }}]\nroutes: [{{ path: /x, service: a }}]"
        ))
    };
    let print = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for good in [
        format!("{{ sha256: {print} }}"),
        "{ subject: \"CN=a\" }, { dns: a.test }, { name: a.test }".into(),
        "{ uri: \"x://y\", issuer: \"CN=ca\" }, { uri: \"x://y\" }".into(),
    ] {
        assert_eq!(consumer(&good), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "{}".to_owned(),
        "{ issuer: CN=ca }".into(),
        "{ sha256: 00 }".into(),
        format!("{{ sha256: {print}, name: a }}"),
        format!("{{ sha256: {print}, issuer: CN=ca }}"),
        "{ name: a, dns: a }".into(),
        "{ name: \"\" }".into(),
        "{ dns: A.test }, { dns: a.test }".into(),
    ] {
        assert_eq!(consumer(&bad), ["2:13 error[bad-consumer]"], "{bad}");
    }
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
