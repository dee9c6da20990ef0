//! What is set on a request before anybody is asked about it: its identifier, its path, what services are told of the
//! client. Serving and explaining both do it.

use crate::client_address::client_address;
use crate::forwarded::{CLAIMS, Told};
use crate::pipeline::Pipeline;
use crate::request_id::RequestId;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Ends, Exchange};
use torana_http::h1::{HOP_BY_HOP, remove_named};
use torana_http::{Known, RequestHead};
use torana_route::normalize;
use torana_transport::ConnectionInfo;

/// The longest identifier that is taken over from a client.
const LONGEST_ID: usize = 128;

/// Gives the request its identifier, unless it came with one that is to be kept.
pub(super) fn identify(pipeline: &Pipeline, request: &mut RequestHead, own: RequestId) {
    let Some(field) = &pipeline.request_id else { return };
    let acceptable = |value: &[u8]| value.len() <= LONGEST_ID && value.iter().all(u8::is_ascii_graphic);
    let mut incoming = request.fields.get_all(&field.name);
    let keep = field.trust_incoming
        && incoming.next().is_some_and(|value| !value.is_empty() && acceptable(value))
        && incoming.next().is_none();
    drop(incoming);
    if !keep {
        // The name was checked with the configuration and the digits are digits: it cannot fail.
        let _ = request.fields.insert(&field.name, own.as_bytes());
    }
}

/// The identifier by which a caller's report is found in the log.
pub(super) fn identifier<'a>(pipeline: &Pipeline, request: &'a RequestHead, own: &'a RequestId) -> &'a str {
    let field = pipeline.request_id.as_ref();
    field.and_then(|field| request.fields.get_str(&field.name)).unwrap_or_else(|| own.as_str())
}

/// Brings the path into the one form that is matched, authorised and forwarded.
///
/// # Errors
/// The path has no single meaning.
pub(crate) fn set_path(pipeline: &Pipeline, request: &mut RequestHead) -> Result<(), Fault> {
    let mut scratch = Vec::new();
    let invalid = || Fault::new(Reason::InvalidPath);
    let path = normalize(request.path(), &pipeline.paths, &mut scratch)
        .map_err(|error| invalid().because(error.to_string()))?;
    if path == request.path() {
        return Ok(());
    }
    let path = path.to_vec();
    if request.set_path(&path) { Ok(()) } else { Err(invalid()) }
}

/// Notes from where and over what a request has come; whether from a proxy that is trusted.
pub(crate) fn meet(pipeline: &Pipeline, connection: &ConnectionInfo, exchange: &mut Exchange) -> bool {
    let (peer, fields) = (connection.peer, &exchange.request.fields);
    let trusted = pipeline.trusted_proxies.iter().any(|network| network.contains(peer.ip()));
    let told_secure = || {
        let proto = fields.get(Known::XForwardedProto);
        trusted && proto.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"))
    };
    exchange.secure = connection.secure || told_secure();
    exchange.ends = Ends { local: connection.local, peer };
    exchange.client_address = client_address(peer, fields, &pipeline.trusted_proxies);
    trusted
}

/// Removes what describes the client's connection or claims an identity, and says who calls and how; `trusted`: a proxy that
/// is trusted has sent it.
///
/// # Errors
/// The request runs in a loop.
pub(crate) fn introduce(
    pipeline: &Pipeline,
    connection: &ConnectionInfo,
    told: &Told,
    trusted: bool,
    exchange: &mut Exchange,
) -> Result<(), Fault> {
    if exchange.request.connection.names_fields {
        remove_named(&mut exchange.request.fields);
    }
    let (reserved, goes) = match trusted {
        true => (&pipeline.reserved_for_trusted, HOP_BY_HOP),
        false => (&pipeline.reserved_fields, HOP_BY_HOP.and(CLAIMS)),
    };
    reserved.strip_with(&mut exchange.request.fields, goes);
    exchange.client_certificate =
        connection.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref()).map(Arc::clone);
    if let Some(listener) = pipeline.listeners.get(connection.listener) {
        listener.introduce(exchange.client_certificate.as_ref(), &mut exchange.request.fields)?;
    }
    pipeline.forwarded.apply(&mut exchange.request, connection, told)
}

/// Takes a prefix off the path; whole segments only, and never the leading slash.
///
/// # Errors
/// None that a normalised path can cause.
pub(crate) fn strip(request: &mut RequestHead, prefix: &str) -> Result<(), Fault> {
    let Some(rest) = request.path().strip_prefix(prefix.trim_end_matches('/').as_bytes()) else {
        return Ok(());
    };
    let path = match rest.first() {
        Some(b'/') => rest.to_vec(),
        None => b"/".to_vec(),
        // The prefix ends within a segment: it is not a prefix of this path.
        Some(_) => return Ok(()),
    };
    if request.set_path(&path) { Ok(()) } else { Err(Fault::new(Reason::InvalidPath)) }
}
