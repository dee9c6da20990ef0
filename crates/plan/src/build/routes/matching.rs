//! Conditions of a route.

use indexmap::IndexMap;
use torana_config::written::{OneOrMany, RouteConfig, ValueCondition, ValueConditionConfig};
use torana_config::{Document, Finding, Path};

use crate::{escapes, text};
use torana_route::{
    AnchoredRegex, HeaderCondition, HostPattern, PathPattern, PatternError, QueryCondition, RouteSpec,
    ValueTest, is_alike_parameter,
};

pub(super) fn matching(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    findings: &mut Vec<Finding>,
) -> Option<RouteSpec> {
    let place = path.key("path");
    let pattern = PathPattern::parse(&config.path)
        .map_err(|error| findings.push(pattern_finding("bad-path", document, &place, &error)))
        .ok();
    if let Some(pattern) = &pattern {
        escapes::check(document, &document.span_at(&place), pattern, findings);
    }
    let hosts = hosts(document, path, config, findings);
    for name in config.headers.keys() {
        if !text::is_token(name) {
            let finding = Finding::error("bad-name", "this is not the name of a field")
                .at(document.key_span_at(&path.key("headers").key(name)));
            findings.push(finding);
        }
    }
    let headers = conditions(document, &path.key("headers"), &config.headers, findings);
    let headers = headers
        .into_iter()
        .map(|(name, test)| HeaderCondition { name: name.to_ascii_lowercase().into(), test });
    let query = conditions(document, &path.key("query"), &config.query, findings);
    never_both(document, &path.key("query"), &query, findings);
    let query = query.into_iter().map(|(name, test)| QueryCondition { name: name.into(), test });
    let methods = methods(document, path, config, findings);
    Some(RouteSpec {
        hosts,
        path: pattern?,
        methods,
        headers: headers.collect(),
        query: query.collect(),
        priority: config.priority,
    })
}

/// Two names that services take for one another are two values of one parameter, which equal nothing.
fn never_both(document: &Document, path: &Path, query: &[(String, ValueTest)], findings: &mut Vec<Finding>) {
    // What is there under one name is a second value for the other, which is not asked of that where it may only be there.
    let is_second = |(name, test): &(String, ValueTest), (other, asked): &(String, ValueTest)| {
        *test != ValueTest::Present(false)
            && *asked != ValueTest::Present(true)
            && is_alike_parameter(name.as_bytes(), other)
    };
    for (index, one) in query.iter().enumerate() {
        let mut others = query.iter().take(index);
        let name = &one.0;
        if let Some((other, _)) = others.find(|other| is_second(one, other) || is_second(other, one)) {
            let message =
                format!("no request has `{name}` beside `{other}` here: services take one for the other");
            let place = document.key_span_at(&path.key(name));
            let help = "make it another route, or ask for one of them alone";
            findings.push(Finding::warning("bad-condition", message).at(place).help(help));
        }
    }
}

fn hosts(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    findings: &mut Vec<Finding>,
) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    for (index, host) in config.host.as_ref().map(OneOrMany::as_slice).unwrap_or_default().iter().enumerate()
    {
        let place = match &config.host {
            Some(OneOrMany::Many(_)) => path.key("host").index(index),
            _ => path.key("host"),
        };
        match HostPattern::parse(host) {
            Ok(pattern) => hosts.push(pattern),
            Err(error) => findings.push(pattern_finding("bad-host", document, &place, &error)),
        }
    }
    hosts
}

fn pattern_finding(code: &'static str, document: &Document, place: &Path, error: &PatternError) -> Finding {
    Finding::error(code, error.problem.to_string()).at(document.span_at(place)).help(error.problem.help())
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
        if let Some((message, help)) = text::method_problem(method) {
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
) -> Vec<(String, ValueTest)> {
    let mut matches = Vec::with_capacity(conditions.len());
    for (name, condition) in conditions {
        let value = match condition {
            ValueCondition::Exact(exact) => ValueTest::Exact(exact.as_str().into()),
            ValueCondition::Full(ValueConditionConfig { exact: Some(exact), regex: None, present: None }) => {
                ValueTest::Exact(exact.as_str().into())
            }
            ValueCondition::Full(ValueConditionConfig { exact: None, regex: Some(regex), present: None }) => {
                match AnchoredRegex::parse(regex) {
                    Ok(regex) => ValueTest::Regex(regex),
                    Err(error) => {
                        let place = path.key(name).key("regex");
                        findings.push(pattern_finding("bad-regex", document, &place, &error));
                        continue;
                    }
                }
            }
            ValueCondition::Full(ValueConditionConfig {
                exact: None,
                regex: None,
                present: Some(present),
            }) => ValueTest::Present(*present),
            ValueCondition::Full(_) => {
                let finding = Finding::error(
                    "bad-condition",
                    "a condition has exactly one of `exact`, `regex` and `present`",
                );
                findings.push(finding.at(document.span_at(&path.key(name))));
                continue;
            }
        };
        matches.push((name.clone(), value));
    }
    matches
}
