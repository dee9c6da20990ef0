//! Health: defaults, and what does not fit together.

use std::sync::Arc;

use torana_config::written::{HealthConfig, OneOrMany, ProbeKind, ProbesConfig, Switch};
use torana_config::{Document, Finding, Path, Resolver};
use torana_types::{StatusRange, TimeSpan};

use super::super::{not_zero, upstream_tls};
use super::retries::check_status;
use crate::resilience::{HealthPlan, ProbeTlsPlan, ProbesPlan};
use crate::text;

pub(super) fn health(
    document: &Document,
    resolver: &dyn Resolver,
    path: &Path,
    config: &HealthConfig,
    findings: &mut Vec<Finding>,
) -> HealthPlan {
    let probes = config
        .probes
        .as_ref()
        .map(|probes| Arc::new(self::probes(document, resolver, &path.key("probes"), probes, findings)));
    // Who is out for good is brought back by an operator, who needs the token.
    let is_final = document.config().admin_token.is_none();
    let ways =
        "or give `admin_token`, and `POST /services/SERVICE/ENDPOINT` at the admin address brings it back";
    if let Some(ejection) = &config.ejection {
        let path = path.key("ejection");
        check_statuses(document, &path.key("bad"), &ejection.bad, findings);
        check_statuses(document, &path.key("good"), &ejection.good, findings);
        match ejection.eject_for.on() {
            Some(time) => not_zero(document, &path.key("for"), *time, findings),
            None if probes.is_none() && is_final => {
                let finding = Finding::error("ejection", "an ejected endpoint would never come back");
                let help =
                    format!("add `probes`, which find that it works again, give `for` a length, {ways}");
                findings.push(finding.at(document.span_at(&path.key("for"))).help(help));
            }
            None => {}
        }
    }
    if is_final && probes.as_ref().is_some_and(|probes| probes.healthy_after == 0) {
        let message = "an endpoint that is out of service would never come back: no probe brings it back";
        let place = document.span_at(&path.key("probes").key("healthy_after"));
        let help = format!("write `1` or more, {ways}");
        findings.push(Finding::error("probes", message).at(place).help(help));
    }
    if config.probes.is_none() && config.ejection.is_none() {
        let finding =
            Finding::warning("health", "neither probes nor ejection: no endpoint is ever found to fail");
        findings.push(finding.at(document.span_at(path)));
    }
    HealthPlan {
        probes,
        ejection: config.ejection.clone(),
        slow_start: config.slow_start.unwrap_or(TimeSpan::ZERO),
        panic_below: config.panic_below,
        down_at: config.down_at,
    }
}

fn probes(
    document: &Document,
    resolver: &dyn Resolver,
    path: &Path,
    config: &ProbesConfig,
    findings: &mut Vec<Finding>,
) -> ProbesPlan {
    let valid = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if !config.path.starts_with('/') || !config.path.bytes().all(valid) {
        let finding = Finding::error("bad-path", "a path begins with `/` and has neither spaces nor `#`");
        findings.push(finding.at(document.span_at(&path.key("path"))));
    }
    check_kind(document, path, config, findings);
    let headers = headers(document, path, config, findings);
    let tls = match &config.tls {
        None => ProbeTlsPlan::AsRequests,
        Some(Switch::Off(_)) => ProbeTlsPlan::Off,
        Some(Switch::On(tls)) => {
            ProbeTlsPlan::Own(upstream_tls::given(document, resolver, &path.key("tls"), tls, findings))
        }
    };
    if let Some(host) = &config.host {
        text::field_value(document, &path.key("host"), host, findings);
    }
    let interval = |key: &str, switch: &Switch<TimeSpan>, findings: &mut Vec<Finding>| {
        let span = switch.on().copied();
        if let Some(span) = span {
            not_zero(document, &path.key(key), span, findings);
        }
        span
    };
    let healthy = interval("interval", &config.interval, findings);
    let unhealthy = match &config.unhealthy_interval {
        Some(switch) => interval("unhealthy_interval", switch, findings),
        None => healthy,
    };
    if healthy.is_none() && unhealthy.is_none() {
        let finding = Finding::warning("probes", "both intervals are off: nobody is ever asked");
        findings.push(finding.at(document.span_at(path)));
    }
    not_zero(document, &path.key("timeout"), config.timeout, findings);
    check_statuses(document, &path.key("good"), &config.good, findings);
    if let Some(bad) = &config.bad {
        check_statuses(document, &path.key("bad"), bad, findings);
    }
    ProbesPlan {
        kind: config.kind,
        path: config.path.clone(),
        service: config.service.clone(),
        host: config.host.clone(),
        headers,
        tls,
        interval: healthy,
        unhealthy_interval: unhealthy,
        timeout: config.timeout,
        at_once: config.at_once,
        good: config.good.clone(),
        bad: config.bad.clone(),
        body: config.body.clone(),
        healthy_after: config.healthy_after,
        unhealthy_after: config.unhealthy_after.each(),
    }
}

/// A line for each value.
fn headers(
    document: &Document,
    path: &Path,
    config: &ProbesConfig,
    findings: &mut Vec<Finding>,
) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(config.headers.len());
    for (name, values) in &config.headers {
        let path = path.key("headers").key(name);
        text::field_name(document, &path, name, findings);
        for (index, value) in values.as_slice().iter().enumerate() {
            let place = if matches!(values, OneOrMany::One(_)) { path.clone() } else { path.index(index) };
            text::field_value(document, &place, value, findings);
            headers.push((name.clone(), value.clone()));
        }
    }
    headers
}

/// Reports what the kind of probe has no use for.
fn check_kind(document: &Document, path: &Path, config: &ProbesConfig, findings: &mut Vec<Finding>) {
    let default = ProbesConfig::default();
    let is_http = config.kind == ProbeKind::Http;
    let unused = [
        ("service", config.service.is_some() && config.kind != ProbeKind::Grpc),
        ("path", config.path != default.path && !is_http),
        ("good", config.good != default.good && !is_http),
        ("bad", config.bad.is_some() && !is_http),
        ("body", config.body.is_some() && !is_http),
        ("host", config.host.is_some() && config.kind == ProbeKind::Tcp),
        ("headers", !config.headers.is_empty() && config.kind == ProbeKind::Tcp),
    ];
    for (key, _) in unused.into_iter().filter(|(_, is_unused)| *is_unused) {
        let finding = Finding::error("probes", format!("probes of this kind have no use for `{key}`"));
        findings.push(finding.at(document.span_at(&path.key(key))).help("remove it, or change `kind`"));
    }
    if config.service.as_ref().is_some_and(|service| service.is_empty() || service.len() > 255) {
        let finding = Finding::error("probes", "the name of a gRPC service has from 1 to 255 bytes");
        findings.push(finding.at(document.span_at(&path.key("service"))));
    }
}

fn check_statuses(document: &Document, path: &Path, list: &[StatusRange], findings: &mut Vec<Finding>) {
    for (index, status) in list.iter().enumerate() {
        check_status(document, &path.index(index), *status, findings);
    }
}
