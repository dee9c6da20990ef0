//! The data of one message on its way to a stream, as the peer takes it.

use bytes::{Bytes, BytesMut};
use std::task::{Context, Poll, ready};
use torana_fault::{Fault, Reason};

/// Small pieces are sent as one up to this size. A frame for each would cost nine bytes and some work at both
/// ends, and peers end connections over a flood of tiny frames.
const GATHERED: usize = 8 * 1024;

/// Where data goes.
pub(super) trait Outlet {
    /// Room for some of `wanted` more bytes; pending also once somebody else will say that it took too long.
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Fault>>;

    /// Fails once the peer has taken nothing for too long.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Fault>;

    /// Sends what there is room for; `ends` with the last of it.
    fn send(&mut self, data: Bytes, ends: bool) -> Result<(), Fault>;

    /// Sends the head, if it was not sent yet.
    fn begin(&mut self) -> Result<(), Fault>;

    /// Whether the head was sent, or cannot be held.
    fn has_begun(&self) -> bool {
        true
    }
}

/// The newest piece is held until more comes or the source has to be waited for, so that the end of the stream
/// can be said with it instead of in a frame of its own.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    held: Bytes,
    /// How much of the data in hand is gone, while [`Self::poll_write`] returns pending.
    data_sent: usize,
    /// What is left of an announced length.
    pub(super) remaining: Option<u64>,
    bytes: u64,
}

impl Pieces {
    /// Bytes of the body that were handed over so far, but for those that are held.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.held.len() as u64)
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Sends what is held as the peer takes it: what came before the head has left waits for room here. With `ends` the last
    /// of it ends the stream.
    pub(super) fn poll_send(
        &mut self,
        outlet: &mut impl Outlet,
        context: &mut Context<'_>,
        ends: bool,
    ) -> Poll<Result<(), Fault>> {
        while !self.held.is_empty() {
            let room = match outlet.poll_room(context, self.held.len()) {
                Poll::Ready(room) => room?,
                Poll::Pending => return outlet.poll_stalled(context).map(Err),
            };
            let piece = self.held.split_to(room.min(self.held.len()));
            outlet.send(piece, ends && self.held.is_empty())?;
        }
        Poll::Ready(Ok(()))
    }

    /// The message ends here.
    ///
    /// # Errors
    /// More was announced.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        match self.remaining {
            Some(remaining) if remaining > 0 => {
                Err(Fault::new(Reason::Internal).because("the body is shorter than announced"))
            }
            _ => Ok(()),
        }
    }

    /// Takes all of `data`, or as much as the peer takes, and then the rest of the same data.
    pub(super) fn poll_write(
        &mut self,
        outlet: &mut impl Outlet,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<(), Fault>> {
        if self.gather(outlet, context, data)? {
            return Poll::Ready(Ok(()));
        }
        outlet.begin()?;
        ready!(self.poll_send(outlet, context, false))?;
        loop {
            let rest = data.get(self.data_sent..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let room = match outlet.poll_room(context, rest.len()) {
                Poll::Ready(room) => room?,
                Poll::Pending => return outlet.poll_stalled(context).map(Err),
            };
            let piece = rest.get(..room.min(rest.len())).unwrap_or_default();
            self.count(piece.len())?;
            self.data_sent = self.data_sent.saturating_add(piece.len());
            if piece.len() == rest.len() {
                self.held = Bytes::copy_from_slice(piece);
            } else {
                outlet.send(Bytes::copy_from_slice(piece), false)?;
            }
        }
        self.data_sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Puts a piece to the one that is held, when both are small and the peer has room for both. What is held with its head
    /// asks for no room yet, and can be taken back with it.
    fn gather(
        &mut self,
        outlet: &mut impl Outlet,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Result<bool, Fault> {
        let both = self.held.len().saturating_add(data.len());
        if self.data_sent > 0 || both > GATHERED {
            return Ok(false);
        }
        if outlet.has_begun() {
            if self.held.is_empty() {
                return Ok(false);
            }
            match outlet.poll_room(context, both) {
                Poll::Ready(Ok(room)) if room >= both => {}
                Poll::Ready(Err(fault)) => return Err(fault),
                Poll::Ready(Ok(_)) | Poll::Pending => return Ok(false),
            }
        }
        self.count(data.len())?;
        let mut joined = BytesMut::from(std::mem::take(&mut self.held));
        joined.extend_from_slice(data);
        self.held = joined.freeze();
        Ok(true)
    }

    fn count(&mut self, length: usize) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(length as u64);
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining
                .checked_sub(length as u64)
                .ok_or(Fault::new(Reason::Internal).because("the body is longer than announced"))?;
        }
        Ok(())
    }
}
