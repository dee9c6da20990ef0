//! What an error of the library says about the request.

use super::driver::PeerEnd;
use crate::h2::settings::ConnectionEnd;
use torana_fault::{Fault, Reason, Retry};

/// Why a connection was given up.
const SILENT: &str = "the endpoint did not answer a PING in time, or took no more bytes";

/// What has happened to the request before the error.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoFar {
    /// Whether the connection has carried requests before.
    pub(super) reused: bool,
    /// Whether something of the response has come.
    pub(super) answered: bool,
    /// Why the connection was ended, where the peer is to blame.
    pub(super) end: Option<PeerEnd>,
}

impl SoFar {
    /// What the log says beside the reason.
    pub(super) fn explain(self, fault: Fault, error: &h2::Error) -> Fault {
        match self.end {
            Some(PeerEnd::Lost) => fault.because(SILENT),
            Some(PeerEnd::Broken(ConnectionEnd::Flood(violation))) => {
                fault.because(format!("the endpoint sent too many frames of no use: {}", violation.label()))
            }
            Some(PeerEnd::Broken(_)) | None => fault.because(error.to_string()),
        }
    }
}

/// A fault of the upstream. A stream that the peer refused, or that is beyond the last one of its GOAWAY, was
/// not acted on (RFC 9113 sections 6.8 and 8.7); whether its body can be sent again is known to whoever has it.
pub(super) fn fault_of(error: &h2::Error, so_far: SoFar) -> Fault {
    let refused = error.is_remote()
        && (error.is_go_away() || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM));
    made_of(error, so_far, refused)
}

/// The same for a request of which nothing was sent, whatever the error.
pub(super) fn unsent(error: &h2::Error, so_far: SoFar) -> Fault {
    made_of(error, so_far, true)
}

fn made_of(error: &h2::Error, so_far: SoFar, undone: bool) -> Fault {
    let reason = match (error.is_reset(), error.is_remote()) {
        (true, true) => Reason::UpstreamReset,
        (true, false) => Reason::UpstreamMalformed,
        // One that ends before it has carried anything is as good as none. Later it is the end that each has.
        (false, _) if undone && !so_far.reused && !so_far.answered => Reason::UpstreamConnectFailed,
        (false, _) => Reason::UpstreamClosed,
    };
    let retry = match reason {
        _ if so_far.answered => Retry::No,
        _ if undone => Retry::Yes,
        Reason::UpstreamClosed if so_far.reused => Retry::IfReused,
        _ => Retry::No,
    };
    so_far.explain(Fault::new(reason).retry(retry), error)
}
