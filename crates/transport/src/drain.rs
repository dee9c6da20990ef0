//! Telling a worker's connections that the worker is going away.

use crate::clock::{later, now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection that waits for its next request stays when the worker drains. Closing it at once
/// would meet a request that is under way to us with a reset; so the client gets the time to send it, and a
/// response that says `Connection: close`.
const IDLE_GRACE: Duration = Duration::from_secs(2);
/// The same for a connection that has not sent its first request: it was made to send one.
const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(5);

/// The drain state of one worker, and how to wake the connections that sit idle.
#[derive(Debug, Default)]
pub struct Drain {
    started: Cell<Option<Instant>>,
    wakers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
    connections: Cell<usize>,
}

/// A place among those that are woken when draining starts; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    drain: &'a Drain,
    number: usize,
}

/// A connection that the worker waits for when it drains, from its acceptance to its end.
#[derive(Debug)]
pub(crate) struct Counted(Rc<Drain>);

impl Drain {
    /// Whether connections should end after the request at hand.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.started.get().is_some()
    }

    /// Starts draining: listeners take what has reached them already and end, connections end as soon as
    /// that loses no request.
    pub fn start(&self) {
        self.started.set(Some(self.started.get().unwrap_or_else(now)));
        for waker in self.wakers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Until when a connection that waits for a request `since` then may do so now that the worker drains; `None` while
    /// it does not. Who could not know of the drain when the wait began has all the time from there.
    pub(crate) fn patience(&self, first_request: bool, since: Instant) -> Option<Instant> {
        let grace = if first_request { FIRST_REQUEST_GRACE } else { IDLE_GRACE };
        self.started.get().map(|started| later(started.max(since), grace))
    }

    /// How many client connections this worker has open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Counts a connection until the value is dropped.
    pub(crate) fn count(self: &Rc<Self>) -> Counted {
        self.connections.set(self.connections.get().saturating_add(1));
        Counted(Rc::clone(self))
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
        Seat { drain: self, number }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.drain.wakers.borrow_mut().get_mut(self.number) {
            *place = None;
        }
        self.drain.free.borrow_mut().push(self.number);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_grace_runs_from_the_later_of_the_drain_and_the_wait() {
        let drain = Drain::default();
        let before = now();
        assert_eq!(drain.patience(false, before), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        drain.start();
        let started = now();
        assert_eq!(drain.patience(false, before), started.checked_add(IDLE_GRACE));
        assert_eq!(drain.patience(true, before), started.checked_add(FIRST_REQUEST_GRACE));
        tokio::time::advance(Duration::from_secs(60)).await;
        drain.start();
        assert_eq!(drain.patience(false, before), started.checked_add(IDLE_GRACE));
        assert_eq!(drain.patience(false, now()), now().checked_add(IDLE_GRACE));
        assert_eq!(drain.patience(true, now()), now().checked_add(FIRST_REQUEST_GRACE));
    }
}
