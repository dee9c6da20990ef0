//! `security_headers`: what browsers are told to be careful about.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::Switch;

/// Fields that make browsers careful. A field that the service has set stays, unless `overwrite` says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityHeadersConfig {
    /// `Strict-Transport-Security`; only sent over TLS (RFC 6797 section 7.2).
    pub strict_transport_security: Switch<String>,
    /// `X-Content-Type-Options`.
    pub content_type_options: Switch<String>,
    /// `X-Frame-Options`.
    pub frame_options: Switch<String>,
    /// `Referrer-Policy`.
    pub referrer_policy: Switch<String>,
    /// `Content-Security-Policy`.
    pub content_security_policy: Switch<String>,
    /// `Permissions-Policy`.
    pub permissions_policy: Switch<String>,
    /// `Cross-Origin-Opener-Policy`.
    pub cross_origin_opener_policy: Switch<String>,
    /// `Cross-Origin-Resource-Policy`.
    pub cross_origin_resource_policy: Switch<String>,
    /// More fields, by name. One that has a key above takes the place of its default.
    pub others: IndexMap<String, String>,
    /// Fields that are removed from answers, such as `Server` and `X-Powered-By`; of those that have a key above, the
    /// default too.
    pub remove: Vec<String>,
    /// Whether these values replace what the service has set.
    pub overwrite: bool,
}

impl Default for SecurityHeadersConfig {
    fn default() -> Self {
        let on = |value: &str| Switch::On(value.to_owned());
        Self {
            strict_transport_security: on("max-age=31536000"),
            content_type_options: on("nosniff"),
            frame_options: on("SAMEORIGIN"),
            referrer_policy: on("strict-origin-when-cross-origin"),
            content_security_policy: on("frame-ancestors 'self'"),
            permissions_policy: Switch::OFF,
            cross_origin_opener_policy: Switch::OFF,
            cross_origin_resource_policy: Switch::OFF,
            others: IndexMap::new(),
            remove: Vec::new(),
            overwrite: false,
        }
    }
}
