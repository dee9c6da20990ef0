//! The HTTP/1.x codec (RFC 9112): bytes to heads and bodies, and back. No I/O.
//!
//! Stricter than the RFC asks of a lenient recipient, on purpose: a gateway sits between two parsers, and
//! whatever two parsers may read differently is refused. Bare LF, folded lines, white space around names,
//! repeated or mixed framing fields and codings other than `chunked` all end the message.

mod body;
mod chunked;
mod request;
mod response;
mod salvage;
mod scan;
mod section;
mod seek;
mod write;

pub(crate) use body::may_be_trailer;
pub use body::{BodyDecoder, BodyEncoder, BodyError, BodyStep};
pub(crate) use request::check_host;
pub use request::parse_request;
pub use response::parse_response;
pub use salvage::salvage_request;
pub(crate) use scan::parse_length;
pub use scan::{ConnectionOptions, HeadError, HeadErrorKind, HeadLimits};
pub(crate) use section::is_look_alike;
pub use write::{HOP_BY_HOP, remove_hop_by_hop, remove_named, write_request_head, write_response_head};

/// How the end of a body is found (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BodyFraming {
    /// There is no body.
    #[default]
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// Everything until the connection closes; responses only.
    UntilClose,
}
