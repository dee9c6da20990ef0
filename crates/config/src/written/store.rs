//! `store`: where several gateways count together.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{Secret, TimeSpan};

/// Where limits are counted: `memory`, the URL of a Redis or Valkey server, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StoreForm {
    /// `memory`, or a URL such as `redis://10.0.0.7:6379/0` (`rediss` for TLS).
    Url(String),
    /// Written out.
    Full(Box<StoreConfig>),
}

impl StoreForm {
    /// Written out; `None` is the memory of this gateway.
    #[must_use]
    pub fn config(&self) -> Option<StoreConfig> {
        match self {
            Self::Url(url) if url == "memory" => None,
            Self::Url(url) => Some(StoreConfig { url: Some(url.clone()), ..StoreConfig::default() }),
            Self::Full(config) => Some((**config).clone()),
        }
    }
}

/// A Redis or Valkey store. Exactly one of `url`, `cluster` and `sentinel` says where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// One server: `redis://host:6379/0`, or `rediss` for TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// URLs of some servers of a cluster; the others are learnt from them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<String>,
    /// Sentinels that say which server leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentinel: Option<SentinelConfig>,
    /// The ACL user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A file of authorities, or the text itself, in PEM, to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// How long one answer may take before a request is decided without it.
    pub timeout: TimeSpan,
    /// How long a connection may take to be made.
    pub connect_timeout: TimeSpan,
    /// How many gateways share the limits: what each counts alone is divided by it. One when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateways: Option<NonZeroU32>,
    /// What callers are hashed with before they become names of keys. The password when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: None,
            cluster: Vec::new(),
            sentinel: None,
            username: None,
            password: None,
            ca: None,
            timeout: TimeSpan::from_millis(20),
            connect_timeout: TimeSpan::from_secs(2),
            gateways: None,
            key: None,
        }
    }
}

/// Sentinels that say which server leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentinelConfig {
    /// The name under which they watch it.
    pub master: String,
    /// URLs of the sentinels.
    pub nodes: Vec<String>,
}
