//! A request's body that can be held: read whole, looked at, replaced, and sent as often as needed.
//!
//! While nothing is held every call goes straight to the client's body. Held bodies lose their trailers (RFC 9110 section
//! 6.5.1), which were judged with the end of the body: a section that is not valid is an error of [`Replay::hold`].
//!
//! What counts among the bytes that the process holds is what is there: a length that was announced and bytes that do not
//! come fill nothing.

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

/// What is asked of the allocator at least once a body comes in pieces, so that crumbs do not ask it for each.
const STEP: usize = 4 * 1024;

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
    /// There was no room for more: what the client's own body still has follows. Never empty; gone once it is sent.
    part: bool,
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

    /// Whether the body can be sent again: it is held, or there is none, or not a byte of it was read, or none of what was
    /// read went on.
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
            Some(held) if !held.part => held.bytes.clone(),
            _ => {
                let (bytes, is_whole) = self.read(limit).await?;
                if !is_whole {
                    self.reserved = None;
                    return Err(memory_full());
                }
                bytes
            }
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
        if let Some(held) = &self.held {
            return Ok(!held.part);
        }
        // Nothing is begun that would not fit now; what else comes meanwhile is seen on the way.
        let announced = usize::try_from(length).unwrap_or(usize::MAX);
        if self.memory.is_some_and(|memory| !memory.has_room(announced)) {
            return Ok(false);
        }
        let (bytes, is_whole) = self.read(length).await?;
        if !bytes.is_empty() || is_whole {
            self.held = Some(Held { bytes, sent: false, part: !is_whole });
        }
        Ok(is_whole)
    }

    /// Reads on to the end, or as far as there is room. What was read counts for as long as this lives.
    async fn read(&mut self, limit: u64) -> Result<(Bytes, bool), Fault> {
        let begun = self.held.take().map(|held| Vec::from(held.bytes));
        let mut reserved = self.reserved.take();
        if reserved.is_none() {
            reserved = self.reserve(0).map_err(|_| memory_full())?;
        }
        let mut whole = begun.unwrap_or_default();
        let is_whole = read(self.inner, limit, &mut whole, reserved.as_mut()).await?;
        if let Some(reserved) = &mut reserved {
            reserved.trim(whole.len());
        }
        self.reserved = reserved;
        Ok((whole.into_boxed_slice().into(), is_whole))
    }

    /// Holds these bytes in place of what was held. What the client's own body still has is not sent.
    pub fn replace(&mut self, bytes: Bytes) {
        self.held = Some(Held { bytes, sent: false, part: false });
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
        self.held().is_some() || self.is_done()
    }

    /// Bytes that are held, all of them.
    pub fn held(&self) -> Option<&Bytes> {
        self.held.as_ref().filter(|held| !held.part).map(|held| &held.bytes)
    }
}

fn too_large() -> Fault {
    Fault::new(Reason::BodyTooLarge).because("longer than a policy of this route reads")
}

