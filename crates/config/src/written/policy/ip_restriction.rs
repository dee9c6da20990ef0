//! `ip_restriction`: which addresses may call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::Network;

/// Which addresses may call. The client's address is the one that trusted proxies tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct IpRestrictionConfig {
    /// Networks that may. Any, when empty.
    pub allow: Vec<Network>,
    /// Networks that may not, whatever else they are in.
    pub deny: Vec<Network>,
}
