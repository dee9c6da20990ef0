//! What is asked of an upstream, and what it is shown.

use super::failure::HandshakeFault;
use super::protocol::Protocol;
use super::server::{TlsError, TlsVersion, provider, roots};
use super::stream::TlsStream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use torana_certificate::{Certificate, CertifiedPair};

/// Whether and by whom an upstream's certificate must be vouched for.
#[derive(Clone, Debug)]
pub enum ServerVerification {
    /// By an authority that the system trusts.
    System,
    /// By one of these.
    Authorities(Vec<Certificate>),
    /// By nobody: whoever answers is believed. Only where that was said in so many words.
    Off,
}

/// Everything about the TLS towards the endpoints of a service.
#[derive(Debug)]
pub struct TlsClientSettings<'a> {
    /// Who vouches for them.
    pub verification: ServerVerification,
    /// What we show when asked who we are.
    pub certificate: Option<&'a CertifiedPair>,
    /// The lowest version that is spoken.
    pub lowest: TlsVersion,
    /// The protocols that are offered, in order of preference (RFC 7301); none: the extension is left out.
    pub protocols: Vec<Vec<u8>>,
}

/// The TLS towards the endpoints of a service, with the sessions that may go on.
#[derive(Debug)]
pub struct TlsClientContext {
    config: Arc<ClientConfig>,
    /// The same for connections that must be of HTTP/1, where others are offered more.
    single: Option<Arc<ClientConfig>>,
}

impl TlsClientContext {
    /// Makes it ready.
    ///
    /// # Errors
    /// A key cannot be used, or the system trusts no authority.
    pub fn new(settings: TlsClientSettings<'_>) -> Result<Self, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(settings.lowest.and_above())?;
        let builder = match &settings.verification {
            ServerVerification::System => builder.with_root_certificates(system_roots()?),
            ServerVerification::Authorities(authorities) => {
                builder.with_root_certificates(roots(authorities)?)
            }
            ServerVerification::Off => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
        };
        let mut config = match settings.certificate {
            None => builder.with_no_client_auth(),
            Some(pair) => builder.with_client_auth_cert(pair.chain_der(), pair.key_der())?,
        };
        config.alpn_protocols = settings.protocols;
        let http1 = Protocol::Http1.alpn().to_vec();
        let single = (config.alpn_protocols.len() > 1 && config.alpn_protocols.contains(&http1)).then(|| {
            // Sessions are not shared: a server may hold a protocol to be part of one.
            let mut single = config.clone();
            (single.alpn_protocols, single.resumption) = (vec![http1], Resumption::default());
            Arc::new(single)
        });
        Ok(Self { config: Arc::new(config), single })
    }
}

/// The TLS towards one endpoint, ready for handshakes.
#[derive(Debug)]
pub struct TlsClient {
    context: Arc<TlsClientContext>,
    server_name: ServerName<'static>,
}

impl TlsClient {
    /// Asks for `server_name`, a DNS name or an IP address, and wants it in the certificate.
    ///
    /// # Errors
    /// A certificate can have no such name.
    pub fn new(context: &Arc<TlsClientContext>, server_name: &str) -> Result<Self, TlsError> {
        let name = server_name.strip_suffix('.').unwrap_or(server_name);
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsError(format!("`{name}` is no name for a certificate")))?;
        Ok(Self { context: Arc::clone(context), server_name })
    }

    /// Whether this protocol may be agreed on.
    pub(crate) fn offers(&self, protocol: Protocol) -> bool {
        self.context.config.alpn_protocols.iter().any(|offered| offered == protocol.alpn())
    }

    /// Shakes hands over a connection that was just made. The caller sets the deadline. With `whole` nothing but HTTP/1
    /// is offered, where it is. Gives what was agreed on, if the server has said.
    pub(crate) async fn connect(
        &self,
        tcp: TcpStream,
        whole: bool,
    ) -> Result<(Box<TlsStream>, Option<Protocol>), HandshakeFault> {
        let TlsClientContext { config, single } = &*self.context;
        let config = single.as_ref().filter(|_| whole).unwrap_or(config);
        let session = ClientConnection::new(Arc::clone(config), self.server_name.clone())
            .map_err(super::stream::HandshakeError::Tls)?;
        let mut stream = Box::new(TlsStream::new(tcp, session.into()));
        poll_fn(|context| stream.poll_handshake(context)).await?;
        let agreed = stream.session().alpn_protocol().map(|name| Protocol::agreed(Some(name)));
        Ok((stream, agreed))
    }
}

/// The authorities of the system, read once in the life of the process.
fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
    static KNOWN: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*known {
        return Ok(Arc::clone(known));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let why: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
        return Err(TlsError(format!("the system has no trusted authorities{why}")));
    }
    Ok(Arc::clone(known.insert(Arc::new(store))))
}

/// Believes any certificate; signatures are checked, so that the peer at least has the key it shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
