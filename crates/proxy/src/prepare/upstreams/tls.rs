//! TLS and introductions towards endpoints.

use super::super::PrepareError;
use super::super::listeners::version;
use crate::registry::Registry;
use std::sync::Arc;
use torana_config::written::{ProbeKind, ProxyProtocolVersion, UpstreamProtocol};
use torana_http::proxy_protocol::ProxyVersion;
use torana_plan::{ServicePlan, UpstreamTlsPlan, VerificationPlan};
use torana_transport::{
    Protocol, ServerVerification, TlsClient, TlsClientContext, TlsClientSettings, TlsError,
};
use torana_types::EndpointUrl;

/// What is asked of endpoints, and the name that one of them must have.
pub(super) type Secured = (Arc<UpstreamTlsPlan>, Box<str>);

/// What is asked of an endpoint; `None` for one without TLS.
pub(super) fn secured(service: &ServicePlan, url: &EndpointUrl) -> Option<Secured> {
    let tls = service.tls.as_ref().filter(|_| url.is_secure())?;
    Some((Arc::clone(tls), tls.server_name.as_deref().unwrap_or(url.host()).into()))
}

/// The same, ready for handshakes.
///
/// # Errors
/// The system has no authorities, for example.
pub(super) fn client(
    secured: Option<&Secured>,
    service: &ServicePlan,
    url: &EndpointUrl,
    registry: &mut Registry,
) -> Result<Option<Arc<TlsClient>>, PrepareError> {
    let failed = |source| PrepareError::Tls {
        what: format!("the endpoint {url} of the service {}", service.name),
        source,
    };
    let ready = |(plan, server_name): &Secured| {
        let context = context(plan, offered(service), registry)?;
        TlsClient::new(&context, server_name).map(Arc::new)
    };
    secured.map(ready).transpose().map_err(failed)
}

/// How probes of that endpoint go by TLS, where not as requests do.
///
/// # Errors
/// As above.
pub(super) fn of_probes(
    plan: &Arc<UpstreamTlsPlan>,
    kind: ProbeKind,
    service: &ServicePlan,
    url: &EndpointUrl,
    registry: &mut Registry,
) -> Result<Arc<TlsClient>, PrepareError> {
    let failed = |source| PrepareError::Tls {
        what: format!("the probes of {url} of the service {}", service.name),
        source,
    };
    let offered = match kind {
        ProbeKind::Grpc => &[Protocol::Http2],
        ProbeKind::Http if url.is_http2() => &[Protocol::Http2],
        ProbeKind::Http | ProbeKind::Tcp => offered(service),
    };
    let context = context(plan, offered, registry).map_err(failed)?;
    let server_name = plan.server_name.as_deref().unwrap_or(url.host());
    TlsClient::new(&context, server_name).map(Arc::new).map_err(failed)
}

/// The protocols that endpoints may choose from, in order of preference. A connection that was opened for one
/// client carries no other's requests, and so is not worth HTTP/2.
const fn offered(service: &ServicePlan) -> &'static [Protocol] {
    match (service.protocol, service.proxy_protocol) {
        (UpstreamProtocol::Http1, _) | (_, Some(_)) => &[Protocol::Http1],
        (UpstreamProtocol::Http2, None) => &[Protocol::Http2],
        (UpstreamProtocol::Auto, None) => &[Protocol::Http2, Protocol::Http1],
    }
}

/// What the endpoints of one plan share is made once.
fn context(
    plan: &Arc<UpstreamTlsPlan>,
    offered: &'static [Protocol],
    registry: &mut Registry,
) -> Result<Arc<TlsClientContext>, TlsError> {
    let key = (Arc::clone(plan), offered);
    if let Some(context) = registry.tls_clients.get(&key) {
        return Ok(context);
    }
    let verification = match &plan.verification {
        VerificationPlan::System => ServerVerification::System,
        VerificationPlan::Authorities(authorities) => ServerVerification::Authorities(authorities.clone()),
        VerificationPlan::Off => ServerVerification::Off,
    };
    let context = Arc::new(TlsClientContext::new(TlsClientSettings {
        verification,
        certificate: plan.certificate.as_deref(),
        lowest: version(plan.min_version),
        protocols: offered.iter().map(|protocol| protocol.alpn().to_vec()).collect(),
    })?);
    registry.tls_clients.keep(key, &context);
    Ok(context)
}

pub(super) const fn proxy_version(written: ProxyProtocolVersion) -> ProxyVersion {
    match written {
        ProxyProtocolVersion::V1 => ProxyVersion::V1,
        ProxyProtocolVersion::V2 => ProxyVersion::V2,
    }
}
