//! The body of a request that has none.

use std::task::{Context, Poll};
use torana_fault::Fault;
use torana_http::Fields;
use torana_transport::{BodySource, RequestBody};

/// No body at all, and nobody who could go away: for requests that are explained, and for tries that do not look for their
/// client themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoBody;

impl BodySource for NoBody {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        Poll::Ready(Ok(false))
    }

    fn data(&self) -> &[u8] {
        &[]
    }

    fn consume(&mut self) {}

    fn trailers(&mut self, _: &mut Fields) -> Result<(), Fault> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        true
    }
}

impl RequestBody for NoBody {
    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Fault> {
        Poll::Pending
    }

    fn awaits_invitation(&self) -> bool {
        false
    }

    fn switch(&mut self) {}

    fn bytes_read(&self) -> u64 {
        0
    }
}
