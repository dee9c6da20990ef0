//! What can never happen, what is weak, and what follows from another mistake alone.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{codes, finding, findings};
use torana_config::{FixedResolver, plain};
use torana_plan::load;

fn service(endpoints: &str, more: &str) -> String {
    format!("services:\n  s: {{ endpoints: [{endpoints}], {more} }}\nroutes: [{{ path: /, service: s }}]\n")
}

#[test]
fn what_can_never_happen_is_found_where_it_is_written() {
    let two = "http://127.0.0.1:1, http://127.0.0.1:2";
    let one = "http://127.0.0.1:1";
    for (endpoints, more, at, said) in [
        (two, "timeouts: { total: 1s }, retries: { hedge: { after: 1s } }", "1s }", "`total`"),
        (two, "timeouts: { first_byte: 1s }, retries: { hedge: { after: 2s } }", "2s", "the try is over"),
        (two, "retries: { per_try_timeout: 1s, hedge: { after: 2s } }", "2s", "the try is over"),
        (one, "retries: { hedge: { after: 50ms } }", "{ after", "has no second one"),
        (two, "timeouts: { total: 1s }, retries: { per_try_timeout: 2s }", "2s", "never ends a try"),
        (two, "retries: { attempts: 1, on: [503] }", "[503]", "`attempts: 1`"),
        (two, "retries: { budget: { share: 0%, minimum: 0 } }", "{ share", "the budget is nothing"),
        (two, "pool: { idle_timeout: 10m, max_age: 5m }", "10m", "`max_age`, 5m"),
        (two, "health: { probes: { interval: 1s, timeout: 2s } }", "2s", "next question"),
        (two, "health: { ejection: { for: 10m } }", "10m", "`at_most` is 5m"),
        (two, "health: { ejection: { failures: { statuses: 0 } } }", "{ statuses", "no failure is counted"),
        (two, "health: { probes: {}, panic_below: 30%, down_at: 30% }", "30%, down", "nobody is"),
        (two, "breaker: { window: { slow_share: 50%, slow_after: 2m } }", "2m", "no answer is ever slow"),
    ] {
        let text = service(endpoints, more);
        assert_eq!(codes(&text, "never-happens"), 1, "{more}: {:?}", findings(&text));
        let found = finding(&text, "never-happens");
        assert!(found.message.contains(said), "{more}: {found:?}");
        assert!(found.help.is_some(), "{found:?}");
        let span = found.span.unwrap();
        assert!(text[span.start..].starts_with(at), "{more}: {}", &text[span.start..]);
    }
    // A route has deadlines of its own.
    let text = service(two, "retries: { hedge: { after: 1s } }")
        .replace("service: s }", "service: s, timeouts: { total: 1s } }");
    assert_eq!(codes(&text, "never-happens"), 1, "{:?}", findings(&text));
}

#[test]
fn what_is_usual_is_not_odd() {
    let two = "http://127.0.0.1:1, http://127.0.0.1:2";
    for more in [
        "timeouts: { total: 2s, first_byte: 1s }, retries: { hedge: { after: 100ms } }",
        "timeouts: { total: 2s }",
        "pool: { max_age: 30s }",
        "retries: { attempts: 1 }",
        "retries: { on: [] }",
        "health: { probes: {}, ejection: {} }",
        "health: { probes: {}, panic_below: 30%, down_at: 10% }",
        "health: { probes: {}, panic_below: 30% }",
        "health: { probes: {}, down_at: 30% }",
        "breaker: { window: { slow_share: 50%, slow_after: 2s } }",
    ] {
        let text = service(two, more);
        assert_eq!(codes(&text, "never-happens"), 0, "{more}: {:?}", findings(&text));
    }
}

