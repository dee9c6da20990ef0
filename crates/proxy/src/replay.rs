//! A request's body that can be held: read whole, looked at, replaced, and sent as often as needed.
//!
//! While nothing is held every call goes straight to the client's body. Held bodies lose their trailers (RFC 9110 section
//! 6.5.1), which were judged with the end of the body: a section that is not valid is an error of [`Replay::hold`].

use crate::overload::memory_full;
use bytes::Bytes;
use std::future::poll_fn;
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
    held: Option<Held>,
    /// How many bytes of a streaming body pass.
    limit: u64,
    memory: Option<&'a Arc<Memory>>,
    /// Trailers that are not passed on.
    reserved_trailers: Option<&'a ReservedFields>,
    /// What is held counts for as long as this lives.
    reserved: Option<Reserved>,
}

#[derive(Debug)]
struct Held {
    bytes: Bytes,
    sent: bool,
}

impl<'a, B: RequestBody> Replay<'a, B> {
    /// Streams `inner`.
    pub const fn new(inner: &'a mut B) -> Self {
        Self { inner, held: None, limit: u64::MAX, memory: None, reserved_trailers: None, reserved: None }
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

    /// Whether the body can be sent again: it is held, or there is none, or not a byte of it was read.
    pub fn is_replayable(&self) -> bool {
        self.held.is_some() || self.inner.bytes_read() == 0
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
        let bytes = match &self.held {
            Some(held) => held.bytes.clone(),
            None => {
                let mut reserved = self.reserve(0).map_err(|_| memory_full())?;
                let bytes = read(self.inner, limit, reserved.as_mut()).await?;
                self.reserved = reserved;
                bytes
            }
        };
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        self.replace(bytes.clone());
        Ok(bytes)
    }

    /// Reads a body of this length to its end and holds it, if there is room for it; else it streams on.
    /// `false`: it does.
    ///
    /// # Errors
    /// It breaks its framing, or the client is too slow or gone.
    pub(crate) async fn keep(&mut self, length: u64) -> Result<bool, Fault> {
        if self.held.is_some() {
            return Ok(true);
        }
        let Ok(mut reserved) = self.reserve(usize::try_from(length).unwrap_or(usize::MAX)) else {
            return Ok(false);
        };
        let bytes = read(self.inner, length, reserved.as_mut()).await?;
        self.reserved = reserved;
        self.replace(bytes);
        Ok(true)
    }

    /// Holds these bytes in place of what was held. What the client's own body still has is not sent.
    pub fn replace(&mut self, bytes: Bytes) {
        self.held = Some(Held { bytes, sent: false });
    }

    /// Begins again with what is held. Without anything held there is nothing to do: a body that streams
    /// and of which something was read cannot be sent again, see [`Self::is_replayable`].
    pub const fn rewind(&mut self) {
        if let Some(held) = &mut self.held {
            held.sent = false;
        }
    }

    /// Whether all of it is at hand: it is held, or nothing of it is left to come.
    pub fn is_whole(&self) -> bool {
        self.held.is_some() || self.is_done()
    }

    /// Bytes that are held.
    pub fn held(&self) -> Option<&Bytes> {
        self.held.as_ref().map(|held| &held.bytes)
    }
}

fn too_large() -> Fault {
    Fault::new(Reason::BodyTooLarge).because("longer than a policy of this route reads")
}

async fn read(
    body: &mut impl RequestBody,
    limit: u64,
    mut reserved: Option<&mut Reserved>,
) -> Result<Bytes, Fault> {
    let mut whole = Vec::new();
    while poll_fn(|context| body.poll_fill(context)).await? {
        let data = body.data();
        if whole.len().saturating_add(data.len()) as u64 > limit {
            return Err(too_large());
        }
        let needed = whole.len().saturating_add(data.len());
        if needed > whole.capacity() {
            // What is asked of the allocator is what is counted.
            let room = whole.capacity().saturating_mul(2).max(needed);
            if let Some(reserved) = &mut reserved {
                reserved.cover(room).map_err(|_| memory_full())?;
            }
            whole.reserve_exact(room.saturating_sub(whole.len()));
        }
        whole.extend_from_slice(data);
        body.consume();
    }
    if let Some(reserved) = reserved {
        reserved.trim(whole.len());
    }
    Ok(whole.into_boxed_slice().into())
}

impl<B: RequestBody> BodySource for Replay<'_, B> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        match &self.held {
            Some(held) => Poll::Ready(Ok(!held.sent && !held.bytes.is_empty())),
            None => match self.inner.poll_fill(context) {
                Poll::Ready(Ok(true)) if self.inner.bytes_read() > self.limit => {
                    Poll::Ready(Err(Fault::new(Reason::BodyTooLarge).because("longer than `request_size`")))
                }
                filled => filled,
            },
        }
    }

    fn data(&self) -> &[u8] {
        match &self.held {
            Some(held) if held.sent => &[],
            Some(held) => &held.bytes,
            None => self.inner.data(),
        }
    }

    fn consume(&mut self) {
        match &mut self.held {
            Some(held) => held.sent = true,
            None => self.inner.consume(),
        }
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        match &self.held {
            Some(_) => Ok(()),
            None => {
                self.inner.trailers(into)?;
                if let Some(reserved) = self.reserved_trailers {
                    reserved.strip(into);
                }
                Ok(())
            }
        }
    }

    fn is_done(&self) -> bool {
        match &self.held {
            Some(held) => held.sent || held.bytes.is_empty(),
            None => self.inner.is_done(),
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
        self.held.is_none() && self.inner.awaits_invitation()
    }

    fn bear_pauses(&mut self, most: Duration) {
        self.inner.bear_pauses(most);
    }

    fn switch(&mut self) {
        self.held = None;
        self.inner.switch();
    }

    fn bytes_read(&self) -> u64 {
        self.inner.bytes_read()
    }
}

