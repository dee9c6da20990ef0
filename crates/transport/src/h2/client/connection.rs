//! A connection as those see it who send requests on it.

use super::driver::{Driver, PeerEnd, State};
use crate::clock::now;
use crate::h2::arriving::UNCOUNTED;
use crate::h2::ledger::{Ledger, Piece};
use crate::h2::settings::{SEND_BUFFER, UpstreamHttp2, header_list_size};
use crate::h2::socket::Socket;
use crate::io::Io;
use crate::patience::Patience;
use crate::pool::{IdleCount, Line, Permit};
use crate::tls::HandshakeFault;
use h2::client::SendRequest;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;
use torana_http::h1::HeadLimits;
use torana_limit::Memory;

/// How long the peer may take no byte.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Cancelled requests whose answers, which were under way or which the peer sends all the same, are passed over. Of
/// what comes for others each frame is a mistake.
const REMEMBERED: usize = 4096;
/// How long they are remembered: peers that are slow to hear of it go on for a while.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);
/// Mistakes that end one stream each, over a connection's life. Streams that are to be reset pile up where a peer
/// reads nothing, so there is an end to it.
const MISTAKES: usize = 100_000;

/// An open connection.
pub(crate) struct Multiplexed {
    send: RefCell<SendRequest<Piece>>,
    state: Rc<State>,
    settings: UpstreamHttp2,
    opened: Instant,
    idle_since: Cell<Instant>,
    /// Whether it is reached by TLS.
    pub(super) secure: bool,
    idle: IdleCount,
    /// Those who wait, told when a stream ends.
    line: Rc<Line>,
}

impl fmt::Debug for Multiplexed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Multiplexed").field("streams", &self.state.streams()).finish_non_exhaustive()
    }
}

/// What a connection is opened with.
pub(crate) struct Opening<'m> {
    /// Whether it is reached by TLS.
    pub(crate) secure: bool,
    pub(crate) settings: UpstreamHttp2,
    /// Counts what its streams hold.
    pub(crate) memory: Option<&'m Arc<Memory>>,
    /// Lives as long as the connection does.
    pub(crate) permit: Permit,
    /// Told whether it is idle.
    pub(crate) idle: IdleCount,
    /// Those who wait, told when a stream or the connection ends.
    pub(crate) line: Rc<Line>,
}

/// Why a peer does not speak HTTP/2.
pub(crate) enum Unspoken {
    /// It says something else, or is gone.
    Failed(h2::Error),
    /// Its end of the handshake has failed.
    Refused(HandshakeFault),
}

/// Speaks first and waits until the peer has spoken: then its bounds are known, and that it speaks HTTP/2.
///
/// # Errors
/// The peer does not speak HTTP/2 or is gone.
pub(crate) async fn connect(io: Io, opening: Opening<'_>) -> Result<Rc<Multiplexed>, Unspoken> {
    let Opening { secure, settings, memory, permit, idle, line } = opening;
    let io = Rc::new(io);
    let (socket, watch) = Socket::to_upstream(Rc::clone(&io), Patience::new(WRITE_TIMEOUT, 0));
    let (send, frames) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(settings.stream_window)
        .initial_connection_window_size(settings.connection_window)
        .max_header_list_size(header_list_size(&HeadLimits::default()))
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(UNCOUNTED)
        .max_concurrent_reset_streams(REMEMBERED)
        .reset_stream_duration(REMEMBERED_FOR)
        .max_local_error_reset_streams(Some(MISTAKES))
        .handshake::<_, Piece>(socket)
        .await
        .map_err(Unspoken::Failed)?;
    let state = Rc::new(State::new(Ledger::new(memory, settings.connection_window)));
    let driver = Driver::new(frames, Rc::clone(&io), watch, Rc::clone(&state), settings, Rc::clone(&line));
    let told = Rc::clone(&line);
    tokio::task::spawn_local(async move {
        match driver.run().await {
            Some(PeerEnd::Lost) => permit.lose(),
            Some(PeerEnd::Broken(end)) => permit.broke(end),
            None => {}
        }
        // The place under the cap is given back before anybody looks for it.
        drop(permit);
        told.tell();
    });
    let greeted = poll_fn(|context| state.poll_greeted(context)).await;
    greeted.map_err(|error| io.refusal().map_or(Unspoken::Failed(error), Unspoken::Refused))?;
    let now = now();
    Ok(Rc::new(Multiplexed {
        send: RefCell::new(send),
        state,
        settings,
        opened: now,
        idle_since: Cell::new(now),
        secure,
        idle,
        line,
    }))
}

/// A place on a connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(pub(super) Rc<Multiplexed>);

impl Multiplexed {
    /// Takes a place for a request, if the peer's bound and ours leave one.
    pub(super) fn take_place(self: &Rc<Self>) -> Place {
        self.state.begin();
        self.idle.set(false);
        Place(Rc::clone(self))
    }

    /// Whether a request can be sent on it now.
    pub(crate) fn has_room(&self) -> bool {
        let theirs = self.send.borrow().current_max_send_streams();
        self.state.streams() < theirs.min(self.settings.max_streams as usize) && !self.state.is_doubted()
    }

    /// Whether nothing is under way on it.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.streams() == 0
    }

    /// Since when nothing is under way on it.
    pub(crate) fn idle_since(&self) -> Instant {
        self.idle_since.get()
    }

    /// When it was opened.
    pub(crate) const fn opened(&self) -> Instant {
        self.opened
    }

    /// Whether no further request may be sent: it is closed, or the peer has said goodbye.
    pub(crate) fn is_over(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.state.is_closed()
            || matches!(self.send.borrow_mut().poll_ready(&mut context), Poll::Ready(Err(_)))
    }

    /// What its driver knows.
    pub(super) const fn state(&self) -> &Rc<State> {
        &self.state
    }

    /// A handle for one request.
    pub(super) fn sender(&self) -> SendRequest<Piece> {
        self.send.borrow().clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let connection = &self.0;
        connection.state.end();
        if connection.is_idle() {
            connection.idle_since.set(now());
            connection.idle.set(true);
        }
        connection.line.tell();
    }
}
