//! `cors`: what pages of other origins may do (the Fetch standard).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::TimeSpan;

use crate::written::{On, OneOrMany};

/// Origins whose pages may read answers: one, a list, or a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CorsForm {
    /// Every default: the pages of every origin.
    On(On),
    /// These origins, and every default.
    Origins(OneOrMany<String>),
    /// Written out.
    Full(CorsConfig),
}

/// What pages of other origins may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// Origins: `https://app.example.com`, `https://*.example.com` for every name below it, `*` for every
    /// origin, or `~` and a regular expression for the whole origin.
    pub origins: OneOrMany<String>,
    /// Methods that a page may use.
    pub methods: Vec<String>,
    /// Fields that a page may send. Those that it asks for, when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<String>>,
    /// Fields of the answer that a page may read, beside those that every page may.
    pub exposed_headers: Vec<String>,
    /// How long a browser remembers what a preflight said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<TimeSpan>,
    /// Whether a page may send cookies and credentials of the browser. Not with `*`, unless
    /// `credentials_for_everybody` says so.
    pub credentials: bool,
    /// With `*` and `credentials`, whether every page may act for its visitor: the origin that asks is told that it may,
    /// `null` too. This is what Kong does with both.
    pub credentials_for_everybody: bool,
    /// Whether a page from the internet may reach this address in a private network.
    pub private_network: bool,
    /// Whether the service answers preflights itself.
    pub preflight_continue: bool,
    /// The status of an answer to a preflight: 200 or 204.
    #[schemars(range(min = 200, max = 299))]
    pub preflight_status: u16,
    /// With `*` or `always_send_origin`, whether an answer to a request without `Origin` says who may read it too.
    pub allow_origin_absent: bool,
    /// With one plain origin, whether every answer names it, to whichever origin; a browser keeps it from the others. Kong
    /// does.
    pub always_send_origin: bool,
    /// Whether a request of another origin than these is refused with 403, rather than answered in a way
    /// that a browser keeps from the page.
    pub refuse_others: bool,
}

impl Default for CorsConfig {
    fn default() -> Self {
        let methods = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"];
        Self {
            origins: OneOrMany::One("*".into()),
            methods: methods.map(str::to_owned).to_vec(),
            headers: None,
            exposed_headers: Vec::new(),
            max_age: None,
            credentials: false,
            credentials_for_everybody: false,
            private_network: false,
            preflight_continue: false,
            preflight_status: 200,
            allow_origin_absent: true,
            always_send_origin: false,
            refuse_others: false,
        }
    }
}

impl CorsForm {
    /// Written out.
    #[must_use]
    pub fn config(&self) -> CorsConfig {
        match self {
            Self::On(_) => CorsConfig::default(),
            Self::Origins(origins) => CorsConfig { origins: origins.clone(), ..CorsConfig::default() },
            Self::Full(config) => config.clone(),
        }
    }
}
