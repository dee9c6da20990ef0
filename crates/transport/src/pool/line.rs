//! Those of one worker who wait for a connection, in the order in which they came.
//!
//! Only the first looks for one; when it leaves, however that is, the next is told. So nobody is passed over by
//! who came later, and one thing to be had wakes one who waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::Notify;

/// The line; empty where nobody waits.
#[derive(Debug, Default)]
pub(super) struct Line(RefCell<VecDeque<Rc<Notify>>>);

/// A place in the line; left when dropped.
#[derive(Debug)]
pub(super) struct InLine<'a> {
    line: &'a Line,
    told: Rc<Notify>,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Stands behind all others.
    pub(super) fn join(&self) -> InLine<'_> {
        let told = Rc::new(Notify::new());
        self.0.borrow_mut().push_back(Rc::clone(&told));
        InLine { line: self, told }
    }
}

impl InLine<'_> {
    /// Waits until nobody stands before.
    pub(super) async fn until_first(&self) {
        while !self.is_first() {
            self.told.notified().await;
        }
    }

    pub(super) fn is_first(&self) -> bool {
        self.line.0.borrow().front().is_some_and(|first| Rc::ptr_eq(first, &self.told))
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let mut line = self.line.0.borrow_mut();
        line.retain(|told| !Rc::ptr_eq(told, &self.told));
        if let Some(first) = line.front() {
            first.notify_one();
        }
    }
}
