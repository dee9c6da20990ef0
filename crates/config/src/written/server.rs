//! The side that clients see: deadlines, bounds, logging, what services are told.

use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, Rate, TimeSpan};

use super::Switch;

/// How long clients may take. Each ends the connection when it runs out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTimeoutsConfig {
    /// For the handshake of a new connection, where there is one.
    pub handshake: TimeSpan,
    /// From the first byte of a request until its head is complete.
    pub head: TimeSpan,
    /// Between two pieces of a request body, until the answer begins. Calls of gRPC to services of HTTP/2 may pause from
    /// their beginning.
    pub body: TimeSpan,
    /// Between two requests on one connection.
    pub keep_alive: TimeSpan,
    /// For a client to take more of the response.
    pub write: TimeSpan,
    /// For the answer to make progress once the client has ended its side of the connection after a whole
    /// request. It may still be waiting, or be gone: then the request is cancelled.
    pub half_close: TimeSpan,
}

impl Default for ServerTimeoutsConfig {
    fn default() -> Self {
        Self {
            handshake: TimeSpan::from_secs(10),
            head: TimeSpan::from_secs(10),
            body: TimeSpan::from_secs(30),
            keep_alive: TimeSpan::from_secs(75),
            write: TimeSpan::from_secs(30),
            half_close: TimeSpan::from_secs(5),
        }
    }
}

/// How much clients may send.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of a request head: the request line and all fields, at most `64KiB`. More is answered 431.
    pub head_bytes: ByteSize,
    /// Fields in a request head. More is answered 431.
    #[schemars(range(min = 1, max = LimitsConfig::MOST_FIELDS))]
    pub header_count: NonZeroU16,
    /// Bytes of a request target. More is answered 414.
    pub target_bytes: ByteSize,
    /// Bytes of a request body, or `off` for any length. More is answered 413.
    pub body_bytes: Switch<ByteSize>,
    /// Bytes a second that a client must send of a body, or take of a response, or `off`. The average over
    /// the time that the client is waited for counts, with `timeouts.body` or `timeouts.write` as grace, so
    /// that a drip cannot hold a connection.
    pub min_rate: Switch<ByteSize>,
    /// Wrong credentials from one client address, or `off` for any number. When they are used up, only
    /// callers who are known already are served from there; others are answered 429.
    pub failed_credentials: Switch<Rate>,
    /// Connections of clients in all, or `off` for any number. Three quarters of the file descriptors that the
    /// system gives the process, less a reserve, when not given. More are closed as they are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Switch<NonZeroU32>>,
    /// Connections from one client address, or `off` for any number. Half of `connections` when not given. The
    /// address is the one that a PROXY header names, where there is one; `trusted_proxies` are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_per_address: Option<Switch<NonZeroU32>>,
    /// How many leading bits of an IPv6 address make a client for `connections_per_address`.
    pub ipv6_prefix: NonZeroU8,
    /// Bytes of bodies that are held in memory for all requests together, or `off` for any number. Requests
    /// beyond it whose bodies must be held are answered 503.
    pub buffered_bytes: Switch<ByteSize>,
    /// When requests wait longer than this before a worker gets to them, the least important ones are answered
    /// 503: a time, a mapping, or `off`.
    pub queue_delay: Switch<QueueDelayForm>,
}

impl LimitsConfig {
    /// The most that `header_count` may be: what a head by HTTP/1 has room for.
    pub const MOST_FIELDS: u16 = 256;
    /// The most that `head_bytes` may be: beyond it, a head by HTTP/2 takes more frames than one may.
    pub const LARGEST_HEAD: ByteSize = ByteSize::from_kib(64);
    /// The least `queue_delay.target`: what is shorter cannot be told from the turns of a quiet worker.
    pub const SHORTEST_TARGET: TimeSpan = TimeSpan::from_millis(5);
}

/// When requests wait too long: the time alone, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum QueueDelayForm {
    /// The target; everything else as by default.
    Target(TimeSpan),
    /// Written out.
    Full(QueueDelayConfig),
}

impl QueueDelayForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> QueueDelayConfig {
        match self {
            Self::Target(target) => QueueDelayConfig { target: *target, ..QueueDelayConfig::default() },
            Self::Full(config) => *config,
        }
    }
}

