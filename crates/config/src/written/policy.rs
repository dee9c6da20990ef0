//! Policies: what is asked of a request, whatever service it goes to. One file each.

mod access;
mod acl;
mod allow_if;
mod asking;
mod auth;
mod basic_auth;
mod bot_detection;
mod correlation_id;
mod cors;
mod csrf;
mod forward_auth;
mod hmac_auth;
mod ip_restriction;
mod jwt;
mod key_auth;
mod mtls_auth;
mod oauth2_introspection;
mod oidc_login;
pub mod policy_names;
mod rate_limit;
mod request_size;
mod required_headers;
mod roles;
mod security_headers;
mod sigv4;
mod terminate;

pub use access::AccessConfig;
pub use acl::{AclConfig, AclForm, AclGroups};
pub use allow_if::{AllowIfConfig, AllowIfForm};
pub use asking::{AskFailure, AskMethod, ConsumerLookup};
pub use auth::{
    AuthConfig, AuthForm, AuthRequire, AuthWay, PreflightForm, PreflightRule, PreflightWays, PreflightsForm,
};
pub use basic_auth::BasicAuthConfig;
pub use bot_detection::BotDetectionConfig;
pub use correlation_id::{CorrelationIdCharacters, CorrelationIdConfig, CorrelationIdGenerator};
pub use cors::{CorsConfig, CorsForm};
pub use csrf::CsrfConfig;
pub use forward_auth::{ForwardAuthCacheConfig, ForwardAuthConfig, ForwardAuthIdentityConfig, RequestPart};
pub use hmac_auth::{BodyTie, HmacAuthConfig, HmacScheme, MacAlgorithm, MessageSignaturesConfig, Replay};
pub use ip_restriction::IpRestrictionConfig;
pub use jwt::{
    Algorithm, JwtConfig, JwtConsumersConfig, JwtIssuerConfig, JwtKeyConfig, RemoteKeysConfig,
    RemoteKeysForm, TokenSourcesConfig, TokenTime, UpstreamToken, UpstreamTokenConfig, UpstreamTokenForm,
};
pub use key_auth::KeyAuthConfig;
pub use mtls_auth::{CertificateConsumers, CertificateGroup, ConsumerName, MtlsAuthConfig};
pub use oauth2_introspection::{
    OAuth2ClientAuth, OAuth2ClientConfig, OAuth2IntrospectionCacheConfig, OAuth2IntrospectionConfig,
};
pub use oidc_login::{ClientAuthentication, LoginCookieConfig, OidcLoginConfig};
pub use rate_limit::{
    CostConfig, CostForm, LimitHeaders, LimitKey, LimitKeyForm, LimitMode, MissingKey, NamedKey,
    RateLimitConfig, RateLimitForm, RateLimitsConfig, StoreFailure, WindowConfig, WindowForm, WindowKind,
};
pub use request_size::{DeclaredLength, DeclaredLengthWord, RequestSizeConfig, RequestSizeForm};
pub use required_headers::RequiredHeadersForm;
pub use roles::{RolesConfig, RolesForm, RuleConfig, RuleForm, RuleWord};
pub use security_headers::SecurityHeadersConfig;
pub use sigv4::{SigV4Config, SigV4Path};
pub use terminate::TerminateConfig;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Defaulted, Switch};

/// Policies of one scope. A narrower scope replaces a policy as a whole, or switches it `off`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// Requests have an identifier that goes through every service: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Switch<Defaulted<CorrelationIdConfig>>>,
    /// Browsers are told to be careful: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_headers: Option<Switch<Defaulted<SecurityHeadersConfig>>>,
    /// Pages of other origins may read answers: an origin, a list, a mapping, or `on` for every origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Switch<CorsForm>>,
    /// Only some addresses may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_restriction: Option<Switch<IpRestrictionConfig>>,
    /// Bodies are only so long: a size, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_size: Option<Switch<RequestSizeForm>>,
    /// Requests have these fields: a name, a list, or conditions by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_headers: Option<Switch<RequiredHeadersForm>>,
    /// Programs that say what they are do not pass: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_detection: Option<Switch<Defaulted<BotDetectionConfig>>>,
    /// What another site makes a browser send does not pass: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf: Option<Switch<Defaulted<CsrfConfig>>>,
    /// Whether anybody is served (`public`), or only callers who are known (`protected`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Switch<AccessConfig>>,
    /// How several ways to say who calls go together: `any`, `all` or a mapping; `off` asks nobody who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Switch<AuthForm>>,
    /// Callers show a JSON Web Token (RFC 7519).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Switch<JwtConfig>>,
    /// Callers show a key of a consumer: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_auth: Option<Switch<Defaulted<KeyAuthConfig>>>,
    /// Callers show a user name and a password (RFC 7617): `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<Switch<Defaulted<BasicAuthConfig>>>,
    /// Callers sign requests by Kong's `hmac` scheme, or HTTP Message Signatures (RFC 9421): `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_auth: Option<Switch<Defaulted<HmacAuthConfig>>>,
    /// Callers sign requests as AWS clients do (Signature Version 4): `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigv4: Option<Switch<Defaulted<SigV4Config>>>,
    /// Callers show a certificate: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls_auth: Option<Switch<Defaulted<MtlsAuthConfig>>>,
    /// Callers show a token of which an authorization server says what it means (RFC 7662).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_introspection: Option<Switch<OAuth2IntrospectionConfig>>,
    /// A service is asked whether a request may pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_auth: Option<Switch<ForwardAuthConfig>>,
    /// Callers log in with a browser (OpenID Connect).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_login: Option<Switch<OidcLoginConfig>>,
    /// Callers have a role: a list of which one is enough, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Switch<RolesForm>>,
    /// Callers belong to a group: a list of which one is enough, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<Switch<AclForm>>,
    /// Expressions hold over the request, the caller and the time: one, a list, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_if: Option<Switch<AllowIfForm>>,
    /// Callers make only so many requests: a rate, several, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Switch<RateLimitForm>>,
    /// More limits, each with a name and a policy of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limits: Option<Switch<RateLimitsConfig>>,
    /// The gateway answers in place of the service: `on`, or a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminate: Option<Switch<Defaulted<TerminateConfig>>>,
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
        said![
            correlation_id,
            security_headers,
            cors,
            ip_restriction,
            request_size,
            required_headers,
            bot_detection,
            csrf,
            access,
            auth,
            jwt,
            key_auth,
            basic_auth,
            hmac_auth,
            sigv4,
            mtls_auth,
            oauth2_introspection,
            forward_auth,
            oidc_login,
            roles,
            acl,
            allow_if,
            rate_limit,
            rate_limits,
            terminate,
        ]
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

    #[test]
    fn every_policy_has_one_name() {
        let ways = AuthWay::ALL.iter().map(|way| way.name());
        // Of these there are only the parts.
        let whole = ["auth", "rate_limits"];
        let mut names: Vec<&str> = policy_names::ALL.iter().copied().chain(ways).chain(whole).collect();
        let mut said: Vec<&str> =
            PoliciesConfig::default().said().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        said.sort_unstable();
        assert_eq!(names, said);
    }
}
