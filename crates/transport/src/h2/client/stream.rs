//! One request's stream, seen from both of its directions.

use super::connection::{Multiplexed, Place};
use super::fault::SoFar;
use super::request::RequestWriter;
use super::response::ResponseReader;
use crate::exchange::{self, ClientExchange};
use crate::h2::arriving::Arriving;
use crate::h2::ledger::Piece;
use crate::reuse::Reuse;
use crate::timer::Timer;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use torana_http::Fields;
use torana_http::h1::HeadLimits;

/// The right to send one request on a connection. Dropped before the end it cancels the request.
pub(crate) struct StreamLease {
    halves: Halves,
}

/// What the two directions share.
pub(super) struct Halves {
    pub(super) sender: RefCell<SendRequest<Piece>>,
    pub(super) body: RefCell<Option<SendStream<Piece>>>,
    pub(super) response: RefCell<Option<ResponseFuture>>,
    /// The body of the response, once its head is there; none where the head is all.
    pub(super) arriving: RefCell<Option<Rc<Arriving>>>,
    /// The trailers of the response that may be passed on, once they are there.
    pub(super) trailers: RefCell<Fields>,
    /// Who waits for the response although the request was not sent yet.
    pub(super) reader: Cell<Option<Waker>>,
    pub(super) answered: Cell<bool>,
    pub(super) reuse: Reuse,
    /// Dropped after everything of the stream.
    pub(super) place: Place,
}

impl Halves {
    pub(super) fn so_far(&self) -> SoFar {
        let end = self.place.0.state().end_by_peer();
        SoFar { reuse: self.reuse, answered: self.answered.get(), end }
    }
}

impl fmt::Debug for StreamLease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamLease").field("place", &self.halves.place).finish_non_exhaustive()
    }
}

impl StreamLease {
    /// A request on this connection, which has carried others before or not.
    pub(crate) fn new(connection: &Rc<Multiplexed>, reuse: Reuse) -> Self {
        let halves = Halves {
            sender: RefCell::new(connection.sender()),
            body: RefCell::default(),
            response: RefCell::default(),
            arriving: RefCell::default(),
            trailers: RefCell::default(),
            reader: Cell::default(),
            answered: Cell::new(false),
            reuse,
            place: connection.take_place(),
        };
        Self { halves }
    }

    /// Whether the connection has carried requests before.
    pub(crate) const fn is_reused(&self) -> bool {
        self.halves.reuse.is_again()
    }

    /// Both directions.
    pub(crate) fn exchange<'a>(
        &'a self,
        timer: &'a Timer,
        limits: HeadLimits,
        write_timeout: Duration,
    ) -> ClientExchange<'a> {
        ClientExchange {
            writer: exchange::RequestWriter::Http2(RequestWriter::new(&self.halves, timer, write_timeout)),
            reader: exchange::ResponseReader::Http2(ResponseReader::new(&self.halves, timer, limits)),
        }
    }
}