/// When requests wait too long before a worker gets to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueDelayConfig {
    /// Waiting longer than this is too long.
    pub target: TimeSpan,
    /// For so long the wait must not have been shorter, not even once, before requests are refused.
    pub interval: TimeSpan,
}

impl Default for QueueDelayConfig {
    fn default() -> Self {
        Self { target: TimeSpan::from_millis(50), interval: TimeSpan::from_millis(100) }
    }
}

/// `failed_credentials` where none is written: more than a person's slips, too few to guess anything.
const DEFAULT_FAILED_CREDENTIALS: Rate =
    Rate::new(const { NonZeroU32::new(60).expect("60 is not 0") }, TimeSpan::from_secs(60))
        .expect("a minute is not 0");

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            head_bytes: ByteSize::from_kib(32),
            header_count: const { NonZeroU16::new(100).expect("100 is not 0") },
            target_bytes: ByteSize::from_kib(8),
            body_bytes: Switch::OFF,
            min_rate: Switch::On(ByteSize::from_bytes(240)),
            failed_credentials: Switch::On(DEFAULT_FAILED_CREDENTIALS),
            connections: None,
            connections_per_address: None,
            ipv6_prefix: const { NonZeroU8::new(64).expect("64 is not 0") },
            buffered_bytes: Switch::On(ByteSize::from_mib(512)),
            queue_delay: Switch::OFF,
        }
    }
}

/// A line for every request: the format alone, or all of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AccessLogForm {
    /// The format; everything else as by default.
    Format(AccessLogFormat),
    /// All of it.
    Full(AccessLogConfig),
}

impl AccessLogForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> AccessLogConfig {
        match self {
            Self::Format(format) => AccessLogConfig { format: *format, ..AccessLogConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}

impl Default for Switch<AccessLogForm> {
    fn default() -> Self {
        Self::On(AccessLogForm::Full(AccessLogConfig::default()))
    }
}

/// How requests are logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLogConfig {
    /// How a line looks.
    pub format: AccessLogFormat,
    /// `stdout`, or the path of a file that lines are added to; a relative one is meant from the configuration file's folder.
    pub to: String,
    /// Whether queries are logged, of the target and of `Referer`. They often hold what should not be kept.
    pub query: bool,
}

impl Default for AccessLogConfig {
    fn default() -> Self {
        Self { format: AccessLogFormat::Json, to: "stdout".into(), query: false }
    }
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessLogFormat {
    /// One JSON object on each line.
    Json,
    /// Columns for people.
    Human,
}

/// What services are told about the client and the way the request took.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardedConfig {
    /// Whether to send `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
    pub x_forwarded: bool,
    /// Whether to send `Forwarded` (RFC 7239).
    pub forwarded: bool,
    /// The name of this gateway in `Via` (RFC 9110 section 7.6.3), or `off` to add none.
    pub via: Switch<String>,
}

impl Default for ForwardedConfig {
    fn default() -> Self {
        Self { x_forwarded: true, forwarded: false, via: Switch::On("torana".into()) }
    }
}

/// An identifier for every request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestIdConfig {
    /// The field that carries it, or `off` to send none.
    pub header: Switch<String>,
    /// Whether an identifier that came with the request is kept. Otherwise it is replaced.
    pub trust_incoming: bool,
}

impl Default for RequestIdConfig {
    fn default() -> Self {
        Self { header: Switch::On("X-Request-Id".into()), trust_incoming: false }
    }
}

/// How request paths are read. `.` and `..` are always resolved, for matching and forwarding alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PathsConfig {
    /// What to do with `%2F`, which one program reads as a separator and the next does not.
    pub encoded_slashes: EncodedSlashes,
}

/// What to do with `X-HTTP-Method-Override`, `X-HTTP-Method` and `X-Method-Override`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum MethodOverrides {
    /// Remove them. The safe choice: a request is routed and authorised by the method that it has.
    #[default]
    Remove,
    /// Let them through. Rules of `roles` and `allow_if` must then hold for the method that they name too, and a
    /// request that would be another route's by it, or no route's, is refused; other policies look at its own.
    Forward,
}

/// What to do with an encoded slash in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum EncodedSlashes {
    /// Answer 400. The safe choice: services may take it for a separator and escape their route.
    #[default]
    Reject,
    /// Keep it encoded, as a character of its segment.
    Keep,
}
