//! What the streams of one connection hold in memory: data that came and was not passed on yet, and data that
//! waits for the socket.
//!
//! It counts among the bytes that the process holds for bodies, beyond their ceiling too, because it is there
//! already: at the ceiling no further body is begun. Shared counters are touched once for many bytes; what is
//! less than [`STEP`] on a connection is not told of, so that small messages cost next to nothing.
//!
//! What has come and waits takes nothing of the connection's window, or a few streams that stand still would hold up
//! all the others: each has a window of its own to fill, and the window of the connection lies beside what waits. From
//! half of the ceiling on it holds both, so that streams that stand still leave bodies elsewhere the other half.

use super::arriving::Arriving;
use super::socket::Watch;
use crate::clock::after;
use bytes::{Buf, Bytes};
use h2::RecvStream;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use torana_limit::{Memory, Reserved};

/// What is told of at once, in bytes.
const STEP: usize = 16 * 1024;
/// For how long a window stays narrow before it is seen whether memory is still scarce.
const SCARCE: Duration = Duration::from_millis(100);
/// What a window may grow to (RFC 9113 section 6.9.1).
const LARGEST: u32 = (1 << 31) - 1;

/// The bytes of one connection.
#[derive(Default)]
pub(super) struct Ledger {
    reserved: RefCell<Option<Reserved>>,
    held: Cell<usize>,
    /// What came and waits, as it was when the streams were last looked at, without what has gone on since.
    waiting: Cell<usize>,
    /// What may be on its way to us.
    window: u32,
    /// What may be on its way or wait, as the library was last told.
    told: Cell<u32>,
    /// When to see whether memory is still scarce, if the window is smaller for that.
    look_again: Cell<Option<Instant>>,
    arriving: RefCell<Vec<Weak<Arriving>>>,
    /// How much data had come when the streams were last looked at.
    looked_at: Cell<u64>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ledger").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Nothing is held. Without `memory` nobody is told. `window` is the connection's at first.
    pub(super) fn new(memory: Option<&Arc<Memory>>, window: u32) -> Rc<Self> {
        let reserved = memory.and_then(|memory| memory.reserve(0).ok());
        Rc::new(Self { reserved: RefCell::new(reserved), window, told: Cell::new(window), ..Self::default() })
    }

    /// The window of the connection, what waits included, when it has changed. To be asked before frames are moved
    /// too: what is read of a stream would widen it otherwise.
    pub(super) fn window(&self) -> Option<u32> {
        // In few steps, because each is a frame.
        let step = (self.window as usize / 4).max(1);
        let waiting = self.waiting.get();
        let beside = waiting.saturating_sub(waiting.checked_rem(step).unwrap_or_default());
        let scarce = || self.reserved.borrow().as_ref().is_some_and(Reserved::is_half_way);
        let narrowed = beside > 0 && scarce();
        self.look_again.set(narrowed.then(|| after(SCARCE)));
        let beside = if narrowed { 0 } else { beside };
        let window = self.window.saturating_add(u32::try_from(beside).unwrap_or(u32::MAX)).min(LARGEST);
        (self.told.replace(window) != window).then_some(window)
    }

    /// When the window is to be asked for again though nothing has come: memory that others give back wakes nobody.
    pub(super) fn look_again(&self) -> Option<Instant> {
        self.look_again.get()
    }

    /// Whether the process may hold more; where it may not, that counts as refused.
    pub(super) fn has_room(&self) -> bool {
        self.reserved.borrow().as_ref().is_none_or(Reserved::has_room)
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.held.get()
    }

    /// Counts what waits on this stream, until that is dropped.
    pub(super) fn watch(self: &Rc<Self>, stream: RecvStream) -> Rc<Arriving> {
        let watched = Rc::new(Arriving::new(stream, self));
        let mut arriving = self.arriving.borrow_mut();
        if arriving.len() == arriving.capacity() {
            arriving.retain(|stream| stream.strong_count() > 0);
        }
        arriving.push(Rc::downgrade(&watched));
        watched
    }

