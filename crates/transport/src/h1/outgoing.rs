//! The side that is written: a head and a body, coalesced into as few writes as possible.

use crate::io::Io;
use crate::patience::Patience;
use crate::timer::Timer;
use std::task::{Context, Poll};
use torana_fault::{Fault, Reason};
use torana_http::Fields;
use torana_http::h1::{BodyEncoder, BodyError, BodyFraming};

/// Data up to this size is copied behind what waits already: one plain write is cheaper than a vectored
/// one. Larger data is never copied.
const COPY_BELOW: usize = 2 * 1024;
/// What may wait in the buffer before it is sent.
const PENDING_LIMIT: usize = 16 * 1024;

/// A message that is written to a socket.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) io: &'a Io,
    timer: &'a Timer,
    /// Bytes that wait to be sent; `sent` of them are gone already.
    pub(crate) pending: &'a mut Vec<u8>,
    sent: usize,
    /// How much of the data in hand is gone, while `poll_write` returns pending.
    data_sent: usize,
    prefixed: bool,
    encoder: BodyEncoder,
    closed: Reason,
    timeout_reason: Reason,
    patience: Patience,
    pub(crate) bytes: u64,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(
        io: &'a Io,
        timer: &'a Timer,
        pending: &'a mut Vec<u8>,
        (closed, timeout_reason): (Reason, Reason),
        patience: Patience,
    ) -> Self {
        pending.clear();
        Self {
            io,
            timer,
            pending,
            sent: 0,
            data_sent: 0,
            prefixed: false,
            encoder: BodyEncoder::new(BodyFraming::None),
            closed,
            timeout_reason,
            patience,
            bytes: 0,
        }
    }

    /// Sets how the body will be framed, after the head was put into `pending`.
    pub(crate) fn set_framing(&mut self, framing: BodyFraming) {
        self.encoder = BodyEncoder::new(framing);
    }

    /// How many bytes have been sent once all that waits is.
    pub(crate) fn bytes_to_come(&self) -> u64 {
        self.bytes.saturating_add(self.pending.len().saturating_sub(self.sent) as u64)
    }

    /// Takes back what was put into `pending` behind its first `length` bytes, of which none may have been sent, and the
    /// data in hand.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.pending.truncate(length);
        self.data_sent = 0;
        self.prefixed = false;
        self.set_framing(BodyFraming::None);
    }

    /// From here on what is written goes out as it is, however slowly it is taken.
    pub(crate) fn switch(&mut self) {
        self.set_framing(BodyFraming::UntilClose);
        self.patience = Patience::endless();
    }

    /// Tells the peer that no more comes.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.io.poll_shutdown(context).map_err(|error| self.gone(error.to_string()))
    }

    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        if !self.prefixed {
            self.encoder.prefix(data.len(), self.pending).map_err(length_fault)?;
            self.prefixed = true;
            let waiting = self.pending.len().saturating_sub(self.sent);
            if data.len() <= COPY_BELOW && waiting.saturating_add(data.len()) <= PENDING_LIMIT {
                self.pending.extend_from_slice(data);
                self.pending.extend_from_slice(self.encoder.suffix());
                self.prefixed = false;
                return Poll::Ready(Ok(()));
            }
        }
        let suffix = self.encoder.suffix();
        loop {
            let head = self.pending.get(self.sent..).unwrap_or_default();
            let rest = data.get(self.data_sent..).unwrap_or_default();
            let after = self.data_sent.saturating_sub(data.len());
            let tail = suffix.get(after..).unwrap_or_default();
            if head.is_empty() && rest.is_empty() && tail.is_empty() {
                break;
            }
            let count = match self.io.poll_write(context, head, rest, tail) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.gone("the peer takes no bytes"))),
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.gone(error.to_string()))),
                Poll::Pending => return self.poll_stalled(context),
            };
            self.progress(count);
            let from_head = count.min(head_len(self.pending, self.sent));
            self.sent = self.sent.saturating_add(from_head);
            self.data_sent = self.data_sent.saturating_add(count.saturating_sub(from_head));
        }
        self.pending.clear();
        self.sent = 0;
        self.data_sent = 0;
        self.prefixed = false;
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while self.sent < self.pending.len() {
            let head = self.pending.get(self.sent..).unwrap_or_default();
            match self.io.poll_write(context, head, &[], &[]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.gone("the peer takes no bytes"))),
                Poll::Ready(Ok(count)) => {
                    self.progress(count);
                    self.sent = self.sent.saturating_add(count);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.gone(error.to_string()))),
                Poll::Pending => return self.poll_stalled(context),
            }
        }
        self.pending.clear();
        self.sent = 0;
        // What is not with the socket yet is not delivered, and its deadline goes on.
        match self.io.poll_flush(context) {
            Poll::Ready(Ok(())) => {
                // It has taken all there is: from here on nobody waits for it.
                self.patience.progress(0);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.gone(error.to_string()))),
            Poll::Pending => self.poll_stalled(context),
        }
    }

    pub(crate) fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        self.encoder.finish(trailers, self.pending).map_err(length_fault)
    }

    fn progress(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_add(count as u64);
        self.patience.progress(count);
    }

    fn gone(&self, detail: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
        Fault::new(self.closed).because(detail)
    }

    pub(crate) fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.patience.poll(self.timer, context).map(|()| Err(Fault::new(self.timeout_reason)))
    }
}

const fn head_len(pending: &[u8], sent: usize) -> usize {
    pending.len().saturating_sub(sent)
}

/// The source promised another length than it delivered. That was checked where the body came from, so
/// here it is a mistake of the gateway's own.
fn length_fault(error: BodyError) -> Fault {
    Fault::new(Reason::Internal).because(error.to_string())
}
