//! `rate_limit` and `rate_limits`: callers make only so many requests.

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroU32};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::Rate;

use crate::written::{OneOrMany, Switch};

/// Limits by name. Each is a policy of its own: a narrower scope replaces or switches off one by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(transparent)]
pub struct RateLimitsConfig(pub BTreeMap<String, Switch<RateLimitForm>>);

/// How many requests callers may make: a rate, several of which all must agree, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimitForm {
    /// The rate alone.
    Rate(Rate),
    /// Several rates, decided together.
    Rates(Vec<Rate>),
    /// Written out.
    Full(Box<RateLimitConfig>),
}

impl RateLimitForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RateLimitConfig {
        let limits = match self {
            Self::Rate(rate) => OneOrMany::One(WindowForm::Rate(*rate)),
            Self::Rates(rates) => OneOrMany::Many(rates.iter().copied().map(WindowForm::Rate).collect()),
            Self::Full(config) => return (**config).clone(),
        };
        RateLimitConfig { limit: Some(limits), ..RateLimitConfig::default() }
    }
}

/// How many requests callers may make. More are answered 429.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitConfig {
    /// How many requests in what period; a list is decided together, so that what one of them refuses is not
    /// taken from the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<OneOrMany<WindowForm>>,
    /// How many requests may come at once, for every rate that does not say it itself. As many as the limit
    /// when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// How the period is meant, for every rate that does not say it itself: a `steady` pace for periods below
    /// a day, `fixed` ones from a day on, when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowKind>,
    /// How many requests may be under way at the same time, on each machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU32>,
    /// Who is counted. A list is one key: every part must be the same.
    pub by: OneOrMany<LimitKeyForm>,
    /// What happens to a request that has no such key.
    pub missing: MissingKey,
    /// How many leading bits of an IPv6 address make a client.
    pub ipv6_prefix: NonZeroU8,
    /// What a request takes.
    pub cost: CostForm,
    /// Whether refused requests take something too.
    pub count_refused: bool,
    /// How the gateways that share the store count together: `leased` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<LimitMode>,
    /// What happens to requests while the store does not answer: `local_share` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_store_fails: Option<StoreFailure>,
    /// Requests are counted and logged, but never refused.
    pub shadow: bool,
    /// What callers are told.
    pub headers: LimitHeaders,
    /// How many callers are remembered at a time.
    pub max_keys: NonZeroU32,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            limit: None,
            burst: None,
            window: None,
            concurrency: None,
            by: OneOrMany::One(LimitKeyForm::Word(LimitKey::ConsumerOrAddress)),
            missing: MissingKey::Address,
            ipv6_prefix: NonZeroU8::new(64).expect("64 is not 0"),
            cost: CostForm::Requests(NonZeroU32::MIN),
            count_refused: false,
            mode: None,
            when_store_fails: None,
            shadow: false,
            headers: LimitHeaders::Standard,
            max_keys: NonZeroU32::new(100_000).expect("100,000 is not 0"),
        }
    }
}

/// A rate, alone or with how its period is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WindowForm {
    /// The rate alone.
    Rate(Rate),
    /// Written out.
    Full(WindowConfig),
}

impl WindowForm {
    /// Written out.
    #[must_use]
    pub const fn config(&self) -> WindowConfig {
        match self {
            Self::Rate(rate) => WindowConfig { rate: *rate, burst: None, window: None },
            Self::Full(config) => *config,
        }
    }
}

/// A rate and how its period is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// How many requests in what period.
    pub rate: Rate,
    /// How many requests may come at once; for a `steady` pace only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// How the period is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowKind>,
}

/// How the period of a rate is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// A pace with a burst (GCRA).
    Steady,
    /// Whole seconds, minutes, hours, days, months or years of UTC.
    Fixed,
    /// Any stretch of that length.
    Sliding,
}

impl WindowKind {
    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Fixed => "fixed",
            Self::Sliding => "sliding",
        }
    }
}

/// Who is counted: a word, or what is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LimitKeyForm {
    /// What a request has but once.
    Word(LimitKey),
    /// One of many, by its name.
    Named(NamedKey),
}

/// Who is counted by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// The consumer where one is known, else the client address: also of whoever is taken for the `anonymous` consumer.
    ConsumerOrAddress,
    /// The consumer.
    Consumer,
    /// The credential that was shown.
    Credential,
    /// The first group of the consumer.
    Group,
    /// The client address.
    Address,
    /// The route: everybody on it together.
    Route,
    /// The service: everybody who uses it together.
    Service,
    /// Everybody together.
    Everybody,
}

/// Exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NamedKey {
    /// The value of this request field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// This claim of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// What stands in the path where the route's pattern names it: `{tenant}`, `{rest...}`, a named group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The value of an expression (CEL) over the request and its caller; its kind is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Everybody who asks for exactly this path together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What happens to a request without the key of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingKey {
    /// It is counted by its client address.
    Address,
    /// It is not counted.
    Skip,
}

/// What a request takes: a number, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CostForm {
    /// Each the same.
    Requests(NonZeroU32),
    /// As somebody says.
    Said(CostConfig),
}

/// What a request takes, as the request or its response says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CostConfig {
    /// The request field that says it: one that a filter before this one, or a trusted proxy, has set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_header: Option<String>,
    /// The response field that says what the request has cost; beyond what was taken it is charged afterwards, and owed
    /// where it is no longer there. The field is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_header: Option<String>,
    /// What is taken where the request says nothing.
    pub default: NonZeroU32,
    /// The most that one request can be said to cost.
    pub most: NonZeroU32,
}

impl Default for CostConfig {
    fn default() -> Self {
        let most = NonZeroU32::new(1_000_000).expect("a million is not 0");
        Self { request_header: None, response_header: None, default: NonZeroU32::MIN, most }
    }
}

/// What callers are told about where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitHeaders {
    /// `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`.
    Standard,
    /// `RateLimit` and `RateLimit-Policy`, the structured form of draft-ietf-httpapi-ratelimit-headers.
    Draft,
    /// Kong's: `X-RateLimit-Limit-Minute` and so on for each window, and the three of `standard`.
    Kong,
    /// Nothing but `Retry-After` on a refusal.
    Off,
}

/// How gateways that share a store count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitMode {
    /// The store is asked for every request.
    Exact,
    /// Each takes batches of permits from the store before it uses them.
    Leased,
    /// Each counts its share alone.
    Local,
}

/// What happens to requests while the store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreFailure {
    /// They pass uncounted.
    Open,
    /// They are refused with 503.
    Closed,
    /// Each gateway counts its share of the limit alone.
    LocalShare,
}
