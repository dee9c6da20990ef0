//! One certificate (RFC 5280), read once, with what configuration and logs say about it.

use crate::distinguished;
use crate::pem::PemError;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

/// A certificate.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    line: usize,
    subject: String,
    common_name: Option<String>,
    issuer: String,
    raw_subject: Box<[u8]>,
    raw_issuer: Box<[u8]>,
    public_key: Box<[u8]>,
    names: Vec<AlternativeName>,
    not_before: i64,
    not_after: i64,
    is_authority: bool,
    /// What it may be shown as (RFC 5280 section 4.2.1.12); `None`: as anything.
    purposes: Option<Purposes>,
}

/// As what a certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// By a server to its clients.
    Server,
    /// By a client to servers that ask for one.
    Client,
}

impl Purpose {
    /// What RFC 5280 calls it, and OpenSSL.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "serverAuth",
            Self::Client => "clientAuth",
        }
    }
}

#[derive(Clone, Copy)]
struct Purposes {
    server: bool,
    client: bool,
}

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AlternativeName {
    Dns(String),
    Address(IpAddr),
    Uri(String),
    Mail(String),
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(formatter, "DNS:{name}"),
            Self::Address(address) => write!(formatter, "IP:{address}"),
            Self::Uri(uri) => write!(formatter, "URI:{uri}"),
            Self::Mail(mail) => write!(formatter, "email:{mail}"),
        }
    }
}

impl Certificate {
    /// Reads DER that stood at this line of its text.
    pub(crate) fn read(der: &CertificateDer<'static>, line: usize) -> Result<Self, PemError> {
        let invalid = |what: String| PemError::Invalid { line, what };
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|error| invalid(format!("this is no X.509 certificate: {error}")))?;
        if !rest.is_empty() {
            return Err(invalid("bytes follow the certificate within its section".into()));
        }
        let names = names(&parsed);
        Ok(Self {
            line,
            common_name: distinguished::common_name(parsed.subject()),
            subject: distinguished::name(parsed.subject()),
            issuer: distinguished::name(parsed.issuer()),
            raw_subject: parsed.subject().as_raw().into(),
            raw_issuer: parsed.issuer().as_raw().into(),
            public_key: parsed.public_key().raw.into(),
            names,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_authority: parsed.is_ca(),
            purposes: purposes(&parsed),
            der: der.clone(),
        })
    }

    /// Its bytes.
    #[must_use]
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The line of its text that it begins at, from one.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Whom it is about, such as `CN=example.com, O=Example`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The common name of whom it is about, where it has exactly one.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its DNS names in lower case; a wildcard begins with `*.`.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            AlternativeName::Dns(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// All its alternative names, each with its kind, such as `DNS:example.com`.
    pub fn alternative_names(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(ToString::to_string)
    }

    /// Seconds since 1970-01-01 UTC from which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> i64 {
        self.not_before
    }

    /// The last second at which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }

    /// Whether it may sign other certificates.
    #[must_use]
    pub const fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// Whether it, or what it signs, may be shown as that.
    pub(crate) fn is_for(&self, purpose: Purpose) -> bool {
        self.purposes.is_none_or(|purposes| match purpose {
            Purpose::Server => purposes.server,
            Purpose::Client => purposes.client,
        })
    }

    /// Whether its issuer is itself.
    #[must_use]
    pub fn is_its_own_issuer(&self) -> bool {
        self.raw_subject == self.raw_issuer
    }

    /// Whether `other` names this one as its issuer.
    #[must_use]
    pub fn is_issuer_of(&self, other: &Self) -> bool {
        self.raw_subject == other.raw_issuer
    }

    /// The subject public key info (RFC 5280 section 4.1.2.7).
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn has_names(&self) -> bool {
        self.names.iter().any(|name| matches!(name, AlternativeName::Dns(_) | AlternativeName::Address(_)))
    }
}

/// What the extension names; `None` where there is none. One that cannot be read allows nothing.
fn purposes(parsed: &X509Certificate<'_>) -> Option<Purposes> {
    parsed.extended_key_usage().map_or(Some(Purposes { server: false, client: false }), |found| {
        let usage = found?.value;
        Some(Purposes { server: usage.any || usage.server_auth, client: usage.any || usage.client_auth })
    })
}

fn names(parsed: &X509Certificate<'_>) -> Vec<AlternativeName> {
    let extensions = parsed.extensions().iter();
    let all = extensions.filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(AlternativeName::Dns(text(name).to_ascii_lowercase())),
        GeneralName::URI(uri) => Some(AlternativeName::Uri(text(uri))),
        GeneralName::RFC822Name(mail) => Some(AlternativeName::Mail(text(mail))),
        GeneralName::IPAddress(bytes) => address(bytes).map(AlternativeName::Address),
        _ => None,
    };
    all.flatten().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Text of a peer's choosing, fit for a log and a header field: nothing but visible characters and spaces.
pub(crate) fn text(from: &str) -> String {
    from.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.as_ref().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({})", self.subject)
    }
}
