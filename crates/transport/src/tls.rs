//! TLS by rustls, straight on our buffers: no helper task, nothing between a socket and its driver.
//!
//! A [`TlsServer`] is what a listener shows to clients, a [`TlsClient`] what is asked of an upstream; both are
//! made once a configuration and shared by all workers. A [`TlsStream`] is one connection.

mod accept;
mod choose;
mod client;
mod failure;
mod protocol;
mod server;
mod stream;

pub(crate) use accept::accept;
pub use client::{ServerVerification, TlsClient, TlsClientContext, TlsClientSettings};
pub use failure::{HandshakeFailure, HandshakeFault};
pub use protocol::Protocol;
pub use server::{ClientAuthentication, Tickets, TlsError, TlsServer, TlsServerSettings, TlsVersion};
pub use stream::TlsStream;

use std::sync::Arc;
use torana_certificate::ClientCertificate;

/// What a handshake has agreed on.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// The name that the client asked for (RFC 6066 section 3), in lower case.
    pub server_name: Option<Box<str>>,
    /// The version, such as `1.3`.
    pub version: &'static str,
    /// Whether an earlier session went on.
    pub resumed: bool,
    /// The certificate that the client has shown, verified.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// Under which demands on clients.
    pub clients: Option<Arc<ClientAuthentication>>,
}
