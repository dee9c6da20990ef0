//! `rate_limit`: callers make only so many requests.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::Rate;

/// How many requests callers may make: the rate alone, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimitForm {
    /// The rate alone.
    Rate(Rate),
    /// Written out.
    Full(RateLimitConfig),
}

impl RateLimitForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RateLimitConfig {
        match self {
            Self::Rate(limit) => RateLimitConfig {
                limit: *limit,
                burst: None,
                by: LimitKey::default(),
                max_keys: RateLimitConfig::DEFAULT_MAX_KEYS,
            },
            Self::Full(config) => config.clone(),
        }
    }
}

/// How many requests callers may make. More are answered 429.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// How many requests in what period.
    pub limit: Rate,
    /// How many requests may come at once. As many as the limit when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// Who is counted.
    #[serde(default)]
    pub by: LimitKey,
    /// How many callers are remembered at a time.
    #[serde(default = "RateLimitConfig::default_max_keys")]
    pub max_keys: NonZeroU32,
}

impl RateLimitConfig {
    /// `max_keys` where none is written.
    pub const DEFAULT_MAX_KEYS: NonZeroU32 = NonZeroU32::new(100_000).expect("100,000 is not 0");

    const fn default_max_keys() -> NonZeroU32 {
        Self::DEFAULT_MAX_KEYS
    }
}

/// Who is counted by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// The consumer where one is known, else the client address.
    #[default]
    ConsumerOrAddress,
    /// The consumer; requests without one are not counted.
    Consumer,
    /// The client address.
    Address,
}
