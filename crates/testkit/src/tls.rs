//! TLS around the client and the origins of tests.

use crate::certificates::{Authority, Issued};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{Acceptor, WebPkiClientVerifier};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::LazyConfigAcceptor;

/// How a test's client shakes hands. Clones share the sessions that may go on.
#[derive(Clone)]
pub struct TlsOptions {
    config: Arc<ClientConfig>,
}

impl TlsOptions {
    /// Trusts this authority alone.
    #[must_use]
    pub fn trusting(authority: &Authority) -> Self {
        Self::new(authority, None, rustls::ALL_VERSIONS)
    }

    /// The same, and shows this certificate when asked.
    #[must_use]
    pub fn showing(authority: &Authority, certificate: &Issued) -> Self {
        Self::new(authority, Some(certificate), rustls::ALL_VERSIONS)
    }

    /// TLS 1.2 alone.
    #[must_use]
    pub fn tls12(authority: &Authority) -> Self {
        Self::new(authority, None, &[&rustls::version::TLS12])
    }

    /// With these protocols offered.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    fn new(
        authority: &Authority,
        certificate: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions of the provider")
            .with_root_certificates(roots(authority));
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some(issued) => builder
                .with_client_auth_cert(issued.chain(), issued.private_key())
                .expect("a usable certificate"),
        };
        Self { config: Arc::new(config) }
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    pub(crate) fn session(&self, server_name: &str) -> ClientConnection {
        let name = ServerName::try_from(server_name.to_owned()).expect("a server name");
        ClientConnection::new(Arc::clone(&self.config), name).expect("a session")
    }
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der.clone()).expect("an authority");
    roots
}

/// What an origin's TLS has seen of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The name that was asked for.
    pub server_name: Option<String>,
    /// The certificate that was shown.
    pub certificate: Option<Vec<u8>>,
    /// The protocol that was agreed on.
    pub protocol: Option<String>,
}

/// TLS in front of a plain origin.
pub struct TlsFront {
    address: SocketAddr,
    greetings: Arc<Mutex<Vec<Greeting>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsFront {
    /// Shows `certificate`, and demands one of `clients` when given; relays to `origin`.
    #[must_use]
    #[track_caller]
    pub fn new(origin: SocketAddr, certificate: &Issued, clients: Option<&Authority>) -> Self {
        Self::with(origin, certificate, clients, &[])
    }

    /// The same, and speaks one of these protocols; none: it knows nothing of ALPN.
    #[must_use]
    #[track_caller]
    pub fn with(
        origin: SocketAddr,
        certificate: &Issued,
        clients: Option<&Authority>,
        protocols: &[&str],
    ) -> Self {
        Self::start([origin, origin], certificate, clients, protocols, false)
    }

    /// Speaks HTTP/2 alone. To who does not offer it it acknowledges nothing and closes after the handshake, as
    /// servers of gRPC do.
    #[must_use]
    #[track_caller]
    pub fn passing_over(http2: SocketAddr, certificate: &Issued) -> Self {
        Self::start([http2, http2], certificate, None, &["h2"], true)
    }

    /// Speaks HTTP/2 or HTTP/1.1, whichever is asked for first, and relays each to an origin of its own.
    #[must_use]
    #[track_caller]
    pub fn choosing(http1: SocketAddr, http2: SocketAddr, certificate: &Issued) -> Self {
        Self::start([http1, http2], certificate, None, &["h2", "http/1.1"], false)
    }

    #[track_caller]
    fn start(
        origins: [SocketAddr; 2],
        certificate: &Issued,
        clients: Option<&Authority>,
        protocols: &[&str],
        passes_over: bool,
    ) -> Self {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions of the provider");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authority)), provider)
                    .build()
                    .expect("a verifier"),
            ),
        };
        let mut config = builder
            .with_single_cert(certificate.chain(), certificate.private_key())
            .expect("a usable certificate");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let deaf = passes_over.then(|| {
            let mut deaf = config.clone();
            deaf.alpn_protocols.clear();
            Arc::new(deaf)
        });
        let configs = Configs { config: Arc::new(config), deaf };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let greetings = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let seen = Arc::clone(&greetings);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = relay(listener, configs, origins, seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, greetings, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Handshakes that came to a good end, in their order.
    #[must_use]
    pub fn greetings(&self) -> Vec<Greeting> {
        self.greetings.lock().expect("no panic while held").clone()
    }
}

/// What is said in handshakes.
#[derive(Clone)]
struct Configs {
    config: Arc<ServerConfig>,
    /// To who offers nothing that is spoken; without it that is refused by an alert.
    deaf: Option<Arc<ServerConfig>>,
}

async fn relay(
    listener: TcpListener,
    configs: Configs,
    [http1, http2]: [SocketAddr; 2],
    seen: Arc<Mutex<Vec<Greeting>>>,
) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (Configs { config, deaf }, seen) = (configs.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let Ok(hello) = LazyConfigAcceptor::new(Acceptor::default(), tcp).await else { return };
            let offers = |name: &[u8]| config.alpn_protocols.iter().any(|known| known == name);
            let is_known = hello.client_hello().alpn().is_some_and(|mut offered| offered.any(offers));
            let deaf = deaf.filter(|_| !is_known);
            let closes = deaf.is_some();
            let Ok(mut tls) = hello.into_stream(deaf.unwrap_or(config)).await else { return };
            let (_, session) = tls.get_ref();
            let certificate = session.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
            let greeting = Greeting {
                server_name: session.server_name().map(str::to_owned),
                certificate: certificate.map(|certificate| certificate.to_vec()),
                protocol: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            };
            let origin = if greeting.protocol.as_deref() == Some("h2") { http2 } else { http1 };
            seen.lock().expect("no panic while held").push(greeting);
            if closes {
                return;
            }
            if let Ok(mut plain) = TcpStream::connect(origin).await {
                // Either side may end it in any way.
                let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
            }
        });
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
