//! What a worker asks a store, collected for a moment.
//!
//! Questions of one form about one limit that arise in the same turn of the worker's event loop are one command. It
//! is sent by a task that is made with its first question, and so runs after everything that was ready then: nobody
//! waits for a round trip that was not his own, and a question that comes alone is sent at once.

use crate::StoreError;
use crate::batch::{self, Batch, Form, Place};
use crate::limits::StoredLimit;
use crate::link::Link;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use tokio::sync::Notify;
use torana_limit::{Grant, Key};

/// The commands of one worker to one store that are not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    open: RefCell<Vec<Rc<Call>>>,
}

/// One command, and those who wait for its answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) limit: StoredLimit,
    pub(crate) form: Form,
    pub(crate) batch: RefCell<Batch>,
    answer: OnceCell<Answer>,
    answered: Notify,
}

/// What the script says, as [`batch::told`] reads it.
pub(crate) type Answer = Result<Vec<u8>, StoreError>;

impl Outbox {
    /// Adds a question, and says whether it is the first of its call, which then must be sent. A call has at most
    /// so many ledgers.
    pub(crate) fn join(
        &self,
        limit: &StoredLimit,
        form: Form,
        key: Key<'_>,
        most: usize,
    ) -> (Rc<Call>, Place, bool) {
        let who = (key.kind, key.bytes);
        let mut open = self.open.borrow_mut();
        for call in open.iter().filter(|call| call.form == form && call.limit.is(limit)) {
            if let Some(place) = call.batch.borrow_mut().add(form, who, most) {
                return (Rc::clone(call), place, false);
            }
        }
        let mut batch = Batch::default();
        let place = batch.add(form, who, most.max(1)).expect("the first one has room");
        let call = Rc::new(Call {
            limit: limit.clone(),
            form,
            batch: RefCell::new(batch),
            answer: OnceCell::new(),
            answered: Notify::new(),
        });
        open.push(Rc::clone(&call));
        (call, place, true)
    }
}

impl Call {
    /// Waits for the answer, and gives what it says about one of those who asked.
    pub(crate) async fn told(&self, place: Place, details: bool) -> Result<Grant, StoreError> {
        loop {
            match self.answer.get() {
                Some(Ok(answer)) => {
                    let told = batch::told(self.limit.budget(), self.form, details, place, answer);
                    return told.ok_or_else(|| StoreError::Refused("an answer of another form".into()));
                }
                Some(Err(error)) => return Err(error.clone()),
                // On one thread no answer can come between the look and the wait.
                None => self.answered.notified().await,
            }
        }
    }
}

/// Who sends a call. Those who wait for it are told in any case, also when the sender goes away.
pub(crate) struct Sender {
    link: Rc<Link>,
    call: Rc<Call>,
}

impl Sender {
    pub(crate) const fn new(link: Rc<Link>, call: Rc<Call>) -> Self {
        Self { link, call }
    }

    /// The call, which nobody joins any more.
    pub(crate) fn close(&self) -> &Call {
        self.link.outbox.open.borrow_mut().retain(|other| !Rc::ptr_eq(&self.call, other));
        &self.call
    }

    pub(crate) const fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// Tells those who wait.
    pub(crate) fn answer(self, answer: Answer) {
        // It is the only one who answers, and answers once.
        let _ = self.call.answer.set(answer);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.close();
        let _ = self.call.answer.set(Err(StoreError::Unavailable));
        self.call.answered.notify_waiters();
    }
}
