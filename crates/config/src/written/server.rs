//! The side that clients see: deadlines, bounds, logging, what services are told.

use std::num::{NonZeroU16, NonZeroU32};

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
    /// Between two pieces of a request body.
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
    /// Bytes of a request head: the request line and all fields. More is answered 431.
    pub head_bytes: ByteSize,
    /// Fields in a request head. More is answered 431.
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
    /// `stdout`, or the path of a file that lines are added to.
    pub to: String,
    /// Whether the query of the target is logged. It often holds what should not be kept.
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
