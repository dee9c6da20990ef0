//! A store on a Redis or Valkey server.
//!
//! One script decides (`limits.lua`): it is called by its hash, and sent whole when the server does not know it,
//! so a restart or a flush of scripts costs one round trip. The clock is the server's. What a worker asks in one
//! turn about one limit is one command ([`crate::outbox`]); where keys may lie on different servers it is one for
//! each caller.
//!
//! **When the server has lost its memory.** A server that starts anew may have forgotten what was used a moment
//! ago. Whoever has spoken to its earlier life knows, and says so with each question for a while: short windows
//! (up to a minute) that began before are then taken as used up. Longer ones go on from what the server kept.

use crate::StoreError;
use crate::batch::Form;
use crate::clock::NodeClock;
use crate::limits::{LimitStore, StoredLimit};
use crate::link::Link;
use crate::outbox::Sender;
use crate::principal::Hasher;
use crate::settings::{StoreSettings, Topology};
use crate::topology::{Connection, Server};
use redis::{ErrorKind, RedisResult, ServerErrorKind};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use torana_limit::{Ask, Grant, Key, Returned};
use tracing::{info, warn};

mod carry;

const SCRIPT: &str = include_str!("limits.lua");
/// How long a server that has started anew is doubted: longer than any window that is affected.
const DOUBT: Duration = Duration::from_secs(120);
/// Keys that one step of a reset looks at.
const SCAN: usize = 500;
/// How long one answer may take that no request waits for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store on a server. Clones are the same store.
#[derive(Clone, Debug)]
pub struct RedisStore {
    inner: Arc<Inner>,
    /// How long one answer may take.
    timeout: Duration,
}

pub(crate) struct Inner {
    /// By which a worker finds its connection.
    pub(crate) number: u64,
    pub(crate) settings: StoreSettings,
    clock: NodeClock,
    hasher: Hasher,
    script: redis::Script,
    life: Mutex<Life>,
    /// Whether the server has changed its life, of which only `life` knows when.
    doubted: AtomicBool,
    questions: AtomicU64,
    failures: AtomicU64,
    /// Whether it was said that nobody can be connected.
    away: AtomicBool,
    /// Whether one command may be about one key only, because others may lie on another server.
    apart: AtomicBool,
    /// Closed when nobody needs the store any more: then workers close their connections.
    pub(crate) needed: watch::Sender<()>,
}

/// What is known of the server's lives.
#[derive(Debug, Default)]
struct Life {
    known: Option<String>,
    changed: Option<Duration>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RedisStore").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Commands that were sent.
    pub questions: u64,
    /// Commands that were not answered in time or with an error, questions about ledgers that cannot be read, and
    /// connections that could not be made.
    pub failures: u64,
}

impl Inner {
    /// Notes which life of the server a new connection leads to.
    pub(crate) fn learn(&self, life: &str) {
        let mut known = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if known.known.as_deref() != Some(life) {
            let first = known.known.replace(life.to_owned()).is_none();
            known.changed = (!first).then(|| self.clock.since_start());
            self.doubted.store(!first, Ordering::Release);
        }
    }

    /// For how many microseconds the server may have lost its memory; -1 when it has not.
    fn doubt(&self) -> i64 {
        // Nearly always, and then workers wait for no lock.
        if !self.doubted.load(Ordering::Acquire) {
            return -1;
        }
        let known = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let since = known.changed.map(|changed| self.clock.since_start().saturating_sub(changed));
        let since = since.filter(|since| *since < DOUBT);
        since.map_or(-1, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Somebody has a connection: said where nobody could have one before.
    pub(crate) fn is_there(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            info!("the store at {} answers again", self.settings.topology);
        }
    }

    /// No connection could be made: said once, until one can.
    pub(crate) fn is_away(&self, why: &str) {
        if !self.away.swap(true, Ordering::Relaxed) {
            let place = &self.settings.topology;
            let then = "limits do what `when_store_fails` says until it is back";
            warn!("the store at {place} cannot be reached: {why}; {then}");
        }
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

impl RedisStore {
    /// A store. Nothing is connected until it is asked.
    #[must_use]
    pub fn new(settings: StoreSettings) -> Self {
        Self::on_node(settings, NodeClock::default())
    }

    /// A store as a node with these clocks sees it.
    #[must_use]
    pub fn on_node(settings: StoreSettings, clock: NodeClock) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let key = settings.key.as_ref().or(settings.password.as_ref());
        let hasher = Hasher::new(key.map(|key| key.expose().as_bytes()));
        let apart = matches!(settings.topology, Topology::Cluster(_));
        let timeout = settings.timeout;
        let inner = Inner {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            settings,
            clock,
            hasher,
            script: redis::Script::new(SCRIPT),
            life: Mutex::default(),
            doubted: AtomicBool::new(false),
            questions: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            away: AtomicBool::new(false),
            apart: AtomicBool::new(apart),
            needed: watch::Sender::new(()),
        };
        Self { inner: Arc::new(inner), timeout }
    }

    /// The same store, asked by somebody who has more time than a request has.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), timeout: self.timeout.max(PATIENCE) }
    }

    /// Whether they are clones of one another.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// How it is spoken to.
    #[must_use]
    pub fn settings(&self) -> &StoreSettings {
        &self.inner.settings
    }

    pub(crate) fn clock(&self) -> NodeClock {
        self.inner.clock
    }

    /// Counts, for metrics and tests.
    #[must_use]
    pub fn usage(&self) -> StoreUsage {
        StoreUsage {
            questions: self.inner.questions.load(Ordering::Relaxed),
            failures: self.inner.failures.load(Ordering::Relaxed),
        }
    }

    /// Whether this worker would be told at once that the store, or the server of it that has the key, does not answer.
    pub(crate) fn is_away(&self, limit: &StoredLimit, key: Key<'_>) -> bool {
        let link = Link::of(&self.inner);
        let lost = || {
            let name = self.inner.hasher.key(&self.prefix(limit), limit.id(), key);
            link.has_lost(link.server_of(&name))
        };
        link.is_away() || link.has_lost_any() && lost()
    }

    /// Connects this worker, so that its first request does not wait.
    pub async fn warm_up(&self) {
        // When this fails the first request finds it out.
        let _ = Link::of(&self.inner).connection(&self.inner, self.timeout).await;
    }

    /// Sees to it that this thread has a connection on which the server answers, for work that goes on over one: where
    /// one has lain idle it may have been closed.
    ///
    /// # Errors
    /// There is none, nor was there one in the time that connecting may take.
    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        let link = Link::of(&self.inner);
        if let Some((mut connection, _)) = link.open() {
            if matches!(timeout(self.timeout, connection.greet()).await, Ok(Ok(()))) {
                return Ok(());
            }
            self.inner.count_failure();
            link.failed(&self.inner, None, true);
        }
        link.opened(&self.inner).await
    }

