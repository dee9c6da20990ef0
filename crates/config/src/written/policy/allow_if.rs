//! `allow_if`: conditions over the request, the caller and the time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::OneOrMany;

/// Expressions that must hold: one, a list of which each must, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AllowIfForm {
    /// Each of these holds.
    All(OneOrMany<String>),
    /// Written out.
    Full(AllowIfConfig),
}

/// Expressions (CEL) that decide whether a request is served.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AllowIfConfig {
    /// Each of these holds.
    pub all: Vec<String>,
    /// One of these holds. No condition when empty.
    pub any: Vec<String>,
    /// None of these holds, whatever the others say.
    pub deny: Vec<String>,
}

impl AllowIfForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> AllowIfConfig {
        match self {
            Self::All(all) => AllowIfConfig { all: all.as_slice().to_vec(), ..AllowIfConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}
