//! `auth`: how several ways to say who calls go together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How several ways to say who calls go together: a word, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AuthForm {
    /// `any` or `all`.
    Word(AuthRequire),
    /// Written out.
    Full(AuthConfig),
}

impl AuthForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> AuthConfig {
        match self {
            Self::Word(require) => AuthConfig { require: *require, ..AuthConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}

/// How many of the ways to say who calls must succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum AuthRequire {
    /// Every one; the last one says who calls, unless another is chosen.
    #[default]
    All,
    /// One; the first that succeeds says who calls, the others are not asked.
    Any,
}

/// A way to say who calls, by the name of its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthWay {
    /// A JSON Web Token.
    Jwt,
    /// A key of a consumer.
    KeyAuth,
    /// A user name and a password.
    BasicAuth,
    /// A signature over the request.
    HmacAuth,
    /// A signature over the request, as AWS clients make it.
    Sigv4,
    /// A client certificate.
    MtlsAuth,
    /// A token that its issuer explains.
    #[serde(rename = "oauth2_introspection")]
    OAuth2Introspection,
    /// A service that is asked.
    ForwardAuth,
    /// A login with a browser.
    OidcLogin,
}

impl AuthWay {
    /// The name of its policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::KeyAuth => "key_auth",
            Self::BasicAuth => "basic_auth",
            Self::HmacAuth => "hmac_auth",
            Self::Sigv4 => "sigv4",
            Self::MtlsAuth => "mtls_auth",
            Self::OAuth2Introspection => "oauth2_introspection",
            Self::ForwardAuth => "forward_auth",
            Self::OidcLogin => "oidc_login",
        }
    }
}

/// How several ways to say who calls go together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// How many must succeed.
    pub require: AuthRequire,
    /// Which way says who calls where every one must succeed: by what it says roles, groups and claims are looked at.
    /// The last one when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<AuthWay>,
    /// Who a caller is taken for when no credential is accepted: a consumer by its identifier or user name.
    /// The request is refused when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<String>,
    /// Whether a CORS preflight must say who calls too. Browsers send none with credentials.
    pub preflight: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { require: AuthRequire::default(), caller: None, anonymous: None, preflight: true }
    }
}
