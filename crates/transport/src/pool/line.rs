//! Those of one worker who wait for a connection, in the order in which they came.
//!
//! There are two kinds. For most any connection will do, a stream of HTTP/2 as well as one of HTTP/1. Who wants a
//! connection whole has no use for a stream, so nobody may stand behind them for one: a stream ends in a moment, a
//! tunnel in hours. The rule is that nobody takes what one who came before would take:
//!
//! - Within a kind the first alone looks.
//! - Streams are for the first for whom they will do, whoever wants a connection whole before.
//! - Connections of HTTP/1 and places under the cap are for who came first of all, whatever the kind. So who wants
//!   one whole gets the next before any who come later, and these live on streams meanwhile.
//! - While a connection is being opened that may have room for those for whom a stream will do, they leave the places
//!   under the cap to the first who wants a connection whole.
//!
//! Nothing is handed from one to another, so nothing is lost with one who leaves: being told says only that it is
//! worth to look. Whoever stands at the front of a kind looks when it gets there and whenever it is told after that,
//! and who leaves the front, however that is, tells those who are there then. What has not been used by who was told
//! is therefore seen by the next.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::Notify;

/// Those of one kind, by the number of their coming.
type Waiters = RefCell<VecDeque<(u64, Rc<Notify>)>>;

/// Those who wait; empty where nobody does.
#[derive(Debug, Default)]
pub(crate) struct Line {
    any: Waiters,
    whole: Waiters,
    joined: Cell<u64>,
}

/// Where one stands, and so what one may look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody stands before: for all that is of use.
    First,
    /// None of the same kind stands before: for what the others have no use for.
    FirstOfKind,
    /// For nothing.
    Behind,
}

/// A place in the line; left when dropped.
#[derive(Debug)]
pub(super) struct InLine<'a> {
    line: &'a Line,
    whole: bool,
    number: u64,
    told: Rc<Notify>,
}

impl Line {
    const fn of(&self, whole: bool) -> &Waiters {
        if whole { &self.whole } else { &self.any }
    }

    pub(super) fn len(&self) -> usize {
        self.any.borrow().len().saturating_add(self.whole.borrow().len())
    }

    /// Whether somebody waits for whom a stream will do.
    pub(super) fn wants_stream(&self) -> bool {
        !self.any.borrow().is_empty()
    }

    /// Where one who comes now stands.
    pub(super) fn standing(&self, whole: bool) -> Standing {
        match (self.of(whole).borrow().is_empty(), self.of(!whole).borrow().is_empty()) {
            (true, true) => Standing::First,
            (true, false) => Standing::FirstOfKind,
            (false, _) => Standing::Behind,
        }
    }

    /// Stands behind all others.
    pub(super) fn join(&self, whole: bool) -> InLine<'_> {
        let (number, told) = (self.joined.get(), Rc::new(Notify::new()));
        self.joined.set(number.saturating_add(1));
        self.of(whole).borrow_mut().push_back((number, Rc::clone(&told)));
        InLine { line: self, whole, number, told }
    }

    /// Tells the first of each kind to look again.
    pub(crate) fn tell(&self) {
        for waiters in [&self.any, &self.whole] {
            let first = waiters.borrow().front().map(|(_, told)| Rc::clone(told));
            if let Some(told) = first {
                told.notify_one();
            }
        }
    }
}

impl InLine<'_> {
    /// Where it stands now.
    pub(super) fn standing(&self) -> Standing {
        let front = |whole: bool| self.line.of(whole).borrow().front().map(|(number, _)| *number);
        if front(self.whole) != Some(self.number) {
            return Standing::Behind;
        }
        match front(!self.whole) {
            Some(other) if other < self.number => Standing::FirstOfKind,
            _ => Standing::First,
        }
    }

    /// Waits to be told, or returns at once where it was told since the last time.
    pub(super) async fn until_told(&self) {
        self.told.notified().await;
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let stood = self.standing();
        let waiters = self.line.of(self.whole);
        waiters.borrow_mut().retain(|(number, _)| *number != self.number);
        // Who leaves from the middle changes nothing for the others.
        if stood != Standing::Behind {
            self.line.tell();
        }
    }
}
