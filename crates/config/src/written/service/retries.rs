//! When a request is sent again.

use std::num::{NonZeroU8, NonZeroU16};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, Percent, StatusRange, TimeSpan};

use crate::written::Switch;

/// When a request is sent again, and to whom.
///
/// Where no connection could be made nothing was sent, so another endpoint is tried whatever the method.
/// All else is tried again only for requests that may be sent twice: those with an idempotent method, with a
/// method of `methods`, or with an `idempotency_key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetriesConfig {
    /// Tries in all, the first included. 1 tries once.
    pub attempts: NonZeroU16,
    /// What is tried again besides connections that cannot be made: `reset` (the connection broke before
    /// an answer), `timeout` (no answer in time), and statuses.
    pub on: Vec<RetryOn>,
    /// Methods besides the idempotent ones whose requests may be sent twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The field whose presence says that a request may be sent twice, whatever its method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How long one try may take until the first byte of its answer. `first_byte` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<TimeSpan>,
    /// Waits before tries after the first; to another endpoint after a failed connection there is none.
    pub backoff: BackoffConfig,
    /// How much of the service's work may be retries, or `off` for no bound.
    pub budget: Switch<RetryBudgetConfig>,
    /// Request bodies of a known length up to this are kept until an answer comes, so that they can be sent
    /// again, where the request may be. `off` keeps none.
    pub keep_body: Switch<ByteSize>,
    /// Asks another endpoint as well when the first takes long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<HedgeConfig>,
}

impl Default for RetriesConfig {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU16::new(3).expect("3 is not 0") },
            on: vec![RetryOn::Event(RetryEvent::Reset)],
            methods: Vec::new(),
            idempotency_key: None,
            per_try_timeout: None,
            backoff: BackoffConfig::default(),
            budget: Switch::On(RetryBudgetConfig::default()),
            keep_body: Switch::OFF,
            hedge: None,
        }
    }
}

/// Asks another endpoint as well when no answer has begun after a while; the first answer is taken and the
/// other try is cancelled. Only for requests that may be sent twice, within `attempts` and `budget`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeConfig {
    /// How long an answer may take to begin before another endpoint is asked.
    pub after: TimeSpan,
    /// How many endpoints are asked at the same time, from 2 to 4.
    #[serde(default = "two")]
    pub at_once: NonZeroU8,
}

const fn two() -> NonZeroU8 {
    const { NonZeroU8::new(2).expect("2 is not 0") }
}

/// Something after which a request is sent again: an event, or a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RetryOn {
    /// An event.
    Event(RetryEvent),
    /// The service answers with such a status.
    Status(StatusRange),
}

/// Something that happens to a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryEvent {
    /// The connection broke before an answer, or within one of which nothing had left the gateway yet.
    Reset,
    /// No answer came in time.
    Timeout,
}

/// Waits before retries: the n-th is drawn evenly from nothing to `base` times 2 to the n, at most `max`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// The longest first wait.
    pub base: TimeSpan,
    /// The longest wait of all.
    pub max: TimeSpan,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { base: TimeSpan::from_millis(25), max: TimeSpan::from_millis(250) }
    }
}

/// How much of the service's work may be retries at any moment, over all workers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudgetConfig {
    /// The share of the requests under way that may be retries.
    pub share: Percent,
    /// Retries at once that are allowed however few requests are under way.
    pub minimum: u32,
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self { share: Percent::from_percent(20), minimum: 10 }
    }
}
