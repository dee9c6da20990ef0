//! `basic_auth`: callers show a user name and a password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::TimeSpan;

/// Callers show a user name and a password (RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BasicAuthConfig {
    /// Whether the password is removed before the service sees the request.
    pub hide_credentials: bool,
    /// The realm in `WWW-Authenticate`.
    pub realm: String,
    /// Whether `WWW-Authenticate` says that names and passwords are UTF-8 (`charset`, RFC 7617 section 2.1).
    pub charset: bool,
    /// How long a password that was verified is remembered; slow hashes would cost milliseconds a request.
    pub remember: TimeSpan,
}

impl Default for BasicAuthConfig {
    fn default() -> Self {
        Self {
            hide_credentials: true,
            realm: "torana".into(),
            charset: true,
            remember: TimeSpan::from_secs(300),
        }
    }
}
