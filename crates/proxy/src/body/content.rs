//! A body that is at hand.

use bytes::Bytes;
use std::task::{Context, Poll};
use torana_fault::Fault;
use torana_http::Fields;
use torana_transport::BodySource;

/// Bytes that are sent in one piece, as often as asked, without trailers.
#[derive(Debug)]
pub(crate) struct Content {
    bytes: Bytes,
    sent: bool,
}

impl Content {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { bytes, sent: false }
    }

    /// All of it, whatever was sent.
    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// As [`Self::bytes`], for keeps.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Sends it once more.
    pub(crate) const fn rewind(&mut self) {
        self.sent = false;
    }
}

impl BodySource for Content {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        Poll::Ready(Ok(!self.is_done()))
    }

    fn data(&self) -> &[u8] {
        if self.sent { &[] } else { &self.bytes }
    }

    fn consume(&mut self) {
        self.sent = true;
    }

    fn trailers(&mut self, _: &mut Fields) -> Result<(), Fault> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.sent || self.bytes.is_empty()
    }
}
