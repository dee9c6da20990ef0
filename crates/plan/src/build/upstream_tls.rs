//! TLS towards a service.

use std::net::IpAddr;
use std::sync::Arc;

use torana_certificate::Purpose;
use torana_config::written::{ServiceConfig, UpstreamTlsConfig, Verification};
use torana_config::{Document, Finding, Path, Resolver};

use super::pem::Reader;
use crate::tls::{UpstreamTlsPlan, VerificationPlan};

/// What is asked of the endpoints that are reached by TLS; `None` where none is.
pub(super) fn upstream_tls(
    document: &Document,
    resolver: &dyn Resolver,
    path: &Path,
    service: &ServiceConfig,
    findings: &mut Vec<Finding>,
) -> Option<Arc<UpstreamTlsPlan>> {
    let config = &service.tls;
    let path = path.key("tls");
    if !service.endpoints.iter().any(|endpoint| endpoint.url().is_secure()) {
        if *config != UpstreamTlsConfig::default() {
            let message = "no endpoint of this service is reached by TLS";
            let finding = Finding::warning("tls-unused", message).at(document.key_span_at(&path));
            findings.push(finding.help("write `https://` in the URLs of its endpoints"));
        }
        return None;
    }
    Some(given(document, resolver, &path, config, findings))
}

/// What is asked of whoever is reached by TLS.
pub(super) fn given(
    document: &Document,
    resolver: &dyn Resolver,
    path: &Path,
    config: &UpstreamTlsConfig,
    findings: &mut Vec<Finding>,
) -> Arc<UpstreamTlsPlan> {
    let mut reader = Reader { document, resolver, findings };
    let certificate = config
        .certificate
        .as_ref()
        .and_then(|config| reader.pair(&path.key("certificate"), config, Purpose::Client));
    let verification = match (config.verify, &config.ca) {
        (Verification::Off, _) => VerificationPlan::Off,
        (Verification::On, Some(ca)) => {
            VerificationPlan::Authorities(reader.authorities(&path.key("ca"), ca))
        }
        (Verification::On, None) => VerificationPlan::System,
    };
    if config.verify == Verification::Off {
        let message = "whoever answers at these endpoints is believed, and sees what is sent";
        let finding = Finding::warning("tls-not-verified", message).at(document.span_at(&path.key("verify")));
        findings.push(finding.help("give `ca` the authority that signed their certificates"));
    }
    if let Some(name) = config.server_name.as_deref().filter(|name| !is_server_name(name)) {
        let message = format!("`{}` is not a name that a certificate can have", name.escape_debug());
        let place = document.span_at(&path.key("server_name"));
        findings.push(
            Finding::error("bad-server-name", message).at(place).help("write a DNS name or an IP address"),
        );
    }
    Arc::new(UpstreamTlsPlan {
        verification,
        server_name: config.server_name.as_deref().map(Arc::from),
        certificate,
        min_version: config.min_version,
    })
}

fn is_server_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label))
}
