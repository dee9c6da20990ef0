//! Every lint fires where it should, and says so where people look.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

#[path = "findings/edge.rs"]
mod edge;
#[path = "findings/forms.rs"]
mod forms;
#[path = "findings/pointless.rs"]
mod pointless;
#[path = "findings/policies.rs"]
mod policies;
#[path = "findings/routes.rs"]
mod routes;
#[path = "findings/services.rs"]
mod services;
#[path = "findings/settings.rs"]
mod settings;

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

/// A file with services `a` and `b`, and this policy on a route.
fn policy(policy: &str) -> Vec<String> {
    findings(&format!(
        "services: {{ a: {{ endpoints: [http://a] }}, b: {{ endpoints: [http://b] }} }}\nconsumers: [{{ username: u, keys: [\"${{env:KEY}}\"] }}]\nroutes:\n- path: /x\n  service: a\n  policies:\n    {policy}\n"
    ))
}

const JWT: &str = "policies: { jwt: { secret: \"${env:KEY}\" } }";
