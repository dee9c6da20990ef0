//! Files that are wrong in a known way, and what is said about them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use torana_config::{FixedResolver, parse, plain, render};

/// The findings of a file, one on each line, with their help.
fn findings(text: &str) -> String {
    let resolver =
        FixedResolver::default().with_environment("SECRET", "hidden-value").with_environment("PORT", "70000");
    let parsed = parse("t.yaml", text, &resolver);
    assert_eq!(parsed.document.is_none(), !parsed.findings.is_empty());
    let lines: Vec<String> = parsed
        .findings
        .iter()
        .map(|finding| format!("{} | {}", plain(finding), finding.help.as_deref().unwrap_or("")))
        .collect();
    let rendered = render(&parsed.findings, &parsed.source, false);
    assert!(!rendered.contains("hidden-value"), "{rendered}");
    lines.join("\n")
}

#[test]
fn everything_is_reported_at_once_each_at_its_place() {
    let text = "\
listn: 0.0.0.0:8000
services:
  a: { endpoints: [http://127.0.0.1:1], balance: roundrobin }
  b: { endpoints: https://b, pool: { idle_timeout: 5 sec, max_connections: 0 } }
  c: { balance: weighted }
routes:
  - { path: /x, service: a, policies: { jwt: false } }
  - { path: /y, servce: a, priority: high }
drain_timeout: 30
";
    let expected = "\
t.yaml:1:1: error[unknown-key]: unknown key `listn` | did you mean `listen`?
t.yaml:3:50: error[unknown-value]: `roundrobin` is not one of `round_robin`, `weighted`, `least_connections` and `two_choices` | did you mean `round_robin`?
t.yaml:4:19: error[wrong-type]: `endpoints`: expected a list, found text | a list is written `[one, two]`
t.yaml:4:52: error[bad-format]: `5 sec` is not valid here: the unit is missing | expected a length of time such as `500ms`, `5s`, `1m30s`, `2h` or `1d`
t.yaml:4:76: error[out-of-range]: the number must be from 1 to 4294967295 | \n\
t.yaml:5:6: error[missing-key]: the key `endpoints` is missing | `endpoints` is a list
t.yaml:7:46: error[wrong-type]: `jwt`: expected `off` or a mapping, found a boolean | write `off`
t.yaml:8:17: error[unknown-key]: unknown key `servce` | did you mean `service`?
t.yaml:8:38: error[wrong-type]: `priority`: expected a whole number, found text | \n\
t.yaml:9:16: error[bad-format]: `30` is not valid here: the unit is missing | expected a length of time such as `500ms`, `5s`, `1m30s`, `2h` or `1d`";
    assert_eq!(findings(text), expected);
}

#[test]
fn a_mapping_with_a_mistake_is_explained_although_it_could_also_be_a_word() {
    let base = "services: { a: { endpoints: [http://a] } }\nroutes: [{ service: a }]\n";
    let found = findings(&format!("{base}policies: {{ rate_limit: {{ limt: 5/s }} }}\n"));
    assert!(found.contains("unknown key `limt` | did you mean `limit`?"), "{found}");
    let found = findings(&format!("{base}policies: {{ rate_limit: {{ limit: {{ burst: 5 }} }} }}\n"));
    assert!(found.contains("the key `rate` is missing"), "{found}");
    let found = findings(&format!("{base}policies: {{ rate_limit: 5 }}\n"));
    assert!(found.contains("`5` is not valid here: the `/` before the period is missing"), "{found}");
    assert!(found.contains(", or `off`"), "{found}");
    let found = findings(&format!("{base}access_log: jsn\n"));
    assert!(found.contains("did you mean `json`?"), "{found}");
    let found = findings(&format!("{base}policies:\n"));
    assert!(found.contains("`policies` has no value"), "{found}");
}

#[test]
fn values_of_references_and_secrets_are_never_shown() {
    let base = "services: { a: { endpoints: [http://a] } }\nroutes: [{ service: a }]\n";
    let found = findings(&format!("{base}drain_timeout: ${{env:SECRET}}\n"));
    assert!(found.contains("the value of the reference is not valid here"), "{found}");
    let found = findings(&format!("{base}access_log: ${{env:SECRET}}\n"));
    assert!(found.contains("the value of the reference is not one of"), "{found}");
    let found = findings(&format!("{base}policies: {{ jwt: {{ secret: hidden-value, leeway: x }} }}\n"));
    assert!(found.contains("bad-format"), "{found}");
    let found = findings(&format!("{base}policies: {{ jwt: {{ secret: \"hidden-value\n"));
    assert!(found.contains("syntax"), "{found}");
    let found = findings(&format!("{base}workers: \"${{env:PORT}}\"\n"));
    assert!(found.contains("the number must be from 1 to 65535"), "{found}");
    let found = findings(&format!("{base}drain_timeout: ${{env:NOTHING}}\n"));
    assert!(found.contains("`NOTHING` is not set | set it, or write `${env:NOTHING:-default}`"), "{found}");
}

#[test]
fn words_of_other_gateways_are_told_what_is_written_here() {
    let with = |service: &str, route: &str| {
        findings(&format!(
            "services: {{ a: {{ endpoints: [\"http://a\"], {service} }} }}\nroutes: [{{ path: /a, service: a, {route} }}]\n"
        ))
    };
    for (service, route, said) in [
        ("", "strip_path: true", "unknown key `strip_path` | `strip_prefix: /api`"),
        ("", "plugins: []", "unknown key `plugins` | `policies`"),
        ("retries: 3", "", "expected a mapping, found a number | write `{ attempts: 3 }`"),
        ("retries: { attempts: 0 }", "", "from 1 to 65535 | the first try counts: 1 means"),
        ("balance: random", "", "`two_choices` or a mapping, found `random` | "),
        ("", "policies: { ip_restriction: 10.0.0.0/8 }", "found text | write `{ allow: [10.0.0.0/8] }`"),
        ("", "policies: { jwt: misplaced }", "expected `off` or a mapping, found text | "),
    ] {
        let found = with(service, route);
        assert!(found.contains(said) && found.lines().count() == 1, "{service}{route}: {found}");
        assert!(!found.contains("misplaced"), "it may be a secret: {found}");
    }
    let url = findings("services: { a: { url: \"http://a\" } }\nroutes: [{ service: a }]\n");
    assert!(url.contains("unknown key `url` | write `endpoints:") && url.lines().count() == 1, "{url}");
    let kong = findings("_format_version: \"3.0\"\nservices: [{ name: a, url: \"http://a\" }]\n");
    assert!(kong.starts_with("t.yaml:1:1: error[foreign-file]") && kong.lines().count() == 1, "{kong}");
}
