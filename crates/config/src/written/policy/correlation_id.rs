//! `correlation_id`: an identifier that goes with a request through every service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An identifier that goes with a request through every service. One that came with it stays; log and access log have
/// it beside the gateway's own `request_id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorrelationIdConfig {
    /// The field that carries it.
    pub header: String,
    /// How one is made.
    pub generator: CorrelationIdGenerator,
    /// Whether the client receives it with the answer.
    pub echo: bool,
}

impl Default for CorrelationIdConfig {
    fn default() -> Self {
        Self { header: "X-Correlation-Id".into(), generator: CorrelationIdGenerator::Uuid, echo: true }
    }
}

/// How an identifier is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationIdGenerator {
    /// A random UUID (RFC 9562 version 4) for each request.
    #[default]
    Uuid,
    /// One random UUID of this gateway, `#`, and the number of the request: Kong's `uuid#counter`.
    UuidCounter,
}
