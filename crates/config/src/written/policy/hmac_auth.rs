//! `hmac_auth`: callers sign their requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, TimeSpan};

/// Callers sign requests, with a secret or a key of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HmacAuthConfig {
    /// The schemes that are accepted. A request with both is refused.
    pub schemes: Vec<HmacScheme>,
    /// What a MAC of Kong's scheme may be made with.
    pub algorithms: Vec<MacAlgorithm>,
    /// Fields that a signature of Kong's scheme has to cover, besides `request-line` and `@request-target`, of which
    /// the first stands for the second. `date` is covered by `x-date` too.
    pub enforce_headers: Vec<String>,
    /// Whether the date that is held against the clock has to be signed. Kong takes any.
    pub signed_date: bool,
    /// How far the date of Kong's scheme may be from now, and how far ahead a message signature may be made.
    pub clock_skew: TimeSpan,
    /// HTTP Message Signatures.
    pub messages: MessageSignaturesConfig,
    /// How a body is tied to the signature, by `Digest` (Kong's scheme) or `Content-Digest` (RFC 9530).
    pub body: BodyTie,
    /// The longest body that is read to be compared.
    pub max_body: ByteSize,
    /// Whether the same signature is accepted again while it is current.
    pub replay: Replay,
    /// How many signatures are remembered where none is accepted again. One caller has at most as many places as are
    /// free for others; beyond, new ones are refused.
    pub remember: u32,
    /// Whether the signature is removed before the service sees the request.
    pub hide_credentials: bool,
    /// The realm in `WWW-Authenticate`; left out when empty.
    pub realm: String,
}

impl Default for HmacAuthConfig {
    fn default() -> Self {
        Self {
            schemes: vec![HmacScheme::Hmac, HmacScheme::Messages],
            algorithms: vec![MacAlgorithm::Sha256, MacAlgorithm::Sha384, MacAlgorithm::Sha512],
            enforce_headers: vec!["date".into(), "@request-target".into()],
            signed_date: true,
            clock_skew: TimeSpan::from_secs(300),
            messages: MessageSignaturesConfig::default(),
            body: BodyTie::Signed,
            max_body: ByteSize::from_mib(1),
            replay: Replay::Accept,
            remember: 100_000,
            hide_credentials: true,
            realm: String::new(),
        }
    }
}

/// A scheme of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HmacScheme {
    /// Kong's: `Authorization: hmac username="…", …`.
    Hmac,
    /// HTTP Message Signatures: `Signature-Input` and `Signature`.
    Messages,
}

/// A hash of a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MacAlgorithm {
    /// HMAC with SHA-1, for clients that know no other.
    #[serde(rename = "hmac-sha1")]
    Sha1,
    /// HMAC with SHA-256.
    #[serde(rename = "hmac-sha256")]
    Sha256,
    /// HMAC with SHA-384.
    #[serde(rename = "hmac-sha384")]
    Sha384,
    /// HMAC with SHA-512.
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

impl MacAlgorithm {
    /// The name in signatures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "hmac-sha1",
            Self::Sha256 => "hmac-sha256",
            Self::Sha384 => "hmac-sha384",
            Self::Sha512 => "hmac-sha512",
        }
    }
}

/// HTTP Message Signatures (RFC 9421).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MessageSignaturesConfig {
    /// Components that have to be covered. `@target-uri` and `@request-target` stand for their parts; `@query` is
    /// asked only of a request that has one.
    pub components: Vec<String>,
    /// How long a signature is good after it was made.
    pub max_age: TimeSpan,
    /// Whether a signature has to carry a nonce.
    pub nonce: bool,
    /// The label of the signature that counts, where a request has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The tag of the signature that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Default for MessageSignaturesConfig {
    fn default() -> Self {
        Self {
            components: ["@method", "@authority", "@path", "@query"].map(Into::into).into(),
            max_age: TimeSpan::from_secs(300),
            nonce: false,
            label: None,
            tag: None,
        }
    }
}

/// How a body is tied to a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyTie {
    /// A body needs a digest, and the signature covers it.
    Signed,
    /// A body needs a digest; the signature need not cover it. This is Kong's `validate_request_body`.
    Digest,
    /// A digest is compared only where a message signature covers it.
    Ignored,
}

/// What becomes of a signature that was accepted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// It is accepted while it is current.
    Accept,
    /// It is refused. Remembered in this process alone.
    Refuse,
}
