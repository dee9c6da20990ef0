//! The handshake with a client.

use super::TlsInfo;
use super::failure::{HandshakeFailure, HandshakeFault};
use super::protocol::Protocol;
use super::server::TlsServer;
use super::stream::{HandshakeError, TlsStream};
use rustls::{Connection, HandshakeKind, ProtocolVersion, ServerConnection};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use torana_certificate::ClientCertificate;

/// A client's connection once both sides trust it.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Box<TlsStream>,
    pub(crate) info: TlsInfo,
    pub(crate) protocol: Protocol,
}

/// Shakes hands. The caller sets the deadline.
pub(crate) async fn accept(tcp: TcpStream, server: &TlsServer) -> Result<Accepted, HandshakeFault> {
    let session = ServerConnection::new(Arc::clone(&server.config)).map_err(HandshakeError::Tls)?;
    let mut stream = Box::new(TlsStream::new(tcp, session.into()));
    poll_fn(|context| stream.poll_handshake(context)).await?;
    let session = stream.session();
    let server_name = match session {
        Connection::Server(server) => server.server_name().map(|name| name.to_ascii_lowercase().into()),
        Connection::Client(_) => None,
    };
    let info = TlsInfo {
        server_name,
        version: if session.protocol_version() == Some(ProtocolVersion::TLSv1_2) { "1.2" } else { "1.3" },
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        client_certificate: client_certificate(session)?.map(Arc::new),
        clients: server.clients().cloned(),
    };
    let protocol = Protocol::agreed(session.alpn_protocol());
    Ok(Accepted { stream, info, protocol })
}

/// The certificate of the client. It was verified when its session began, so its end is looked at again.
fn client_certificate(session: &Connection) -> Result<Option<ClientCertificate>, HandshakeFault> {
    let Some((first, between)) = session.peer_certificates().and_then(<[_]>::split_first) else {
        return Ok(None);
    };
    let invalid = |error: torana_certificate::PemError| {
        HandshakeFault::new(HandshakeFailure::CertificateInvalid, error.to_string())
    };
    let certificate = ClientCertificate::read(first.as_ref()).map_err(invalid)?;
    let certificate = certificate.with_between(between.iter().map(AsRef::as_ref));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if i64::try_from(now).is_ok_and(|now| now > certificate.not_after) {
        let detail = "the certificate has expired since the session began";
        return Err(HandshakeFault::new(HandshakeFailure::CertificateExpired, detail));
    }
    Ok(Some(certificate))
}
