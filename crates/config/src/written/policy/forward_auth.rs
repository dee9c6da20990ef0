//! `forward_auth`: a service is asked whether a request may pass.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, ResourceUrl, TimeSpan};

use super::{AskFailure, AskMethod, ConsumerLookup};

/// A service is asked whether a request may pass. An answer of 2xx says yes; those of `refusals` are handed to
/// the client; with anything else the request is answered 503.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuthConfig {
    /// The service that is asked, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The path and query that it is asked by. `{path}`, `{uri}` (path and query), `{method}` and `{host}`
    /// stand for those of the request.
    #[serde(default = "ForwardAuthConfig::default_path")]
    pub path: String,
    /// In place of `service` and `path`: where to ask. Such a service has every default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<ResourceUrl>,
    /// The method that it is asked by. GET when not given, POST with a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<AskMethod>,
    /// Header fields of the request that it sees; `*` for all. It always gets `X-Forwarded-Method`, `-Proto`,
    /// `-Host`, `-Uri` and `-For`, which a client cannot set.
    #[serde(default = "ForwardAuthConfig::default_request_headers")]
    pub request_headers: Vec<String>,
    /// The longest request body that it sees; a longer one is refused with 413. It sees none when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<ByteSize>,
    /// Header fields of an answer of 2xx that the service behind the route receives, in place of what the
    /// client sent under these names.
    #[serde(default)]
    pub response_headers: Vec<String>,
    /// Header fields of an answer of 2xx that the client receives, with whatever becomes of its request: a session that
    /// was renewed. `Set-Cookie` comes beside that of the service behind the route, others in place of it. No cache keeps
    /// what the client gets with one of them (`Cache-Control: no-store`).
    #[serde(default = "ForwardAuthConfig::default_client_headers")]
    pub client_headers: Vec<String>,
    /// Statuses, from 300 to 499, that refuse a request and that the client receives, with the body.
    #[serde(default = "ForwardAuthConfig::default_refusals")]
    pub refusals: Vec<u16>,
    /// Header fields of such an answer that the client receives.
    #[serde(default = "ForwardAuthConfig::default_refusal_headers")]
    pub refusal_headers: Vec<String>,
    /// How long asking may take, connecting included.
    #[serde(default = "ForwardAuthConfig::default_timeout")]
    pub timeout: TimeSpan,
    /// The longest body of an answer that is read.
    #[serde(default = "ForwardAuthConfig::default_max_size")]
    pub max_size: ByteSize,
    /// What becomes of a request when the service cannot be reached, is silent or fails (5xx). Any other answer that
    /// says neither yes nor no is 503.
    #[serde(default)]
    pub on_failure: AskFailure,
    /// Remembers who may pass. Every request is asked about when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<ForwardAuthCacheConfig>,
    /// What an answer of 2xx says of the caller.
    #[serde(default)]
    pub identity: ForwardAuthIdentityConfig,
}

impl ForwardAuthConfig {
    fn default_path() -> String {
        "/".into()
    }

    fn default_request_headers() -> Vec<String> {
        ["Authorization", "Cookie", "Accept", "X-Requested-With"].map(str::to_owned).to_vec()
    }

    fn default_client_headers() -> Vec<String> {
        vec!["Set-Cookie".into()]
    }

    fn default_refusals() -> Vec<u16> {
        vec![401, 403]
    }

    fn default_refusal_headers() -> Vec<String> {
        let names =
            ["WWW-Authenticate", "Location", "Set-Cookie", "Content-Type", "Cache-Control", "Retry-After"];
        names.map(str::to_owned).to_vec()
    }

    fn default_timeout() -> TimeSpan {
        TimeSpan::from_secs(5)
    }

    fn default_max_size() -> ByteSize {
        ByteSize::from_kib(64)
    }
}

/// Remembers answers that let a request pass, in a bounded table. Refusals are never remembered, nor answers
/// with `Cache-Control: no-store` or with one of `client_headers`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuthCacheConfig {
    /// How long, in whole seconds. Who may no longer pass does so for that long.
    #[serde(default = "ForwardAuthCacheConfig::default_ttl")]
    pub ttl: TimeSpan,
    /// Parts of a request in which two requests must agree to be one question. What is not listed is not
    /// looked at: without `path`, who may pass for one path may for all.
    #[serde(default = "ForwardAuthCacheConfig::default_request")]
    pub request: Vec<RequestPart>,
    /// Header fields in which they must agree. All that the asked service sees, when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<String>>,
}

impl ForwardAuthCacheConfig {
    fn default_ttl() -> TimeSpan {
        TimeSpan::from_secs(30)
    }

    fn default_request() -> Vec<RequestPart> {
        use RequestPart::{Address, Host, Method, Path, Query, Scheme};
        vec![Method, Scheme, Host, Path, Query, Address]
    }
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RequestPart {
    /// The method.
    Method,
    /// `http` or `https`.
    Scheme,
    /// The host.
    Host,
    /// The path.
    Path,
    /// The query.
    Query,
    /// The client's address.
    Address,
}

/// Header fields of an answer that say who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardAuthIdentityConfig {
    /// The name of the caller. An answer without it does not say who calls, and is as none. All callers have
    /// the name of the asked service when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Whether the name is looked up among `consumers`.
    pub consumers: ConsumerLookup,
    /// Roles, with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<String>,
    /// Groups, with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
    /// Claims, each with the field that carries it as text.
    pub claims: BTreeMap<String, String>,
}
