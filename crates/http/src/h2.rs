//! HTTP/2 (RFC 9113) without a socket: what a request or response must look like to become a head, which
//! fields a head may send, and how many frames a peer may spend.
//!
//! Framing and header compression are a library's; this is what a gateway has to hold beyond it. A request
//! that is let in here can be written as HTTP/1.1 without gaining a second meaning.

mod edges;
mod frames;
mod grpc;
mod guard;
mod opened;
mod outgoing;
mod representations;
mod request;
mod response;
mod seal;
mod sealing;
mod secret;
mod trailers;
mod unique;

pub use grpc::{carries_messages, is_grpc, is_grpc_type};
pub use guard::{FrameGuard, GuardLimits, Violation};
pub use opened::Section;
pub use outgoing::sent_fields;
pub use request::{RequestParts, read_request};
pub use response::read_response;
pub use seal::Seal;
pub use sealing::Sealing;
pub use secret::is_secret;
pub use trailers::read_trailers;
pub use unique::is_unique;

/// The first bytes of a client's connection (RFC 9113 section 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether these bytes, which were refused as HTTP/1, begin an HTTP/2 connection. Five bytes tell it from
/// every method that is in use; what follows is compared by who reads the preface.
#[must_use]
pub fn is_preface(received: &[u8]) -> bool {
    let compared = received.len().min(PREFACE.len());
    compared >= 5 && PREFACE.get(..compared) == received.get(..compared)
}

#[cfg(test)]
mod tests {
    use super::is_preface;

    #[test]
    fn the_preface_is_known_by_its_beginning() {
        assert!(is_preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"));
        assert!(is_preface(b"PRI * HTTP/2."));
        for other in [&b""[..], b"PRI", b"PRI /", b"PRI * HTTP/1.1\r\n", b"GET / HTTP/2.0\r\n"] {
            assert!(!is_preface(other), "{other:?}");
        }
    }
}
