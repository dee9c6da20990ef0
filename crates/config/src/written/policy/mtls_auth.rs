//! `mtls_auth`: callers show a certificate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Callers show a certificate in the handshake of TLS. Only what the listener has verified counts
/// (`client_auth`), never a header field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MtlsAuthConfig {
    /// A PEM file, or its text, with authorities to one of which the certificate must lead. Any that the
    /// listener trusts when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// By what names of consumers a certificate is found that none has among its `certificates`: its
    /// alternative names and then its common name are looked up. Any authority that is trusted here can then
    /// make anybody of anyone.
    pub consumer_by: Vec<ConsumerName>,
    /// Whether the caller must be a consumer.
    pub consumers: CertificateConsumers,
    /// What of the certificate is taken for a group of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<CertificateGroup>,
}

/// A name of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerName {
    /// Its user name.
    Username,
    /// Its identifier.
    Id,
    /// Its identifier in another system.
    CustomId,
}

/// Whether the owner of a certificate must be a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum CertificateConsumers {
    /// It must.
    #[default]
    Required,
    /// Everybody whose certificate is trusted passes, called by its common name, else its subject.
    Optional,
}

/// What of a certificate is taken for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateGroup {
    /// The common name.
    CommonName,
    /// The whole subject.
    Subject,
}
