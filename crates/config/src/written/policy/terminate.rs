//! `terminate`: the gateway answers in place of the service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The gateway answers in place of the service, once every other policy has let the request pass: for maintenance, for what
/// is gone, and for looking at requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TerminateConfig {
    /// The status code.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// What is said, as `{"message": TEXT}`. For 401, 404, 405, 500, 502 and 503 there is a text when not given, for others
    /// no body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The body as text, in place of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What the body is; `text/plain; charset=utf-8` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether the answer is the message with the request as the gateway has it after every policy, as JSON. Not for the
    /// public.
    pub echo: bool,
    /// A field or a parameter of the query: requests without it go on to the service. Every request is answered when not
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
}

impl Default for TerminateConfig {
    fn default() -> Self {
        Self { status: 503, message: None, body: None, content_type: None, echo: false, trigger: None }
    }
}
