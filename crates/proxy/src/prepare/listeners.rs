//! Listeners: TLS ready for handshakes, fields for services.

use super::PrepareError;
use crate::listener::{CertificatePart, Listener};
use crate::registry::Registry;
use std::sync::Arc;
use torana_config::written::TlsVersion as Written;
use torana_plan::{ListenerPlan, ListenerTlsPlan};
use torana_transport::{
    ClientAuthentication, Entrance, Tickets, TlsError, TlsServer, TlsServerSettings, TlsVersion,
};

pub(super) fn listener(plan: &ListenerPlan, registry: &mut Registry) -> Result<Listener, PrepareError> {
    let failed = |source| PrepareError::Tls { what: format!("the listener {}", plan.address), source };
    let tls = plan.tls.as_ref().map(|tls| server(tls, registry)).transpose().map_err(failed)?;
    let client_auth = plan.tls.as_ref().and_then(|tls| tls.client_auth.as_ref());
    let shown = plan.tls.as_ref().and_then(|tls| tls.certificates.first());
    let given = client_auth.into_iter().flat_map(|plan| plan.headers.given());
    Ok(Listener {
        entrance: Entrance { tls, introduced_by: plan.proxy_protocol.as_slice().into() },
        redirect_https: plan.redirect_https.map(u16::from),
        strict_host: plan.tls.as_ref().is_some_and(|tls| tls.strict_host),
        default_names: shown.map_or_else(Vec::new, |pair| pair.names()),
        client_fields: given.map(|(key, name)| (part(key), name.to_owned())).collect(),
    })
}

fn part(key: &str) -> CertificatePart {
    match key {
        "subject" => CertificatePart::Subject,
        "san" => CertificatePart::Names,
        "fingerprint" => CertificatePart::Fingerprint,
        _ => CertificatePart::Whole,
    }
}

/// The one in use where nothing about it has changed. Session tickets stay good over any other change than
/// that of what clients must show.
fn server(plan: &Arc<ListenerTlsPlan>, registry: &mut Registry) -> Result<Arc<TlsServer>, TlsError> {
    if let Some(server) = registry.tls_servers.get(plan) {
        return Ok(server);
    }
    let clients = plan.client_auth.as_ref().map(|clients| ClientAuthentication {
        authorities: clients.authorities.clone(),
        required: clients.required,
    });
    let tickets = match registry.tickets.get(&clients) {
        Some(tickets) => tickets,
        None => Arc::new(Tickets::new(clients.clone())?),
    };
    registry.tickets.keep(clients, &tickets);
    let server = Arc::new(TlsServer::new(TlsServerSettings {
        certificates: &plan.certificates,
        lowest: version(plan.min_version),
        tickets,
    })?);
    registry.tls_servers.keep(Arc::clone(plan), &server);
    Ok(server)
}

pub(super) const fn version(written: Written) -> TlsVersion {
    match written {
        Written::Tls12 => TlsVersion::Tls12,
        Written::Tls13 => TlsVersion::Tls13,
    }
}
