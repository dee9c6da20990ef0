//! `key_auth`: callers show a key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::ByteSize;

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
    /// Members of a form (URL-encoded or multipart) or of a JSON object in the body. It is looked into also where a
    /// key is elsewhere: another one in it is refused.
    pub body: Vec<String>,
    /// The longest body that is read to be looked at. A longer one is answered 413.
    pub max_body: ByteSize,
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
            body: Vec::new(),
            max_body: ByteSize::from_mib(1),
            hide_credentials: true,
            realm: String::new(),
        }
    }
}
