//! `auth`: how several ways to say who calls go together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How several ways to say who calls go together: a word, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AuthForm {
    /// `any` or `all`.
    Word(AuthRequire),
    /// Written out.
    Full(AuthConfig),
}

impl AuthForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> AuthConfig {
        match self {
            Self::Word(require) => AuthConfig { require: *require, ..AuthConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}

/// How many of the ways to say who calls must succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum AuthRequire {
    /// Every one; the last one says who calls.
    #[default]
    All,
    /// One; the first that succeeds says who calls, the others are not asked.
    Any,
}

/// How several ways to say who calls go together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// How many must succeed.
    pub require: AuthRequire,
    /// Who a caller is taken for when no credential is accepted: a consumer by its identifier or user name.
    /// The request is refused when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<String>,
    /// Whether a CORS preflight must say who calls too. Browsers send none with credentials.
    pub preflight: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { require: AuthRequire::default(), anonymous: None, preflight: true }
    }
}