    /// Frames may have come. The streams are looked at when their data is much more than the last time, and their
    /// small frames are gathered where they may take much.
    pub(super) fn arrived(&self, watch: &Watch) {
        if watch.wants_gathering() {
            self.arriving.borrow().iter().filter_map(Weak::upgrade).for_each(|stream| stream.gather());
            watch.gathered();
        }
        let data = watch.data();
        if data.saturating_sub(self.looked_at.get()) < STEP as u64 {
            return;
        }
        self.looked_at.set(data);
        for stream in self.arriving.borrow().iter().filter_map(Weak::upgrade) {
            stream.weigh();
        }
    }

    /// The same of what came.
    pub(super) fn waits(&self, more: usize, less: usize) {
        self.waiting.set(self.waiting.get().saturating_add(more).saturating_sub(less));
        self.change(more, less);
    }

    /// So much more is held, and so much less.
    pub(super) fn change(&self, more: usize, less: usize) {
        let held = self.held.get().saturating_add(more).saturating_sub(less);
        self.held.set(held);
        if let Some(reserved) = &mut *self.reserved.borrow_mut() {
            reserved.follow(held.saturating_sub(held % STEP));
        }
    }
}

/// Data on its way to the socket; counts until the socket has it.
pub(super) struct Piece {
    bytes: Bytes,
    counted: Option<(Rc<Ledger>, usize)>,
}

impl Piece {
    pub(super) fn new(bytes: Bytes, ledger: &Rc<Ledger>) -> Self {
        let size = bytes.len();
        ledger.change(size, 0);
        Self { bytes, counted: (size > 0).then(|| (Rc::clone(ledger), size)) }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some((ledger, size)) = &self.counted {
            ledger.change(0, *size);
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_lies_beside_the_window_until_memory_is_scarce() {
        const WINDOW: u32 = 64 * 1024;
        let memory = Memory::new(1 << 20);
        let ledger = Ledger::new(Some(&memory), WINDOW);
        assert_eq!(ledger.window(), None);
        ledger.waits(STEP - 1, 0);
        assert_eq!(ledger.window(), None, "less than a step");
        ledger.waits(5 * STEP, STEP);
        assert_eq!((ledger.window(), ledger.window()), (Some(2 * WINDOW), None));
        assert!(ledger.look_again().is_none());
        memory.set_ceiling(8 * STEP);
        assert_eq!(ledger.window(), Some(WINDOW));
        assert!(ledger.look_again().is_some(), "nobody is woken when others give memory back");
        memory.set_ceiling(1 << 20);
        assert_eq!(ledger.window(), Some(2 * WINDOW));
        assert!(ledger.look_again().is_none());
        ledger.waits(0, 4 * STEP);
        assert_eq!(ledger.window(), Some(WINDOW));
        let endless = Ledger::new(None, WINDOW);
        endless.waits(1 << 33, 0);
        assert_eq!(endless.window(), Some(LARGEST));
    }

    #[test]
    fn what_waits_for_the_socket_counts_in_steps_and_until_it_has_left() {
        let memory = Memory::new(4 * STEP);
        let ledger = Ledger::new(Some(&memory), 0);
        let small = Piece::new(Bytes::from(vec![0; STEP - 1]), &ledger);
        assert_eq!(memory.used(), 0);
        let mut large = Piece::new(Bytes::from(vec![0; 2 * STEP]), &ledger);
        assert_eq!((memory.used(), ledger.has_room()), (2 * STEP, true));
        large.advance(2 * STEP);
        let beyond = Piece::new(Bytes::from(vec![0; 2 * STEP]), &ledger);
        assert_eq!((memory.used(), ledger.has_room()), (4 * STEP, false));
        assert!(memory.reserve(1).is_err(), "nothing more is begun");
        drop((small, large));
        assert_eq!(memory.used(), 2 * STEP);
        drop(beyond);
        assert_eq!((memory.used(), ledger.held.get()), (0, 0));
    }
}
