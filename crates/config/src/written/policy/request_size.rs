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
    /// Which requests are refused with 411 because no length is declared.
    #[serde(default)]
    pub require_content_length: DeclaredLength,
    /// Whether a request that waits for `100 Continue` is answered 417 in place of 413, as Kong does.
    #[serde(default)]
    pub expectation_failed: bool,
}

/// Which requests have to declare the length of their body: `false` for none, `true` for those with a body, so that none
/// comes in chunks, or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DeclaredLength {
    /// None, or those with a body.
    Bodies(bool),
    /// Others.
    Word(DeclaredLengthWord),
}

/// Which requests have to declare the length of their body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredLengthWord {
    /// All but those whose body comes in chunks, those without a body too: Kong's `require_content_length`.
    UnlessChunked,
}

impl Default for DeclaredLength {
    fn default() -> Self {
        Self::Bodies(false)
    }
}

impl RequestSizeForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RequestSizeConfig {
        match self {
            Self::Limit(limit) => RequestSizeConfig {
                limit: *limit,
                require_content_length: DeclaredLength::default(),
                expectation_failed: false,
            },
            Self::Full(config) => config.clone(),
        }
    }
}
