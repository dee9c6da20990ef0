//! The task that moves a connection's frames and finds out when the peer is gone.
//!
//! A connection that dies without a word would swallow every request that is sent on it. So a silence while
//! requests wait is ended by a PING, and an unanswered PING ends the connection. Servers of gRPC count PINGs
//! that come without need, so a silence that was asked about once is then left alone for five minutes.

use crate::clock::now;
use crate::h2::settings::UpstreamHttp2;
use crate::h2::socket::{Socket, Watch};
use crate::io::Io;
use crate::timer::Timer;
use bytes::Bytes;
use h2::{Ping, PingPong};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Between two questions into one silence.
const ASK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// What the driver and those who send requests tell each other.
#[derive(Debug, Default)]
pub(super) struct State {
    streams: Cell<usize>,
    closed: Cell<bool>,
    greeted: Cell<bool>,
    failure: RefCell<Option<h2::Error>>,
    driver: RefCell<Option<Waker>>,
    waiting: RefCell<Option<Waker>>,
}

impl State {
    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// A request begins; the driver watches over it.
    pub(super) fn begin(&self) {
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
    frames: h2::client::Connection<Socket, Bytes>,
    pings: Option<PingPong>,
    io: Rc<Io>,
    watch: Rc<Watch>,
    state: Rc<State>,
    settings: UpstreamHttp2,
    timer: Timer,
    /// Since when a PING is unanswered.
    asked: Option<Instant>,
    /// When the last one was sent.
    last_asked: Option<Instant>,
    /// Since when requests wait.
    busy_since: Option<Instant>,
}

impl Driver {
    pub(super) fn new(
        mut frames: h2::client::Connection<Socket, Bytes>,
        io: Rc<Io>,
        watch: Rc<Watch>,
        state: Rc<State>,
        settings: UpstreamHttp2,
    ) -> Self {
        Self {
            pings: frames.ping_pong(),
            frames,
            io,
            watch,
            state,
            settings,
            timer: Timer::default(),
            asked: None,
            last_asked: None,
            busy_since: None,
        }
    }

    /// Ends with the connection.
    pub(super) async fn run(mut self) {
        let lost = poll_fn(|context| self.poll(context)).await;
        if lost {
            self.io.reset();
        }
        self.state.closed.set(true);
        self.state.wake();
    }

    /// Ready with whether the peer was given up.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            match Pin::new(&mut self.frames).poll(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(false),
                Poll::Ready(Err(error)) => {
                    *self.state.failure.borrow_mut() = Some(error);
                    return Poll::Ready(false);
                }
                Poll::Pending => {}
            }
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

    fn poll_liveness(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.watch.poll_write_stalled(context, &self.timer) {
            return Poll::Ready(true);
        }
        let mut passed = |since: Option<Instant>, patience: Duration| {
            let deadline = since.and_then(|since| since.checked_add(patience));
            deadline.is_some_and(|deadline| self.timer.poll_deadline(context, deadline).is_ready())
        };
        let heard = self.watch.last_read();
        if let Some(asked) = self.asked {
            if heard <= asked {
                return if passed(self.asked, self.settings.ping_timeout) {
                    Poll::Ready(true)
                } else {
                    Poll::Pending
                };
            }
            self.asked = None;
        }
        if self.state.streams() == 0 {
            self.busy_since = None;
            return Poll::Pending;
        }
        let busy = *self.busy_since.get_or_insert_with(now);
        // A new request on a connection that was silent for long asks at once.
        let silent = passed(Some(heard), self.settings.ping_after);
        let message = self.watch.last_message().unwrap_or(heard);
        let allowed = match self.last_asked {
            Some(last) if message.max(busy) <= last => passed(Some(last), ASK_AGAIN),
            _ => true,
        };
        if !(silent && allowed) {
            return Poll::Pending;
        }
        let now = now();
        (self.asked, self.last_asked) = (Some(now), Some(now));
        if let Some(pings) = &mut self.pings {
            // Only its state matters; whatever came since is an answer to the one before.
            let _ = pings.poll_pong(context);
            let _ = pings.send_ping(Ping::opaque());
        }
        Poll::Ready(false)
    }
}
