//! Services: defaults, and what does not fit together inside one.

mod adaptive;
mod balance;
mod breaker;
mod health;
mod retries;

pub(super) use balance::keys;

use std::collections::HashSet;
use std::sync::Arc;

use torana_config::written::{PoolConfig, ServiceConfig, Switch, UpstreamTimeoutsConfig};
use torana_config::{Document, Finding, Path, Resolver};

use super::{http2, not_zero, upstream_tls};
use crate::plan::{EndpointPlan, HostHeader, ServicePlan, UpstreamTimeouts};
use crate::policy::asked;
use crate::text;

pub(super) fn services(
    document: &Document,
    resolver: &dyn Resolver,
    findings: &mut Vec<Finding>,
) -> Vec<ServicePlan> {
    let mut planned = Vec::with_capacity(document.config().services.len());
    for (name, config) in &document.config().services {
        if !text::is_token(name) {
            let message = "the name of a service consists of letters, digits and `-._~` alone";
            let place = document.key_span_at(&Path::root().key("services").key(name));
            findings.push(Finding::error("bad-name", message).at(place));
        }
        planned.push(service(document, resolver, name, config, findings));
    }
    // No service of the configuration can have such a name.
    for origin in asked::origins(document.config()) {
        let config = ServiceConfig::at(origin);
        planned.push(service(document, resolver, &origin.to_string(), &config, findings));
    }
    planned
}

fn service(
    document: &Document,
    resolver: &dyn Resolver,
    name: &str,
    config: &ServiceConfig,
    findings: &mut Vec<Finding>,
) -> ServicePlan {
    let path = Path::root().key("services").key(name);
    let host = match config.host.as_str() {
        "preserve" => HostHeader::Preserve,
        "rewrite" => HostHeader::Rewrite,
        literal => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
            if literal.is_empty() || !literal.bytes().all(allowed) {
                let finding =
                    Finding::error("bad-host", "this is not a host").at(document.span_at(&path.key("host")));
                findings
                    .push(finding.help("write `preserve`, `rewrite`, or a host such as `users.internal`"));
            }
            HostHeader::Literal(literal.into())
        }
    };
    if let Some(field) = &config.deadline_header {
        text::field_name(document, &path.key("deadline_header"), field, findings);
    }
    http2::check(document, &path.key("http2"), &config.http2, findings);
    http2::check_introduced(document, &path, config, findings);
    http2::check_upgrades(document, &path, config, findings);
    check_pool(document, &path.key("pool"), &config.pool, findings);
    check_deadlines(document, &path.key("timeouts"), &config.timeouts, findings);
    ServicePlan {
        name: name.into(),
        endpoints: endpoints(document, &path, config, findings),
        balance: balance::balance(document, &path, config, findings),
        host,
        protocol: config.protocol,
        http2: config.http2.clone(),
        pool: config.pool.clone(),
        timeouts: timeouts(&config.timeouts, &UpstreamTimeoutsConfig::default()),
        retries: retries::retries(document, &path.key("retries"), &config.retries, findings),
        adaptive_concurrency: adaptive::adaptive(
            document,
            &path.key("adaptive_concurrency"),
            config,
            findings,
        ),
        breaker: config
            .breaker
            .as_ref()
            .map(|breaker| breaker::breaker(document, &path.key("breaker"), breaker, findings)),
        health: config
            .health
            .as_ref()
            .map(|health| health::health(document, resolver, &path.key("health"), health, findings)),
        deadline_header: config.deadline_header.clone(),
        upgrades: upgrades(document, &path.key("upgrades"), &config.upgrades, findings),
        tls: upstream_tls::upstream_tls(document, resolver, &path, config, findings),
        proxy_protocol: config.proxy_protocol,
    }
}

