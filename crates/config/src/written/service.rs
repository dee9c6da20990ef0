//! The side that services see: endpoints, balancing, pools, deadlines.

mod adaptive;
mod balance;
mod breaker;
mod health;
mod retries;

pub use adaptive::*;
pub use balance::*;
pub use breaker::*;
pub use health::*;
pub use retries::*;

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{EndpointUrl, TimeSpan};

use super::{
    Defaulted, Http2Config, PoliciesConfig, ProxyProtocolVersion, Switch, UpstreamProtocol, UpstreamTlsConfig,
};

/// A service behind the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Where the service runs: URLs, or mappings of a URL and a weight.
    #[schemars(length(min = 1))]
    pub endpoints: Vec<EndpointForm>,
    /// How to choose an endpoint: an algorithm, or a mapping. `weighted` when an endpoint has a weight, else
    /// `round_robin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceForm>,
    /// The `Host` that the service sees: `preserve` for what the client sent, `rewrite` for the
    /// endpoint's own, or any other text for exactly that. Preserved by default, as Envoy and HAProxy
    /// do, so that links which the service builds lead back to the gateway.
    #[serde(default = "ServiceConfig::default_host")]
    pub host: String,
    /// What is spoken with the endpoints.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// Bounds of HTTP/2 connections to the endpoints.
    #[serde(default)]
    pub http2: Http2Config,
    /// Connections to each endpoint.
    #[serde(default)]
    pub pool: PoolConfig,
    /// How long the service may take.
    #[serde(default)]
    pub timeouts: UpstreamTimeoutsConfig,
    /// The protocols that a client may switch its connection to by `Upgrade`, when the service agrees. An
    /// empty list allows none.
    #[serde(default = "ServiceConfig::default_upgrades")]
    pub upgrades: Vec<String>,
    /// When a request is sent again.
    #[serde(default)]
    pub retries: RetriesConfig,
    /// The field in which the service is told how many milliseconds it has left, the wait for retries
    /// included. A client that sends it may ask for less time, never for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_header: Option<String>,
    /// Stops asking the service when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerConfig>,
    /// Learns from how long the service takes how many requests it can work on at once, and answers more with
    /// 503: `on`, or a mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive_concurrency: Option<Defaulted<AdaptiveConcurrencyConfig>>,
    /// Which endpoints are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthConfig>,
    /// TLS towards endpoints whose URLs begin with `https://`.
    #[serde(default)]
    pub tls: UpstreamTlsConfig,
    /// Begins each connection with a PROXY protocol header that tells the endpoint who the client is. Then
    /// a connection carries requests of one client alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocolVersion>,
    /// Policies for every route to this service, unless the route itself says otherwise.
    #[serde(default)]
    pub policies: PoliciesConfig,
}

impl ServiceConfig {
    /// A service at one place with every default.
    ///
    /// # Panics
    /// Never: a service needs nothing but an endpoint.
    #[must_use]
    pub fn at(endpoint: &EndpointUrl) -> Self {
        let written = serde_json::json!({ "endpoints": [endpoint.to_string()] });
        serde_json::from_value(written).expect("a service needs nothing but an endpoint")
    }

    fn default_host() -> String {
        "preserve".into()
    }

    fn default_upgrades() -> Vec<String> {
        vec!["websocket".into()]
    }
}

/// An endpoint: its URL alone, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EndpointForm {
    /// The URL alone.
    Url(EndpointUrl),
    /// The URL and more.
    Full(EndpointConfig),
}

/// An endpoint with a weight or a zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Where it is.
    pub url: EndpointUrl,
    /// Its share of requests against the other endpoints' weights. 0 sends it nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 65535), extend("default" = Self::DEFAULT_WEIGHT))]
    pub weight: Option<u32>,
    /// The zone it is in, for `balance: { zone }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl EndpointConfig {
    /// The weight of an endpoint that has none written.
    pub const DEFAULT_WEIGHT: u32 = 1;
}

impl EndpointForm {
    /// Where it is.
    #[must_use]
    pub const fn url(&self) -> &EndpointUrl {
        match self {
            Self::Url(url) => url,
            Self::Full(config) => &config.url,
        }
    }

    /// Its weight.
    #[must_use]
    pub const fn weight(&self) -> u32 {
        match self {
            Self::Url(_) => EndpointConfig::DEFAULT_WEIGHT,
            Self::Full(EndpointConfig { weight: Some(weight), .. }) => *weight,
            Self::Full(_) => EndpointConfig::DEFAULT_WEIGHT,
        }
    }

    /// The zone it is in, if that is written.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Url(_) => None,
            Self::Full(config) => config.zone.as_deref(),
        }
    }
}

/// How to choose an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other.
    RoundRobin,
    /// One after the other in proportion to the weights, smoothly.
    Weighted,
    /// The one with the fewest requests in flight.
    LeastConnections,
    /// The better of two drawn at random, by latency and requests in flight.
    TwoChoices,
}

/// Connections to each endpoint of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// Connections to one endpoint at a time, over all workers.
    pub max_connections: NonZeroU32,
    /// How long a connection is kept unused. Shorter than the service's own, so that the gateway is the
    /// one who closes.
    pub idle_timeout: TimeSpan,
    /// How old a connection may get before it is not used again, or `off`.
    pub max_age: Switch<TimeSpan>,
    /// How long a request waits for a connection before it is answered 503.
    pub queue_timeout: TimeSpan,
    /// How many requests may wait for a connection to one endpoint. More are answered 503 at once.
    pub max_queue: u32,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_connections: const { NonZeroU32::new(100).expect("100 is not 0") },
            idle_timeout: TimeSpan::from_secs(60),
            max_age: Switch::On(TimeSpan::from_secs(3_600)),
            queue_timeout: TimeSpan::from_secs(5),
            max_queue: 1_000,
        }
    }
}

/// How long a service may take. A route's own come before its service's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTimeoutsConfig {
    /// To make a connection. More is answered 504.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Self::CONNECT))]
    pub connect: Option<TimeSpan>,
    /// From the end of the request until the first byte of the response. More is answered 504.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Self::FIRST_BYTE))]
    pub first_byte: Option<TimeSpan>,
    /// Between two pieces of the response, or for the service to take more of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Self::IDLE))]
    pub idle: Option<TimeSpan>,
    /// For the whole exchange, all attempts included, or `off` for streams without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Self::TOTAL))]
    pub total: Option<Switch<TimeSpan>>,
    /// How long neither side of a connection that was switched to another protocol, such as WebSocket, may
    /// send anything. `total` ends with the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Self::TUNNEL))]
    pub tunnel: Option<TimeSpan>,
}

impl UpstreamTimeoutsConfig {
    /// `tunnel` where no scope gives one.
    pub const TUNNEL: TimeSpan = TimeSpan::from_secs(300);
    /// `connect` where no scope gives one.
    pub const CONNECT: TimeSpan = TimeSpan::from_secs(5);
    /// `first_byte` where no scope gives one.
    pub const FIRST_BYTE: TimeSpan = TimeSpan::from_secs(60);
    /// `idle` where no scope gives one.
    pub const IDLE: TimeSpan = TimeSpan::from_secs(60);
    /// `total` where no scope gives one.
    pub const TOTAL: Switch<TimeSpan> = Switch::On(TimeSpan::from_secs(3_600));
}
