//! Bounds of HTTP/2 connections.

use std::time::Duration;
use torana_config::written::{Http2Config, ServiceConfig, UpstreamProtocol};
use torana_config::{Document, Finding, Path};

/// What RFC 9113 section 6.5.2 lets a window grow to.
const LARGEST: u64 = (1 << 31) - 1;
/// What every connection begins with (section 6.9.2); less would have to be taken back.
const SMALLEST_OF_CONNECTION: u64 = 65_535;

/// Shorter ones would ask peers that are only slow, and cost more than they find.
const SHORTEST: Duration = Duration::from_millis(100);

/// Reports windows that cannot be, or that would let little through, and PINGs without a pause.
pub(super) fn check(document: &Document, path: &Path, config: &Http2Config, findings: &mut Vec<Finding>) {
    for (key, written) in [("ping_after", config.ping_after), ("ping_timeout", config.ping_timeout)] {
        if written.is_some_and(|time| time.as_duration() < SHORTEST) {
            let finding =
                Finding::error("http2-ping", "this is at least 100ms").at(document.span_at(&path.key(key)));
            findings.push(finding.help("write `10s`"));
        }
    }
    let mut report = |key: &str, message: &str, help: &str| {
        let place = document.span_at(&path.key(key));
        findings.push(Finding::error("http2-window", message).at(place).help(help));
    };
    let (stream, connection) = (config.stream_window.as_u64(), config.connection_window.as_u64());
    if !(1024..=LARGEST).contains(&stream) {
        report("stream_window", "the window of a stream is from 1 KiB to 2 GiB - 1", "write `256KiB`");
    }
    if !(SMALLEST_OF_CONNECTION..=LARGEST).contains(&connection) {
        report(
            "connection_window",
            "the window of a connection is from 65,535 bytes to 2 GiB - 1",
            "write `1MiB`",
        );
    } else if connection < stream {
        report(
            "connection_window",
            "a connection lets less through than one of its streams",
            "give it at least `stream_window`",
        );
    }
}

/// Reports protocols to switch to, where they are written, for a service with which HTTP/2 alone is spoken.
pub(super) fn check_upgrades(
    document: &Document,
    path: &Path,
    config: &ServiceConfig,
    findings: &mut Vec<Finding>,
) {
    let speaks_nothing_else = config.protocol == UpstreamProtocol::Http2
        || config.endpoints.iter().all(|endpoint| endpoint.url().is_http2());
    let place = document.key_span_at(&path.key("upgrades"));
    let is_written = place != document.key_span_at(path);
    if speaks_nothing_else && is_written && !config.upgrades.is_empty() {
        let message = "HTTP/2 knows no `Upgrade`: these requests are answered with 501";
        let finding = Finding::warning("upgrade-over-http2", message).at(place);
        findings.push(finding.help("remove it, or leave the protocol to the endpoint: `protocol: auto`"));
    }
}

/// Reports HTTP/2 towards a service that is told whom each connection is for: its connections carry the
/// requests of many clients.
pub(super) fn check_introduced(
    document: &Document,
    path: &Path,
    config: &ServiceConfig,
    findings: &mut Vec<Finding>,
) {
    let asked = config.protocol == UpstreamProtocol::Http2
        || config.endpoints.iter().any(|endpoint| endpoint.url().is_http2());
    if config.proxy_protocol.is_some() && asked {
        let message = "HTTP/2 carries many clients on one connection, and `proxy_protocol` names one of them";
        let finding = Finding::error("http2-introduced", message);
        let place = document.key_span_at(&path.key("proxy_protocol"));
        findings.push(finding.at(place).help("remove one of both; `X-Forwarded-For` names the client too"));
    }
}
