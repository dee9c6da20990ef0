//! A connection's task: accepts requests, watches deadlines and says goodbye.

use super::stream::{Accepted, Client, serve_stream};
use crate::clock::now;
use crate::drain::Drain;
use crate::h2::ledger::{Ledger, Piece};
use crate::h2::settings::{ConnectionEnd, end_of};
use crate::h2::socket::{Socket, Watch};
use crate::patience::Patience;
use crate::service::{ConnectionInfo, ServerSettings, Service};
use crate::timer::Timer;
use h2::{Ping, PingPong};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;
use torana_http::h2::Violation;

/// From the goodbye until the client has had its say.
const FAREWELL: Duration = Duration::from_secs(2);

/// The requests under way, and whom to wake when one ends.
#[derive(Debug, Default)]
pub(super) struct Running {
    count: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// One request under way.
#[derive(Debug)]
pub(super) struct Place(Rc<Running>);

impl Place {
    fn take(running: &Rc<Running>) -> Self {
        running.count.set(running.count.get().saturating_add(1));
        Self(Rc::clone(running))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        if let Some(waker) = self.0.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// A client's connection after the preface.
pub(super) struct Connection<S: Service> {
    frames: h2::server::Connection<Socket, Piece>,
    pings: Option<PingPong>,
    watch: Rc<Watch>,
    settings: Rc<ServerSettings>,
    client: Rc<Client<S>>,
    running: Rc<Running>,
    /// Requests that wait for one of those to end.
    waiting: VecDeque<Accepted>,
    /// Until when the next request must have begun, while there is none.
    idle_until: Option<Instant>,
    /// The patience with a client that has to take what is left of answers, and how much that was.
    leftover: Option<(Patience, usize)>,
    /// Since when a PING is unanswered.
    pinged: Option<Instant>,
    /// Why and until when the connection is ending.
    ending: Option<(ConnectionEnd, Option<Instant>)>,
    /// Requests that the library has given us.
    accepted: u64,
    /// Those that it refused by itself and that were told of.
    refused: u64,
}

impl<S: Service + 'static> Connection<S> {
    pub(super) fn new(
        mut frames: h2::server::Connection<Socket, Piece>,
        watch: Rc<Watch>,
        settings: Rc<ServerSettings>,
        info: ConnectionInfo,
        service: Rc<S>,
    ) -> Self {
        let ledger = Ledger::new(service.memory().as_ref(), settings.http2.connection_window);
        Self {
            pings: frames.ping_pong(),
            frames,
            watch,
            settings,
            client: Rc::new(Client {
                info,
                memory: S::Memory::default(),
                service,
                ledger,
                parts: Cell::new(false),
            }),
            running: Rc::default(),
            waiting: VecDeque::new(),
            idle_until: None,
            leftover: None,
            pinged: None,
            ending: None,
            accepted: 0,
            refused: 0,
        }
    }

    pub(super) async fn run(mut self, timer: &Timer, drain: &Drain) -> ConnectionEnd {
        let end = poll_fn(|context| self.poll(context, timer, drain)).await;
        // The library may have come upon the same frames first.
        self.watch.violation().map_or(end, ConnectionEnd::Flood)
    }

    fn poll(&mut self, context: &mut Context<'_>, timer: &Timer, drain: &Drain) -> Poll<ConnectionEnd> {
        loop {
            if drain.is_draining() && self.ending.is_none() {
                self.part(ConnectionEnd::Drained);
            }
            if self.client.parts.get() && self.ending.is_none() {
                self.part(ConnectionEnd::Outdated);
            }
            self.widen();
            if let Poll::Ready(end) = self.poll_frames(context) {
                return Poll::Ready(end);
            }
            self.client.ledger.arrived(&self.watch);
            self.widen();
            if let Some(violation) = self.watch.violation()
                && self.throw_out(violation)
            {
                continue;
            }
            match self.poll_deadlines(context, timer) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                // Something was begun that has to be sent.
                Poll::Ready(None) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Lets more come beside what waits, or less once that is gone.
    fn widen(&mut self) {
        if let Some(window) = self.client.ledger.window() {
            self.frames.set_target_window_size(window);
        }
    }

    /// Moves frames and begins requests, no more at once than the client was told: requests that the client
    /// has cancelled count until their tasks have ended. Others wait for that here: in the library nothing gathers
    /// what comes for them.
    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<ConnectionEnd> {
        loop {
            while !self.is_full()
                && let Some(accepted) = self.waiting.pop_front()
            {
                self.begin(accepted);
            }
            if self.running.count.get() > 0 {
                *self.running.waker.borrow_mut() = Some(context.waker().clone());
            }
            match self.frames.poll_accept(context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.accepted = self.accepted.saturating_add(1);
                    let accepted = Accepted::new(request, respond, &self.client.ledger);
                    if !self.is_full() {
                        self.begin(accepted);
                    } else {
                        self.keep_waiting(accepted);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(self.ending.map_or_else(|| end_of(&error), |(end, _)| end));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(self.ending.map_or(ConnectionEnd::Client, |(end, _)| end));
                }
                Poll::Pending => {
                    self.tell_of_refused();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Tells how many requests the library has refused by itself, of which nobody else learns. To be asked when it has
    /// given us all that there is: what came is looked at then, unless it waits for its own answers to leave. What
    /// follows a goodbye is passed over without an answer.
    fn tell_of_refused(&mut self) {
        if self.ending.is_some() || self.watch.is_write_stalled() {
            return;
        }
        let refused = self.watch.opened().saturating_sub(self.accepted);
        if let Some(more @ 1..) = refused.checked_sub(self.refused) {
            self.refused = refused;
            self.client.service.http2_refused(more);
        }
    }

    fn is_full(&self) -> bool {
        self.running.count.get() >= self.settings.http2.max_streams as usize
    }

    fn keep_waiting(&mut self, accepted: Accepted) {
        if self.waiting.len() >= self.settings.http2.max_streams as usize {
            // The library lets no more than that be open, and those that were cancelled are not.
            self.waiting.retain_mut(|waiting| !waiting.is_cancelled());
        }
        self.waiting.push_back(accepted);
    }

    fn begin(&self, accepted: Accepted) {
        let place = Place::take(&self.running);
        tokio::task::spawn_local(serve_stream(Rc::clone(&self.client), accepted, place));
    }

    /// Says that no new request is taken; those under way end first (RFC 9113 section 6.8).
    fn part(&mut self, end: ConnectionEnd) {
        self.frames.graceful_shutdown();
        self.ending = Some((end, None));
    }

    /// Ends the connection at once. `false`: that was begun before.
    fn throw_out(&mut self, violation: Violation) -> bool {
        let end = ConnectionEnd::Flood(violation);
        if self.ending.is_some_and(|(known, _)| known == end) {
            return false;
        }
        self.frames.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
        self.ending = Some((end, after(now(), FAREWELL)));
        true
    }

    /// `Some`: the connection ends with that. `None`: frames have to be moved.
    fn poll_deadlines(&mut self, context: &mut Context<'_>, timer: &Timer) -> Poll<Option<ConnectionEnd>> {
        let settings = Rc::clone(&self.settings);
        if self.watch.poll_write_stalled(context, timer) {
            return Poll::Ready(Some(ConnectionEnd::WriteTimeout));
        }
        if self.client.ledger.look_again().is_some_and(|at| timer.poll_deadline(context, at).is_ready()) {
            return Poll::Ready(None);
        }
        if passed(context, timer, self.watch.section_since(), settings.head_timeout) {
            return Poll::Ready(Some(ConnectionEnd::HeadTimeout));
        }
        if self.running.count.get() > 0 {
            self.leftover = None;
            self.wait_on();
            return self.poll_liveness(context, timer);
        }
        self.pinged = None;
        match self.poll_leftover(context, timer) {
            Some(waiting) => waiting,
            None => self.poll_idle(context, timer),
        }
    }

    /// The connection is in use: it is neither idle, nor has the client had all that it waits for.
    fn wait_on(&mut self) {
        self.idle_until = None;
        if let Some((end, until)) = &mut self.ending
            && !matches!(end, ConnectionEnd::Flood(_))
        {
            *until = None;
        }
    }

    /// What is left of answers whose tasks have ended: the library and the socket may hold much of them, and the
    /// client may take as long over it as over any answer. `None`: nothing is left.
    fn poll_leftover(
        &mut self,
        context: &mut Context<'_>,
        timer: &Timer,
    ) -> Option<Poll<Option<ConnectionEnd>>> {
        let left = self.client.ledger.held();
        let stalled = self.watch.is_write_stalled();
        let thrown_out = matches!(self.ending, Some((ConnectionEnd::Flood(_), _)));
        if thrown_out || left == 0 && !stalled {
            self.leftover = None;
            return None;
        }
        self.wait_on();
        if stalled {
            // Its own deadline is under way.
            self.leftover = None;
            return Some(Poll::Pending);
        }
        // The client has taken back a window that it gave before.
        let settings = &self.settings;
        let fresh = || (Patience::new(settings.write_timeout, settings.min_rate), left);
        let (patience, before) = self.leftover.get_or_insert_with(fresh);
        if left < *before {
            patience.progress(before.saturating_sub(left));
            *before = left;
        }
        Some(patience.poll(timer, context).map(|()| Some(ConnectionEnd::WriteTimeout)))
    }

    /// Asks a silent client whether it is there.
    fn poll_liveness(&mut self, context: &mut Context<'_>, timer: &Timer) -> Poll<Option<ConnectionEnd>> {
        if self.watch.is_write_stalled() {
            // A question would wait behind what it does not take, for which it has a deadline.
            return Poll::Pending;
        }
        let http2 = self.settings.http2;
        let heard = self.watch.last_heard();
        if self.pinged.is_some_and(|pinged| heard > pinged) {
            // Whatever came is an answer, or was taken since.
            self.pinged = None;
        }
        if self.pinged.is_some() {
            let patience = http2.ping_timeout.saturating_add(self.watch.reading());
            return match passed(context, timer, self.pinged, patience) {
                true => Poll::Ready(Some(ConnectionEnd::PingTimeout)),
                false => Poll::Pending,
            };
        }
        if !passed(context, timer, Some(heard), http2.ping_after) {
            return Poll::Pending;
        }
        self.pinged = Some(now());
        if let Some(pings) = &mut self.pings {
            // An answer that nobody has looked at keeps the next question back; it may have come behind other
            // signs of life, or after the request had ended.
            let _ = pings.poll_pong(context);
            // It fails while the one before is unanswered, which asks as well: the client owes it in the order
            // of what was sent.
            let _ = pings.send_ping(Ping::opaque());
        }
        Poll::Ready(None)
    }

    fn poll_idle(&mut self, context: &mut Context<'_>, timer: &Timer) -> Poll<Option<ConnectionEnd>> {
        if let Some((end, until)) = self.ending {
            // The library waits for the client to see the goodbye; we do not for ever.
            let until = until.or_else(|| after(now(), FAREWELL));
            self.ending = Some((end, until));
            return match until {
                Some(until) => timer.poll_deadline(context, until).map(|()| Some(end)),
                None => Poll::Ready(Some(end)),
            };
        }
        let settings = &self.settings;
        let patience = if self.accepted > 0 { settings.keep_alive_timeout } else { settings.head_timeout };
        let until = self.idle_until.or_else(|| after(now(), patience));
        self.idle_until = until;
        if until.is_none_or(|until| timer.poll_deadline(context, until).is_ready()) {
            self.part(ConnectionEnd::Idle);
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// Whether the patience since then is at its end; else the task will be woken when it is.
fn passed(context: &mut Context<'_>, timer: &Timer, since: Option<Instant>, patience: Duration) -> bool {
    let deadline = since.and_then(|since| since.checked_add(patience));
    deadline.is_some_and(|deadline| timer.poll_deadline(context, deadline).is_ready())
}

fn after(start: Instant, patience: Duration) -> Option<Instant> {
    start.checked_add(patience)
}
