//! `roles`: callers have a role.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::OneOrMany;

/// Roles that callers need: a list of which one is enough, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RolesForm {
    /// One of these is enough.
    Any(OneOrMany<String>),
    /// Written out.
    Full(RolesConfig),
}

/// Roles that callers need.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RolesConfig {
    /// At least one of these. No condition when empty.
    pub any: Vec<String>,
    /// Every one of these.
    pub all: Vec<String>,
}

impl RolesForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RolesConfig {
        match self {
            Self::Any(any) => RolesConfig { any: any.as_slice().to_vec(), all: Vec::new() },
            Self::Full(config) => config.clone(),
        }
    }
}
