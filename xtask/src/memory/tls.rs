//! A client that shakes hands, asks once, and then forgets everything but the socket.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::Result;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

pub(super) struct Client {
    settings: Arc<ClientConfig>,
}

impl Client {
    pub(super) fn new() -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let anybody = Arc::new(Anybody(Arc::clone(&provider)));
        let mut settings = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth();
        // Each connection is a stranger's.
        settings.resumption = rustls::client::Resumption::disabled();
        Ok(Self { settings: Arc::new(settings) })
    }

    pub(super) fn ask(&self, address: SocketAddr) -> Result<TcpStream> {
        let connection =
            ClientConnection::new(Arc::clone(&self.settings), ServerName::try_from("localhost")?)?;
        let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
        super::exchange(&mut stream)?;
        Ok(stream.sock)
    }
}

/// Believes every certificate: what is measured is memory.
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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
