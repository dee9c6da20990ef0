//! One worker's connection to one store: made when it is first needed, and again when it is lost.
//!
//! Requests never make connections. A task of the worker does, and until it has succeeded requests are told at
//! once that the store is away.

use crate::StoreError;
use crate::breaker::{FAILURES, pause};
use crate::outbox::Outbox;
use crate::redis_store::Inner;
use crate::topology::{Connection, open};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// By the number of the store.
type Links = HashMap<u64, (Weak<Inner>, Rc<Link>)>;

thread_local! {
    static LINKS: RefCell<Links> = RefCell::default();
}

/// Twice what a connection may take, because a sentinel and then the server are asked.
fn longest_opening(inner: &Inner) -> Duration {
    inner.settings.connect_timeout.saturating_mul(2)
}

/// One worker's connection.
pub(crate) struct Link {
    state: RefCell<State>,
    failures: Cell<u32>,
    changed: Notify,
    pub(crate) outbox: Outbox,
}

enum State {
    /// Nobody has asked yet.
    Fresh,
    /// For the first time.
    Opening,
    Open(Connection, Rc<str>),
    /// Lost, or never had; a task tries again.
    Away,
}

impl Link {
    /// This thread's connection to that store.
    pub(crate) fn of(inner: &Arc<Inner>) -> Rc<Self> {
        LINKS.with_borrow_mut(|links| {
            if let Some((_, link)) = links.get(&inner.number) {
                return Rc::clone(link);
            }
            links.retain(|_, (inner, _)| inner.strong_count() > 0);
            let link = Rc::new(Self {
                state: RefCell::new(State::Fresh),
                failures: Cell::new(0),
                changed: Notify::new(),
                outbox: Outbox::default(),
            });
            links.insert(inner.number, (Arc::downgrade(inner), Rc::clone(&link)));
            link
        })
    }

    /// The connection, and which life of the server it leads to. One that is being made for the first time is waited for
    /// so long.
    pub(crate) async fn connection(
        self: &Rc<Self>,
        inner: &Arc<Inner>,
        patience: Duration,
    ) -> Result<(Connection, Rc<str>), StoreError> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        self.begin(inner);
        let changed = self.changed.notified();
        let opening = matches!(*self.state.borrow(), State::Opening);
        if opening && timeout(patience, changed).await.is_ok() {
            return self.open().ok_or(StoreError::Unavailable);
        }
        Err(StoreError::Unavailable)
    }

    /// Waits for a connection as long as it takes to make one; also when it was lost, for the next trial.
    pub(crate) async fn opened(self: &Rc<Self>, inner: &Arc<Inner>) -> Result<(), StoreError> {
        self.begin(inner);
        let changed = self.changed.notified();
        if self.open().is_none() {
            // It may have failed too.
            let _ = timeout(longest_opening(inner), changed).await;
        }
        self.open().map(|_| ()).ok_or(StoreError::Unavailable)
    }

    /// Begins to make a connection, where nobody has.
    fn begin(self: &Rc<Self>, inner: &Arc<Inner>) {
        let fresh = matches!(*self.state.borrow(), State::Fresh);
        if fresh {
            *self.state.borrow_mut() = State::Opening;
            self.reopen(inner, false);
        }
    }

    /// Whether asking would bring nothing now.
    pub(crate) fn is_away(&self) -> bool {
        matches!(*self.state.borrow(), State::Away)
    }

    /// The connection, if there is one.
    pub(crate) fn open(&self) -> Option<(Connection, Rc<str>)> {
        match &*self.state.borrow() {
            State::Open(connection, life) => Some((connection.clone(), Rc::clone(life))),
            State::Fresh | State::Opening | State::Away => None,
        }
    }

    /// An answer came.
    pub(crate) fn succeeded(&self) {
        self.failures.set(0);
    }

    /// No answer came, or a bad one. With `lost` the connection is known to be gone.
    pub(crate) fn failed(self: &Rc<Self>, inner: &Arc<Inner>, lost: bool) {
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        let is_open = matches!(*self.state.borrow(), State::Open(..));
        if is_open && (lost || failures >= FAILURES) {
            *self.state.borrow_mut() = State::Away;
            self.reopen(inner, true);
        }
    }

    /// Tries until there is a connection that answers, or nobody needs the store any more.
    fn reopen(self: &Rc<Self>, inner: &Arc<Inner>, wait_first: bool) {
        let (link, store) = (Rc::clone(self), Arc::downgrade(inner));
        let random = RandomState::new();
        tokio::task::spawn_local(async move {
            for trial in 0_u32.. {
                if trial > 0 || wait_first {
                    tokio::time::sleep(pause(trial, random.hash_one(trial))).await;
                }
                let Some(inner) = store.upgrade() else { return };
                let opened = timeout(longest_opening(&inner), open(&inner.settings)).await;
                let why = match opened {
                    Ok(Ok((connection, life))) => {
                        inner.learn(&life);
                        inner.is_there();
                        link.failures.set(0);
                        *link.state.borrow_mut() = State::Open(connection, life.into());
                        link.changed.notify_waiters();
                        return;
                    }
                    // What the server says may hold what was sent; its kind does not.
                    Ok(Err(error)) if error.is_io_error() => error.to_string(),
                    Ok(Err(error)) => error.category().to_owned(),
                    Err(_) => "no answer in time".to_owned(),
                };
                inner.is_away(&why);
                inner.count_failure();
                *link.state.borrow_mut() = State::Away;
                link.changed.notify_waiters();
            }
        });
    }
}
