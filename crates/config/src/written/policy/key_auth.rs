//! `key_auth`: callers show a key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Callers show a key of a consumer. Different keys in one request are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyAuthConfig {
    /// Header fields.
    pub headers: Vec<String>,
    /// Query parameters. They end up in logs of clients and services: better not.
    pub query: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
    /// Whether the key is removed before the service sees the request.
    pub hide_credentials: bool,
    /// The realm in `WWW-Authenticate`; left out when empty.
    pub realm: String,
}

impl Default for KeyAuthConfig {
    fn default() -> Self {
        Self {
            headers: vec!["apikey".into()],
            query: Vec::new(),
            cookies: Vec::new(),
            hide_credentials: true,
            realm: String::new(),
        }
    }
}
