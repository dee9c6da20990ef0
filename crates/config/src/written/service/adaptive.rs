//! How many requests a service can work on at once.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{Percent, TimeSpan};

/// Learns how many requests a service can work on at once, on each gateway: as long as answers take as long as
/// they do without a queue the bound grows, and it shrinks when they take longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveConcurrencyConfig {
    /// So many always are let through.
    pub min: NonZeroU32,
    /// Never more than this.
    pub max: NonZeroU32,
    /// The bound at first.
    pub start: NonZeroU32,
    /// By how much answers may take longer than without a queue before the bound shrinks.
    pub headroom: Percent,
    /// How long answers are gathered before the bound is looked at again.
    pub window: TimeSpan,
    /// How often the bound is halved for two windows, to see how long answers take without a queue.
    pub remeasure: TimeSpan,
}

impl Default for AdaptiveConcurrencyConfig {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            min: number(10),
            max: number(1_000),
            start: number(50),
            headroom: Percent::from_percent(25),
            window: TimeSpan::from_millis(100),
            remeasure: TimeSpan::from_secs(30),
        }
    }
}
