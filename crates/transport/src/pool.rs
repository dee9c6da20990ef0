//! Upstream connections: pooled per worker and endpoint, capped per endpoint over all workers.
//!
//! The cap is one atomic counter, so it is exact; the idle connections belong to their worker, so taking
//! one needs no lock. A worker that holds idle connections while another waits gives them up
//! ([`Pool::give_way`]).
//!
//! At the cap, requests wait in turn: who comes finds nothing of what others of the worker wait for, and under the
//! cap only what is left when all who wait have a place. Without that a client that sends its next request at once
//! would take the connection that its last has just given back, before those who were told of it. Who waits for
//! what is decided in [`line`].
//!
//! An HTTP/2 connection carries many requests: it counts once against the cap, is filled before another one
//! is opened, and while one is being opened requests wait for it.

mod address;
mod connection;
mod endpoint;
mod line;
mod places;
mod queueing;
mod reach;
mod settings;
mod streams;
mod usage;
mod wanted;

pub use address::Address;
pub use connection::Lease;
pub use endpoint::Endpoint;
pub(crate) use line::Line;
pub(crate) use places::Permit;
pub use settings::EndpointSettings;
pub(crate) use streams::IdleCount;
pub use usage::EndpointUsage;

use crate::clock::{after, later, now, recently};
use crate::h2::client::{Opening, Unspoken, connect};
use crate::io::Io;
use crate::reuse::Reuse;
use crate::timer::{Timer, within};
use crate::tls::Protocol;
use connection::Connection;
use line::Standing;
pub use queueing::Queueing;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use streams::Streams;
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_http::proxy_protocol::Introduction;
use torana_limit::Memory;
pub use wanted::Wanted;

/// How often in a row a connection goes to who waits here while others wait at another worker.
const KEPT_HERE: u32 = 8;

/// The connections of one worker to one endpoint.
#[derive(Debug)]
pub struct Pool {
    endpoint: Arc<Endpoint>,
    #[expect(clippy::vec_box, reason = "what is lent and given back is a pointer")]
    idle: RefCell<Vec<Box<Connection>>>,
    streams: Streams,
    memory: Option<Arc<Memory>>,
    /// Those who wait, told when something is given back.
    line: Rc<Line>,
    /// How often in a row a connection was kept here although others wait elsewhere.
    kept_here: Cell<u32>,
}

/// What there was for one who looked.
enum Found {
    Lease(Lease),
    /// A place for a connection that is to be opened.
    Place(Permit),
}

impl Pool {
    /// An empty pool for this endpoint.
    #[must_use]
    pub fn new(endpoint: Arc<Endpoint>) -> Rc<Self> {
        Self::within(endpoint, None)
    }

    /// An empty pool, whose connections count the bytes of bodies that wait in them.
    #[must_use]
    pub fn within(endpoint: Arc<Endpoint>, memory: Option<Arc<Memory>>) -> Rc<Self> {
        Rc::new(Self {
            endpoint,
            idle: RefCell::default(),
            streams: Streams::default(),
            memory,
            line: Rc::default(),
            kept_here: Cell::new(0),
        })
    }

    /// The endpoint it connects to.
    #[must_use]
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Takes an idle connection, or opens one, or waits for one at the cap. With `fresh`, kept-alive
    /// connections are passed over, because one of them has just turned out to be stale.
    ///
    /// # Errors
    /// The endpoint cannot be reached, or all its connections stay in use. Nothing of a request has been
    /// sent then, so every such fault may be retried elsewhere.
    pub async fn acquire(self: &Rc<Self>, timer: &Timer, fresh: bool) -> Result<Lease, Fault> {
        self.acquire_for(Wanted { fresh, ..Wanted::default() }, timer, &Queueing::default()).await
    }

    /// The same for what it is wanted for. `queueing` knows of a wait for a connection that others use.
    ///
    /// # Errors
    /// As above; and the endpoint speaks nothing that can be switched from, where that is wanted.
    pub async fn acquire_for(
        self: &Rc<Self>,
        mut wanted: Wanted<'_>,
        timer: &Timer,
        queueing: &Queueing,
    ) -> Result<Lease, Fault> {
        wanted.client = wanted.client.filter(|_| self.endpoint.introduces.is_some());
        if wanted.whole && !self.endpoint.may_switch() {
            let detail = format!("{}: HTTP/2 alone is spoken with it", self.endpoint.address);
            return Err(Fault::new(Reason::UpgradeImpossible).because(detail));
        }
        let standing = self.line.standing(wanted.whole);
        // Those who wait here hold back from what one finds who comes now.
        let before = || self.endpoint.usage.waiting().saturating_sub(self.line.len());
        match self.look(wanted, standing, before) {
            Some(Found::Lease(lease)) => Ok(lease),
            Some(Found::Place(permit)) => self.connect(wanted, permit, timer).await,
            None => self.wait(wanted, timer, queueing).await,
        }
    }

