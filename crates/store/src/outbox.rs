//! What a worker asks a store, collected for a moment.
//!
//! Questions of one form about one limit that arise in the same turn of the worker's event loop are one command. It
//! is sent by a task that is made with its first question, and so runs after everything that was ready then: nobody
//! waits for a round trip that was not his own, and a question that comes alone is sent at once.

use crate::StoreError;
use crate::batch::{self, Batch, Form, Place};
use crate::limits::StoredLimit;
use crate::link::Link;
use hashbrown::HashTable;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use tokio::sync::Notify;
use torana_limit::{Grant, Key};

/// The commands of one worker to one store that are not sent yet. Whatever is asked, and by however many, one look-up
/// finds the command it goes with.
#[derive(Default)]
pub(crate) struct Outbox {
    open: RefCell<Open>,
    hasher: RandomState,
}

#[derive(Default)]
struct Open {
    /// Of each limit and form the call that may have room for one more caller.
    last: HashMap<(usize, Form), Rc<Call>>,
    /// Callers whose questions add up, by their hash, and the call they are in.
    callers: HashTable<(u64, Rc<Call>)>,
}

/// One command, and those who wait for its answer.
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
        let (who, most) = ((key.kind, key.bytes), most.max(1));
        let hash = self.hash(limit, form, who);
        let mut open = self.open.borrow_mut();
        let known = open.callers.find(hash, |(other, call)| *other == hash && call.has(limit, form, who));
        let known = known.filter(|_| form.adds_up()).map(|(_, call)| Rc::clone(call));
        let known = known.or_else(|| open.last.get(&(limit.address(), form)).map(Rc::clone));
        let joined = known.and_then(|call| {
            let place = call.batch.borrow_mut().add(form, who, most)?;
            Some((call, place, false))
        });
        let (call, place, first) = joined.unwrap_or_else(|| {
            let mut batch = Batch::default();
            let place = batch.add(form, who, most).expect("the first one has room");
            let call = Rc::new(Call {
                limit: limit.clone(),
                form,
                batch: RefCell::new(batch),
                answer: OnceCell::new(),
                answered: Notify::new(),
            });
            open.last.insert((limit.address(), form), Rc::clone(&call));
            (call, place, true)
        });
        if form.adds_up() && place.is_first() {
            open.callers.insert_unique(hash, (hash, Rc::clone(&call)), |(hash, _)| *hash);
        }
        (call, place, first)
    }

    fn hash(&self, limit: &StoredLimit, form: Form, who: (u8, &[u8])) -> u64 {
        self.hasher.hash_one((limit.address(), form, who))
    }

    /// Nobody joins the call any more.
    fn close(&self, call: &Rc<Call>) {
        let mut open = self.open.borrow_mut();
        let key = (call.limit.address(), call.form);
        if open.last.get(&key).is_some_and(|last| Rc::ptr_eq(last, call)) {
            open.last.remove(&key);
        }
        if call.form.adds_up() {
            for (kind, name, _) in call.batch.borrow().ledgers() {
                let hash = self.hash(&call.limit, call.form, (kind, name));
                if let Ok(entry) = open.callers.find_entry(hash, |(_, other)| Rc::ptr_eq(other, call)) {
                    entry.remove();
                }
            }
        }
    }
}

impl Call {
    /// Whether this caller asks the same of the same limit in it.
    fn has(&self, limit: &StoredLimit, form: Form, who: (u8, &[u8])) -> bool {
        self.form == form && self.limit.is(limit) && self.batch.borrow().has(who)
    }

    /// Waits for the answer, and gives what it says about one of those who asked.
    pub(crate) async fn told(&self, place: Place, details: bool) -> Result<Grant, StoreError> {
        loop {
            match self.answer.get() {
                Some(Ok(answer)) => {
                    return batch::told(self.limit.budget(), self.form, details, place, answer);
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
    pub(crate) fn close(&self) -> &Rc<Call> {
        self.link.outbox.close(&self.call);
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
        // Where it was never begun.
        if self.call.answer.set(Err(StoreError::Unavailable)).is_ok() {
            self.close();
        }
        self.call.answered.notify_waiters();
    }
}
