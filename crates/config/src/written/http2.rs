//! HTTP/2: what is spoken with services, and bounds of connections that carry many requests.

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use torana_types::{ByteSize, TimeSpan};

/// What is spoken with the endpoints of a service. `h2://` in an endpoint's URL is HTTP/2 whatever stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamProtocol {
    /// What the endpoint prefers of both where TLS lets it choose (ALPN); else HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN over TLS, by prior knowledge without.
    Http2,
}

/// Bounds of an HTTP/2 connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http2Config {
    /// Requests at once on one connection.
    pub max_streams: NonZeroU16,
    /// Bytes of one body that may wait in the gateway for its receiver.
    pub stream_window: ByteSize,
    /// Bytes of all bodies of a connection that may be on their way; those that wait are included once half of
    /// `limits.buffered_bytes` is used.
    pub connection_window: ByteSize,
    /// After how long a silence the peer is asked by PING whether it is there: 30 seconds for clients whose
    /// requests are under way, 10 for endpoints, idle or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_after: Option<TimeSpan>,
    /// How long it may take to answer before the connection is given up: 15 seconds for clients, 5 for
    /// endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_timeout: Option<TimeSpan>,
}

impl Default for Http2Config {
    fn default() -> Self {
        Self {
            max_streams: const { NonZeroU16::new(128).expect("128 is not 0") },
            stream_window: ByteSize::from_kib(256),
            connection_window: ByteSize::from_mib(1),
            ping_after: None,
            ping_timeout: None,
        }
    }
}
