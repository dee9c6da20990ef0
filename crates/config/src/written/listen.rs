//! Where clients connect, and what is asked of a connection before its first request.

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ListenAddr, Network};

use super::{CertificateConfig, OneOrMany, Switch, TlsVersion};

/// A listener: its address alone, or with what is asked of connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ListenForm {
    /// The address alone: plain HTTP.
    Address(ListenAddr),
    /// Written out.
    Full(Box<ListenerConfig>),
}

impl ListenForm {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> ListenAddr {
        match self {
            Self::Address(address) => *address,
            Self::Full(config) => config.address,
        }
    }
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Where it listens.
    pub address: ListenAddr,
    /// TLS. Plain HTTP when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTlsConfig>,
    /// Networks of load balancers that begin each connection with a PROXY protocol header, version 1 or 2.
    /// From them it must be there; from anybody else it is refused.
    #[serde(default)]
    pub proxy_protocol: Vec<Network>,
    /// Answers every request with a redirection (308) to `https://` at this port; usually 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_https: Option<NonZeroU16>,
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTlsConfig {
    /// Certificates with their keys. Each is shown to clients that ask for one of its own names, the
    /// first to all others. Changed files are taken over without a restart.
    pub certificates: OneOrMany<CertificateConfig>,
    /// The lowest version that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Whether clients show certificates: `off`, or whose.
    #[serde(default = "ListenerTlsConfig::default_client_auth")]
    pub client_auth: Switch<ClientAuthConfig>,
    /// Whether a request whose `Host` is another than the name that its connection was made for is
    /// answered 421. Clients that asked for no name may ask for an address and for the names of the certificate
    /// that they were shown, the first.
    #[serde(default = "ListenerTlsConfig::default_strict_host")]
    pub strict_host: bool,
}

impl ListenerTlsConfig {
    fn default_client_auth() -> Switch<ClientAuthConfig> {
        Switch::OFF
    }

    const fn default_strict_host() -> bool {
        true
    }
}

/// How clients prove who they are by certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuthConfig {
    /// A PEM file, or its text, with the authorities that must have signed them.
    pub ca: String,
    /// Whether there is no way in without one.
    #[serde(default)]
    pub mode: ClientAuthMode,
    /// Header fields in which services are told of a verified certificate. They are removed from what
    /// clients send, on every listener.
    #[serde(default)]
    pub headers: ClientCertificateFields,
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthMode {
    /// No connection without one.
    #[default]
    Required,
    /// A wrong one is refused, none is not.
    Optional,
}

/// Names of header fields, each sent only when it is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ClientCertificateFields {
    /// For the subject, such as `O=Example, CN=client-7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// For the alternative names, such as `DNS:a.example, URI:spiffe://x/y`; a comma within one is `%2C`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub san: Option<String>,
    /// For the SHA-256 of the certificate in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// For the certificate itself, as RFC 9440 has it for `Client-Cert`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl ClientCertificateFields {
    /// The names that are given, each with its key.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("subject", &self.subject),
            ("san", &self.san),
            ("fingerprint", &self.fingerprint),
            ("certificate", &self.certificate),
        ];
        all.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?)))
    }
}
