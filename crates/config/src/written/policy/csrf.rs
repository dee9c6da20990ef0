//! `csrf`: requests that another site made a browser send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Refuses requests that change something and that a browser was made to send by another site.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct CsrfConfig {
    /// Other origins that may: `https://app.example.com`.
    pub allow_origins: Vec<String>,
    /// Whether sites of the same registrable domain may (`Sec-Fetch-Site: same-site`).
    pub allow_same_site: bool,
    /// Methods that change nothing, beside GET, HEAD and OPTIONS.
    pub safe_methods: Vec<String>,
}
