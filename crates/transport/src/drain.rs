//! Telling a worker's connections that the worker is going away.

use std::cell::{Cell, RefCell};
use std::task::Waker;

/// The drain state of one worker, and how to wake the connections that sit idle.
#[derive(Debug, Default)]
pub struct Drain {
    draining: Cell<bool>,
    wakers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
    connections: Cell<usize>,
}

/// A connection's place in [`Drain`]; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    drain: &'a Drain,
    number: usize,
}

impl Drain {
    /// Whether connections should end after the request at hand.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Starts draining and wakes every connection so that idle ones close.
    pub fn start(&self) {
        self.draining.set(true);
        for waker in self.wakers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// How many client connections this worker has open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(crate) fn seat(&self, waker: Waker) -> Seat<'_> {
        let mut wakers = self.wakers.borrow_mut();
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            wakers.push(None);
            wakers.len().saturating_sub(1)
        });
        if let Some(place) = wakers.get_mut(number) {
            *place = Some(waker);
        }
        self.connections.set(self.connections.get().saturating_add(1));
        Seat { drain: self, number }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.drain.wakers.borrow_mut().get_mut(self.number) {
            *place = None;
        }
        self.drain.free.borrow_mut().push(self.number);
        self.drain.connections.set(self.drain.connections.get().saturating_sub(1));
    }
}
