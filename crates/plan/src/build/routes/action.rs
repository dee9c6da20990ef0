//! What happens to a route's requests in the end.

use std::sync::Arc;

use torana_config::written::{RespondConfig, RouteConfig};
use torana_config::{Document, Finding, Path};
use torana_types::ServiceId;

use super::nothing;
use crate::build::services;
use crate::plan::Action;
use crate::text;

pub(super) fn action(
    document: &Document,
    path: &Path,
    config: &RouteConfig,
    service: Option<ServiceId>,
    findings: &mut Vec<Finding>,
) -> Action {
    services::check_deadlines(document, &path.key("timeouts"), &config.timeouts, findings);
    match (&config.service, &config.respond) {
        (Some(name), None) => {
            check_prefix(document, path, config, findings);
            let wide = document.config().services.get(name).map(|service| &service.timeouts);
            let timeouts = services::timeouts(wide.unwrap_or(&config.timeouts), &config.timeouts);
            let strip_prefix = config.strip_prefix.as_deref().map(Arc::from);
            service.map_or_else(nothing, |service| Action::Forward { service, strip_prefix, timeouts })
        }
        (None, Some(respond)) => {
            if config.strip_prefix.is_some() {
                let message = "`strip_prefix` has no meaning where the gateway itself answers";
                findings.push(
                    Finding::error("no-service", message).at(document.key_span_at(&path.key("strip_prefix"))),
                );
            }
            respond_action(document, &path.key("respond"), respond, findings)
        }
        (Some(_), Some(_)) => {
            let finding =
                Finding::error("two-actions", "a route has either `service` or `respond`, not both");
            findings.push(finding.at(document.key_span_at(&path.key("respond"))));
            nothing()
        }
        (None, None) => {
            let finding = Finding::error(
                "no-action",
                "the route does not say what happens: `service` or `respond` is missing",
            );
            findings.push(finding.at(document.span_at(path)));
            nothing()
        }
    }
}

/// The prefix must be what every path of the route begins with, up to a whole segment.
fn check_prefix(document: &Document, path: &Path, config: &RouteConfig, findings: &mut Vec<Finding>) {
    let Some(prefix) = config.strip_prefix.as_deref() else { return };
    let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
    let rest = config.path.strip_prefix(trimmed);
    let whole = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let literal = !prefix.contains(['*', '{', '~']);
    if !prefix.starts_with('/') || !whole || !literal {
        let finding = Finding::error("bad-prefix", "not every path of the route begins with this prefix");
        let help = "write whole literal segments with which `path` begins, such as `/api`";
        findings.push(finding.at(document.span_at(&path.key("strip_prefix"))).help(help));
    }
}

pub(in crate::build) fn respond_action(
    document: &Document,
    path: &Path,
    config: &RespondConfig,
    findings: &mut Vec<Finding>,
) -> Action {
    for (name, value) in &config.headers {
        text::field_name(document, &path.key("headers").key(name), name, findings);
        text::field_value(document, &path.key("headers").key(name), value, findings);
    }
    if let Some(message) = &config.echo {
        if config.body.is_some() || config.json.is_some() {
            let message = "a response has a body, or it echoes the request: not both";
            findings.push(Finding::error("two-bodies", message).at(document.key_span_at(&path.key("echo"))));
        }
        text::no_body(document, path, config.status, findings);
        let headers = config.headers.clone().into_iter().collect();
        return Action::Echo { status: config.status, headers, message: message.as_str().into() };
    }
    let (content_type, body) = match (&config.body, &config.json) {
        (Some(_), Some(_)) => {
            let finding = Finding::error("two-bodies", "a response has either `body` or `json`, not both");
            findings.push(finding.at(document.key_span_at(&path.key("json"))));
            return nothing();
        }
        (Some(body), None) => (Some("text/plain; charset=utf-8"), body.clone()),
        (None, Some(json)) => (Some("application/json"), json.to_string()),
        (None, None) => (None, String::new()),
    };
    if !body.is_empty() {
        text::no_body(document, path, config.status, findings);
    }
    let mut headers: Vec<(String, String)> = config.headers.clone().into_iter().collect();
    let has_type = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let (Some(content_type), false) = (content_type, has_type) {
        headers.push(("Content-Type".into(), content_type.into()));
    }
    Action::Respond { status: config.status, headers, body: body.into_bytes().into() }
}
