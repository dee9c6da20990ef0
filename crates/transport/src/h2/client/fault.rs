//! What an error of the library says about the request.

use torana_fault::{Fault, Reason, Retry};

/// What has happened to the request before the error.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoFar {
    /// Whether the connection has carried requests before.
    pub(super) reused: bool,
    /// Whether something of the response has come.
    pub(super) answered: bool,
}

/// A fault of the upstream. A stream that the peer refused, or that is beyond the last one of its GOAWAY, was
/// not acted on (RFC 9113 sections 6.8 and 8.7); whether its body can be sent again is known to whoever has it.
pub(super) fn fault_of(error: &h2::Error, so_far: SoFar) -> Fault {
    let refused = error.is_remote()
        && (error.is_go_away() || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM));
    let reason = match (error.is_reset(), error.is_remote()) {
        (true, true) => Reason::UpstreamReset,
        (true, false) => Reason::UpstreamMalformed,
        (false, _) => Reason::UpstreamClosed,
    };
    let retry = match reason {
        _ if so_far.answered => Retry::No,
        _ if refused => Retry::Yes,
        Reason::UpstreamClosed if so_far.reused => Retry::IfReused,
        _ => Retry::No,
    };
    Fault::new(reason).because(error.to_string()).retry(retry)
}