/// Protocols that a service may be switched to. HTTP itself is not among them: a client that speaks HTTP/2 in
/// clear text past the gateway's eyes would be past its policies too.
fn upgrades(
    document: &Document,
    path: &Path,
    written: &[String],
    findings: &mut Vec<Finding>,
) -> Vec<Arc<str>> {
    for (index, protocol) in written.iter().enumerate() {
        let place = path.index(index);
        let (name, version) = protocol.split_once('/').unwrap_or((protocol, "1"));
        if !text::is_token(name) || !text::is_token(version) {
            let finding = Finding::error("bad-upgrade", "this is not the name of a protocol");
            findings.push(finding.at(document.span_at(&place)).help("write `websocket`, for example"));
        } else if ["h2c", "http", "tls"].iter().any(|never| name.eq_ignore_ascii_case(never)) {
            let message = "requests could pass the gateway unseen in this protocol";
            let finding = Finding::error("bad-upgrade", message).at(document.span_at(&place));
            findings.push(finding.help("only protocols other than HTTP itself can be switched to"));
        }
    }
    written.iter().map(|protocol| protocol.to_ascii_lowercase().into()).collect()
}

fn endpoints(
    document: &Document,
    path: &Path,
    config: &ServiceConfig,
    findings: &mut Vec<Finding>,
) -> Vec<EndpointPlan> {
    let mut seen = HashSet::new();
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        if !seen.insert(endpoint.url()) {
            let place = document.span_at(&path.key("endpoints").index(index));
            let finding =
                Finding::error("duplicate-endpoint", "this endpoint stands twice in its service").at(place);
            findings.push(finding.help("remove it, or give the first a higher weight"));
        }
    }
    if config.endpoints.iter().all(|endpoint| endpoint.weight() == 0) {
        let place = document.span_at(&path.key("endpoints"));
        findings.push(
            Finding::warning("drained-service", "every endpoint has weight 0: all requests get 503")
                .at(place),
        );
    }
    config
        .endpoints
        .iter()
        .map(|form| EndpointPlan {
            url: form.url().clone(),
            weight: form.weight(),
            zone: form.zone().map(str::to_owned),
        })
        .collect()
}

fn check_pool(document: &Document, path: &Path, pool: &PoolConfig, findings: &mut Vec<Finding>) {
    not_zero(document, &path.key("idle_timeout"), pool.idle_timeout, findings);
    if let Some(age) = pool.max_age.on() {
        not_zero(document, &path.key("max_age"), *age, findings);
    }
}

/// Reports deadlines of zero.
pub(super) fn check_deadlines(
    document: &Document,
    path: &Path,
    config: &UpstreamTimeoutsConfig,
    findings: &mut Vec<Finding>,
) {
    let total = config.total.as_ref().and_then(Switch::on).copied();
    let spans = [
        ("connect", config.connect),
        ("first_byte", config.first_byte),
        ("idle", config.idle),
        ("total", total),
        ("tunnel", config.tunnel),
    ];
    for (key, span) in spans {
        if let Some(span) = span {
            not_zero(document, &path.key(key), span, findings);
        }
    }
}

/// What is in force: the narrower scope's, else the wider's, else the default.
pub(super) fn timeouts(wide: &UpstreamTimeoutsConfig, narrow: &UpstreamTimeoutsConfig) -> UpstreamTimeouts {
    UpstreamTimeouts {
        connect: narrow.connect.or(wide.connect).unwrap_or(UpstreamTimeoutsConfig::CONNECT),
        first_byte: narrow.first_byte.or(wide.first_byte).unwrap_or(UpstreamTimeoutsConfig::FIRST_BYTE),
        idle: narrow.idle.or(wide.idle).unwrap_or(UpstreamTimeoutsConfig::IDLE),
        total: narrow.total.or(wide.total).unwrap_or(UpstreamTimeoutsConfig::TOTAL).on().copied(),
        tunnel: narrow.tunnel.or(wide.tunnel).unwrap_or(UpstreamTimeoutsConfig::TUNNEL),
    }
}
