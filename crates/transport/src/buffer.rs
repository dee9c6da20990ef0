//! Read buffers, lent by the worker for as long as something is in them.
//!
//! Whoever waits holds none: ten thousand idle connections, or requests whose services think, cost ten thousand
//! sockets, not buffers. And what is read goes where the processor's cache still has what was read last.

use crate::usage::{buffer_lent, buffer_returned};
use std::cell::RefCell;

/// What a buffer starts with: a head and a small body in one read.
const INITIAL: usize = 16 * 1024;
/// What a buffer grows to under a large body.
const MAXIMUM: usize = 128 * 1024;
/// Larger ones are not kept; more than this many are not kept either.
const KEPT: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that were read and not yet used, with room for more.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Empty while nothing is lent.
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// A buffer without memory of its own: it takes some of this worker when it is read into.
    #[must_use]
    pub const fn empty() -> Self {
        Self { data: Vec::new(), start: 0, end: 0 }
    }

    /// The bytes that were read and not yet used.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Marks `count` bytes as used.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.give_back();
        }
    }

    /// Lends the memory to others while nothing is in it. What has grown for a long body stays until that ends, or
    /// nobody needs it any more (`rest`).
    pub fn give_back(&mut self) {
        if self.is_empty() && self.data.len() == INITIAL {
            self.release();
        }
    }

    /// Whether it holds memory of a long body, and nothing is in it.
    pub(crate) const fn has_grown(&self) -> bool {
        self.is_empty() && self.data.len() > INITIAL
    }

    /// Lends its memory to others while nothing is in it, however large it has grown.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            self.release();
        }
    }

    /// Whether a read of so many bytes is one for which a buffer grows.
    pub(crate) const fn is_large(count: usize) -> bool {
        count >= INITIAL
    }

    fn release(&mut self) {
        let mut data = std::mem::take(&mut self.data);
        if data.is_empty() {
            return;
        }
        buffer_returned();
        if data.len() > INITIAL {
            data.truncate(INITIAL);
            data.shrink_to_fit();
        }
        // A thread that is ending has no spare list any more; the memory is simply freed then.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < KEPT {
                spare.push(data);
            }
        });
    }

    /// Room to read into; grows the buffer up to `limit` bytes when it is full. Empty when at the limit.
    pub fn room(&mut self, limit: usize) -> &mut [u8] {
        if self.data.is_empty() {
            self.data = SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_else(|| vec![0; INITIAL]);
            buffer_lent();
        }
        if self.end == self.data.len() && self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        if self.end == self.data.len() && self.data.len() < limit {
            let target = self.data.len().saturating_mul(2).clamp(INITIAL, limit.max(INITIAL));
            self.data.resize(target, 0);
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// Notes that `count` bytes were read into the room.
    pub fn filled_more(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.data.len());
    }

    /// Doubles the room for the next read of a long body, after a read has filled all of it.
    pub fn grow_for_body(&mut self) {
        let _ = self.room(INITIAL);
        if self.is_empty() && self.data.len() < MAXIMUM {
            let target = self.data.len().saturating_mul(2).min(MAXIMUM);
            self.data.resize(target, 0);
        }
    }

    /// How many bytes fit in all, once something is read.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        if self.data.is_empty() { INITIAL } else { self.data.len() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_limit_and_no_further() {
        let mut buffer = Buffer::empty();
        let limit = 40_000;
        loop {
            let room = buffer.room(limit).len();
            if room == 0 {
                break;
            }
            buffer.filled_more(room);
        }
        assert_eq!(buffer.filled().len(), limit);
        buffer.consume(39_999);
        assert_eq!(buffer.filled().len(), 1);
        assert_eq!(buffer.room(limit).len(), limit - 1, "used bytes make room again");
    }

    #[test]
    fn memory_is_lent_while_something_is_in_it() {
        let (mut first, mut second) = (Buffer::empty(), Buffer::empty());
        let place = first.room(INITIAL).as_ptr();
        first.filled_more(10);
        first.consume(4);
        assert_eq!(first.filled().len(), 6);
        assert_ne!(second.room(INITIAL).as_ptr(), place, "two at once have memory each");
        second.give_back();
        first.consume(6);
        assert_eq!(second.room(INITIAL).as_ptr(), place, "what was used last is lent next");
        assert_eq!((first.capacity(), first.filled()), (INITIAL, &[][..]));
        // What has grown is kept between the reads of a long body.
        second.filled_more(INITIAL);
        second.consume(INITIAL);
        second.grow_for_body();
        second.filled_more(1);
        second.consume(1);
        assert_eq!(second.capacity(), 2 * INITIAL);
    }

    #[test]
    fn spare_buffers_are_bounded_in_number_and_size() {
        let many: Vec<Buffer> = (0..3 * KEPT)
            .map(|_| {
                let mut buffer = Buffer::empty();
                let room = buffer.room(1 << 20).len();
                buffer.filled_more(room);
                assert!(!buffer.room(1 << 20).is_empty());
                buffer
            })
            .collect();
        drop(many);
        SPARE.with_borrow(|spare| {
            assert_eq!(spare.len(), KEPT);
            assert!(spare.iter().all(|data| data.capacity() == INITIAL));
        });
    }
}
