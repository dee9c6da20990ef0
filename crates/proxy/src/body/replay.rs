//! A request's body that can be held: read whole, looked at, replaced, and sent as often as needed.
//!
//! While nothing is held every call goes straight to the client's body. Of one that streams a copy can be kept of what it
//! has given out at first, for where nobody has acted on it. Held bodies lose their trailers (RFC 9110 section
//! 6.5.1), which were judged with the end of the body: a section that is not valid is an error of [`Replay::hold`].
//!
//! What counts among the bytes that the process holds is what is there: a length that was announced and bytes that do not
//! come fill nothing.

mod given;
mod read;

use super::Content;
use crate::overload::memory_full;
use bytes::Bytes;
use given::Given;
use read::{read, too_large};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_filters::ReservedFields;
use torana_http::Fields;
use torana_limit::{Memory, NoRoom, Reserved};
use torana_transport::{BodySource, RequestBody};

/// A client's body, streaming until it is held.
#[derive(Debug)]
pub struct Replay<'a, B> {
    inner: &'a mut B,
    kept: Kept,
    /// How many bytes of a streaming body pass.
    limit: u64,
    memory: Option<&'a Arc<Memory>>,
    /// Trailers that are not passed on.
    reserved_trailers: Option<&'a ReservedFields>,
    /// What is held counts for as long as this lives.
    reserved: Option<Reserved>,
    /// Whether something of a streaming body was given out.
    begun: bool,
    /// All of that, while it is little and is wanted.
    given: Option<Given>,
}

/// What of the body is here.
#[derive(Debug)]
enum Kept {
    /// It streams.
    Nothing,
    /// It streams, and what it has given out goes first once more.
    Again,
    /// There was no room for more: what the client's own body still has follows. Never empty; gone once it is sent.
    Beginning(Content),
    /// It is held.
    Whole(Content),
}

impl Kept {
    const fn content_mut(&mut self) -> Option<&mut Content> {
        match self {
            Self::Nothing | Self::Again => None,
            Self::Beginning(content) | Self::Whole(content) => Some(content),
        }
    }
}

impl<'a, B: RequestBody> Replay<'a, B> {
    /// Streams `inner`.
    pub const fn new(inner: &'a mut B) -> Self {
        Self {
            inner,
            kept: Kept::Nothing,
            limit: u64::MAX,
            memory: None,
            reserved_trailers: None,
            reserved: None,
            begun: false,
            given: None,
        }
    }

    /// Passes these on in no trailer.
    pub const fn without(mut self, trailers: &'a ReservedFields) -> Self {
        self.reserved_trailers = Some(trailers);
        self
    }

    /// Counts what is held among all that the process holds.
    pub const fn within(mut self, memory: &'a Arc<Memory>) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Counts bytes that are held beside this.
    ///
    /// # Errors
    /// There is no room for them.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Option<Reserved>, NoRoom> {
        self.memory.map(|memory| memory.reserve(bytes)).transpose()
    }

    /// Whether the body can be sent again: it is held, or there is none, or nothing of it went on.
    pub const fn is_replayable(&self) -> bool {
        !matches!(self.kept, Kept::Nothing) || !self.begun
    }

    /// Whether it can be sent elsewhere where nobody has acted on what went on of it: that it can be sent again, or there is
    /// a copy of it.
    pub const fn is_movable(&self) -> bool {
        self.is_replayable() || self.given.is_some()
    }

    /// From here on keeps a copy of what a streaming body gives out, for [`Self::is_movable`]: no more than so many bytes,
    /// while there is room for them. It is kept until the answer has begun, or more has gone out.
    pub(crate) fn copy_up_to(&mut self, most: usize) {
        if matches!(self.kept, Kept::Nothing) && !self.begun {
            self.given = self.reserve(0).ok().map(|reserved| Given::new(most, reserved));
        }
    }

    /// Lets only so many bytes pass while the body streams.
    pub fn limit(&mut self, bytes: Option<u64>) {
        self.limit = bytes.unwrap_or(u64::MAX);
    }

    /// Reads the body to its end and holds it.
    ///
    /// # Errors
    /// It is longer than `limit` bytes, it breaks its framing, the client is too slow or gone, or there is no
    /// room for it: [`Reason::MemoryFull`].
    pub async fn hold(&mut self, limit: u64) -> Result<Bytes, Fault> {
        let bytes = if let Kept::Whole(content) = &self.kept {
            content.bytes().clone()
        } else {
            let (bytes, is_whole) = self.read(limit).await?;
            if !is_whole {
                (self.reserved, self.begun) = (None, true);
                return Err(memory_full());
            }
            bytes
        };
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        self.replace(bytes.clone());
        Ok(bytes)
    }

    /// Reads a body of this length to its end and holds it, while there is room for it; else it streams on, what was
    /// read of it first. `false`: it does.
    ///
    /// # Errors
    /// It breaks its framing, or the client is too slow or gone.
    pub(crate) async fn keep(&mut self, length: u64) -> Result<bool, Fault> {
        match self.kept {
            Kept::Nothing => {}
            Kept::Again | Kept::Beginning(_) => return Ok(false),
            Kept::Whole(_) => return Ok(true),
        }
        // Nothing is begun that would not fit now; what else comes meanwhile is seen on the way.
        let announced = usize::try_from(length).unwrap_or(usize::MAX);
        if self.memory.is_some_and(|memory| !memory.has_room(announced)) {
            return Ok(false);
        }
        let (bytes, is_whole) = self.read(length).await?;
        if is_whole {
            self.kept = Kept::Whole(Content::new(bytes));
        } else if !bytes.is_empty() {
            self.kept = Kept::Beginning(Content::new(bytes));
        }
        Ok(is_whole)
    }

