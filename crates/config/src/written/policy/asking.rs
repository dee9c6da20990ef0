//! What policies that ask another service have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The method of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AskMethod {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// The method of the request itself; POST for one that is not among those of RFC 9110.
    #[serde(rename = "original")]
    Original,
}

/// What becomes of a request when the service that is asked does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum AskFailure {
    /// 503: nobody passes unasked.
    #[default]
    Deny,
    /// It passes as that of a caller whom nobody knows. Whoever can make the service fail gets in.
    Allow,
}

/// Whether the name of a caller is looked up among `consumers`, by user name, identifier and custom
/// identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerLookup {
    /// The name stands for itself.
    #[default]
    Off,
    /// A caller who is a consumer has its groups and is told to services as such. Only where the names that
    /// are given out cannot be chosen by callers.
    Optional,
    /// A caller who is no consumer is refused.
    Required,
}