/// A body that is at hand as a whole.
#[derive(Debug)]
pub(crate) struct Content {
    bytes: Bytes,
    sent: bool,
}

impl Content {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { bytes, sent: false }
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

/// No body at all, and nobody who could go away: for requests that are explained, not served.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces that come one by one.
    struct Pieces(Vec<&'static [u8]>, u64);

    impl BodySource for Pieces {
        fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
            Poll::Ready(Ok(!self.0.is_empty()))
        }

        fn data(&self) -> &[u8] {
            self.0.first().copied().unwrap_or_default()
        }

        fn consume(&mut self) {
            self.1 += self.0.remove(0).len() as u64;
        }

        fn trailers(&mut self, _: &mut Fields) -> Result<(), Fault> {
            Ok(())
        }

        fn is_done(&self) -> bool {
            self.0.is_empty()
        }
    }

    impl RequestBody for Pieces {
        fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Fault> {
            Poll::Pending
        }

        fn awaits_invitation(&self) -> bool {
            false
        }

        fn switch(&mut self) {}

        fn bytes_read(&self) -> u64 {
            self.1
        }
    }

    async fn rest(body: &mut impl BodySource) -> Vec<u8> {
        let mut all = Vec::new();
        while poll_fn(|context| body.poll_fill(context)).await.unwrap() {
            all.extend_from_slice(body.data());
            body.consume();
        }
        assert!(body.is_done());
        all
    }

    #[tokio::test]
    async fn what_is_held_is_sent_as_often_as_asked() {
        let mut pieces = Pieces(vec![b"ab", b"c"], 0);
        let mut body = Replay::new(&mut pieces);
        assert!(body.is_replayable());
        assert_eq!(body.hold(3).await.unwrap(), "abc");
        for _ in 0..2 {
            assert_eq!(rest(&mut body).await, b"abc");
            body.rewind();
        }
        body.replace(Bytes::from_static(b"other"));
        assert_eq!(rest(&mut body).await, b"other");
        assert!(body.is_replayable());
        assert_eq!(body.hold(3).await.unwrap_err().reason, Reason::BodyTooLarge);
    }

    #[tokio::test]
    async fn what_is_held_counts_until_it_is_dropped_and_beyond_the_ceiling_nothing_is() {
        let memory = Memory::new(200_000);
        let piece: &[u8] = Box::leak(vec![b'x'; 90_000].into());
        let mut first = Pieces(vec![piece], 0);
        let mut body = Replay::new(&mut first).within(&memory);
        assert_eq!(body.hold(u64::MAX).await.unwrap().len(), 90_000);
        assert_eq!(memory.used(), 90_000);
        let mut second = Pieces(vec![piece, piece], 0);
        let mut other = Replay::new(&mut second).within(&memory);
        let fault = other.hold(u64::MAX).await.unwrap_err();
        assert_eq!((fault.reason, fault.fields()), (Reason::MemoryFull, &[("Retry-After", "1".into())][..]));
        drop(other);
        assert_eq!(memory.used(), 90_000);
        let mut third = Pieces(vec![piece, piece], 0);
        let mut streams = Replay::new(&mut third).within(&memory);
        assert!(!streams.keep(180_000).await.unwrap());
        assert_eq!(rest(&mut streams).await.len(), 180_000);
        drop(body);
        let mut fourth = Pieces(vec![piece, piece], 0);
        let mut kept = Replay::new(&mut fourth).within(&memory);
        assert!(kept.keep(180_000).await.unwrap());
        assert_eq!(memory.used(), 180_000);
        drop(kept);
        assert_eq!((memory.used(), memory.refused()), (0, 2));
    }

    #[tokio::test]
    async fn what_is_longer_than_the_bound_is_refused_and_what_streams_is_not_sent_twice() {
        let mut pieces = Pieces(vec![b"ab", b"cd", b"ef"], 0);
        let mut body = Replay::new(&mut pieces);
        assert_eq!(body.hold(3).await.unwrap_err().reason, Reason::BodyTooLarge);
        assert!(!body.is_replayable());
        let mut pieces = Pieces(vec![b"ab", b"cd"], 0);
        let mut body = Replay::new(&mut pieces);
        assert_eq!(rest(&mut body).await, b"abcd");
        assert!(!body.is_replayable());
    }
}
