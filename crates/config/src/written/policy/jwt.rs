//! `jwt`: callers show a JSON Web Token.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, ResourceUrl, Secret, TimeSpan};

use crate::written::{Defaulted, OneOrMany};

/// Callers show a JSON Web Token (RFC 7519).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// The secret that tokens are signed with; at least 32 bytes for HS256 (RFC 7518 section 3.2). `check` warns of
    /// less, and less than 16 are not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The public key or certificate, in PEM, that verifies tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Keys written out, where one is not enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<JwtKeyConfig>,
    /// Where the issuer publishes its keys (RFC 7517 section 5): a URL, or a mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<RemoteKeysForm>,
    /// The issuer's URL, from which its configuration and keys are found (OpenID Connect Discovery 1.0): a
    /// URL, or a mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<RemoteKeysForm>,
    /// Tokens are verified by keys of consumers (`jwt` of each): `on`, or a mapping. A key has one algorithm,
    /// whatever a token asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumers: Option<Defaulted<JwtConsumersConfig>>,
    /// Who may have issued a token (`iss`): one name or a list. Anybody who has the key when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<OneOrMany<String>>,
    /// Whom a token must be meant for (`aud`): one name or a list of which one is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<OneOrMany<String>>,
    /// Algorithms that are accepted, of those that fit a key. What the token says it uses is never trusted
    /// beyond this. When not given, HS256 for a secret, RS256 for an RSA key, and the one algorithm that
    /// other keys have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<OneOrMany<Algorithm>>,
    /// More issuers, each with keys of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<JwtIssuerConfig>,
    /// Where the token is looked for. The `Authorization` field when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TokenSourcesConfig>,
    /// How far clocks may differ when times are compared; a day at most.
    #[serde(default = "JwtConfig::default_leeway")]
    pub leeway: TimeSpan,
    /// How long ago a token may have been issued (`iat`, which it then must have).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<TimeSpan>,
    /// How far in the future a token may expire (`exp`, which it then must have).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<TimeSpan>,
    /// Times that are not held against the clock, for callers whose tokens never were. Without `exp` a token is good
    /// for ever, and `check` says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked_times: Vec<TokenTime>,
    /// Claims that a token must have, whatever their value. `exp` when not given, so that every token ends, unless
    /// `max_age` ends it or `unchecked_times` has it never end; `[]` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_claims: Option<Vec<String>>,
    /// Media types of which the token's header must name one (`typ`), such as `at+jwt` (RFC 9068).
    #[serde(default)]
    pub types: Vec<String>,
    /// Claims that services receive, each with the header field that carries it. The same fields are
    /// removed from what the client sent.
    #[serde(default)]
    pub claims_to_headers: BTreeMap<String, String>,
    /// The claim that says who the caller is. Names with dots between them lead into objects.
    #[serde(default = "JwtConfig::default_consumer_claim")]
    pub consumer_claim: String,
    /// The claim that lists the caller's roles. `roles` of an issuer's tokens when not given; none of tokens
    /// that consumers sign themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_claim: Option<String>,
    /// The claim that lists the caller's groups, or has one as text; of `scope` and `scp` the words. `groups` of an issuer's tokens when not given; none of tokens
    /// that consumers sign themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// What the service sees of the token.
    #[serde(default)]
    pub upstream_token: UpstreamTokenForm,
    /// The realm in `WWW-Authenticate`; left out when empty.
    #[serde(default = "JwtConfig::default_realm")]
    pub realm: String,
}

impl JwtConfig {
    fn default_leeway() -> TimeSpan {
        TimeSpan::from_secs(30)
    }

    fn default_consumer_claim() -> String {
        "sub".into()
    }

    fn default_realm() -> String {
        "torana".into()
    }
}

/// A time in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenTime {
    /// Until when it is good.
    Exp,
    /// From when on it is good.
    Nbf,
    /// When it was issued.
    Iat,
}

/// How a token names the key of the consumer that verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JwtConsumersConfig {
    /// The claim that names the key, such as `iss`; where a token has no such claim, the parameter of its
    /// header, such as `kid`.
    pub key_claim: String,
}

impl Default for JwtConsumersConfig {
    fn default() -> Self {
        Self { key_claim: "iss".into() }
    }
}

