//! One upstream connection, and the right to use it for one exchange.

use super::Pool;
use super::endpoint::Permit;
use crate::buffer::Buffer;
use crate::clock::now;
use crate::h1::{ClientExchange, RequestWriter, ResponseReader};
use crate::io::Io;
use crate::timer::Timer;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;
use torana_http::h1::HeadLimits;
use torana_http::proxy_protocol::Introduction;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) io: Io,
    pub(super) opened: Instant,
    pub(super) idle_since: Instant,
    /// Whom the endpoint was told that it is for.
    pub(super) client: Option<Introduction>,
    output: Vec<u8>,
    _permit: Permit,
}

impl Connection {
    pub(super) fn new(io: Io, permit: Permit, client: Option<Introduction>) -> Self {
        let now = now();
        Self { io, opened: now, idle_since: now, client, output: Vec::new(), _permit: permit }
    }
}

/// A connection in use. Dropped without [`Lease::give_back`] it is closed, because nobody knows what is
/// still under way on it.
#[derive(Debug)]
pub struct Lease {
    pool: Rc<Pool>,
    connection: Connection,
    buffer: Buffer,
    reused: bool,
}

impl Lease {
    pub(super) fn new(pool: Rc<Pool>, connection: Connection, reused: bool) -> Self {
        Self { pool, connection, buffer: Buffer::take(), reused }
    }

    /// Whether the connection has carried requests before.
    #[must_use]
    pub const fn is_reused(&self) -> bool {
        self.reused
    }

    /// Both directions of the connection, for one request and its response.
    pub fn exchange<'a>(
        &'a mut self,
        timer: &'a Timer,
        limits: HeadLimits,
        write_timeout: Duration,
    ) -> ClientExchange<'a> {
        let io = &self.connection.io;
        ClientExchange {
            writer: RequestWriter::new(io, timer, &mut self.connection.output, write_timeout),
            reader: ResponseReader::new(io, timer, &mut self.buffer, limits, self.reused),
        }
    }

    /// Gives the connection back for the next request. Only when the response says that it is usable.
    pub fn give_back(self) {
        let Self { pool, connection, .. } = self;
        pool.give_back(connection);
    }
}
