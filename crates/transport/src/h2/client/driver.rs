//! The task that moves a connection's frames and finds out when the peer is gone.
//!
//! A connection that dies without a word would swallow every request that is sent on it. So a silence is ended
//! by a PING, whether requests wait or none is under way, and an unanswered PING ends the connection. While one
//! is unanswered for a while already, new requests go elsewhere.
//!
//! Servers of gRPC count PINGs that come without need: of those that come within five minutes of the last the third
//! ends the connection, unless the server has sent something of a message since (gRFC A8). So a connection that has
//! carried gRPC is asked once in a silence, a few times more for calls that begin in it, because each may be the first
//! that a dead peer swallows, and then every five minutes while calls wait.

use crate::clock::{later, now, recently};
use crate::h2::ledger::{Ledger, Piece};
use crate::h2::settings::{ConnectionEnd, UpstreamHttp2, end_of};
use crate::h2::socket::{Socket, Watch};
use crate::io::Io;
use crate::pool::Line;
use crate::timer::Timer;
use h2::{Ping, PingPong};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Between two questions into one silence of a server of gRPC, with some time for the way.
const ASK_AGAIN: Duration = Duration::from_secs(5 * 60 + 10);
/// Questions into one silence of such a server that do not wait for that. The first of them it does not count.
const QUESTIONS: u8 = 3;
/// A PING that is unanswered for so long makes a connection one to avoid, if `ping_timeout` is not even longer.
const DOUBT: Duration = Duration::from_secs(1);

/// What a peer did, or left undone, for which its connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerEnd {
    /// It did not answer, or took nothing.
    Lost,
    /// It broke the protocol, or spent too many frames on nothing.
    Broken(ConnectionEnd),
}

/// What the driver and those who send requests tell each other.
#[derive(Debug, Default)]
pub(super) struct State {
    streams: Cell<usize>,
    /// When the newest request began.
    begun: Cell<Option<Instant>>,
    closed: Cell<bool>,
    greeted: Cell<bool>,
    /// Since when a PING is unanswered.
    asked: Cell<Option<Instant>>,
    /// Since when the socket takes nothing.
    stalled: Cell<Option<Instant>>,
    /// Why the connection was ended, where the peer is to blame.
    end: Cell<Option<PeerEnd>>,
    grpc: Cell<bool>,
    /// What its streams hold.
    pub(super) ledger: Rc<Ledger>,
    failure: RefCell<Option<h2::Error>>,
    driver: RefCell<Option<Waker>>,
    waiting: RefCell<Option<Waker>>,
}

