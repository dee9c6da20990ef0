//! Policies that are written with one word.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::findings;

fn is_good(policy: &str, value: &str) -> bool {
    let key = "a-key-of-more-than-16-bytes";
    let text = format!(
        "consumers: [{{ username: a, keys: [{key}] }}]\nroutes: [{{ path: /, respond: {{}}, policies: {{ {policy}: {value} }} }}]\n"
    );
    !findings(&text).iter().any(torana_config::Finding::is_error)
}

#[test]
fn every_policy_that_is_good_with_defaults_alone_can_be_switched_on_by_a_word() {
    let schema = torana_config::json_schema();
    let policies = schema["$defs"]["PoliciesConfig"]["properties"].as_object().unwrap();
    assert!(policies.len() > 20);
    let mut on = Vec::new();
    for name in policies.keys() {
        // Mappings of names that may have none, which ask nothing then; and how ways go together, which is no policy.
        if matches!(&**name, "required_headers" | "rate_limits" | "auth") {
            continue;
        }
        assert_eq!(is_good(name, "on"), is_good(name, "{}"), "{name}");
        if is_good(name, "on") {
            on.push(name.as_str());
        }
    }
    for name in ["key_auth", "basic_auth", "hmac_auth", "sigv4", "mtls_auth", "csrf", "security_headers"] {
        assert!(on.contains(&name), "{on:?}");
    }
}

#[test]
fn a_word_that_cannot_stand_there_is_told_what_can() {
    for (policy, value, said, help) in [
        ("jwt", "on", "expected `off` or a mapping, found text", "it has no defaults for everything"),
        ("key_auth", "true", "expected `off`, `on` or a mapping, found a boolean", "write `on`"),
        ("key_auth", "false", "found a boolean", "write `off`"),
        ("key_auth", "of", "is not one of", "did you mean `off`?"),
    ] {
        let text = format!("routes: [{{ path: /, respond: {{}}, policies: {{ {policy}: {value} }} }}]\n");
        let found = findings(&text);
        let [finding] = &found[..] else { panic!("{found:?}") };
        assert!(finding.message.contains(said), "{finding:?}");
        assert!(finding.help.as_ref().unwrap().contains(help), "{finding:?}");
    }
}
