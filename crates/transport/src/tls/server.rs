//! What a listener shows to its clients, and what it asks of them.

use super::choose::Chooser;
use super::protocol::Protocol;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::fmt;
use std::sync::Arc;
use torana_certificate::{Certificate, CertifiedPair};

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// This version and those above it.
    pub(super) fn and_above(self) -> &'static [&'static SupportedProtocolVersion] {
        static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
        static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        match self {
            Self::Tls12 => TLS12,
            Self::Tls13 => TLS13,
        }
    }
}

/// Why certificates cannot be used. What a configuration can get wrong was said before, with places.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

/// How clients prove who they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientAuthentication {
    /// Whom their certificates must lead to.
    pub authorities: Vec<Certificate>,
    /// Whether there is no way in without one.
    pub required: bool,
}

/// The keys of session tickets: random, exchanged every six hours, good for twelve, and the same for all
/// workers. Sessions that began under other demands on clients must not go on, so each has its own.
#[derive(Clone)]
pub struct Tickets {
    keys: Arc<dyn ProducesTickets>,
    clients: Option<Arc<ClientAuthentication>>,
}

impl Tickets {
    /// New keys, for sessions that begin under these demands on clients.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(clients: Option<ClientAuthentication>) -> Result<Self, TlsError> {
        Ok(Self { keys: rustls::crypto::aws_lc_rs::Ticketer::new()?, clients: clients.map(Arc::new) })
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tickets(***)")
    }
}

/// Everything about the TLS of a listener.
#[derive(Debug)]
pub struct TlsServerSettings<'a> {
    /// The certificates, the default first.
    pub certificates: &'a [Arc<CertifiedPair>],
    /// The lowest version that is spoken.
    pub lowest: TlsVersion,
    /// The keys of session tickets, and whether clients show certificates.
    pub tickets: Arc<Tickets>,
}

/// The TLS of a listener, ready for handshakes.
#[derive(Debug)]
pub struct TlsServer {
    pub(super) config: Arc<ServerConfig>,
    /// Held for as long as handshakes may use them, so that a successor finds them.
    tickets: Arc<Tickets>,
}

impl TlsServer {
    /// Makes it ready.
    ///
    /// # Errors
    /// A key cannot be used, or no authority is given for clients.
    pub fn new(settings: TlsServerSettings<'_>) -> Result<Self, TlsError> {
        let provider = provider();
        let mut certificates = Vec::with_capacity(settings.certificates.len());
        for pair in settings.certificates {
            let key = CertifiedKey::from_der(pair.chain_der(), pair.key_der(), &provider)?;
            certificates.push((Arc::new(key), pair.names()));
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(settings.lowest.and_above())?;
        let builder = match &settings.tickets.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(roots(&clients.authorities)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = if clients.required { verifier } else { verifier.allow_unauthenticated() };
                builder
                    .with_client_cert_verifier(verifier.build().map_err(|error| TlsError(error.to_string()))?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(Chooser::new(certificates)));
        config.alpn_protocols = Protocol::names().map(<[u8]>::to_vec).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Arc::clone(&settings.tickets.keys);
        Ok(Self { config: Arc::new(config), tickets: settings.tickets })
    }

    /// Whether clients show certificates, and which.
    #[must_use]
    pub fn clients(&self) -> Option<&Arc<ClientAuthentication>> {
        self.tickets.clients.as_ref()
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A store of these authorities.
pub(super) fn roots(authorities: &[Certificate]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for authority in authorities {
        store
            .add(authority.der().clone())
            .map_err(|error| TlsError(format!("{} cannot be an authority: {error}", authority.subject())))?;
    }
    Ok(store)
}
