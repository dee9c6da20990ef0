//! Places under an endpoint's cap and in its queue, counted over all workers.

use super::endpoint::Endpoint;
use crate::h2::ConnectionEnd;
use std::sync::Arc;

impl Endpoint {
    /// Takes a place under the cap, if so many more are left then.
    pub(super) fn try_open(endpoint: &Arc<Self>, left: usize) -> Option<Permit> {
        let cap = endpoint.settings.max_connections.saturating_sub(left);
        endpoint.usage.try_open(cap).then(|| Permit(Arc::clone(endpoint)))
    }

    /// Takes a place in the queue, if there is one.
    pub(super) fn queue(&self, limit: usize) -> Option<Turn<'_>> {
        self.usage.try_wait(limit).map(|before| Turn { endpoint: self, before })
    }
}

/// A place under the cap; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Endpoint>);

impl Permit {
    /// Counts the connection as given up.
    pub(crate) fn lose(&self) {
        self.0.usage.lose();
    }

    /// Counts the connection as one that was ended for what the endpoint did.
    pub(crate) fn broke(&self, end: ConnectionEnd) {
        self.0.usage.broke(end);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.usage.close();
        if self.0.is_waited_for() {
            self.0.freed.notify_one();
        }
    }
}

/// A place in the queue; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    endpoint: &'a Endpoint,
    /// How many waited before, at all workers.
    pub(super) before: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // One who held back for this one looks again: it may not have used what it was told of.
        if self.endpoint.usage.stop_waiting() > 1 {
            self.endpoint.freed.notify_one();
        }
    }
}
