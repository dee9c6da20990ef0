//! What a filter decides.

use bytes::Bytes;
use torana_fault::Fault;
use torana_http::ResponseHead;

/// A filter's decision; deliberately not a bool.
#[derive(Debug)]
pub enum Verdict {
    /// Go on with the next filter.
    Continue,
    /// Answer with this, without asking an upstream.
    Respond(Box<Response>),
    /// Refuse, or give up.
    Fail(Fault),
}

/// A whole response that the gateway gives itself.
#[derive(Debug)]
pub struct Response {
    /// Status and fields. `Content-Length` is set when it is written.
    pub head: ResponseHead,
    /// The body.
    pub body: Bytes,
}