    /// What there is for one who stands so. A place under the cap only if so many are left for those who waited
    /// `before`.
    fn look(
        self: &Rc<Self>,
        wanted: Wanted<'_>,
        standing: Standing,
        before: impl FnOnce() -> usize,
    ) -> Option<Found> {
        if let Some(lease) = self.take(wanted, standing) {
            return Some(Found::Lease(lease));
        }
        if !self.may_open(wanted, standing) {
            return None;
        }
        Endpoint::try_open(&self.endpoint, before()).or_else(|| self.make_room(standing)).map(Found::Place)
    }

    /// Whether one who stands so may take a place under the cap. Those for whom a stream will do hold back while a
    /// connection is being opened that may have room for them; the first who wants one whole passes them then.
    fn may_open(&self, wanted: Wanted<'_>, standing: Standing) -> bool {
        match standing {
            Standing::First => wanted.whole || !self.streams.is_connecting(),
            Standing::FirstOfKind => wanted.whole && self.streams.is_connecting(),
            Standing::Behind => false,
        }
    }

    /// Closes the connection that was idle for longest to take its place. Those that are idle when none could
    /// be taken are of no use to who stands first: they were opened for other clients, or are to be passed over.
    fn make_room(&self, standing: Standing) -> Option<Permit> {
        let mut idle = self.idle.borrow_mut();
        if standing != Standing::First || idle.is_empty() {
            return None;
        }
        drop(idle.remove(0));
        self.endpoint.usage.left_idle();
        Endpoint::try_open(&self.endpoint, 0)
    }

    fn take(self: &Rc<Self>, wanted: Wanted<'_>, standing: Standing) -> Option<Lease> {
        // A connection of many requests that has turned out to be closed is not there any more. One that was
        // opened for a client carries no other's.
        if standing != Standing::Behind
            && wanted.client.is_none()
            && !wanted.whole
            && let Some(stream) = self.streams.take(&self.endpoint)
        {
            return Some(Lease::of_stream(stream));
        }
        if wanted.fresh || standing != Standing::First {
            return None;
        }
        let now = recently();
        loop {
            let connection = self.take_idle(wanted.client)?;
            if self.is_usable(&connection, now) {
                self.endpoint.usage.reuse();
                return Some(Lease::new(Rc::clone(self), connection, Reuse::again()));
            }
        }
    }

