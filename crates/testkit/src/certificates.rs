//! Certificates for tests: an authority of the test's own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An authority that nobody but the test knows.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
    pub(crate) der: CertificateDer<'static>,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate, followed by those between it and the authority, if any.
    pub cert: String,
    /// The private key, PKCS #8.
    pub key: String,
    certificate: CertificateDer<'static>,
    key_der: Vec<u8>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::named("Authority of the tests")
    }
}

fn parameters(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(names).expect("names of a test are valid");
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now();
    parameters.not_before = (now - DAY).into();
    parameters.not_after = (now + 90 * DAY).into();
    parameters
}

impl Authority {
    /// An authority of that name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut parameters = parameters(&[], name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let der = parameters.self_signed(&key).expect("a certificate").der().clone();
        Self { pem: pem("CERTIFICATE", &der), der, issuer: Issuer::new(parameters, key) }
    }

    /// A certificate for these names (DNS names or addresses), good from yesterday for 90 days.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.sign(parameters(names, names.first().copied().unwrap_or("nobody")))
    }

    /// A certificate whose last day was yesterday.
    #[must_use]
    pub fn issue_expired(&self, names: &[&str]) -> Issued {
        let mut parameters = parameters(names, names.first().copied().unwrap_or("nobody"));
        parameters.not_before = (SystemTime::now() - 30 * DAY).into();
        parameters.not_after = (SystemTime::now() - DAY).into();
        self.sign(parameters)
    }

    /// A certificate that is good for so many days more.
    #[must_use]
    pub fn issue_for_days(&self, names: &[&str], days: u32) -> Issued {
        let mut parameters = parameters(names, names.first().copied().unwrap_or("nobody"));
        parameters.not_after = (SystemTime::now() + days * DAY + DAY / 2).into();
        self.sign(parameters)
    }

    /// A certificate for these names that servers alone may show.
    #[must_use]
    pub fn issue_server(&self, names: &[&str]) -> Issued {
        let mut parameters = parameters(names, names.first().copied().unwrap_or("nobody"));
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(parameters)
    }

    /// A certificate for a client of that name.
    #[must_use]
    pub fn issue_client(&self, name: &str, names: &[&str]) -> Issued {
        let mut parameters = parameters(names, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(parameters)
    }

    /// A client's certificate whose last day was yesterday.
    #[must_use]
    pub fn issue_expired_client(&self, name: &str) -> Issued {
        let mut parameters = parameters(&[], name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.not_before = (SystemTime::now() - 30 * DAY).into();
        parameters.not_after = (SystemTime::now() - DAY).into();
        self.sign(parameters)
    }

    fn sign(&self, mut parameters: CertificateParams) -> Issued {
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        let key_der = key.serialize_der();
        Issued {
            cert: pem("CERTIFICATE", &certificate),
            key: pem("PRIVATE KEY", &key_der),
            certificate,
            key_der,
        }
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key` into a folder.
    #[track_caller]
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&cert, &self.cert).expect("written");
        std::fs::write(&key, &self.key).expect("written");
        (cert, key)
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.certificate
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key_der.clone()).into()
    }
}

/// PEM (RFC 7468).
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
