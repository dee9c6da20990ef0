//! Policies: what is asked of a request, whatever service it goes to. One file each.

mod auth;
mod basic_auth;
mod jwt;
mod key_auth;
mod rate_limit;
mod roles;

pub use auth::{AuthConfig, AuthForm, AuthRequire};
pub use basic_auth::BasicAuthConfig;
pub use jwt::{
    Algorithm, JwtConfig, JwtIssuerConfig, JwtKeyConfig, RemoteKeysConfig, RemoteKeysForm,
    TokenSourcesConfig, UpstreamToken, UpstreamTokenConfig, UpstreamTokenForm,
};
pub use key_auth::KeyAuthConfig;
pub use rate_limit::{
    CostConfig, CostForm, LimitHeaders, LimitKey, LimitKeyForm, LimitMode, MissingKey, NamedKey,
    RateLimitConfig, RateLimitForm, RateLimitsConfig, StoreFailure, WindowConfig, WindowForm, WindowKind,
};
pub use roles::{RolesConfig, RolesForm};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Switch;

/// Policies of one scope. A narrower scope replaces a policy as a whole, or switches it `off`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// How several ways to say who calls go together: `any`, `all` or a mapping; `off` asks nobody who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Switch<AuthForm>>,
    /// Callers show a JSON Web Token (RFC 7519).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Switch<JwtConfig>>,
    /// Callers show a key of a consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_auth: Option<Switch<KeyAuthConfig>>,
    /// Callers show a user name and a password (RFC 7617).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<Switch<BasicAuthConfig>>,
    /// Callers have a role: a list of which one is enough, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Switch<RolesForm>>,
    /// Callers make only so many requests: a rate, several, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Switch<RateLimitForm>>,
    /// More limits, each with a name and a policy of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limits: Option<Switch<RateLimitsConfig>>,
}

impl PoliciesConfig {
    /// Every policy by its key, and what this scope says of it: nothing, off (`false`) or on (`true`).
    #[must_use]
    pub fn said(&self) -> Vec<(&'static str, Option<bool>)> {
        macro_rules! said {
            ($($field:ident),+ $(,)?) => {
                vec![$((stringify!($field), self.$field.as_ref().map(|switch| switch.on().is_some()))),+]
            };
        }
        said![auth, jwt, key_auth, basic_auth, roles, rate_limit, rate_limits,]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_the_schema_is_said() {
        let schema = serde_json::to_value(schemars::schema_for!(PoliciesConfig)).unwrap();
        let keys: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let said: Vec<&str> = PoliciesConfig::default().said().into_iter().map(|(name, _)| name).collect();
        assert_eq!(said, keys);
    }
}
