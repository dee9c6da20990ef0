//! HTTP/2 for tests: a client that says what the test says frame by frame, and one that behaves.

mod client;
mod frames;

pub use self::client::{Http2Client, Http2Response};
pub use self::frames::{Frame, FrameClient, Outcome, block, flag, kind, request};
