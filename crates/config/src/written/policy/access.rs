//! `access`: whether a route may be reached without saying who calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether callers have to say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessConfig {
    /// Anybody is served: what wider scopes ask about the caller does not hold here.
    Public,
    /// Nobody is served whom no policy knows. So is every route, once any of them says who calls.
    Protected,
}
