//! HTTP/2 for tests: a client that says what the test says frame by frame, one that behaves,
//! and an origin.

mod client;
mod frames;
mod origin;

pub use self::client::{Http2Client, Http2Response};
pub use self::frames::{Frame, FrameClient, Outcome, block, flag, kind, request};
pub use self::origin::{Http2Origin, Http2Reply, Http2Request};
