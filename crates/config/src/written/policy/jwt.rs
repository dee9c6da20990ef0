//! `jwt`: callers show a JSON Web Token.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{Secret, TimeSpan};

use crate::written::OneOrMany;

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