    /// The key itself, or a digest of a long one; the store has one ledger for both.
    pub(crate) fn short<'k>(&self, key: Key<'k>, room: &'k mut Option<[u8; 32]>) -> Key<'k> {
        self.inner.hasher.short(key, room)
    }

    fn prefix<'l>(&self, limit: &'l StoredLimit) -> Cow<'l, str> {
        limit.prefix(self.inner.number, || {
            let name = self.inner.hasher.name(&[limit.id().as_bytes(), limit.shape().as_bytes()]);
            let name = name.get(..16).unwrap_or_default();
            format!("torana:limit:{}:", String::from_utf8_lossy(name))
        })
    }

    async fn ask(
        &self,
        limit: &StoredLimit,
        key: Key<'_>,
        form: Form,
        details: bool,
    ) -> Result<Grant, StoreError> {
        let link = Link::of(&self.inner);
        if link.is_away() {
            return Err(StoreError::Unavailable);
        }
        let most = if self.inner.apart.load(Ordering::Relaxed) { 1 } else { limit.most_ledgers() };
        let (call, place, first) = link.outbox.join(limit, form, key, most);
        if first {
            let (store, sender) = (self.clone(), Sender::new(link, Rc::clone(&call)));
            tokio::task::spawn_local(async move { store.carry(sender).await });
        }
        let told = call.told(place, details).await;
        if matches!(told, Err(StoreError::Unreadable)) {
            // The server has answered, so the link is none the worse for it.
            self.inner.count_failure();
        }
        told
    }

    /// Waits for an answer as long as is allowed, of several servers from that one, and notes on the link what came of it.
    async fn send<T>(
        &self,
        link: &Rc<Link>,
        server: Option<usize>,
        sent: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        let inner = &self.inner;
        match timeout(self.timeout, sent).await {
            Ok(Ok(answer)) => {
                link.succeeded(server);
                Ok(answer)
            }
            Ok(Err(error)) => {
                inner.count_failure();
                let role = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
                let lost = error.is_io_error() || error.is_connection_dropped() || role;
                link.failed(inner, server, lost);
                // What the server says may hold what was sent; its kind does not.
                Err(if lost { StoreError::Unavailable } else { StoreError::refused(error.category()) })
            }
            Err(_) => {
                inner.count_failure();
                link.failed(inner, server, false);
                Err(StoreError::Late)
            }
        }
    }

    /// The same for one command.
    async fn command<T>(
        &self,
        link: &Rc<Link>,
        sent: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        self.inner.questions.fetch_add(1, Ordering::Relaxed);
        self.send(link, None, sent).await
    }

    /// Removes the keys of one server that match. A cursor means nothing to any other.
    async fn remove(
        &self,
        link: &Rc<Link>,
        connection: &mut Connection,
        server: &Server,
        pattern: &str,
    ) -> Result<(), StoreError> {
        let mut cursor: u64 = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN);
            let answer = self.command(link, connection.send_to(server, &scan)).await?;
            let (next, keys): (u64, Vec<Vec<u8>>) = redis::from_redis_value(answer)
                .map_err(|_| StoreError::refused("an answer of another form"))?;
            if !keys.is_empty() {
                self.command(link, connection.unlink(server, &keys)).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

impl LimitStore for RedisStore {
    async fn take(&self, limit: &StoredLimit, key: Key<'_>, ask: Ask) -> Result<Grant, StoreError> {
        self.ask(limit, key, Form::take(ask), ask.details).await
    }

    async fn charge(&self, limit: &StoredLimit, key: Key<'_>, cost: u64) -> Result<(), StoreError> {
        self.ask(limit, key, Form::Charge(cost), false).await.map(|_| ())
    }

    async fn give_back(&self, limit: &StoredLimit, key: Key<'_>, back: Returned) -> Result<(), StoreError> {
        self.ask(limit, key, Form::Back(back), false).await.map(|_| ())
    }

    async fn look(&self, limit: &StoredLimit, key: Key<'_>) -> Result<Grant, StoreError> {
        self.ask(limit, key, Form::Look, true).await
    }

    /// Removes the ledgers some hundred at a time, so that no server is held up; in a cluster on each server. No request
    /// waits for it, so answers may take their time.
    async fn reset(&self, limit: &StoredLimit) -> Result<(), StoreError> {
        let store = self.patient();
        store.ready().await?;
        let link = Link::of(&self.inner);
        let (mut connection, _) = link.connection(&self.inner, store.timeout).await?;
        let pattern = format!("{}*", self.prefix(limit));
        for server in store.command(&link, connection.servers()).await? {
            store.remove(&link, &mut connection, &server, &pattern).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
