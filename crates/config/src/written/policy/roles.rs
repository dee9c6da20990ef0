//! `roles`: callers have a role, on the whole scope or by path and method.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::OneOrMany;

/// Roles that callers need: a list of which one is enough, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RolesForm {
    /// One of these is enough.
    Any(OneOrMany<String>),
    /// Written out.
    Full(RolesConfig),
}

/// Roles that callers need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RolesConfig {
    /// At least one of these, where no rule says otherwise. No condition when empty.
    pub any: Vec<String>,
    /// Every one of these, where no rule says otherwise.
    pub all: Vec<String>,
    /// Where the caller's roles stand: `roles` is what the credential says, `groups` are those of the
    /// consumer and of the credential, and `claims.realm_access.roles` is a claim by its path. `roles`
    /// when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<OneOrMany<String>>,
    /// What paths ask for, by pattern: `/api/users/*/profile`, or `DELETE /api/orders/*` for a method. The
    /// most specific pattern decides, and what any pattern denies is denied.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub rules: IndexMap<String, RuleForm>,
}

/// What a path asks for: a role, a list of which one is enough, the word `deny` or `anyone`, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RuleForm {
    /// Without regard to roles.
    Word(RuleWord),
    /// One of these is enough.
    Any(OneOrMany<String>),
    /// Written out.
    Full(RuleConfig),
}

/// A rule without regard to roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleWord {
    /// Nobody passes, whatever other rules say.
    Deny,
    /// Every caller passes who is known.
    Anyone,
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// At least one of these. No condition when empty.
    pub any: Vec<String>,
    /// Every one of these.
    pub all: Vec<String>,
    /// None of these, whatever more specific rules say.
    pub deny: Vec<String>,
}

impl RolesForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> RolesConfig {
        match self {
            Self::Any(any) => RolesConfig { any: any.as_slice().to_vec(), ..RolesConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}
