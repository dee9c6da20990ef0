//! What the two directions of one exchange with a client have to know of each other.

use crate::io::Io;
use std::cell::Cell;
use std::io;
use std::task::{Context, Poll};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Both halves hold a reference; a poll of one never runs within a poll of the other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// A final head was put into the buffer.
    pub(super) started: Cell<bool>,
    /// Bytes of responses, interim ones included, that wait for the socket.
    pub(super) busy: Cell<bool>,
    /// Bytes of responses that went to the socket.
    pub(super) sent: Cell<u64>,
    /// What is left to send of the interim response that the client waits for.
    left: Cell<&'static [u8]>,
}

impl Shared {
    /// With `expects_continue` the client sends its body when it has been told to.
    pub(super) fn expecting(expects_continue: bool) -> Self {
        let shared = Self::default();
        shared.left.set(if expects_continue { CONTINUE } else { b"" });
        shared
    }

    /// Whether the client was to be told, and was told nothing.
    pub(super) const fn awaits_invitation(&self) -> bool {
        self.left.get().len() == CONTINUE.len()
    }

    /// Sends `100 Continue` once the body is wanted, unless the client did not wait for it (`has_body`) or
    /// has its answer. It never goes between the bytes of another response.
    pub(super) fn poll_invite(
        &self,
        io: &Io,
        context: &mut Context<'_>,
        has_body: bool,
    ) -> Poll<io::Result<()>> {
        if self.left.get().is_empty() {
            return Poll::Ready(Ok(()));
        }
        let untouched = self.awaits_invitation();
        if untouched && (has_body || self.started.get()) {
            self.left.set(b"");
            return Poll::Ready(Ok(()));
        }
        // Who sends those bytes wakes this task again.
        if untouched && self.busy.get() {
            return Poll::Pending;
        }
        self.poll_rest(io, context)
    }

    /// Sends what is left of a `100 Continue` that has begun to leave; any other response must wait for it.
    pub(super) fn poll_settled(&self, io: &Io, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.awaits_invitation() {
            return Poll::Ready(Ok(()));
        }
        self.poll_rest(io, context)
    }

    fn poll_rest(&self, io: &Io, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.get().is_empty() {
            match io.poll_write(context, self.left.get(), &[], &[]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => self.left.set(self.left.get().get(count..).unwrap_or_default()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}
