//! The certificate that a client has shown.

use crate::certificate::Certificate;
use crate::pem::PemError;
use rustls::pki_types::CertificateDer;
use std::fmt::Write;

/// A client's certificate, in the words that rules, header fields and logs use. Whoever makes one has
/// verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject, such as `O=Example, CN=client-7`.
    pub subject: String,
    /// The common name, where the subject has exactly one.
    pub common_name: Option<String>,
    /// The issuer, likewise.
    pub issuer: String,
    /// The alternative names, each with its kind: `DNS:a.test`, `URI:spiffe://x/y`, `email:a@b.test`, `IP:::1`.
    pub names: Vec<String>,
    /// The SHA-256 of the certificate in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// The last second at which it is valid, since 1970-01-01 UTC.
    pub not_after: i64,
    /// The certificate itself.
    pub der: Vec<u8>,
    /// Those that the client has shown with it, which lead to an authority.
    pub between: Vec<Vec<u8>>,
}

impl ClientCertificate {
    /// Reads DER.
    ///
    /// # Errors
    /// The bytes are no certificate.
    pub fn read(der: &[u8]) -> Result<Self, PemError> {
        let certificate = Certificate::read(&CertificateDer::from(der.to_vec()), 0)?;
        Ok(Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            names: certificate.alternative_names().collect(),
            fingerprint: fingerprint(der),
            not_after: certificate.not_after(),
            der: der.to_vec(),
            between: Vec::new(),
            common_name: certificate.common_name().map(str::to_owned),
        })
    }

    /// With those that the client has shown beside it.
    #[must_use]
    pub fn with_between<'d>(mut self, between: impl IntoIterator<Item = &'d [u8]>) -> Self {
        self.between = between.into_iter().map(<[u8]>::to_vec).collect();
        self
    }
}

/// The SHA-256 of bytes in lower-case hexadecimal digits.
fn fingerprint(der: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(der).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
