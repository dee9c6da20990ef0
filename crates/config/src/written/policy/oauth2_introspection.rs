//! `oauth2_introspection`: callers show a token of which its issuer says what it means.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, ResourceUrl, Secret, TimeSpan};

use super::{ConsumerLookup, TokenSourcesConfig};
use crate::written::OneOrMany;

/// Callers show a token of which an authorization server says what it means (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2IntrospectionConfig {
    /// The service that is asked, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The path and query of its introspection endpoint.
    #[serde(default = "OAuth2IntrospectionConfig::default_path")]
    pub path: String,
    /// In place of `service` and `path`: where to ask. Such a service has every default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<ResourceUrl>,
    /// Who the gateway is to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<OAuth2ClientConfig>,
    /// What the server is told of the kind of token (`token_type_hint`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// Where the token is looked for. The `Authorization` field when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TokenSourcesConfig>,
    /// Who must have issued the token (`iss`): one name or a list of which one is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<OneOrMany<String>>,
    /// Whom the token must be meant for (`aud`): one name or a list of which one is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<OneOrMany<String>>,
    /// Scopes that the token must have, all of them; 403 without.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Claims that the answer must have, whatever their value.
    #[serde(default)]
    pub required_claims: Vec<String>,
    /// Claims that services receive, each with the header field that carries it. The same fields are
    /// removed from what the client sent.
    #[serde(default)]
    pub claims_to_headers: BTreeMap<String, String>,
    /// The claim that says who the caller is, or several of which the first that is there does.
    #[serde(default = "OAuth2IntrospectionConfig::default_consumer_claim")]
    pub consumer_claim: OneOrMany<String>,
    /// Whether the caller is looked up among `consumers`.
    #[serde(default)]
    pub consumers: ConsumerLookup,
    /// The claim that lists the caller's roles.
    #[serde(default = "OAuth2IntrospectionConfig::default_roles_claim")]
    pub roles_claim: String,
    /// The claim that lists the caller's groups, or has one as text; of `scope` and `scp` the words.
    #[serde(default = "OAuth2IntrospectionConfig::default_groups_claim")]
    pub groups_claim: String,
    /// How far clocks may differ when times are compared.
    #[serde(default = "OAuth2IntrospectionConfig::default_leeway")]
    pub leeway: TimeSpan,
    /// How long asking may take, connecting included.
    #[serde(default = "OAuth2IntrospectionConfig::default_timeout")]
    pub timeout: TimeSpan,
    /// The longest answer that is read.
    #[serde(default = "OAuth2IntrospectionConfig::default_max_size")]
    pub max_size: ByteSize,
    /// What is remembered of answers.
    #[serde(default)]
    pub cache: OAuth2IntrospectionCacheConfig,
    /// Whether the token is removed before the service sees the request.
    #[serde(default)]
    pub hide_credentials: bool,
    /// The realm in `WWW-Authenticate`.
    #[serde(default = "OAuth2IntrospectionConfig::default_realm")]
    pub realm: String,
}

impl OAuth2IntrospectionConfig {
    fn default_path() -> String {
        "/introspect".into()
    }

    fn default_consumer_claim() -> OneOrMany<String> {
        OneOrMany::Many(["sub", "username", "client_id"].map(str::to_owned).to_vec())
    }

    fn default_roles_claim() -> String {
        "roles".into()
    }

    fn default_groups_claim() -> String {
        "groups".into()
    }

    fn default_leeway() -> TimeSpan {
        TimeSpan::from_secs(0)
    }

    fn default_timeout() -> TimeSpan {
        TimeSpan::from_secs(5)
    }

    fn default_max_size() -> ByteSize {
        ByteSize::from_kib(64)
    }

    fn default_realm() -> String {
        "torana".into()
    }
}

/// Who the gateway is to an authorization server (RFC 6749 section 2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2ClientConfig {
    /// Its identifier there.
    pub id: String,
    /// Its secret there.
    pub secret: Secret,
    /// How it shows them.
    #[serde(default)]
    pub auth: OAuth2ClientAuth,
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum OAuth2ClientAuth {
    /// In the `Authorization` field, as user name and password.
    #[default]
    Basic,
    /// In the body, as `client_id` and `client_secret`.
    Post,
}

/// What is remembered of answers, in bounded tables, in whole seconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OAuth2IntrospectionCacheConfig {
    /// How long a token that is good is, and never longer than it is good. A token that is revoked passes for
    /// that long. 0 asks about every request.
    pub ttl: TimeSpan,
    /// How long a token that is not good is.
    pub refused_ttl: TimeSpan,
}

impl Default for OAuth2IntrospectionCacheConfig {
    fn default() -> Self {
        Self { ttl: TimeSpan::from_secs(30), refused_ttl: TimeSpan::from_secs(5) }
    }
}