#[test]
fn a_mistake_is_told_once_and_not_by_what_follows_from_it() {
    let base = "services: { s: { endpoints: [http://127.0.0.1:1] } }\nroutes: [{ path: /, service: s }]\npolicies:\n";
    for policy in [
        "  forward_auth: { url: \"htp://nowhere\" }\n",
        "  rate_limits: { a: 10/minut, b: 1/s }\n",
        "  rate_limits: { a: { limit: 10/minut } }\n",
        "  rate_limit: { limt: 10/minute }\n",
        "  jwt: { secrett: x }\n",
    ] {
        let found = findings(&format!("{base}{policy}"));
        assert_eq!(found.len(), 1, "{policy}: {found:?}");
    }
    let found = findings("routs: [{ path: /, respond: {} }]\n");
    assert_eq!(found.len(), 1, "a misspelled key is not missing too: {found:?}");
    assert_eq!(codes("routes: []\n", "no-route"), 1);
}

#[test]
fn short_secrets_of_consumers_are_found_each_kind_once_at_its_own_place() {
    let text = "consumers:
- { username: a, keys: [a-key-of-more-than-16-bytes] }
- username: b
  keys: [short, shorter]
  basic: [{ username: b, password: abc }]
  hmac: [{ username: b, secret: abc }]
  jwt: [{ key: b, secret: a-secret-of-more-than-16-bytes }]
  sigv4: [{ access_key_id: b, secret_access_key: abc }]
routes: [{ path: /, respond: {} }]
";
    let found = findings(text);
    let short: Vec<_> = found.iter().filter(|finding| finding.code == "short-secret").collect();
    let lines: Vec<usize> = short.iter().map(|finding| finding.span.as_ref().unwrap().line).collect();
    assert_eq!(lines, [4, 5, 6, 7, 8], "{short:?}");
    assert!(short[0].message.starts_with("2 keys of consumers"), "{:?}", short[0]);
    assert!(!format!("{short:?}").contains("abc"));
}

#[test]
fn findings_about_a_consumer_in_a_file_stand_in_that_file() {
    let text = "consumers: { files: [c.yaml, c.jsonl] }\nroutes: [{ path: /, respond: {} }]\n";
    let load = |yaml: &str, lines: &str| {
        let files = FixedResolver::default().with_file("c.yaml", yaml).with_file("c.jsonl", lines);
        load("test.yaml", text, &files).findings
    };
    let found = load("- { id: a }\n- { id: b, keys: [short] }\n", "{\"id\":\"c\"}\n{\"id\":\"b\"}\n");
    let places: Vec<String> =
        found.iter().map(|finding| format!("{}", finding.span.as_ref().unwrap())).collect();
    assert_eq!(places, ["c.jsonl:2:1", "c.yaml:2:3"], "{found:?}");
    let found = load("- { id: a }\n- { id: b, key: x }\n", "[]");
    assert_eq!(found[0].span.as_ref().unwrap().to_string(), "c.yaml:2:12", "{found:?}");
    let twice = load("- { username: a }\n- { username: a }\n", "[]");
    assert_eq!(twice[0].message, "the consumer `a` has this username already");
    let shown = torana_config::render(&found, &torana_config::Source::new("test.yaml", text), false);
    assert!(shown.starts_with("c.yaml:2:12: error[unknown-key]: unknown key `key`\n  help: "), "{shown}");
}

