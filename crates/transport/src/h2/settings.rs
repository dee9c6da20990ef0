//! Bounds of an HTTP/2 connection, and how one ends.

use std::time::Duration;
use torana_http::h1::HeadLimits;
use torana_http::h2::{Seal, Violation};

/// Bytes of one message's body that may wait for the socket.
pub(super) const SEND_BUFFER: usize = 128 * 1024;

/// What the peer is told of the size of heads (SETTINGS_MAX_HEADER_LIST_SIZE). RFC 9113 section 6.5.2 counts 32 bytes
/// more a field than we do; what is below this and above our own limits is read and judged, of a request answered 431,
/// what is above is refused before it is stored. The seal around trailers has its own room.
pub(super) fn header_list_size(limits: &HeadLimits) -> u32 {
    let fields = limits.fields.saturating_mul(32).saturating_add(Seal::LIST_BYTES);
    let list = limits.head_bytes.saturating_add(fields);
    u32::try_from(list).unwrap_or(u32::MAX)
}

/// Bounds of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Settings {
    /// Requests at once.
    pub max_streams: u32,
    /// Bytes of one request body that may wait here, unread by the service.
    pub stream_window: u32,
    /// Bytes of all request bodies that may be on their way, beside what waits here.
    pub connection_window: u32,
    /// After this time without a byte from a client whose requests are under way it is asked by PING.
    pub ping_after: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
}

impl Default for Http2Settings {
    fn default() -> Self {
        Self {
            max_streams: 128,
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            ping_after: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(15),
        }
    }
}

/// Bounds of a connection to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamHttp2 {
    /// Requests at once; fewer where the peer allows fewer.
    pub max_streams: u32,
    /// Bytes of one response body that may wait here, unread by the client.
    pub stream_window: u32,
    /// Bytes of all response bodies that may be on their way, beside what waits here.
    pub connection_window: u32,
    /// After this time without a byte from the peer it is asked by PING, and again after each further one; a
    /// server of gRPC once, and then every five minutes while calls wait.
    pub ping_after: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
}

impl Default for UpstreamHttp2 {
    fn default() -> Self {
        Self {
            max_streams: 100,
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            ping_after: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a client's connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// The client went away, or said that it would.
    Client,
    /// No request for too long.
    Idle,
    /// The gateway is shutting down.
    Drained,
    /// It was made under demands on clients that have changed.
    Outdated,
    /// The preface or a whole field section did not arrive in time.
    HeadTimeout,
    /// The client took nothing of what was sent.
    WriteTimeout,
    /// The client did not answer a PING.
    PingTimeout,
    /// The client broke the protocol.
    ProtocolError,
    /// The client spent too many frames on nothing.
    Flood(Violation),
}

impl ConnectionEnd {
    /// Every end, for counters.
    pub const ALL: [Self; 14] = [
        Self::Client,
        Self::Idle,
        Self::Drained,
        Self::Outdated,
        Self::HeadTimeout,
        Self::WriteTimeout,
        Self::PingTimeout,
        Self::ProtocolError,
        Self::Flood(Violation::RapidReset),
        Self::Flood(Violation::ContinuationFlood),
        Self::Flood(Violation::PingFlood),
        Self::Flood(Violation::SettingsFlood),
        Self::Flood(Violation::EmptyFrames),
        Self::Flood(Violation::ControlFlood),
    ];

    /// The stable label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Idle => "idle",
            Self::Drained => "drained",
            Self::Outdated => "outdated",
            Self::HeadTimeout => "head_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::PingTimeout => "ping_timeout",
            Self::ProtocolError => "protocol_error",
            Self::Flood(violation) => violation.label(),
        }
    }
}

/// What an error of the library says about the end of a connection.
pub(super) fn end_of(error: &h2::Error) -> ConnectionEnd {
    if !error.is_library() {
        return ConnectionEnd::Client;
    }
    match error.reason() {
        // A bound of the library's own, beyond those of the guard: it does not say which.
        Some(h2::Reason::ENHANCE_YOUR_CALM) => ConnectionEnd::Flood(Violation::ControlFlood),
        Some(h2::Reason::NO_ERROR) => ConnectionEnd::Client,
        _ => ConnectionEnd::ProtocolError,
    }
}
