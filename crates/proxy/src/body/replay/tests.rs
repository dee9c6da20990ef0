use super::*;
use std::cell::RefCell;
use std::future::poll_fn;
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
        let mut crumbs = Pieces::of(vec![b"a", b"b", b"c"]).and(move || sees.borrow_mut().push(used.used()));
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

#[tokio::test]
async fn what_streams_begins_again_from_the_copy_of_what_went_out() {
    let memory = Memory::new(100);
    let mut pieces = Pieces::of(vec![b"ab", b"cd", b"ef"]);
    let mut body = Replay::new(&mut pieces).within(&memory);
    body.copy_up_to(6);
    body.rewind();
    for went in [0, 1, 2, 1] {
        for _ in 0..went {
            assert!(poll_fn(|context| body.poll_fill(context)).await.unwrap());
            body.consume();
        }
        assert!(body.is_movable() && !body.is_whole() && !body.is_done() && body.held().is_none());
        // What was sent to somebody who may have acted on it stays there.
        assert_eq!(body.is_replayable(), went == 0);
        body.rewind();
    }
    assert_eq!(rest(&mut body).await, b"abcdef");
    body.rewind();
    assert_eq!(rest(&mut body).await, b"abcdef");
    assert_eq!(memory.used(), 6);
    body.is_answered();
    assert_eq!((body.is_movable(), memory.used()), (false, 0));
}

#[tokio::test]
async fn no_copy_is_kept_of_more_than_is_wanted_or_there_is_room_for() {
    for (ceiling, most) in [(100, 3), (3, 100)] {
        let memory = Memory::new(ceiling);
        let mut pieces = Pieces::of(vec![b"ab", b"cd"]);
        let mut body = Replay::new(&mut pieces).within(&memory);
        body.copy_up_to(most);
        for movable in [true, false] {
            assert!(poll_fn(|context| body.poll_fill(context)).await.unwrap());
            body.consume();
            assert_eq!((body.is_movable(), memory.used()), (movable, if movable { 2 } else { 0 }));
        }
        body.rewind();
        assert!(rest(&mut body).await.is_empty(), "what went on is not sent in part");
    }
}

#[tokio::test]
async fn a_copy_that_is_still_to_be_sent_when_the_answer_begins_goes_with_what_is_behind_it() {
    let memory = Memory::new(100);
    let mut pieces = Pieces::of(vec![b"ab", b"cd"]);
    let mut body = Replay::new(&mut pieces).within(&memory);
    body.copy_up_to(10);
    assert!(poll_fn(|context| body.poll_fill(context)).await.unwrap());
    body.consume();
    body.rewind();
    body.is_answered();
    assert_eq!(rest(&mut body).await, b"abcd", "it is sent first all the same");
    assert_eq!((body.is_movable(), memory.used()), (false, 0));
}