/// An issuer of tokens and its keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct JwtIssuerConfig {
    /// Its name in tokens (`iss`): one or a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<OneOrMany<String>>,
    /// Whom its tokens must be meant for (`aud`): one name or a list of which one is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<OneOrMany<String>>,
    /// Algorithms that are accepted, of those that fit a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<OneOrMany<Algorithm>>,
    /// The secret that its tokens are signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The public key or certificate, in PEM, that verifies its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Keys written out.
    pub keys: Vec<JwtKeyConfig>,
    /// Where it publishes its keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<RemoteKeysForm>,
    /// Its URL, from which its configuration and keys are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<RemoteKeysForm>,
}

/// A key: exactly one of `secret`, `public_key` and `jwk`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct JwtKeyConfig {
    /// Its name (`kid`). A token that names a key is verified by that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The one algorithm that it is used with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// A shared secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Whether the secret is written in base64.
    pub secret_base64: bool,
    /// A public key or certificate in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// A JSON Web Key (RFC 7517) as JSON text, usually from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwk: Option<Secret>,
}

/// Keys that are fetched: a URL, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RemoteKeysForm {
    /// The URL alone.
    Url(ResourceUrl),
    /// Written out.
    Full(RemoteKeysConfig),
}

impl RemoteKeysForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RemoteKeysConfig {
        match self {
            Self::Url(url) => RemoteKeysConfig {
                url: url.clone(),
                refresh: RemoteKeysConfig::default_refresh(),
                cooldown: RemoteKeysConfig::default_cooldown(),
                timeout: RemoteKeysConfig::default_timeout(),
                max_size: RemoteKeysConfig::default_max_size(),
            },
            Self::Full(config) => config.clone(),
        }
    }
}

/// Keys that are fetched. The last good ones stay in force while they cannot be fetched again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteKeysConfig {
    /// Where they are.
    pub url: ResourceUrl,
    /// How often they are fetched again.
    #[serde(default = "RemoteKeysConfig::default_refresh")]
    pub refresh: TimeSpan,
    /// How soon they may be fetched again because a token names a key that is not among them.
    #[serde(default = "RemoteKeysConfig::default_cooldown")]
    pub cooldown: TimeSpan,
    /// How long fetching may take.
    #[serde(default = "RemoteKeysConfig::default_timeout")]
    pub timeout: TimeSpan,
    /// The longest answer that is read.
    #[serde(default = "RemoteKeysConfig::default_max_size")]
    pub max_size: ByteSize,
}

impl RemoteKeysConfig {
    fn default_refresh() -> TimeSpan {
        TimeSpan::from_secs(600)
    }

    fn default_cooldown() -> TimeSpan {
        TimeSpan::from_secs(30)
    }

    fn default_timeout() -> TimeSpan {
        TimeSpan::from_secs(5)
    }

    fn default_max_size() -> ByteSize {
        ByteSize::from_bytes(256 * 1024)
    }
}

/// Where a token is looked for. Different tokens in one request are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSourcesConfig {
    /// Header fields: `Bearer TOKEN`, or in fields other than `Authorization` the token alone.
    pub headers: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
    /// Query parameters. They end up in logs of clients and services: better not.
    pub query: Vec<String>,
}

/// What the service sees of the token: a word, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum UpstreamTokenForm {
    /// `forward` or `strip`.
    Word(UpstreamToken),
    /// Another token in its place.
    Replace(UpstreamTokenConfig),
}

impl Default for UpstreamTokenForm {
    fn default() -> Self {
        Self::Word(UpstreamToken::Forward)
    }
}

/// What the service sees of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamToken {
    /// The token as it came.
    Forward,
    /// Nothing: it is removed from the request.
    Strip,
}

/// A token that the gateway signs for the service, with the claims of the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTokenConfig {
    /// A shared secret to sign with: HS256, unless `algorithm` says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A private key in PEM (PKCS#8) to sign with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Secret>,
    /// The algorithm; by default HS256 of a secret, RS256 of an RSA key, and of others the one of their curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The key's name in the token (`kid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The issuer in the token (`iss`).
    #[serde(default = "UpstreamTokenConfig::default_issuer")]
    pub issuer: String,
    /// Whom the token is meant for (`aud`). Nobody in particular when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// How long the token is good, at most as long as the caller's is accepted.
    #[serde(default = "UpstreamTokenConfig::default_lifetime")]
    pub lifetime: TimeSpan,
}

impl UpstreamTokenConfig {
    fn default_issuer() -> String {
        "torana".into()
    }

    fn default_lifetime() -> TimeSpan {
        TimeSpan::from_secs(300)
    }
}

/// An algorithm for signatures (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// Ed25519 or Ed448: the curve of the key. Ed448 verifies only.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::EdDsa => "EdDSA",
        }
    }
}
