//! Conditions of a route.

use indexmap::IndexMap;
use torana_config::written::{OneOrMany, RouteConfig, ValueCondition, ValueConditionConfig};
use torana_config::{Document, Finding, Path};

use crate::build::text;
use crate::plan::{RouteMatch, ValueMatch};

pub(super) fn matching(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    findings: &mut Vec<Finding>,
) -> RouteMatch {
    if !config.path.starts_with(['/', '~']) {
        let finding =
            Finding::error("bad-path", "a path begins with `/`, or with `~` for a regular expression");
        findings.push(finding.at(document.span_at(&path.key("path"))));
    }
    let hosts = config.host.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
    for name in config.headers.keys() {
        let place = path.key("headers").key(name);
        if !text::is_token(name) {
            let finding = Finding::error("bad-name", "this is not the name of a field")
                .at(document.key_span_at(&place));
            findings.push(finding);
        }
    }
    let headers = conditions(document, &path.key("headers"), &config.headers, findings);
    RouteMatch {
        hosts: hosts.iter().map(|host| host.to_ascii_lowercase().into()).collect(),
        path: config.path.as_str().into(),
        methods: methods(document, path, config, findings),
        headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value)).collect(),
        query: conditions(document, &path.key("query"), &config.query, findings),
        priority: config.priority,
    }
}

fn methods(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    findings: &mut Vec<Finding>,
) -> Vec<Box<str>> {
    let mut methods: Vec<Box<str>> = Vec::new();
    let written = config.methods.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
    for (index, method) in written.iter().enumerate() {
        let place = match &config.methods {
            Some(OneOrMany::Many(_)) => path.key("methods").index(index),
            _ => path.key("methods"),
        };
        let upper = method.to_ascii_uppercase();
        let problem = if !text::is_token(method) {
            Some(("this is not a method", None))
        } else if upper == "CONNECT" {
            Some(("tunnels (CONNECT) are not for a gateway", None))
        } else if *method != upper {
            Some(("methods are case-sensitive (RFC 9110 section 9.1)", Some(format!("write `{upper}`"))))
        } else {
            None
        };
        if let Some((message, help)) = problem {
            findings
                .push(Finding::error("bad-method", message).at(document.span_at(&place)).maybe_help(help));
        }
        if !methods.iter().any(|known| **known == **method) {
            methods.push(method.as_str().into());
        }
    }
    methods
}

fn conditions(
    document: &Document,
    path: &Path,
    conditions: &IndexMap<String, ValueCondition>,
    findings: &mut Vec<Finding>,
) -> Vec<(Box<str>, ValueMatch)> {
    let mut matches = Vec::with_capacity(conditions.len());
    for (name, condition) in conditions {
        let value = match condition {
            ValueCondition::Exact(exact) => ValueMatch::Exact(exact.as_str().into()),
            ValueCondition::Full(ValueConditionConfig { exact: Some(exact), regex: None, present: None }) => {
                ValueMatch::Exact(exact.as_str().into())
            }
            ValueCondition::Full(ValueConditionConfig { exact: None, regex: Some(regex), present: None }) => {
                ValueMatch::Regex(regex.as_str().into())
            }
            ValueCondition::Full(ValueConditionConfig {
                exact: None,
                regex: None,
                present: Some(present),
            }) => ValueMatch::Present(*present),
            ValueCondition::Full(_) => {
                let finding = Finding::error(
                    "bad-condition",
                    "a condition has exactly one of `exact`, `regex` and `present`",
                );
                findings.push(finding.at(document.span_at(&path.key(name))));
                continue;
            }
        };
        matches.push((name.as_str().into(), value));
    }
    matches
}
