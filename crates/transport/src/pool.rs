//! Upstream connections: pooled per worker and endpoint, capped per endpoint over all workers.
//!
//! The cap is one atomic counter, so it is exact; the idle connections belong to their worker, so taking
//! one needs no lock. At the cap, requests wait in turn. A worker that holds idle connections while another
//! waits gives them up ([`Pool::give_way`]).

mod connection;
mod endpoint;

pub use connection::Lease;
pub use endpoint::{Address, Endpoint, EndpointSettings, EndpointUsage};

use crate::clock::{now, recently};
use crate::timer::{Timer, within};
use crate::tls::Protocol;
use connection::Connection;
use endpoint::Permit;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_http::proxy_protocol::Introduction;

/// The connections of one worker to one endpoint.
#[derive(Debug)]
pub struct Pool {
    endpoint: Arc<Endpoint>,
    idle: RefCell<Vec<Connection>>,
    waiters: Cell<usize>,
    returned: Notify,
}

impl Pool {
    /// An empty pool for this endpoint.
    #[must_use]
    pub fn new(endpoint: Arc<Endpoint>) -> Rc<Self> {
        Rc::new(Self { endpoint, idle: RefCell::default(), waiters: Cell::new(0), returned: Notify::new() })
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
        self.acquire_for(None, timer, fresh).await
    }

    /// The same for a client, where the endpoint is told whom connections are for: the connection was opened
    /// for this client.
    ///
    /// # Errors
    /// As above.
    pub async fn acquire_for(
        self: &Rc<Self>,
        client: Option<&Introduction>,
        timer: &Timer,
        fresh: bool,
    ) -> Result<Lease, Fault> {
        let client = client.filter(|_| self.endpoint.introduces.is_some());
        if let Some(lease) = self.take(client, fresh) {
            return Ok(lease);
        }
        if let Some(permit) = Endpoint::try_open(&self.endpoint) {
            return self.connect(client, permit, timer).await;
        }
        self.wait(client, timer, fresh).await
    }

    fn take(self: &Rc<Self>, client: Option<&Introduction>, fresh: bool) -> Option<Lease> {
        let now = recently();
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            self.endpoint.usage.left_idle();
            if !fresh && connection.client.as_ref() == client && self.is_usable(&connection, now) {
                self.endpoint.usage.reuse();
                return Some(Lease::new(Rc::clone(self), connection, true));
            }
        }
    }

    fn is_usable(&self, connection: &Connection, now: Instant) -> bool {
        let settings = &self.endpoint.settings;
        connection.idle_since.checked_add(settings.idle_timeout).is_none_or(|end| now < end)
            && connection.opened.checked_add(settings.max_age).is_none_or(|end| now < end)
            && !connection.io.has_input()
    }

    async fn connect(
        self: &Rc<Self>,
        client: Option<&Introduction>,
        permit: Permit,
        timer: &Timer,
    ) -> Result<Lease, Fault> {
        let settings = &self.endpoint.settings;
        let deadline = deadline(settings.connect_timeout);
        let connecting = self.endpoint.connect(client);
        match within(timer, deadline, Reason::UpstreamConnectTimeout, connecting).await {
            // A driver for another protocol takes its connections here.
            Ok(Ok((io, Protocol::Http1))) => {
                Ok(Lease::new(Rc::clone(self), Connection::new(io, permit, client.copied()), false))
            }
            Ok(Ok((_, Protocol::Http2))) => {
                let detail = format!("{}: agreed on HTTP/2, which was not offered", self.endpoint.address);
                Err(Fault::new(Reason::UpstreamConnectFailed).because(detail).retry(Retry::Yes))
            }
            Ok(Err(fault)) => Err(fault),
            Err(fault) => Err(fault.because(self.endpoint.address.to_string()).retry(Retry::Yes)),
        }
    }

    async fn wait(
        self: &Rc<Self>,
        client: Option<&Introduction>,
        timer: &Timer,
        fresh: bool,
    ) -> Result<Lease, Fault> {
        let settings = &self.endpoint.settings;
        let Some(_turn) = self.endpoint.queue(settings.max_queue) else {
            return Err(Fault::new(Reason::PoolQueueFull).retry(Retry::Yes));
        };
        self.waiters.set(self.waiters.get().saturating_add(1));
        let _here = Waiting(&self.waiters);
        let deadline = deadline(settings.queue_timeout);
        loop {
            let mut returned = pin!(self.returned.notified());
            let mut freed = pin!(self.endpoint.freed.notified());
            // Registered before looking, so that nothing given back in between is missed.
            returned.as_mut().enable();
            freed.as_mut().enable();
            if let Some(lease) = self.take(client, fresh) {
                return Ok(lease);
            }
            if let Some(permit) = Endpoint::try_open(&self.endpoint) {
                return self.connect(client, permit, timer).await;
            }
            self.endpoint.ask_for_room();
            let either = async {
                tokio::select! { () = returned => {}, () = freed => {} }
            };
            within(timer, deadline, Reason::PoolTimeout, either)
                .await
                .map_err(|fault| fault.retry(Retry::Yes))?;
            // That may have been long.
            let _ = now();
        }
    }

    /// Puts a connection back; a waiter of this worker gets it, else one of another worker its place.
    fn give_back(&self, mut connection: Connection) {
        let now = recently();
        connection.idle_since = now;
        let too_old =
            connection.opened.checked_add(self.endpoint.settings.max_age).is_some_and(|end| now >= end);
        if self.waiters.get() == 0 && self.endpoint.is_waited_for() || too_old {
            return;
        }
        self.idle.borrow_mut().push(connection);
        self.endpoint.usage.became_idle();
        if self.waiters.get() > 0 {
            self.returned.notify_one();
        }
    }

    /// Closes idle connections that are too old, were closed by the peer, or whose place another worker
    /// waits for. To be called from time to time, and when [`Endpoint::ask_for_room`] says so.
    pub fn give_way(&self) {
        let now = now();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|connection| self.is_usable(connection, now));
        if self.waiters.get() == 0 && self.endpoint.is_waited_for() {
            idle.pop();
        }
        for _ in idle.len()..before {
            self.endpoint.usage.left_idle();
        }
    }

    /// How many connections sit idle here.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.idle.borrow().len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for _ in self.idle.borrow().iter() {
            self.endpoint.usage.left_idle();
        }
    }
}

struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

fn deadline(duration: Duration) -> Instant {
    let now = now();
    now.checked_add(duration).unwrap_or(now)
}
