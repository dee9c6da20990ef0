//! HTTP/2 for tests: a client that says what the test says frame by frame, one that behaves,
//! an origin, and one that does wrong.

mod client;
mod frame_origin;
mod frames;
mod origin;
mod written;

pub use self::client::{Http2Client, Http2Response};
pub use self::frame_origin::{Deed, FrameOrigin, OK, serve_frames};
pub use self::frames::{Frame, FrameClient, Outcome, block, flag, kind, request};
pub use self::origin::{Http2Origin, Http2Reply, Http2Request};
pub use self::written::{Written, written};
