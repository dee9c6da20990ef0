//! The right to use an upstream connection, or a stream of one, for one exchange.

use super::Pool;
use super::places::Permit;
use crate::buffer::Buffer;
use crate::clock::now;
use crate::exchange::{ClientExchange, RequestWriter, ResponseReader};
use crate::h1;
use crate::h2::client::StreamLease;
use crate::io::Io;
use crate::reuse::Reuse;
use crate::timer::Timer;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;
use torana_http::h1::HeadLimits;
use torana_http::proxy_protocol::Introduction;

/// An open connection that carries one exchange at a time.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) io: Io,
    pub(super) opened: Instant,
    pub(super) idle_since: Instant,
    /// Whom the endpoint was told that it is for.
    pub(super) client: Option<Introduction>,
    output: Vec<u8>,
    /// Whether anything of the last request has left.
    used: bool,
    /// What is read into; only while it is lent.
    buffer: Buffer,
    /// Whether it has carried requests before.
    reuse: Reuse,
    _permit: Permit,
}

impl Connection {
    pub(super) fn new(io: Io, permit: Permit, client: Option<Introduction>) -> Self {
        let now = now();
        Self {
            io,
            opened: now,
            idle_since: now,
            client,
            output: Vec::new(),
            used: false,
            buffer: Buffer::empty(),
            reuse: Reuse::FIRST,
            _permit: permit,
        }
    }

    /// Whether anything of the last request has left. To the endpoint it was silent otherwise.
    pub(super) const fn was_used(&self) -> bool {
        self.used
    }

    /// Whether a part of the last request never left: what is sent next would be read as the rest of it.
    pub(super) const fn has_unsent(&self) -> bool {
        !self.output.is_empty()
    }
}

/// A connection in use, or a place on one. Dropped without [`Lease::give_back`] the connection is closed,
/// because nobody knows what is still under way on it; of a place only the request on it is cancelled.
#[derive(Debug)]
pub struct Lease(Kind);

// It is handed on from step to step of every request.
const _: () = assert!(size_of::<Lease>() <= 24, "a lease is pointers");

#[derive(Debug)]
enum Kind {
    Whole { pool: Rc<Pool>, connection: Box<Connection> },
    Stream(Box<StreamLease>),
}

impl Lease {
    pub(super) fn new(pool: Rc<Pool>, mut connection: Box<Connection>, reuse: Reuse) -> Self {
        (connection.reuse, connection.used) = (reuse, false);
        Self(Kind::Whole { pool, connection })
    }

    pub(super) fn of_stream(stream: StreamLease) -> Self {
        Self(Kind::Stream(Box::new(stream)))
    }

    /// Whether the connection has carried requests before.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        match &self.0 {
            Kind::Whole { connection, .. } => connection.reuse.is_again(),
            Kind::Stream(stream) => stream.is_reused(),
        }
    }

    /// Both directions, for one request and its response. Asked again after the head of the response was read
    /// the reader gives its body, so that who waits for heads need not hold on to the reader.
    pub fn exchange<'a>(
        &'a mut self,
        timer: &'a Timer,
        limits: HeadLimits,
        write_timeout: Duration,
    ) -> ClientExchange<'a> {
        match &mut self.0 {
            Kind::Whole { connection, .. } => {
                let Connection { io, output, used, buffer, reuse, .. } = &mut **connection;
                let writer = h1::RequestWriter::new(io, timer, (output, used), write_timeout);
                let reader = h1::ResponseReader::new(io, timer, buffer, limits, *reuse);
                ClientExchange { writer: RequestWriter::Http1(writer), reader: ResponseReader::Http1(reader) }
            }
            Kind::Stream(stream) => stream.exchange(timer, limits, write_timeout),
        }
    }

    /// Gives the connection back where nothing of the request has left, as when the client's body was not valid from its
    /// first byte on: strangers must not be able to have connections closed and opened again by what they send. Nor kept
    /// open: it has been idle all the time.
    pub fn give_back_unused(mut self) {
        if let Kind::Whole { connection, .. } = &mut self.0
            && !connection.used
            && connection.buffer.is_empty()
        {
            connection.output.clear();
            self.give_back();
        }
    }

    /// Gives the connection back for the next request. Only when the response says that it is usable.
    pub fn give_back(self) {
        match self.0 {
            Kind::Whole { pool, mut connection } => {
                connection.buffer = Buffer::empty();
                pool.give_back(connection);
            }
            // A place is given back by being dropped.
            Kind::Stream(_) => {}
        }
    }
}
