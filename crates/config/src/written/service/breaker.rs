//! The circuit breaker of a service.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, Percent, StatusRange, TimeSpan};

use crate::written::RespondConfig;

/// Stops asking a service that fails, for all its routes together: while it is open requests are answered
/// 503 with `Retry-After` at once, then a few of them try whether the service works again.
///
/// Without `failures` and without `window` it opens after five failures in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// It opens after this many failures in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<NonZeroU32>,
    /// It opens when too many of the recent requests failed or were slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<BreakerWindowConfig>,
    /// How long it stays open.
    pub open_for: TimeSpan,
    /// How many requests must then succeed before it closes. Only so many are let through.
    pub trials: NonZeroU32,
    /// What counts as a failure: `connection` (none could be made, or it broke), `timeout`, and statuses.
    /// A client that goes away never counts.
    pub on: Vec<BreakerOn>,
    /// While it is open, GET and HEAD get the last good answer to the same question, where such may be reused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<StaleConfig>,
    /// What is answered while it is open, instead of 503; with `stale`, where no answer is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<RespondConfig>,
}

impl BreakerConfig {
    /// `failures` where neither that nor `window` is given.
    pub const FAILURES: NonZeroU32 = const { NonZeroU32::new(5).expect("5 is not 0") };
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: None,
            window: None,
            open_for: TimeSpan::from_secs(30),
            trials: const { NonZeroU32::new(3).expect("3 is not 0") },
            on: vec![
                BreakerOn::Event(BreakerEvent::Connection),
                BreakerOn::Event(BreakerEvent::Timeout),
                BreakerOn::Status(StatusRange::new(500, 599)),
            ],
            stale: None,
            fallback: None,
        }
    }
}

/// Answers that are kept for the time when a service is not asked, as a shared cache may keep them (RFC 9111): 200
/// to GET that says `public`, `max-age` or `Expires`. To requests that show who calls only `public` ones are given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StaleConfig {
    /// How long past its freshness an answer may be given, unless it says so itself (`stale-if-error`, RFC 5861).
    #[serde(rename = "for")]
    pub grace: TimeSpan,
    /// What all kept answers of the service may take; the least recently used go first.
    pub memory: ByteSize,
    /// A longer body is not kept.
    pub largest: ByteSize,
    /// Whether answers are kept that say nothing at all about caching, of requests that show nobody.
    pub unmarked: bool,
}

impl Default for StaleConfig {
    fn default() -> Self {
        Self {
            grace: TimeSpan::from_secs(10 * 60),
            memory: ByteSize::from_mib(16),
            largest: ByteSize::from_kib(256),
            unmarked: false,
        }
    }
}

/// When too many of the recent requests failed or were slow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerWindowConfig {
    /// How far back is looked.
    pub length: TimeSpan,
    /// With fewer requests in the window nothing is concluded.
    pub minimum: u32,
    /// It opens when this share of them failed.
    pub failure_share: Percent,
    /// It opens when this share of them took longer than `slow_after` to the first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_share: Option<Percent>,
    /// What is slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_after: Option<TimeSpan>,
}

impl Default for BreakerWindowConfig {
    fn default() -> Self {
        Self {
            length: TimeSpan::from_secs(10),
            minimum: 20,
            failure_share: Percent::from_percent(50),
            slow_share: None,
            slow_after: None,
        }
    }
}

/// Something that counts as a failure: an event, or a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BreakerOn {
    /// An event.
    Event(BreakerEvent),
    /// The service answers with such a status.
    Status(StatusRange),
}

/// Something that counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerEvent {
    /// No connection could be made, it broke, or what came was not HTTP.
    Connection,
    /// No answer came in time.
    Timeout,
}
