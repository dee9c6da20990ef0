//! `request_size`: how long the body of a request may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::ByteSize;

/// How long a body may be: the size alone, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RequestSizeForm {
    /// The size alone.
    Limit(ByteSize),
    /// Written out.
    Full(RequestSizeConfig),
}

/// How long a body may be. A longer one is answered 413.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestSizeConfig {
    /// The longest body, whether its length was declared or it comes in chunks.
    pub limit: ByteSize,
    /// Whether a body without a declared length is refused with 411.
    #[serde(default)]
    pub require_content_length: bool,
}

impl RequestSizeForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RequestSizeConfig {
        match self {
            Self::Limit(limit) => RequestSizeConfig { limit: *limit, require_content_length: false },
            Self::Full(config) => config.clone(),
        }
    }
}
