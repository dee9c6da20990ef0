//! What else happens to a route's requests: a part of them goes elsewhere, twice, late or nowhere.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, Percent, TimeSpan};

use super::{HashKeyForm, OneOrMany};

/// A part of the requests goes to other services than the route's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// The share of each other service; the rest goes to the route's `service`.
    pub to: IndexMap<String, Percent>,
    /// Requests that have the same of something go the same way, as for `balance: { hash }`. Every request
    /// is drawn by itself when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<OneOrMany<HashKeyForm>>,
}

/// A copy of requests goes to another service, whose answers nobody sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MirrorConfig {
    /// Where copies go.
    pub service: String,
    /// Which share of the requests is copied.
    #[serde(default = "MirrorConfig::default_share")]
    pub share: Percent,
    /// Bodies of a known length up to this are copied; requests with longer ones are not.
    #[serde(default = "MirrorConfig::default_body")]
    pub body: ByteSize,
    /// Copies under way at once on each worker. More requests than that are not copied.
    #[serde(default = "MirrorConfig::default_at_once")]
    pub at_once: u32,
    /// How long a copy may take.
    #[serde(default = "MirrorConfig::default_timeout")]
    pub timeout: TimeSpan,
}

impl MirrorConfig {
    const fn default_share() -> Percent {
        Percent::from_percent(100)
    }

    const fn default_body() -> ByteSize {
        ByteSize::from_kib(64)
    }

    const fn default_at_once() -> u32 {
        100
    }

    const fn default_timeout() -> TimeSpan {
        TimeSpan::from_secs(10)
    }
}

/// Faults on purpose, to see what clients do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct FaultsConfig {
    /// A part of the requests waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<FaultDelayConfig>,
    /// A part of the requests is answered with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<FaultAbortConfig>,
    /// The field that a request must have to meet these faults. All do when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

/// A part of the requests waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultDelayConfig {
    /// How long.
    #[serde(rename = "for")]
    pub time: TimeSpan,
    /// Which part.
    #[serde(default = "MirrorConfig::default_share")]
    pub share: Percent,
}

/// A part of the requests is answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultAbortConfig {
    /// Its status, from 400 to 599.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// Which part.
    #[serde(default = "MirrorConfig::default_share")]
    pub share: Percent,
}

impl FaultsConfig {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.delay.is_none() && self.abort.is_none()
    }
}
