//! `oidc_login`: callers log in with a browser.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{EndpointUrl, ResourceUrl, Secret, TimeSpan};

use super::Algorithm;
use crate::written::OneOrMany;

/// Callers log in with a browser: OpenID Connect, authorization code flow with PKCE. Pages are redirected to
/// the provider; everything else without a session is answered 401.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcLoginConfig {
    /// The provider's URL, from which its configuration and keys are found (OpenID Connect Discovery 1.0).
    pub issuer: ResourceUrl,
    /// The name under which the provider knows the gateway.
    pub client_id: String,
    /// The secret shared with the provider. A public client when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// How the secret is shown to the provider.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// Secrets that seal sessions, at least 32 bytes each: one, or a list. The first one seals, every one
    /// opens, so a new one is put first and the old one removed once its sessions are over.
    pub session_keys: OneOrMany<Secret>,
    /// What the provider is asked for. `openid` is always among it.
    #[serde(default = "OidcLoginConfig::default_scopes")]
    pub scopes: Vec<String>,
    /// More parameters of the request to log in, such as `prompt` or `audience`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Where browsers come back to with a code. A route with this policy must take it.
    #[serde(default = "OidcLoginConfig::default_callback_path")]
    pub callback_path: String,
    /// Where browsers go to log out. A route with this policy must take it.
    #[serde(default = "OidcLoginConfig::default_logout_path")]
    pub logout_path: String,
    /// Where browsers are sent after that: a path, or a URL.
    #[serde(default = "OidcLoginConfig::default_post_logout_redirect")]
    pub post_logout_redirect: String,
    /// How browsers reach the gateway. By what they asked for when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_url: Option<EndpointUrl>,
    /// How long a session may last.
    #[serde(default = "OidcLoginConfig::default_lifetime")]
    pub lifetime: TimeSpan,
    /// How long a session lasts without a request.
    #[serde(default = "OidcLoginConfig::default_idle")]
    pub idle: TimeSpan,
    /// How long logging in may take.
    #[serde(default = "OidcLoginConfig::default_login_timeout")]
    pub login_timeout: TimeSpan,
    /// Whether the provider is asked again, by a refresh token where it gives one, before its tokens expire.
    #[serde(default = "OidcLoginConfig::default_refresh")]
    pub refresh: bool,
    /// How long the provider may take to answer.
    #[serde(default = "OidcLoginConfig::default_timeout")]
    pub timeout: TimeSpan,
    /// The cookie that holds the session.
    #[serde(default)]
    pub cookie: LoginCookieConfig,
    /// Whether services receive the provider's access token, as `Authorization: Bearer`.
    #[serde(default)]
    pub pass_access_token: bool,
    /// Algorithms that ID tokens may be signed with. RS256, or the one of the key's curve, when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<OneOrMany<Algorithm>>,
    /// How far clocks may differ when times are compared.
    #[serde(default = "OidcLoginConfig::default_leeway")]
    pub leeway: TimeSpan,
    /// Claims that services receive, each with the header field that carries it.
    #[serde(default)]
    pub claims_to_headers: BTreeMap<String, String>,
    /// The claim that says who the caller is.
    #[serde(default = "OidcLoginConfig::default_consumer_claim")]
    pub consumer_claim: String,
    /// The claim that lists the caller's roles.
    #[serde(default = "OidcLoginConfig::default_roles_claim")]
    pub roles_claim: String,
    /// The claim that lists the caller's groups, or has one as text; of `scope` and `scp` the words.
    #[serde(default = "OidcLoginConfig::default_groups_claim")]
    pub groups_claim: String,
}

impl OidcLoginConfig {
    fn default_scopes() -> Vec<String> {
        vec!["openid".into()]
    }

    fn default_callback_path() -> String {
        "/oauth2/callback".into()
    }

    fn default_logout_path() -> String {
        "/oauth2/logout".into()
    }

    fn default_post_logout_redirect() -> String {
        "/".into()
    }

    fn default_lifetime() -> TimeSpan {
        TimeSpan::from_secs(8 * 3600)
    }

    fn default_idle() -> TimeSpan {
        TimeSpan::from_secs(3600)
    }

    fn default_login_timeout() -> TimeSpan {
        TimeSpan::from_secs(600)
    }

    fn default_refresh() -> bool {
        true
    }

    fn default_timeout() -> TimeSpan {
        TimeSpan::from_secs(5)
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

    fn default_groups_claim() -> String {
        "groups".into()
    }
}

/// How a client shows its secret (OpenID Connect Core 1.0 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// In the `Authorization` field (`client_secret_basic`).
    #[default]
    Basic,
    /// In the form (`client_secret_post`).
    Post,
}

/// The cookie that holds the session. It is always `HttpOnly` and `SameSite=Lax`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoginCookieConfig {
    /// Its name. `__Host-` is put before it where it is `secure`.
    pub name: String,
    /// Whether browsers send it over TLS alone. `false` is for development without TLS.
    pub secure: bool,
}

impl Default for LoginCookieConfig {
    fn default() -> Self {
        Self { name: "torana_session".into(), secure: true }
    }
}