    /// The idle connection that was used last, of those that were opened for this client.
    fn take_idle(&self, client: Option<&Introduction>) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let place = idle.iter().rposition(|connection| connection.client.as_ref() == client)?;
        self.endpoint.usage.left_idle();
        Some(idle.remove(place))
    }

    fn is_usable(&self, connection: &Connection, now: Instant) -> bool {
        let settings = &self.endpoint.settings;
        now < later(connection.idle_since, settings.idle_timeout)
            && now < later(connection.opened, settings.max_age)
            && !connection.io.has_input()
    }

    async fn connect(
        self: &Rc<Self>,
        wanted: Wanted<'_>,
        permit: Permit,
        timer: &Timer,
    ) -> Result<Lease, Fault> {
        let settings = &self.endpoint.settings;
        let deadline = after(settings.connect_timeout);
        let may_multiplex = !wanted.whole && self.endpoint.may_multiplex();
        let _connecting = may_multiplex.then(|| self.streams.connecting(&self.line));
        let connecting = self.endpoint.connect(wanted);
        match within(timer, deadline, Reason::UpstreamConnectTimeout, connecting).await {
            Ok(Ok((io, Protocol::Http1))) => {
                // One that was not offered HTTP/2 says nothing about it.
                if !wanted.whole {
                    self.endpoint.multiplexes(false);
                }
                let connection = Box::new(Connection::new(io, permit, wanted.client.copied()));
                Ok(Lease::new(Rc::clone(self), connection, Reuse::FIRST))
            }
            Ok(Ok((io, Protocol::Http2))) => {
                self.endpoint.multiplexes(true);
                // Boxed: a request on a connection of its own must not hold room for it.
                let greeting = Box::pin(self.multiplex(io, permit));
                match within(timer, deadline, Reason::UpstreamConnectTimeout, greeting).await {
                    Ok(lease) => lease,
                    Err(fault) => Err(self.unreached(fault)),
                }
            }
            Ok(Err(fault)) => Err(fault),
            Err(fault) => Err(self.unreached(fault)),
        }
    }

    fn unreached(&self, fault: Fault) -> Fault {
        fault.because(self.endpoint.address.to_string()).retry(Retry::Yes)
    }

    /// Begins HTTP/2 on a connection.
    async fn multiplex(self: &Rc<Self>, io: Io, permit: Permit) -> Result<Lease, Fault> {
        let opening = Opening {
            secure: self.endpoint.tls.is_some(),
            settings: self.endpoint.settings.http2,
            memory: self.memory.as_ref(),
            permit,
            idle: IdleCount::new(Arc::clone(&self.endpoint)),
            line: Rc::clone(&self.line),
        };
        match connect(io, opening).await {
            Ok(connection) => Ok(Lease::of_stream(self.streams.add(connection))),
            Err(unspoken) => {
                let address = &self.endpoint.address;
                let (reason, detail) = match unspoken {
                    Unspoken::Failed(error) => {
                        (Reason::UpstreamConnectFailed, format!("{address}: HTTP/2: {error}"))
                    }
                    Unspoken::Refused(refusal) => {
                        (Reason::UpstreamTlsFailed, format!("{address}: {refusal}"))
                    }
                };
                Err(Fault::new(reason).because(detail).retry(Retry::Yes))
            }
        }
    }

    async fn wait(
        self: &Rc<Self>,
        wanted: Wanted<'_>,
        timer: &Timer,
        queueing: &Queueing,
    ) -> Result<Lease, Fault> {
        let settings = &self.endpoint.settings;
        let Some(turn) = self.endpoint.queue(settings.max_queue) else {
            return Err(Fault::new(Reason::PoolQueueFull).retry(Retry::Yes));
        };
        // What is free at first is for those who came before at other workers; later whoever was told looks.
        let mut before = turn.before.saturating_sub(self.line.len());
        let here = self.line.join(wanted.whole);
        let deadline = after(settings.queue_timeout);
        queueing.begin();
        loop {
            let standing = here.standing();
            let may_open = self.may_open(wanted, standing);
            let mut freed = pin!(self.endpoint.freed.notified());
            if may_open {
                // Registered before looking, so that nothing given back in between is missed. Who may not use a
                // place is not told of it in another's stead; that one may, `here` is told of.
                freed.as_mut().enable();
            }
            match self.look(wanted, standing, || before) {
                Some(Found::Lease(lease)) => {
                    queueing.end();
                    return Ok(lease);
                }
                Some(Found::Place(permit)) => {
                    // Nobody waits for what takes time from here on.
                    drop((here, turn));
                    queueing.end();
                    return self.connect(wanted, permit, timer).await;
                }
                None => {}
            }
            if may_open {
                if wanted.whole && standing == Standing::First {
                    // One of many requests that has none is of no use here, but to those who wait for a stream.
                    self.streams.give_way(&self.endpoint, true, self.line.wants_stream());
                }
                self.endpoint.ask_for_room();
            }
            before = 0;
            let told = async {
                tokio::select! { () = here.until_told() => {}, () = freed, if may_open => {} }
            };
            within(timer, deadline, Reason::PoolTimeout, told)
                .await
                .map_err(|fault| fault.retry(Retry::Yes))?;
            // That may have been long.
            let _ = now();
        }
    }

    /// Whether a connection that is not in use is for who waits at another worker. Those who wait here are first,
    /// because they need not open one, but not for ever.
    fn is_for_others(&self) -> bool {
        let (here, all) = (self.line.len(), self.endpoint.usage.waiting());
        let kept = if all > here && here > 0 { self.kept_here.get().saturating_add(1) } else { 0 };
        let given = all > here && (here == 0 || kept > KEPT_HERE);
        self.kept_here.set(if given { 0 } else { kept });
        given
    }

    /// Puts a connection back; who waits here gets it, or one at another worker its place.
    fn give_back(&self, mut connection: Box<Connection>) {
        let now = recently();
        if connection.was_used() {
            connection.idle_since = now;
        }
        let too_old = now >= later(connection.opened, self.endpoint.settings.max_age);
        if too_old || connection.has_unsent() || self.is_for_others() {
            return;
        }
        self.idle.borrow_mut().push(connection);
        self.endpoint.usage.became_idle();
        self.line.tell();
    }

    /// Closes idle connections that are too old, were closed by the peer, or whose place another worker
    /// waits for. To be called from time to time, and when [`Endpoint::ask_for_room`] says so.
    pub fn give_way(&self) {
        let now = now();
        let wanted = self.line.len() == 0 && self.endpoint.is_waited_for();
        self.streams.give_way(&self.endpoint, wanted, false);
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|connection| self.is_usable(connection, now));
        if wanted {
            idle.pop();
        }
        for _ in idle.len()..before {
            self.endpoint.usage.left_idle();
        }
    }

    /// How many connections sit idle here.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.idle.borrow().len().saturating_add(self.streams.idle())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for _ in self.idle.borrow().iter() {
            self.endpoint.usage.left_idle();
        }
    }
}
