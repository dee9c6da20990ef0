//! Consumers: who may call, and by what they are recognised.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use torana_types::Secret;

use super::Algorithm;

/// Consumers: a list, or a mapping of files and a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConsumersForm {
    /// Written here.
    List(Vec<ConsumerConfig>),
    /// In files of their own, perhaps besides some that are written here.
    Full(ConsumersConfig),
}

impl Default for ConsumersForm {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl ConsumersForm {
    /// The consumers that are written here.
    #[must_use]
    pub fn inline(&self) -> &[ConsumerConfig] {
        match self {
            Self::List(list) => list,
            Self::Full(config) => &config.inline,
        }
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &[String] {
        match self {
            Self::List(_) => &[],
            Self::Full(config) => &config.files,
        }
    }
}

/// Consumers in files of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumersConfig {
    /// Files: a list of consumers in YAML or JSON, or with the ending `.jsonl` one consumer in JSON a line. A
    /// change of one is noticed like one of this file.
    pub files: Vec<String>,
    /// Consumers that are written here.
    pub inline: Vec<ConsumerConfig>,
}

/// A consumer. It needs an identifier, a user name or a custom identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerConfig {
    /// Unique and stable. The user name, else the custom identifier, when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name people know it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its identifier in another system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// Groups it belongs to.
    pub groups: Vec<String>,
    /// Labels without a meaning to the gateway.
    pub tags: Vec<String>,
    /// Whatever else is known of it: `consumer_metadata` in expressions.
    pub metadata: Map<String, Value>,
    /// Keys for `key_auth`: texts, or mappings.
    pub keys: Vec<ConsumerKeyForm>,
    /// Passwords for `basic_auth`.
    pub basic: Vec<ConsumerBasicConfig>,
    /// Shared secrets and public keys for `hmac_auth`.
    pub hmac: Vec<ConsumerHmacConfig>,
    /// Keys for `jwt` with `consumers`.
    pub jwt: Vec<ConsumerJwtConfig>,
    /// Client certificates for `mtls_auth`.
    pub certificates: Vec<ConsumerCertificateConfig>,
    /// Access keys for `sigv4`.
    pub sigv4: Vec<ConsumerSigV4Config>,
}

/// A key: the text alone, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConsumerKeyForm {
    /// The key alone.
    Key(Secret),
    /// Written out.
    Full(ConsumerKeyConfig),
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerKeyConfig {
    /// The key.
    pub key: Secret,
    /// Its name for logs and services. Some of its SHA-256 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it stops being good, in seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// A user name and exactly one of `password`, `hash` and `sha1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerBasicConfig {
    /// The user name.
    pub username: String,
    /// The password as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Its hash: Argon2 in PHC form (`$argon2id$…`), or bcrypt (`$2b$…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Secret>,
    /// Kong's hash: the SHA-1 of the password and the consumer's identifier, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<Secret>,
}

/// A user name and exactly one of `secret` and `public_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerHmacConfig {
    /// The user name (Kong's scheme) or `keyid` (RFC 9421).
    pub username: String,
    /// A shared secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Whether the secret is written in base64.
    #[serde(default)]
    pub secret_base64: bool,
    /// A public key or certificate in PEM, for HTTP Message Signatures alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// What the public key is used with. `rsa-pss-sha512` for an RSA key when not given; other keys have one
    /// algorithm only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<SignatureAlgorithm>,
}

/// An algorithm of HTTP Message Signatures with a public key (RFC 9421 section 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SignatureAlgorithm {
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ecdsa-p384-sha384")]
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
}

impl SignatureAlgorithm {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }
}

/// A key of tokens, by the name that tokens carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerJwtConfig {
    /// What the token's key claim says, usually `iss`.
    pub key: String,
    /// The algorithm; no other is accepted.
    #[serde(default = "ConsumerJwtConfig::default_algorithm")]
    pub algorithm: Algorithm,
    /// A shared secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Whether the secret is written in base64.
    #[serde(default)]
    pub secret_base64: bool,
    /// A public key or certificate in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl ConsumerJwtConfig {
    fn default_algorithm() -> Algorithm {
        Algorithm::Hs256
    }
}

/// Client certificates, by exactly one of `sha256`, `subject`, `name`, `dns`, `email` and `uri`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerCertificateConfig {
    /// The SHA-256 of one's DER in hexadecimal; colons are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The whole subject, such as `O=Example, CN=client-7`, in the order of the certificate. Blanks around commas and equals
    /// signs and the case of the names of attributes make no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// An alternative name of any kind, or the common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An alternative name that is a DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<String>,
    /// An alternative name that is an address of mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// An alternative name that is a URI, such as `spiffe://example.org/billing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The subject of the authority that signed it. It is compared as a name: write `ca` in `mtls_auth` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// An AWS access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerSigV4Config {
    /// The access key ID.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The token of its session; requests then have to carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
}
