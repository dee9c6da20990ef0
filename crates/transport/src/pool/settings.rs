//! What connections to an endpoint may cost.

use crate::h2::UpstreamHttp2;
use crate::tls::Protocol;
use std::time::Duration;

/// Bounds of the connections to one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointSettings {
    /// Connections at once, over all workers.
    pub max_connections: usize,
    /// Requests at once that wait for one, over all workers.
    pub max_queue: usize,
    /// How long a request waits for one.
    pub queue_timeout: Duration,
    /// How long opening one may take.
    pub connect_timeout: Duration,
    /// How long one is kept without use.
    pub idle_timeout: Duration,
    /// How long one is kept at all.
    pub max_age: Duration,
    /// What is spoken where no handshake decides.
    pub protocol: Protocol,
    /// Bounds of connections that carry many requests.
    pub http2: UpstreamHttp2,
}

impl Default for EndpointSettings {
    fn default() -> Self {
        Self {
            max_connections: 100,
            max_queue: 1000,
            queue_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            max_age: Duration::from_secs(60 * 60),
            protocol: Protocol::Http1,
            http2: UpstreamHttp2::default(),
        }
    }
}
