//! Builds the plan. What cannot be planned is an error and is left out, so that the rest is still
//! looked at.

pub(crate) mod access;
mod authentication;
mod http2;
mod limits;
mod listeners;
pub(crate) mod pem;
mod policies;
mod routes;
mod services;
mod upstream_tls;

pub(crate) use listeners::path_of as listener_path;

use std::sync::Arc;

use torana_config::written::{Config, ServerTimeoutsConfig};
use torana_config::{Document, Finding, Path, Resolver};
use torana_credential::directory::Consumers;
use torana_types::TimeSpan;

use crate::plan::{Plan, Settings};
use crate::text;

/// Bytes of an admin token, at least.
const SHORTEST_TOKEN: usize = 16;

/// Builds the plan as far as possible, and says what is not.
pub(crate) fn build(
    document: &Document,
    consumers: &Arc<Consumers>,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> Plan {
    let settings = settings(document, resolver, findings);
    let services = services::services(document, resolver, findings);
    let (routes, of_answers) = routes::routes(document, &services, consumers, resolver, findings);
    Plan { settings, consumers: Arc::clone(consumers), services, routes, of_answers }
}

fn settings(document: &Document, resolver: &dyn Resolver, findings: &mut Vec<Finding>) -> Settings {
    let config = document.config();
    check_names(document, config, findings);
    let ServerTimeoutsConfig { handshake, head, body, keep_alive, write, half_close: _ } = &config.timeouts;
    let spans = [
        ("handshake", handshake),
        ("head", head),
        ("body", body),
        ("keep_alive", keep_alive),
        ("write", write),
    ];
    for (key, span) in spans {
        not_zero(document, &Path::root().key("timeouts").key(key), *span, findings);
    }
    http2::check(document, &Path::root().key("http2"), &config.http2, findings);
    Settings {
        listen: listeners::listeners(document, resolver, findings),
        admin: config.admin.on().copied(),
        admin_token: config.admin_token.clone(),
        workers: config.workers,
        store: crate::store::plan(document, resolver, findings),
        trusted_proxies: config.trusted_proxies.clone(),
        forwarded: config.forwarded.clone(),
        request_id: config.request_id.clone(),
        timeouts: config.timeouts.clone(),
        limits: config.limits.clone(),
        http2: config.http2.clone(),
        access_log: config.access_log.on().map(torana_config::written::AccessLogForm::config),
        drain_delay: config.drain_delay,
        drain_timeout: config.drain_timeout,
        reserved_headers: config.reserved_headers.clone(),
        trusted_headers: config.trusted_headers.clone(),
        method_overrides: config.method_overrides,
        paths: config.paths.clone(),
    }
}

fn check_names(document: &Document, config: &Config, findings: &mut Vec<Finding>) {
    if let Some(name) = config.forwarded.via.on() {
        text::token(document, &Path::root().key("forwarded").key("via"), name, "a name in `Via`", findings);
    }
    if let Some(name) = config.request_id.header.on() {
        text::field_name(document, &Path::root().key("request_id").key("header"), name, findings);
    }
    for (index, name) in config.reserved_headers.iter().enumerate() {
        text::field_name(document, &Path::root().key("reserved_headers").index(index), name, findings);
    }
    for (index, name) in config.trusted_headers.iter().enumerate() {
        let path = Path::root().key("trusted_headers").index(index);
        text::field_name(document, &path, name, findings);
        if name.contains('*') {
            let finding =
                Finding::error("bad-name", "`*` stands for nothing here").at(document.span_at(&path));
            findings.push(finding.help("name each field"));
        }
    }
    if !config.trusted_headers.is_empty() && config.trusted_proxies.is_empty() {
        let message = "there is no trusted proxy: these fields never arrive";
        let place = document.key_span_at(&Path::root().key("trusted_headers"));
        let finding = Finding::warning("no-trusted-proxy", message).at(place);
        findings.push(finding.help("name those that may send them in `trusted_proxies`"));
    }
    if config.admin_token.as_ref().is_some_and(|token| token.expose().len() < SHORTEST_TOKEN) {
        let finding = Finding::error("admin-token", "the token could be guessed");
        let place = document.span_at(&Path::root().key("admin_token"));
        findings.push(finding.at(place).help("make it at least 16 characters, at random"));
    }
    limits::check(document, config, findings);
    if config.limits.head_bytes < config.limits.target_bytes {
        let place = document.span_at(&Path::root().key("limits"));
        let message =
            "a target may be longer than the head that it is part of: `head_bytes` is below `target_bytes`";
        findings.push(Finding::error("limits", message).at(place));
    }
    if config.limits.target_bytes.as_u64() == 0 {
        let place = document.span_at(&Path::root().key("limits").key("target_bytes"));
        findings.push(Finding::error("limits", "no request could be read").at(place));
    }
}

/// A deadline of zero would refuse everything.
fn not_zero(document: &Document, path: &Path, span: TimeSpan, findings: &mut Vec<Finding>) {
    if span.is_zero() {
        let finding = Finding::error("zero-deadline", "a deadline of zero would let nothing through");
        findings.push(
            finding.at(document.span_at(path)).help("give it a length, or remove it to have the default"),
        );
    }
}
