//! Which endpoints of a service are asked.

use std::num::{NonZeroU8, NonZeroU32};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{Percent, StatusRange, TimeSpan};

use crate::written::{OneOrMany, Switch, UpstreamTlsConfig};

/// Which endpoints of a service are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Asks every endpoint from time to time whether it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbesConfig>,
    /// Leaves out endpoints that fail requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejection: Option<EjectionConfig>,
    /// For how long an endpoint that comes back, or is new in the configuration, gets less than its share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<TimeSpan>,
    /// When less than this share of the weight is in service, all endpoints are asked: those that are left
    /// could not carry the load. `0%` never does that.
    pub panic_below: Percent,
    /// When no more than this share of the weight is in service, none is asked: requests are answered 503, also
    /// below `panic_below`. `0%` is when nothing is left, and then `panic_below` asks all if it is given.
    pub down_at: Percent,
}

/// Asks every endpoint from time to time whether it works. An endpoint has one prober, however many routes
/// lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProbesConfig {
    /// What is asked.
    pub kind: ProbeKind,
    /// The path of the request.
    pub path: String,
    /// The service that `kind: grpc` asks about. The server as a whole when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The `Host` of the request. The endpoint's own when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Fields of the request: a value each, or a list of values, each sent in a line of its own.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, OneOrMany<String>>,
    /// TLS of the probes alone, where it is another than that of requests: a mapping asks by TLS whatever the
    /// endpoints' URLs say and takes nothing from the service's `tls`, `off` asks in plain text. Without it probes
    /// go as requests do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Switch<UpstreamTlsConfig>>,
    /// Between two questions, drawn from nine tenths to eleven tenths of this; `off` asks no endpoint
    /// that works.
    pub interval: Switch<TimeSpan>,
    /// The same for an endpoint that does not work. `interval` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_interval: Option<Switch<TimeSpan>>,
    /// How long an answer may take.
    pub timeout: TimeSpan,
    /// How many endpoints of the service are asked at the same time; each at its own time when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<NonZeroU32>,
    /// Statuses that speak for the endpoint.
    pub good: Vec<StatusRange>,
    /// Statuses that speak against it. All that are not good, when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<Vec<StatusRange>>,
    /// Text that a good answer contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// So many good answers in a row bring it back. 0: none ever do, the operator has to (`POST
    /// /services/SERVICE/ENDPOINT` at the admin address, with `admin_token`).
    pub healthy_after: u8,
    /// So many failures in a row take it out of service. A kind with 0 never does.
    pub unhealthy_after: FailuresForm,
}

impl Default for ProbesConfig {
    fn default() -> Self {
        Self {
            kind: ProbeKind::Http,
            path: "/".into(),
            service: None,
            host: None,
            headers: IndexMap::new(),
            tls: None,
            interval: Switch::On(TimeSpan::from_secs(5)),
            unhealthy_interval: None,
            timeout: TimeSpan::from_secs(1),
            at_once: None,
            good: vec![StatusRange::new(200, 299)],
            bad: None,
            body: None,
            healthy_after: 2,
            unhealthy_after: FailuresForm::Any(const { NonZeroU8::new(3).expect("3 is not 0") }),
        }
    }
}

/// What is asked of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// A GET request, over TLS where the endpoint's URL or `tls` says so.
    Http,
    /// A connection, and the TLS handshake where the endpoint's URL or `tls` says so.
    Tcp,
    /// `Check` of the service `grpc.health.v1.Health`, by HTTP/2.
    Grpc,
}

/// Failures in a row: one number for each kind, or a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FailuresForm {
    /// The same for every kind.
    Any(NonZeroU8),
    /// Each kind by itself.
    Each(FailuresConfig),
}

/// Failures in a row by kind; 0 does not count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct FailuresConfig {
    /// Bad statuses.
    pub statuses: u8,
    /// Connections that could not be made, or broke.
    pub connections: u8,
    /// Answers that did not come in time.
    pub timeouts: u8,
}

impl FailuresForm {
    /// The number of each kind.
    #[must_use]
    pub const fn each(&self) -> FailuresConfig {
        match self {
            Self::Any(number) => {
                let number = number.get();
                FailuresConfig { statuses: number, connections: number, timeouts: number }
            }
            Self::Each(config) => *config,
        }
    }
}

/// Leaves out endpoints that fail requests, for a time that grows with each ejection in a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EjectionConfig {
    /// So many failures in a row eject an endpoint.
    pub failures: FailuresForm,
    /// Statuses that are failures.
    pub bad: Vec<StatusRange>,
    /// Statuses that end a row of failures.
    pub good: Vec<StatusRange>,
    /// How long the first time, or `off`: until probes find that it works, or the operator says so.
    #[serde(rename = "for")]
    pub eject_for: Switch<TimeSpan>,
    /// How long at most.
    pub at_most: TimeSpan,
    /// The share of the service's weight that may be ejected at once. One endpoint may always be, but never the last
    /// that serves, whatever keeps the others from it. `100%` ejects that too.
    pub max_share: Percent,
}

impl Default for EjectionConfig {
    fn default() -> Self {
        Self {
            failures: FailuresForm::Any(const { NonZeroU8::new(5).expect("5 is not 0") }),
            bad: vec![StatusRange::new(500, 599)],
            good: vec![StatusRange::new(100, 499)],
            eject_for: Switch::On(TimeSpan::from_secs(30)),
            at_most: TimeSpan::from_secs(300),
            max_share: Percent::from_percent(50),
        }
    }
}