/// Reads on, behind what is there; `false`: there is no room for the next piece.
async fn read(
    body: &mut impl RequestBody,
    limit: u64,
    whole: &mut Vec<u8>,
    mut reserved: Option<&mut Reserved>,
) -> Result<bool, Fault> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    while poll_fn(|context| body.poll_fill(context)).await? {
        let data = body.data();
        let needed = whole.len().saturating_add(data.len());
        if needed as u64 > limit {
            return Err(too_large());
        }
        if needed > whole.capacity() {
            // What is asked of the allocator is what is counted; a body that comes at once is asked for as it is.
            let steps = if whole.is_empty() { 0 } else { whole.capacity().saturating_mul(2).max(STEP) };
            let room = steps.min(most).max(needed);
            if let Some(reserved) = &mut reserved
                && reserved.cover(room).is_err()
            {
                return Ok(false);
            }
            whole.reserve_exact(room.saturating_sub(whole.len()));
        }
        whole.extend_from_slice(data);
        body.consume();
    }
    Ok(true)
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
            Some(held) if held.part => (self.held, self.reserved) = (None, None),
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
            Some(held) => !held.part && (held.sent || held.bytes.is_empty()),
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
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Pieces that come one by one.
    struct Pieces {
        left: Vec<&'static [u8]>,
        read: u64,
        /// What happens between two.
        then: Box<dyn FnMut()>,
    }

    impl Pieces {
        fn of(left: Vec<&'static [u8]>) -> Self {
            Self { left, read: 0, then: Box::new(|| {}) }
        }

        fn and(mut self, then: impl FnMut() + 'static) -> Self {
            self.then = Box::new(then);
            self
        }
    }

    impl BodySource for Pieces {
        fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
            Poll::Ready(Ok(!self.left.is_empty()))
        }

        fn data(&self) -> &[u8] {
            self.left.first().copied().unwrap_or_default()
        }

        fn consume(&mut self) {
            self.read += self.left.remove(0).len() as u64;
            (self.then)();
        }

        fn trailers(&mut self, _: &mut Fields) -> Result<(), Fault> {
            Ok(())
        }

        fn is_done(&self) -> bool {
            self.left.is_empty()
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
            self.read
        }
    }

    /// A body that was announced and does not come.
    struct Silent;

    impl BodySource for Silent {
        fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
            Poll::Pending
        }

        fn data(&self) -> &[u8] {
            &[]
        }

        fn consume(&mut self) {}

        fn trailers(&mut self, _: &mut Fields) -> Result<(), Fault> {
            Ok(())
        }

        fn is_done(&self) -> bool {
            false
        }
    }

    impl RequestBody for Silent {
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
        let mut pieces = Pieces::of(vec![b"ab", b"c"]);
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
        let mut first = Pieces::of(vec![piece]);
        let mut body = Replay::new(&mut first).within(&memory);
        assert_eq!(body.hold(u64::MAX).await.unwrap().len(), 90_000);
        assert_eq!(memory.used(), 90_000);
        let mut second = Pieces::of(vec![piece, piece]);
        let mut other = Replay::new(&mut second).within(&memory);
        let fault = other.hold(u64::MAX).await.unwrap_err();
        assert_eq!((fault.reason, fault.fields()), (Reason::MemoryFull, &[("Retry-After", "1".into())][..]));
        drop(other);
        assert_eq!(memory.used(), 90_000);
        let mut third = Pieces::of(vec![piece, piece]);
        let mut streams = Replay::new(&mut third).within(&memory);
        assert!(!streams.keep(180_000).await.unwrap());
        assert!(!streams.is_whole() && streams.held().is_none() && streams.is_replayable());
        assert_eq!(rest(&mut streams).await.len(), 180_000);
        drop(body);
        let mut fourth = Pieces::of(vec![piece, piece]);
        let mut kept = Replay::new(&mut fourth).within(&memory);
        assert!(kept.keep(180_000).await.unwrap());
        assert_eq!(memory.used(), 180_000);
        drop(kept);
        assert_eq!((memory.used(), memory.refused()), (0, 2));
    }

    #[tokio::test]
    async fn what_is_counted_is_what_came() {
        let memory = Memory::new(200_000);
        for (limit, counted) in [(u64::MAX, [1, 4_096, 4_096]), (3, [1, 3, 3])] {
            let seen = Rc::new(RefCell::new(Vec::new()));
            let (sees, used) = (Rc::clone(&seen), Arc::clone(&memory));
            let mut crumbs =
                Pieces::of(vec![b"a", b"b", b"c"]).and(move || sees.borrow_mut().push(used.used()));
            let mut body = Replay::new(&mut crumbs).within(&memory);
            assert_eq!(body.hold(limit).await.unwrap(), "abc");
            assert_eq!((&**seen.borrow(), memory.used()), (&counted[..], 3));
        }
        assert_eq!(memory.used(), 0);
        let mut silent = Silent;
        let mut body = Replay::new(&mut silent).within(&memory);
        let mut keeping = std::pin::pin!(body.keep(200_000));
        assert!(poll_fn(|context| Poll::Ready(keeping.as_mut().poll(context))).await.is_pending());
        assert_eq!(memory.used(), 0, "nothing came");
        let mut silent = Silent;
        let mut never = Replay::new(&mut silent).within(&memory);
        assert!(!never.keep(200_001).await.unwrap(), "it could not be held, so nobody waits for it");
    }

    #[tokio::test]
    async fn where_there_is_no_room_for_the_rest_what_was_read_goes_first() {
        let memory = Memory::new(100_000);
        let piece: &[u8] = Box::leak((0..30_000_u32).map(|number| number.to_le_bytes()[0]).collect());
        let (all, pieces) = (piece.repeat(3), || Pieces::of(vec![piece, piece, piece]));
        // Between two pieces somebody else takes what there is.
        let other = Rc::new(RefCell::new(None));
        let (takes, from) = (Rc::clone(&other), Arc::clone(&memory));
        let mut begun = false;
        let take = move || {
            if !std::mem::replace(&mut begun, true) {
                let left = from.ceiling() - from.used();
                *takes.borrow_mut() = Some(from.reserve(left).unwrap());
            }
        };
        let mut crowded = pieces().and(take.clone());
        let mut body = Replay::new(&mut crowded).within(&memory);
        assert!(!body.keep(90_000).await.unwrap() && !body.keep(90_000).await.unwrap());
        assert!(!body.is_whole() && !body.is_done() && body.held().is_none());
        assert!(body.is_replayable(), "nothing of it went on");
        body.rewind();
        assert_eq!(memory.used(), 100_000);
        assert_eq!(rest(&mut body).await, all);
        assert!(!body.is_replayable());
        assert_eq!(memory.used(), 70_000);
        drop(other.take());
        let mut crowded = pieces().and(take);
        let mut body = Replay::new(&mut crowded).within(&memory);
        assert!(!body.keep(90_000).await.unwrap());
        drop(other.take());
        assert_eq!(body.hold(90_000).await.unwrap(), all);
        assert_eq!((body.is_replayable(), memory.used()), (true, 90_000));
    }

    #[tokio::test]
    async fn what_is_longer_than_the_bound_is_refused_and_what_streams_is_not_sent_twice() {
        let mut pieces = Pieces::of(vec![b"ab", b"cd", b"ef"]);
        let mut body = Replay::new(&mut pieces);
        assert_eq!(body.hold(3).await.unwrap_err().reason, Reason::BodyTooLarge);
        assert!(!body.is_replayable());
        let mut pieces = Pieces::of(vec![b"ab", b"cd"]);
        let mut body = Replay::new(&mut pieces);
        assert_eq!(rest(&mut body).await, b"abcd");
        assert!(!body.is_replayable());
    }
}
