//! `acl`: callers belong to a group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::OneOrMany;

/// Groups that may pass: a list of which one is enough, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AclForm {
    /// One of these is enough.
    Allow(OneOrMany<String>),
    /// Written out.
    Full(AclConfig),
}

/// Groups that may pass, and groups that may not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AclConfig {
    /// Callers in one of these pass. Every caller who is known, when empty.
    pub allow: Vec<String>,
    /// Callers in one of these do not pass, whatever else they are in.
    pub deny: Vec<String>,
    /// Which groups of a caller count.
    pub groups: AclGroups,
    /// Whether services receive the caller's groups, in `X-Consumer-Groups` or `X-Authenticated-Groups`.
    pub send_groups: bool,
}

/// Which groups of a caller count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum AclGroups {
    /// Those of the consumer and those that the credential vouches for.
    #[default]
    Both,
    /// Those of the consumer alone.
    Consumer,
    /// Those that the credential vouches for alone.
    Authenticated,
    /// Those of a consumer who has shown who it is. Without one, or with the anonymous one: those that were vouched for,
    /// or the anonymous one's own where there are none. As Kong has it.
    ConsumerElseAuthenticated,
    /// Those that were vouched for, or those of the consumer where there are none. As Kong has it with
    /// `always_use_authenticated_groups`.
    AuthenticatedElseConsumer,
}

impl AclForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> AclConfig {
        match self {
            Self::Allow(allow) => AclConfig { allow: allow.as_slice().to_vec(), ..AclConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}
