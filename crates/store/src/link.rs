//! One worker's connection to one store: made when it is first needed, and again when it is lost.
//!
//! Requests never make connections. A task of the worker does, and until it has succeeded requests are told at
//! once that the store is away. It is closed when nobody needs the store any more.

use crate::StoreError;
use crate::breaker::{FAILURES, pause};
use crate::outbox::Outbox;
use crate::redis_store::Inner;
use crate::servers::Servers;
use crate::topology::{Connection, Opened, open};
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
    /// The servers behind the connection, where there are several.
    servers: RefCell<Option<Rc<RefCell<Servers>>>>,
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

/// Closes this thread's connection when the store is gone, on whichever thread that comes to pass.
fn close_unneeded(inner: &Inner) {
    let (number, mut needed) = (inner.number, inner.needed.subscribe());
    tokio::task::spawn_local(async move {
        while needed.changed().await.is_ok() {}
        // Dropped when the borrow has ended.
        let _closed = LINKS.with_borrow_mut(|links| links.remove(&number));
    });
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
                servers: RefCell::default(),
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
            close_unneeded(inner);
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

    /// Whom of several servers a key leads to.
    pub(crate) fn server_of(&self, key: &[u8]) -> Option<usize> {
        self.servers.borrow().as_ref()?.borrow().of(key)
    }

    /// Whether asking some of several servers would bring nothing now.
    pub(crate) fn has_lost_any(&self) -> bool {
        self.servers.borrow().as_ref().is_some_and(|servers| servers.borrow().is_any_away())
    }

    /// Whether asking that one would bring nothing now.
    pub(crate) fn has_lost(&self, server: Option<usize>) -> bool {
        let servers = self.servers.borrow();
        servers.as_ref().zip(server).is_some_and(|(servers, server)| servers.borrow().is_away(server))
    }

    /// An answer came, of several servers from that one.
    pub(crate) fn succeeded(&self, server: Option<usize>) {
        self.failures.set(0);
        if let (Some(servers), Some(server)) = (&*self.servers.borrow(), server) {
            servers.borrow_mut().succeeded(server);
        }
    }

    /// No answer came, or a bad one. With `lost` the connection is known to be gone. One of several servers is left alone
    /// by itself, and all of them when there is none else.
    pub(crate) fn failed(self: &Rc<Self>, inner: &Arc<Inner>, server: Option<usize>, lost: bool) {
        let servers = self.servers.borrow().clone();
        let Some(servers) = servers else { return self.count(inner, lost) };
        let Some(server) = server else { return };
        if !servers.borrow_mut().failed(server, lost) {
            return;
        }
        if servers.borrow().are_away() {
            self.count(inner, true);
        } else {
            self.look_after(inner, servers, server);
        }
    }

    /// Tries until that server of several answers, or there is another connection.
    fn look_after(self: &Rc<Self>, inner: &Arc<Inner>, servers: Rc<RefCell<Servers>>, server: usize) {
        let (link, store) = (Rc::clone(self), Arc::downgrade(inner));
        let random = RandomState::new();
        tokio::task::spawn_local(async move {
            for trial in 0_u32.. {
                tokio::time::sleep(pause(trial, random.hash_one(trial))).await;
                let Some(inner) = store.upgrade() else { return };
                let is_in_use = link.servers.borrow().as_ref().is_some_and(|used| Rc::ptr_eq(used, &servers));
                let Some((mut connection, _)) = link.open().filter(|_| is_in_use) else { return };
                let Some(slot) = servers.borrow().slot_of(server) else { return };
                let answered = timeout(inner.settings.connect_timeout, connection.greet_holder(slot)).await;
                if matches!(answered, Ok(Ok(()))) {
                    return servers.borrow_mut().succeeded(server);
                }
                inner.count_failure();
            }
        });
    }

    fn count(self: &Rc<Self>, inner: &Arc<Inner>, lost: bool) {
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
                    Ok(Ok(Opened { connection, life, servers })) => {
                        *link.servers.borrow_mut() = servers.map(|servers| Rc::new(RefCell::new(servers)));
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
