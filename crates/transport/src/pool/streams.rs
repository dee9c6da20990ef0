//! The connections of a pool that carry many requests each.

use super::endpoint::Endpoint;
use super::line::Line;
use super::usage::EndpointUsage;
use crate::clock::{later, now};
use crate::h2::client::{Multiplexed, StreamLease};
use crate::reuse::Reuse;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// HTTP/2 connections of one worker to one endpoint.
#[derive(Debug, Default)]
pub(super) struct Streams {
    list: RefCell<Vec<Rc<Multiplexed>>>,
    /// Whether one is being opened.
    connecting: Cell<bool>,
}

/// One is being opened; whoever waits looks again when this is dropped.
#[derive(Debug)]
pub(super) struct Connecting<'a>(&'a Streams, &'a Line);

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.0.connecting.set(false);
        self.1.tell();
    }
}

impl Streams {
    /// Says that a connection is being opened, so that requests wait for it and don't open one each, and leave the
    /// places under the cap to who has no use for it.
    pub(super) fn connecting<'a>(&'a self, line: &'a Line) -> Connecting<'a> {
        self.connecting.set(true);
        line.tell();
        Connecting(self, line)
    }

    /// Whether a connection is being opened that may have room for those who wait.
    pub(super) fn is_connecting(&self) -> bool {
        self.connecting.get()
    }

    /// A place on a connection that has one. The first are filled first, so that few are open.
    pub(super) fn take(&self, endpoint: &Endpoint) -> Option<StreamLease> {
        let mut list = self.list.borrow_mut();
        if list.is_empty() {
            return None;
        }
        let now = now();
        list.retain(|connection| !connection.is_over() && !is_old(connection, endpoint, now));
        let connection = list.iter().find(|connection| connection.has_room())?;
        endpoint.usage.reuse();
        Some(StreamLease::new(connection, Reuse::again()))
    }

    /// Takes a new connection in, and the first place on it.
    pub(super) fn add(&self, connection: Rc<Multiplexed>) -> StreamLease {
        let lease = StreamLease::new(&connection, Reuse::FIRST);
        self.list.borrow_mut().push(connection);
        lease
    }

    /// Closes what is over, was idle or open for too long, and one idle connection when its place is wanted: where
    /// requests wait for a stream, one that has none for them.
    pub(super) fn give_way(&self, endpoint: &Endpoint, mut wanted: bool, streams_are_wanted: bool) {
        let now = now();
        self.list.borrow_mut().retain(|connection| {
            let end = later(connection.idle_since(), endpoint.settings.idle_timeout);
            let idle_for_long = connection.is_idle() && now >= end;
            let is_spare = connection.is_idle() && !(streams_are_wanted && connection.has_room());
            let given = is_spare && std::mem::take(&mut wanted);
            !(connection.is_over() || idle_for_long || is_old(connection, endpoint, now) || given)
        });
    }

    pub(super) fn idle(&self) -> usize {
        self.list.borrow().iter().filter(|connection| connection.is_idle()).count()
    }
}

fn is_old(connection: &Multiplexed, endpoint: &Endpoint, now: Instant) -> bool {
    now >= later(connection.opened(), endpoint.settings.max_age)
}

/// Counts a connection as idle while nothing is under way on it.
#[derive(Debug)]
pub(crate) struct IdleCount {
    endpoint: Arc<Endpoint>,
    idle: Cell<bool>,
}

impl IdleCount {
    pub(super) const fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint, idle: Cell::new(false) }
    }

    /// Sets whether it is idle.
    pub(crate) fn set(&self, idle: bool) {
        let usage: &EndpointUsage = &self.endpoint.usage;
        match (self.idle.replace(idle), idle) {
            (false, true) => usage.became_idle(),
            (true, false) => usage.left_idle(),
            _ => {}
        }
    }
}

impl Drop for IdleCount {
    fn drop(&mut self) {
        self.set(false);
    }
}
