//! Policies: what is asked of a request, whatever service it goes to.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{Rate, Secret, TimeSpan};

use super::{OneOrMany, Switch};

/// Policies of one scope. A narrower scope replaces a policy as a whole, or switches it `off`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// Callers show a JSON Web Token (RFC 7519) as a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Switch<JwtConfig>>,
    /// Callers have a role: a list of which one is enough, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Switch<RolesForm>>,
    /// Callers make only so many requests: a rate, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Switch<RateLimitForm>>,
}

/// Callers show a JSON Web Token (RFC 7519) as a bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// The secret that tokens are signed with; at least 32 bytes for HS256 (RFC 7518 section 3.2).
    pub secret: Secret,
    /// Algorithms that are accepted. What the token says it uses is never trusted beyond this.
    #[serde(default = "JwtConfig::default_algorithms")]
    pub algorithms: OneOrMany<Algorithm>,
    /// How far clocks may differ when `exp` and `nbf` are compared.
    #[serde(default = "JwtConfig::default_leeway")]
    pub leeway: TimeSpan,
    /// Claims that services receive, each with the header field that carries it. The same fields are
    /// removed from what the client sent.
    #[serde(default)]
    pub claims_to_headers: BTreeMap<String, String>,
    /// The claim that says who the caller is.
    #[serde(default = "JwtConfig::default_consumer_claim")]
    pub consumer_claim: String,
    /// The claim that lists the caller's roles.
    #[serde(default = "JwtConfig::default_roles_claim")]
    pub roles_claim: String,
    /// The realm in `WWW-Authenticate`.
    #[serde(default = "JwtConfig::default_realm")]
    pub realm: String,
}

impl JwtConfig {
    fn default_algorithms() -> OneOrMany<Algorithm> {
        OneOrMany::Many(vec![Algorithm::Hs256])
    }

    fn default_leeway() -> TimeSpan {
        TimeSpan::from_secs(30)
    }

    fn default_consumer_claim() -> String {
        "sub".into()
    }

    fn default_roles_claim() -> String {
        "roles".into()
    }

    fn default_realm() -> String {
        "torana".into()
    }
}

/// An algorithm for signatures (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
}

/// Roles that callers need: a list of which one is enough, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RolesForm {
    /// One of these is enough.
    Any(OneOrMany<String>),
    /// Written out.
    Full(RolesConfig),
}

/// Roles that callers need.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RolesConfig {
    /// At least one of these. No condition when empty.
    pub any: Vec<String>,
    /// Every one of these.
    pub all: Vec<String>,
}

impl RolesForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RolesConfig {
        match self {
            Self::Any(any) => RolesConfig { any: any.as_slice().to_vec(), all: Vec::new() },
            Self::Full(config) => config.clone(),
        }
    }
}

/// How many requests callers may make: the rate alone, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimitForm {
    /// The rate alone.
    Rate(Rate),
    /// Written out.
    Full(RateLimitConfig),
}

impl RateLimitForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RateLimitConfig {
        match self {
            Self::Rate(limit) => RateLimitConfig {
                limit: *limit,
                burst: None,
                by: LimitKey::default(),
                max_keys: RateLimitConfig::DEFAULT_MAX_KEYS,
            },
            Self::Full(config) => config.clone(),
        }
    }
}

/// How many requests callers may make. More are answered 429.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// How many requests in what period.
    pub limit: Rate,
    /// How many requests may come at once. As many as the limit when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// Who is counted.
    #[serde(default)]
    pub by: LimitKey,
    /// How many callers are remembered at a time.
    #[serde(default = "RateLimitConfig::default_max_keys")]
    pub max_keys: NonZeroU32,
}

impl RateLimitConfig {
    /// `max_keys` where none is written.
    pub const DEFAULT_MAX_KEYS: NonZeroU32 = NonZeroU32::new(100_000).expect("100,000 is not 0");

    const fn default_max_keys() -> NonZeroU32 {
        Self::DEFAULT_MAX_KEYS
    }
}

/// Who is counted by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// The consumer where one is known, else the client address.
    #[default]
    ConsumerOrAddress,
    /// The consumer; requests without one are not counted.
    Consumer,
    /// The client address.
    Address,
}
