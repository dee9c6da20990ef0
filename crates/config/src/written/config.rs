//! The whole file.

use std::num::NonZeroU16;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ListenAddr, Network, Secret, TimeSpan};

use super::{
    AccessLogForm, ConsumersForm, ForwardedConfig, Http2Config, LimitsConfig, ListenForm, MethodOverrides,
    OneOrMany, PathsConfig, PoliciesConfig, RequestIdConfig, RouteConfig, ServerTimeoutsConfig,
    ServiceConfig, StoreForm, Switch,
};

/// Configuration of the Torana API gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where clients connect: an address, or a mapping with what is asked of connections, or a list of both.
    #[serde(default = "Config::default_listen")]
    pub listen: OneOrMany<ListenForm>,
    /// Where the admin API and metrics listen. It knows no callers, so it should not be reachable
    /// from outside.
    #[serde(default = "Config::default_admin")]
    pub admin: Switch<ListenAddr>,
    /// Who shows this as a bearer token to the admin API may change things there. Nobody may when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_token: Option<Secret>,
    /// How many threads serve requests. One for each processor core when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<NonZeroU16>,
    /// Where limits are counted: `memory`, the URL of a Redis or Valkey server that several gateways share, or a
    /// mapping.
    #[serde(default = "Config::default_store")]
    pub store: StoreForm,
    /// The services behind the gateway, by name.
    #[serde(default)]
    pub services: IndexMap<String, ServiceConfig>,
    /// Who may call, and by what they are recognised: a list, or files of lists.
    #[serde(default)]
    pub consumers: ConsumersForm,
    /// Policies that hold for every route, unless its service or the route itself says otherwise.
    #[serde(default)]
    pub policies: PoliciesConfig,
    /// Which request goes where. The order in the file has no meaning.
    pub routes: Vec<RouteConfig>,
    /// Networks whose `X-Forwarded-*` and `Forwarded` fields are believed. The client is the rightmost
    /// address outside of them.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// What services are told about the client and the way the request took.
    #[serde(default)]
    pub forwarded: ForwardedConfig,
    /// An identifier for every request, sent to services and written to the log.
    #[serde(default)]
    pub request_id: RequestIdConfig,
    /// How long clients may take.
    #[serde(default)]
    pub timeouts: ServerTimeoutsConfig,
    /// How much clients may send.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Bounds of clients' HTTP/2 connections.
    #[serde(default)]
    pub http2: Http2Config,
    /// A line for every request: `off`, a format, or a mapping.
    #[serde(default)]
    pub access_log: Switch<AccessLogForm>,
    /// How long the gateway goes on as before after it was told to stop, while `/readyz` says already that it will: so long
    /// do the load balancers before it take to send new connections elsewhere.
    #[serde(default)]
    pub drain_delay: TimeSpan,
    /// How long requests in flight may take to end after that.
    #[serde(default = "Config::default_drain_timeout")]
    pub drain_timeout: TimeSpan,
    /// Fields that no client may send, beside those about the caller that are always removed. Removed from
    /// every request before anything looks at it, however they are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved_headers: Vec<String>,
    /// Fields that proxies of `trusted_proxies` may send and nobody else, such as `X-Forwarded-User` of a portal that stands
    /// before the gateway: from these proxies they arrive in this spelling, also where `reserved_headers` names them; from
    /// anybody else they are removed, however they are written. What the gateway writes itself comes from no proxy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_headers: Vec<String>,
    /// What to do with fields that ask a service to take another method than the request has.
    #[serde(default)]
    pub method_overrides: MethodOverrides,
    /// How request paths are read.
    #[serde(default)]
    pub paths: PathsConfig,
}

impl Config {
    fn default_listen() -> OneOrMany<ListenForm> {
        OneOrMany::One(ListenForm::Address(ListenAddr::new(([0, 0, 0, 0], 8000).into())))
    }

    fn default_store() -> StoreForm {
        StoreForm::Url("memory".into())
    }

    fn default_admin() -> Switch<ListenAddr> {
        Switch::OFF
    }

    fn default_drain_timeout() -> TimeSpan {
        TimeSpan::from_secs(30)
    }
}
