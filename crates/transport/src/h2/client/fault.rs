//! What an error of the library says about the request.

use super::driver::PeerEnd;
use crate::h2::settings::ConnectionEnd;
use crate::reuse::Reuse;
use torana_fault::{Fault, Reason, Retry};

/// Why a connection was given up.
const SILENT: &str = "the endpoint did not answer a PING in time, or took no more bytes";

/// What has happened to the request before the error.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoFar {
    /// Whether the connection has carried requests before.
    pub(super) reuse: Reuse,
    /// Whether something of the response has come.
    pub(super) answered: bool,
    /// Why the connection was ended, where the peer is to blame.
    pub(super) end: Option<PeerEnd>,
}

impl SoFar {
    const fn is_lost(self) -> bool {
        matches!(self.end, Some(PeerEnd::Lost))
    }

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
        (false, _) if undone && !so_far.reuse.is_again() && !so_far.answered => Reason::UpstreamConnectFailed,
        (false, _) => Reason::UpstreamClosed,
    };
    let retry = match reason {
        _ if so_far.answered => Retry::No,
        _ if undone => Retry::Yes,
        // Of one whose peer was silent nobody knows since when it was gone.
        Reason::UpstreamClosed if so_far.is_lost() && so_far.reuse.is_again() => Retry::IfReused,
        Reason::UpstreamClosed if so_far.reuse.had_just_ended() => Retry::IfReused,
        _ => Retry::No,
    };
    so_far.explain(Fault::new(reason).retry(retry), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_breaks_under_a_request_is_blamed_unless_it_may_have_been_gone_before() {
        let error = h2::Error::from(h2::Reason::INTERNAL_ERROR);
        let said = |so_far: SoFar| {
            let fault = fault_of(&error, so_far);
            assert_eq!(fault.reason, Reason::UpstreamClosed);
            fault.retry
        };
        let _ = now();
        let again = SoFar { reuse: Reuse::again(), answered: false, end: None };
        let (silent, answered) =
            (SoFar { end: Some(PeerEnd::Lost), ..again }, SoFar { answered: true, ..again });
        assert_eq!(said(SoFar { reuse: Reuse::FIRST, ..again }), Retry::No);
        assert_eq!(
            (said(again), said(silent), said(answered)),
            (Retry::IfReused, Retry::IfReused, Retry::No)
        );
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!((said(again), said(silent)), (Retry::No, Retry::IfReused));
    }
}