impl State {
    pub(super) fn new(ledger: Rc<Ledger>) -> Self {
        Self { ledger, ..Self::default() }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Why the connection was ended, where the peer is to blame.
    pub(super) fn end_by_peer(&self) -> Option<PeerEnd> {
        self.end.get()
    }

    /// Whether the peer has been silent for so long after a question, or has taken nothing for so long, that requests should
    /// go elsewhere.
    pub(super) fn is_doubted(&self) -> bool {
        let since = self.asked.get().or(self.stalled.get());
        since.is_some_and(|since| now().checked_duration_since(since).is_some_and(|passed| passed >= DOUBT))
    }

    /// The peer is a server of gRPC.
    pub(super) fn speaks_grpc(&self) {
        self.grpc.set(true);
    }

    /// A request begins; the driver watches over it.
    pub(super) fn begin(&self) {
        self.begun.set(Some(recently()));
        if self.streams.replace(self.streams.get().saturating_add(1)) == 0
            && let Some(waker) = self.driver.borrow_mut().take()
        {
            waker.wake();
        }
    }

    pub(super) fn end(&self) {
        self.streams.set(self.streams.get().saturating_sub(1));
    }

    /// Ready when the peer has spoken, or never will.
    pub(super) fn poll_greeted(&self, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if self.closed.get() {
            let unsaid = || h2::Error::from(h2::Reason::PROTOCOL_ERROR);
            return Poll::Ready(Err(self.failure.borrow_mut().take().unwrap_or_else(unsaid)));
        }
        if self.greeted.get() {
            return Poll::Ready(Ok(()));
        }
        *self.waiting.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    fn wake(&self) {
        if let Some(waker) = self.waiting.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// Owns the connection.
pub(super) struct Driver {
    frames: h2::client::Connection<Socket, Piece>,
    pings: Option<PingPong>,
    io: Rc<Io>,
    watch: Rc<Watch>,
    state: Rc<State>,
    settings: UpstreamHttp2,
    timer: Timer,
    /// When the last PING was sent.
    last_asked: Option<Instant>,
    /// How often the peer was asked since it sent something of a message.
    questions: u8,
    /// How many streams the peer last allowed at once.
    allowed: usize,
    /// Those who wait, told when a connection that was doubted can be used again, or has room for more.
    line: Rc<Line>,
}

impl Driver {
    pub(super) fn new(
        mut frames: h2::client::Connection<Socket, Piece>,
        io: Rc<Io>,
        watch: Rc<Watch>,
        state: Rc<State>,
        settings: UpstreamHttp2,
        line: Rc<Line>,
    ) -> Self {
        Self {
            pings: frames.ping_pong(),
            frames,
            io,
            watch,
            state,
            settings,
            timer: Timer::default(),
            last_asked: None,
            questions: 0,
            allowed: 0,
            line,
        }
    }

    /// Ends with the connection; gives why, where the peer is to blame.
    pub(super) async fn run(mut self) -> Option<PeerEnd> {
        let given_up = poll_fn(|context| self.poll(context)).await;
        if given_up {
            self.io.reset();
        }
        // The library may have come upon the same frames first.
        let end = match self.watch.violation() {
            Some(violation) => Some(PeerEnd::Broken(ConnectionEnd::Flood(violation))),
            None if given_up => Some(PeerEnd::Lost),
            None => self.mistake(),
        };
        self.state.end.set(end);
        self.state.closed.set(true);
        self.state.wake();
        end
    }

    /// What the library has found wrong, if that was the end.
    fn mistake(&self) -> Option<PeerEnd> {
        let end = self.state.failure.borrow().as_ref().map(end_of)?;
        (end != ConnectionEnd::Client).then_some(PeerEnd::Broken(end))
    }

    /// Ready with whether the peer was given up.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            self.widen();
            match Pin::new(&mut self.frames).poll(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(false),
                Poll::Ready(Err(error)) => {
                    *self.state.failure.borrow_mut() = Some(error);
                    return Poll::Ready(false);
                }
                Poll::Pending => {}
            }
            self.state.ledger.arrived(&self.watch);
            self.widen();
            self.look_for_room();
            if self.watch.violation().is_some() {
                return Poll::Ready(true);
            }
            if self.watch.has_read() && !self.state.greeted.replace(true) {
                self.state.wake();
            }
            *self.state.driver.borrow_mut() = Some(context.waker().clone());
            match self.poll_liveness(context) {
                Poll::Ready(true) => return Poll::Ready(true),
                // A PING waits to be sent.
                Poll::Ready(false) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Lets more come beside what waits, or less once that is gone.
    fn widen(&mut self) {
        if let Some(window) = self.state.ledger.window() {
            self.frames.set_target_window_size(window);
        }
    }

    /// Tells those who wait that the peer allows more streams than before.
    fn look_for_room(&mut self) {
        let allowed = self.frames.max_concurrent_send_streams();
        if std::mem::replace(&mut self.allowed, allowed) < allowed {
            self.line.tell();
        }
    }

    fn poll_liveness(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.watch.poll_write_stalled(context, &self.timer) {
            return Poll::Ready(true);
        }
        if self.state.ledger.look_again().is_some_and(|at| self.timer.poll_deadline(context, at).is_ready()) {
            return Poll::Ready(false);
        }
        let (was_doubted, heard) = (self.state.is_doubted(), self.watch.last_heard());
        self.state.stalled.set(self.watch.stalled_since());
        // Whatever came is an answer, or was taken since.
        self.state.asked.set(self.state.asked.get().filter(|asked| heard <= *asked));
        if was_doubted && !self.state.is_doubted() {
            self.line.tell();
        }
        if self.watch.is_write_stalled() {
            // A question would wait behind what the peer does not take, for which it has a deadline.
            return Poll::Pending;
        }
        let mut passed = |since: Option<Instant>, patience: Duration| {
            since.is_some_and(|since| self.timer.poll_deadline(context, later(since, patience)).is_ready())
        };
        if let Some(asked) = self.state.asked.get() {
            let patience = self.settings.ping_timeout.saturating_add(self.watch.reading());
            return if passed(Some(asked), patience) { Poll::Ready(true) } else { Poll::Pending };
        }
        // A new request on a connection that was silent for long asks at once.
        if !passed(Some(heard), self.settings.ping_after) {
            return Poll::Pending;
        }
        let message = self.watch.last_message().unwrap_or(heard);
        let asked_already = self.last_asked.filter(|last| message <= *last);
        if self.state.grpc.get()
            && let Some(last) = asked_already
        {
            let newer = self.state.begun.get().is_some_and(|begun| begun > last);
            let waits = self.state.streams() > 0;
            if !(newer && self.questions < QUESTIONS || waits && passed(Some(last), ASK_AGAIN)) {
                return Poll::Pending;
            }
        }
        self.questions = if asked_already.is_some() { self.questions.saturating_add(1) } else { 1 };
        let now = now();
        self.state.asked.set(Some(now));
        self.last_asked = Some(now);
        if let Some(pings) = &mut self.pings {
            // Only its state matters; whatever came since is an answer to the one before.
            let _ = pings.poll_pong(context);
            let _ = pings.send_ping(Ping::opaque());
        }
        Poll::Ready(false)
    }
}
