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

/// Which requests need not say who calls: for all ways, or for each by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PreflightsForm {
    /// For all ways.
    All(PreflightForm),
    /// For these; others are always asked.
    Ways(Box<PreflightWays>),
}

impl Default for PreflightsForm {
    fn default() -> Self {
        Self::All(PreflightForm::Rule(PreflightRule::Required))
    }
}

impl PreflightsForm {
    /// What holds for a way.
    #[must_use]
    pub fn of(&self, way: AuthWay) -> PreflightRule {
        match self {
            Self::All(form) => form.rule(),
            Self::Ways(ways) => ways.of(way).map_or_else(PreflightRule::default, PreflightForm::rule),
        }
    }
}

/// A rule, or whether a CORS preflight must say who calls too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PreflightForm {
    /// `true` is `required`, `false` is `cors`.
    Asked(bool),
    /// By its name.
    Rule(PreflightRule),
}

impl PreflightForm {
    /// By its name.
    #[must_use]
    pub const fn rule(self) -> PreflightRule {
        match self {
            Self::Asked(true) => PreflightRule::Required,
            Self::Asked(false) => PreflightRule::Cors,
            Self::Rule(rule) => rule,
        }
    }
}

/// Which requests need not say who calls; each rule lets pass what those before it do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PreflightRule {
    /// None.
    #[default]
    Required,
    /// CORS preflights: OPTIONS with `Origin` and `Access-Control-Request-Method`, without a body.
    Cors,
    /// Every OPTIONS, as with Kong's `run_on_preflight: false`.
    Options,
}

/// Rules by the names of ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PreflightWays {
    /// For `jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<PreflightForm>,
    /// For `key_auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_auth: Option<PreflightForm>,
    /// For `basic_auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<PreflightForm>,
    /// For `hmac_auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_auth: Option<PreflightForm>,
    /// For `sigv4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigv4: Option<PreflightForm>,
    /// For `mtls_auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls_auth: Option<PreflightForm>,
    /// For `oauth2_introspection`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_introspection: Option<PreflightForm>,
    /// For `forward_auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_auth: Option<PreflightForm>,
    /// For `oidc_login`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_login: Option<PreflightForm>,
}

impl PreflightWays {
    const fn of(&self, way: AuthWay) -> Option<PreflightForm> {
        match way {
            AuthWay::Jwt => self.jwt,
            AuthWay::KeyAuth => self.key_auth,
            AuthWay::BasicAuth => self.basic_auth,
            AuthWay::HmacAuth => self.hmac_auth,
            AuthWay::Sigv4 => self.sigv4,
            AuthWay::MtlsAuth => self.mtls_auth,
            AuthWay::OAuth2Introspection => self.oauth2_introspection,
            AuthWay::ForwardAuth => self.forward_auth,
            AuthWay::OidcLogin => self.oidc_login,
        }
    }
}

macro_rules! ways {
    ($( $(#[$doc:meta])* $way:ident = $name:literal, )+) => {
        /// A way to say who calls, by the name of its policy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum AuthWay {
            $( $(#[$doc])* #[serde(rename = $name)] $way, )+
        }

        impl AuthWay {
            /// Every way.
            pub const ALL: &'static [Self] = &[ $( Self::$way, )+ ];

            /// The name of its policy.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$way => $name, )+ }
            }
        }
    };
}

ways! {
    /// A JSON Web Token.
    Jwt = "jwt",
    /// A key of a consumer.
    KeyAuth = "key_auth",
    /// A user name and a password.
    BasicAuth = "basic_auth",
    /// A signature over the request.
    HmacAuth = "hmac_auth",
    /// A signature over the request, as AWS clients make it.
    Sigv4 = "sigv4",
    /// A client certificate.
    MtlsAuth = "mtls_auth",
    /// A token that its issuer explains.
    OAuth2Introspection = "oauth2_introspection",
    /// A service that is asked.
    ForwardAuth = "forward_auth",
    /// A login with a browser.
    OidcLogin = "oidc_login",
}

/// How several ways to say who calls go together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// Which requests need not say who calls, for all ways or for each by its name. Browsers send no CORS preflight with
    /// credentials.
    pub preflight: PreflightsForm,
}