    /// Reads on to the end, or as far as there is room. What was read counts for as long as this lives.
    async fn read(&mut self, limit: u64) -> Result<(Bytes, bool), Fault> {
        let mut bytes = match std::mem::replace(&mut self.kept, Kept::Nothing) {
            Kept::Nothing | Kept::Again => Vec::new(),
            Kept::Beginning(content) | Kept::Whole(content) => content.into_bytes().into(),
        };
        let mut reserved = self.reserved.take();
        if reserved.is_none() {
            reserved = self.reserve(0).map_err(|_| memory_full())?;
        }
        // What was read is lost where there is an error.
        self.begun = true;
        let is_whole = read(self.inner, limit, &mut bytes, reserved.as_mut()).await?;
        self.begun = false;
        if let Some(reserved) = &mut reserved {
            reserved.trim(bytes.len());
        }
        self.reserved = reserved;
        Ok((bytes.into_boxed_slice().into(), is_whole))
    }

    /// Holds these bytes in place of what was held. What the client's own body still has is not sent.
    pub fn replace(&mut self, bytes: Bytes) {
        self.kept = Kept::Whole(Content::new(bytes));
    }

    /// Begins again with what is held or copied. Without either there is nothing to do: a body that streams
    /// and of which something went on cannot be sent again, see [`Self::is_replayable`].
    pub fn rewind(&mut self) {
        if let Some(content) = self.kept.content_mut() {
            content.rewind();
        } else if self.given.as_ref().is_some_and(|given| !given.bytes().is_empty()) {
            self.kept = Kept::Again;
        }
    }

    /// Whether all of it is at hand: it is held, or nothing of it is left to come.
    pub fn is_whole(&self) -> bool {
        self.held().is_some() || self.is_done()
    }

    /// Bytes that are held, all of them.
    pub const fn held(&self) -> Option<&Bytes> {
        match &self.kept {
            Kept::Whole(content) => Some(content.bytes()),
            Kept::Nothing | Kept::Again | Kept::Beginning(_) => None,
        }
    }
}

impl<B: RequestBody> BodySource for Replay<'_, B> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        match &mut self.kept {
            Kept::Beginning(content) | Kept::Whole(content) => content.poll_fill(context),
            Kept::Again => Poll::Ready(Ok(true)),
            Kept::Nothing => match self.inner.poll_fill(context) {
                Poll::Ready(Ok(true)) if self.inner.bytes_read() > self.limit => {
                    Poll::Ready(Err(Fault::new(Reason::BodyTooLarge).because("longer than `request_size`")))
                }
                filled => filled,
            },
        }
    }

    fn data(&self) -> &[u8] {
        match (&self.kept, &self.given) {
            (Kept::Beginning(content) | Kept::Whole(content), _) => content.data(),
            (Kept::Again, Some(given)) => given.bytes(),
            (Kept::Again | Kept::Nothing, _) => self.inner.data(),
        }
    }

    fn consume(&mut self) {
        match &mut self.kept {
            Kept::Nothing => {
                self.begun = true;
                let data = self.inner.data();
                self.given.take_if(|given| !given.add(data));
                self.inner.consume();
            }
            Kept::Again => self.kept = Kept::Nothing,
            Kept::Beginning(_) => {
                (self.kept, self.reserved, self.begun) = (Kept::Nothing, None, true);
            }
            Kept::Whole(content) => content.consume(),
        }
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        if let Some(content) = self.kept.content_mut() {
            return content.trailers(into);
        }
        self.inner.trailers(into)?;
        if let Some(reserved) = self.reserved_trailers {
            reserved.strip(into);
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        match &self.kept {
            Kept::Nothing => self.inner.is_done(),
            Kept::Again | Kept::Beginning(_) => false,
            Kept::Whole(content) => content.is_done(),
        }
    }

    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.inner.poll_left(context)
    }
}

impl<B: RequestBody> RequestBody for Replay<'_, B> {
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.inner.poll_closed(context)
    }

    fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.inner.poll_left(context)
    }

    fn awaits_invitation(&self) -> bool {
        matches!(self.kept, Kept::Nothing) && self.inner.awaits_invitation()
    }

    fn bear_pauses(&mut self, most: Duration) {
        self.inner.bear_pauses(most);
    }

    fn is_answered(&mut self) {
        match (&self.kept, &mut self.given) {
            // It is still to be sent, and nothing behind it is added.
            (Kept::Again, Some(given)) => given.stop(),
            (_, given) => *given = None,
        }
    }

    fn switch(&mut self) {
        (self.kept, self.given) = (Kept::Nothing, None);
        self.inner.switch();
    }

    fn bytes_read(&self) -> u64 {
        self.inner.bytes_read()
    }
}

#[cfg(test)]
mod tests;
