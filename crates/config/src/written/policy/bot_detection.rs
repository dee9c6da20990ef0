//! `bot_detection`: programs that say what they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Refuses programs by what they call themselves in `User-Agent`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BotDetectionConfig {
    /// Regular expressions: whoever matches one passes, whatever else is said.
    pub allow: Vec<String>,
    /// Regular expressions: whoever matches one is refused.
    pub deny: Vec<String>,
    /// Whether the crawlers, scripts and libraries are refused that the gateway knows.
    pub known: bool,
    /// Whether a request without `User-Agent` is refused.
    pub require_user_agent: bool,
}

impl Default for BotDetectionConfig {
    fn default() -> Self {
        Self { allow: Vec::new(), deny: Vec::new(), known: true, require_user_agent: false }
    }
}
