//! How an endpoint is chosen: a word, or a mapping.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{Percent, Secret, TimeSpan};

use super::Balance;
use crate::written::{OneOrMany, Switch};

/// How to choose an endpoint: an algorithm, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BalanceForm {
    /// An algorithm.
    Word(Balance),
    /// More than that.
    Full(Box<BalanceConfig>),
}

/// How to choose an endpoint. At most one of `by` and `hash` is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct BalanceConfig {
    /// The algorithm. `weighted` when an endpoint has a weight, else `round_robin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Balance>,
    /// Requests that have the same of something go to the same endpoint: what, or a list of which the first
    /// that a request has counts. A request that has none of them goes to any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<OneOrMany<HashKeyForm>>,
    /// Where keys go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<HashTable>,
    /// A client stays with the endpoint that it has had, by a signed cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<StickyConfig>,
    /// Endpoints of the gateway's own zone come first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneConfig>,
}

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum HashTable {
    /// To the next point on a ring (ketama): an endpoint that leaves moves its own keys alone.
    #[default]
    Ring,
    /// To a slot of a table: more even, and a few more keys move.
    Maglev,
}

/// What of a request counts: a word, or a mapping with one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HashKeyForm {
    /// Something that every request may have.
    Word(HashWord),
    /// Something with a name.
    Full(HashKeyConfig),
}

/// Something that every request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashWord {
    /// The client's address.
    Address,
    /// The consumer that an authentication policy has found.
    Consumer,
    /// The path.
    Path,
}

/// Something of a request with a name. Exactly one of `header`, `cookie`, `argument` and `segment` is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct HashKeyConfig {
    /// The first value of a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The value of a cookie. A client that has none is given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// The path of that cookie, `/` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie_path: Option<String>,
    /// The values of a query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// A segment of the path, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<u16>,
}

/// A client stays with the endpoint that it has had, as long as that is in service, also while it is drained.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StickyConfig {
    /// The name of the cookie.
    pub cookie: String,
    /// What the cookie is signed with, so that no client chooses its endpoint; the same on every gateway. At
    /// least 32 bytes.
    pub secret: Secret,
    /// How long the client keeps the cookie. To the end of its session when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<TimeSpan>,
    /// The path of the cookie.
    #[serde(default = "StickyConfig::default_path")]
    pub path: String,
}

impl StickyConfig {
    fn default_path() -> String {
        "/".into()
    }
}

/// Endpoints of the gateway's own zone come first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneConfig {
    /// The zone of this gateway, as the endpoints' `zone` names it. `off` prefers none.
    pub own: Switch<String>,
    /// With less than this share of the own zone's weight in service, all zones are asked.
    #[serde(default = "ZoneConfig::default_at_least")]
    pub at_least: Percent,
}

impl ZoneConfig {
    const fn default_at_least() -> Percent {
        Percent::from_percent(50)
    }
}
