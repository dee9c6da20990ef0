//! `ip_restriction`: which addresses may call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::Network;

/// Which addresses may call. The client's address is the one that trusted proxies tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IpRestrictionConfig {
    /// Networks that may. Any, when empty.
    pub allow: Vec<Network>,
    /// Networks that may not, whatever else they are in.
    pub deny: Vec<Network>,
    /// The status of a refusal: 200 to 599. Below 400 it reads as the service's answer, of which `check` warns.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// What a caller who is refused reads; `{address}` stands for the client's address. The gateway's own sentence when
    /// not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Default for IpRestrictionConfig {
    fn default() -> Self {
        Self { allow: Vec::new(), deny: Vec::new(), status: 403, message: None }
    }
}
