//! Policies: what is asked of a request, whatever service it goes to. One file each.

mod jwt;
mod rate_limit;
mod roles;

pub use jwt::{Algorithm, JwtConfig};
pub use rate_limit::{LimitKey, RateLimitConfig, RateLimitForm};
pub use roles::{RolesConfig, RolesForm};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Switch;

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