#[test]
fn what_follows_from_a_mistake_in_a_file_of_consumers_is_not_said() {
    let text = "consumers: { files: [c.jsonl] }
policies: { key_auth: on, auth: { require: any, anonymous: guest } }
routes: [{ path: /, respond: {} }]
";
    let load = |lines: &str| {
        let found = load("test.yaml", text, &FixedResolver::default().with_file("c.jsonl", lines)).findings;
        found.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(load("{\"username\":\"guest\",\"keyz\":[]}\n"), ["unknown-key"]);
    assert!(load("[]").contains(&"no-consumers") && load("[]").contains(&"unknown-consumer"));
}

#[test]
fn weak_settings_of_signatures_are_one_finding() {
    let file = |options: &str| {
        format!(
            "consumers: [{{ username: a, hmac: [{{ username: a, secret: \"${{env:KEY}}\" }}] }}]\npolicies: {{ hmac_auth: {options} }}\nroutes: [{{ path: /, respond: {{}} }}]\n"
        )
    };
    let kong = "{ schemes: [hmac], algorithms: [hmac-sha1, hmac-sha256], enforce_headers: [], signed_date: false, body: ignored }";
    for (options, number) in [
        ("on", 0),
        ("{ enforce_headers: [date, request-line, host] }", 0),
        ("{ schemes: [messages] }", 0),
        ("{ signed_date: false }", 0),
        (kong, 1),
        ("{ enforce_headers: [date] }", 1),
        ("{ clock_skew: 1d }", 1),
        ("{ messages: { components: [\"@method\"] } }", 1),
    ] {
        assert_eq!(
            codes(&file(options), "weak-signatures"),
            number,
            "{options}: {:?}",
            findings(&file(options))
        );
    }
    assert_eq!(findings(&file(kong)).len(), 1, "{:?}", findings(&file(kong)));
}

#[test]
fn a_cost_that_no_request_could_pay_is_found() {
    let limit = |top: &str, written: &str| -> Vec<String> {
        let routes =
            format!("- {{ path: /x, respond: {{ body: x }}, policies: {{ rate_limit: {written} }} }}");
        findings(&format!("{top}\nroutes:\n{routes}\n")).iter().map(plain).collect()
    };
    let written = |cost: &str| format!("{{ limit: {{ rate: 9/s, burst: 5 }}, cost: {cost} }}");
    assert_eq!(limit("", &written("5")), [""; 0]);
    assert_eq!(limit("", "{ limit: 9/day, cost: 9 }"), [""; 0]);
    let found = limit("", &written("6"));
    let message = "a request costs 6, but at most 5 pass at once: no request could pass";
    assert!(
        found.len() == 1 && found[0].contains(&format!("error[cost-above-limit]: {message}")),
        "{found:?}"
    );
    assert!(limit("", "{ limit: [5/s, 9/day], cost: 6 }")[0].contains("error[cost-above-limit]"));
    let found = limit("", &written("{ request_header: X-Cost, default: 6 }"));
    assert!(found.len() == 1 && found[0].contains("warning[cost-above-limit]"), "{found:?}");
    // What each gateway counts alone is a part.
    let store = "store: { url: \"redis://a\", key: \"${env:KEY}\", gateways: 2 }";
    assert_eq!(limit(store, "{ limit: 9/day, cost: 5 }"), [""; 0]);
    // Leased the burst is less by what comes in the tenth of a second for which permits hold.
    assert_eq!(limit(store, "{ limit: 100/s, cost: 90 }"), [""; 0]);
    assert_eq!(limit(store, "{ limit: 100/s, cost: 95, mode: exact }"), [""; 0]);
    let found = limit(store, "{ limit: 100/s, cost: { default: 95 } }");
    let message = "a request costs 95, but at most 90 pass at once where permits are leased";
    assert!(found.len() == 1 && found[0].contains(message), "{found:?}");
    let found = limit(store, "{ limit: 9/day, cost: 5, mode: local }");
    assert!(found.len() == 1 && found[0].contains("at most 4 pass at once as the share"), "{found:?}");
}

#[test]
fn shares_of_gateways_that_count_alone_are_looked_into() {
    let limit = |gateways: &str, written: &str| -> Vec<String> {
        let store = format!("store: {{ url: \"redis://a\", key: \"${{env:KEY}}\"{gateways} }}");
        let routes = format!("- {{ path: /x, service: s, policies: {{ rate_limit: {written} }} }}");
        let text = format!("services: {{ s: {{ endpoints: [http://a] }} }}\n{store}\nroutes:\n{routes}\n");
        let short = |finding| {
            let line = plain(finding);
            let (short, _) = line.trim_start_matches("test.yaml:").split_once("]: ").unwrap();
            format!("{short}]").replace(": ", " ")
        };
        findings(&text).iter().map(short).collect()
    };
    let unsaid = ["2:1 warning[gateways-unsaid]"];
    for (written, found) in [
        ("5/s", &unsaid[..]),
        ("{ limit: 5/s, when_store_fails: local_share }", &unsaid),
        ("{ limit: 5/s, mode: local }", &unsaid),
        ("{ limit: 5/s, when_store_fails: closed }", &[]),
        ("{ limit: 5/s, when_store_fails: open }", &[]),
        ("{ concurrency: 5 }", &[]),
    ] {
        assert_eq!(limit("", written), found, "{written}");
        assert_eq!(limit(", gateways: 3", written), [""; 0], "{written}");
    }
    for (written, found) in [
        ("2/s", &["4:51 warning[share-of-nothing]"][..]),
        ("{ limit: 2/s, when_store_fails: local_share }", &["4:83 warning[share-of-nothing]"]),
        ("{ limit: [9/s, 20/minute], burst: 2 }", &["4:51 warning[share-of-nothing]"]),
        ("{ limit: 2/s, when_store_fails: closed }", &[]),
        ("{ limit: 2/s, mode: local }", &["4:71 error[share-of-nothing]"]),
        ("{ limit: 9/s, burst: 2, mode: local }", &["4:81 error[share-of-nothing]"]),
        ("{ limit: 3/s, mode: local }", &[]),
    ] {
        assert_eq!(limit(", gateways: 3", written), found, "{written}");
    }
}

#[test]
fn what_the_caller_cannot_have_is_told_and_a_caller_that_is_none_refused() {
    let text = |policies: &str| {
        format!(
            "consumers: [{{ username: a, keys: [\"${{env:KEY}}\"] }}]\npolicies: {{ {policies} }}\nroutes: [{{ path: /*, respond: {{ status: 204 }} }}]\n"
        )
    };
    let jwt = "jwt: { secret: \"${env:KEY}\" }";
    let roles = "roles: { any: [x], from: claims.tier }";
    for (policies, code, count) in [
        (format!("{jwt}, key_auth: {{}}, {roles}"), "caller-without", 1),
        (format!("{jwt}, key_auth: {{}}, roles: [x]"), "caller-without", 1),
        (format!("{jwt}, mtls_auth: on, {roles}"), "caller-without", 1),
        (
            format!("{jwt}, mtls_auth: on, roles: {{ any: [x], from: claims.common_name }}"),
            "caller-without",
            0,
        ),
        (format!("{jwt}, key_auth: {{}}, allow_if: 'claims.tier == \"gold\"'"), "caller-without", 1),
        (format!("auth: {{ caller: jwt }}, {jwt}, key_auth: {{}}, {roles}"), "caller-without", 0),
        (format!("auth: any, {jwt}, key_auth: {{}}, {roles}"), "caller-without", 0),
        (format!("{jwt}, key_auth: {{}}, roles: {{ any: [x], from: [roles, groups] }}"), "caller-without", 0),
        (format!("{jwt}, {roles}"), "caller-without", 0),
        (format!("{jwt}, key_auth: {{}}"), "caller-without", 0),
        (format!("auth: {{ require: any, caller: jwt }}, {jwt}, key_auth: {{}}"), "contradiction", 1),
        (format!("auth: {{ caller: sigv4 }}, {jwt}, key_auth: {{}}"), "unknown-caller", 1),
        (format!("auth: {{ caller: sigv4 }}, {jwt}"), "unknown-caller", 0),
    ] {
        assert_eq!(codes(&text(&policies), code), count, "{policies}: {:?}", findings(&text(&policies)));
    }
}

#[test]
fn where_every_options_passes_is_told() {
    let text = |preflight: &str, more: &str, route: &str| {
        format!(
            "services: {{ s: {{ endpoints: [http://127.0.0.1:1] }} }}\npolicies: {{ auth: {{ preflight: {preflight} }}, jwt: {{ secret: \"${{env:KEY}}\" }}{more} }}\nroutes: [{{ path: /*, service: s{route} }}]\n"
        )
    };
    for (preflight, more, route, count) in [
        ("options", "", "", 1),
        ("{ jwt: options }", "", "", 1),
        ("options", "", ", methods: [GET, OPTIONS]", 1),
        ("options", "", ", methods: [GET]", 0),
        ("options", ", roles: [x]", "", 0),
        ("{ key_auth: options }", "", "", 0),
        ("{ jwt: options }", ", mtls_auth: on", "", 0),
        ("cors", "", "", 0),
        ("false", "", "", 0),
    ] {
        let text = text(preflight, more, route);
        assert_eq!(codes(&text, "options-pass"), count, "{text} {:?}", findings(&text));
    }
}
