//! How much memory is held for bodies that are buffered, of all requests together.
//!
//! Whoever is about to buffer reserves the bytes first, as they come and not as they were announced, and holds the
//! [`Reserved`] for as long as the buffer lives. Above the ceiling nothing more is given; what is held already stays. Only buffering costs anything,
//! and then one atomic for a piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Buffered bytes and their ceiling.
#[derive(Debug)]
pub struct Memory {
    used: AtomicUsize,
    ceiling: AtomicUsize,
    refused: AtomicU64,
}

/// The ceiling is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Bytes that are held; given back when dropped.
#[derive(Debug)]
pub struct Reserved {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    /// Nothing is held; at most `ceiling` bytes ever are.
    #[must_use]
    pub fn new(ceiling: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            ceiling: AtomicUsize::new(ceiling),
            refused: AtomicU64::new(0),
        })
    }

    /// Changes the ceiling; what is held beyond it stays until it is given back.
    pub fn set_ceiling(&self, bytes: usize) {
        self.ceiling.store(bytes, Ordering::Relaxed);
    }

    /// The most that is held.
    #[must_use]
    pub fn ceiling(&self) -> usize {
        self.ceiling.load(Ordering::Relaxed)
    }

    /// What is held.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How often there was no room.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Holds this many bytes.
    ///
    /// # Errors
    /// There is no room.
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reserved, NoRoom> {
        if bytes > 0 {
            self.take(bytes)?;
        }
        Ok(Reserved { memory: Arc::clone(self), bytes })
    }

    /// Whether there is room for so many now; where there is none, that counts as refused. Holds nothing.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        let has_room = self.used().checked_add(bytes).is_some_and(|sum| sum <= self.ceiling());
        if !has_room {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let ceiling = self.ceiling();
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= ceiling)
        });
        taken.map(drop).map_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            NoRoom
        })
    }
}

impl Reserved {
    /// Makes sure that at least `bytes` are held.
    ///
    /// # Errors
    /// There is no room; what was held before still is.
    pub fn cover(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes > self.bytes {
            self.memory.take(bytes.saturating_sub(self.bytes))?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Holds exactly so many, beyond the ceiling too: they are there already, and count so that nothing more
    /// is begun.
    pub fn follow(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.memory.used.fetch_add(bytes.saturating_sub(self.bytes), Ordering::Relaxed);
            self.bytes = bytes;
        } else {
            self.trim(bytes);
        }
    }

    /// Whether there is room for anything more; where there is none, that counts as refused.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.memory.has_room(1)
    }

    /// Whether half of what may be held is.
    #[must_use]
    pub fn is_half_way(&self) -> bool {
        self.memory.used() >= self.memory.ceiling() / 2
    }

    /// Gives back what is held beyond `bytes`.
    pub fn trim(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        if less == 0 {
            return;
        }
        self.memory.used.fetch_sub(less, Ordering::Relaxed);
        self.bytes = self.bytes.saturating_sub(less);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP: usize = 64 * 1024;

    #[test]
    fn above_the_ceiling_nothing_is_given_and_everything_comes_back() {
        let memory = Memory::new(3 * STEP);
        let mut first = memory.reserve(10).unwrap();
        assert_eq!(first.cover(5), Ok(()));
        assert_eq!(memory.used(), 10);
        first.cover(10 + STEP).unwrap();
        assert_eq!(memory.used(), 10 + STEP, "as much as was asked for");
        let second = memory.reserve(STEP).unwrap();
        assert!(memory.reserve(STEP).is_err());
        assert_eq!(first.cover(3 * STEP), Err(NoRoom));
        assert_eq!((memory.used(), memory.refused()), (10 + 2 * STEP, 2));
        first.trim(11);
        assert_eq!(memory.used(), 11 + STEP);
        first.follow(4 * STEP);
        assert_eq!((memory.used(), first.has_room()), (5 * STEP, false), "what is there counts");
        first.follow(11);
        assert_eq!((memory.used(), first.has_room()), (11 + STEP, true));
        memory.set_ceiling(0);
        assert!(memory.reserve(1).is_err() && memory.reserve(0).is_ok());
        memory.set_ceiling(memory.used() + 1);
        assert!(memory.has_room(1) && !memory.has_room(2) && !memory.has_room(usize::MAX));
        assert_eq!((memory.used(), memory.refused()), (11 + STEP, 6));
        drop((first, second));
        assert_eq!(memory.used(), 0);
    }

    proptest! {
        #[test]
        fn never_more_than_the_ceiling_is_held(steps in prop::collection::vec((0_usize..8, 0_usize..200_000), 1..100)) {
            let memory = Memory::new(500_000);
            let mut held: Vec<Option<Reserved>> = (0..8).map(|_| None).collect();
            for (place, bytes) in steps {
                held[place] = match held[place].take() {
                    None => memory.reserve(bytes).ok(),
                    Some(mut reserved) if bytes % 3 == 0 => { reserved.trim(bytes); Some(reserved) }
                    Some(mut reserved) if bytes % 3 == 1 => { let _ = reserved.cover(bytes); Some(reserved) }
                    Some(_) => None,
                };
                let sum: usize = held.iter().flatten().map(|reserved| reserved.bytes).sum();
                prop_assert_eq!(memory.used(), sum);
                prop_assert!(sum <= 500_000);
            }
        }
    }
}
