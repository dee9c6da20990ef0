//! Listeners and TLS on both sides, as plain data: every file read, every certificate judged.

use std::num::NonZeroU16;
use std::sync::Arc;

use torana_certificate::{Certificate, CertifiedPair};
use torana_config::written::{ClientCertificateFields, TlsVersion};
use torana_types::{ListenAddr, Network};

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListenerPlan {
    /// Where it listens.
    pub address: ListenAddr,
    /// TLS; `None` is plain HTTP.
    pub tls: Option<Arc<ListenerTlsPlan>>,
    /// Who introduces clients by the PROXY protocol.
    pub proxy_protocol: Vec<Network>,
    /// Redirects everything to `https://` at this port.
    pub redirect_https: Option<NonZeroU16>,
}

impl ListenerPlan {
    /// Plain HTTP at an address.
    #[must_use]
    pub const fn plain(address: ListenAddr) -> Self {
        Self { address, tls: None, proxy_protocol: Vec::new(), redirect_https: None }
    }
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListenerTlsPlan {
    /// The certificates, the default first; at least one.
    pub certificates: Vec<Arc<CertifiedPair>>,
    /// The lowest version that is spoken.
    pub min_version: TlsVersion,
    /// Whether clients show certificates.
    pub client_auth: Option<Arc<ClientAuthPlan>>,
    /// Whether `Host` must be the name that the connection was made for.
    pub strict_host: bool,
}

/// How clients prove who they are by certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientAuthPlan {
    /// The authorities that must have signed them.
    pub authorities: Vec<Certificate>,
    /// Whether there is no way in without one.
    pub required: bool,
    /// The fields that tell services.
    pub headers: ClientCertificateFields,
}

/// TLS towards the endpoints of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamTlsPlan {
    /// Who vouches for endpoints.
    pub verification: VerificationPlan,
    /// The name that is asked for; `None` is the host of the URL.
    pub server_name: Option<Arc<str>>,
    /// What we show.
    pub certificate: Option<Arc<CertifiedPair>>,
    /// The lowest version that is spoken.
    pub min_version: TlsVersion,
}

/// Who vouches for endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VerificationPlan {
    /// The authorities of the system.
    System,
    /// These authorities.
    Authorities(Vec<Certificate>),
    /// Nobody.
    Off,
}
