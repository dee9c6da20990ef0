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
    /// Of what one consists that is taken over from a client.
    pub accept: CorrelationIdCharacters,
    /// The longest that is taken over from a client, in bytes: 1 to 4096.
    #[schemars(range(min = 1, max = 4096))]
    pub max_length: usize,
}

impl Default for CorrelationIdConfig {
    fn default() -> Self {
        Self {
            header: "X-Correlation-Id".into(),
            generator: CorrelationIdGenerator::Uuid,
            echo: true,
            accept: CorrelationIdCharacters::Visible,
            max_length: 128,
        }
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
    /// Address and port of the gateway, its process, the port of the client, the number of the request, and the time,
    /// between dashes: Kong's `tracker`. It tells the client about the gateway.
    Tracker,
}

/// Of what an identifier consists that is taken over from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationIdCharacters {
    /// Visible ASCII without spaces.
    #[default]
    Visible,
    /// Whatever a field may hold, as in Kong.
    Any,
}
