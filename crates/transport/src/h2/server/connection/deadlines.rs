//! How long a connection waits: for the rest of a head, for what is taken of answers, for a sign of life, for the next
//! request.

use super::{Connection, FAREWELL};
use crate::clock::{after, later, now};
use crate::h2::settings::ConnectionEnd;
use crate::patience::Patience;
use crate::service::Service;
use crate::timer::Timer;
use h2::Ping;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

impl<S: Service + 'static> Connection<S> {
    /// `Some`: the connection ends with that. `None`: frames have to be moved.
    pub(super) fn poll_deadlines(
        &mut self,
        context: &mut Context<'_>,
        timer: &Timer,
    ) -> Poll<Option<ConnectionEnd>> {
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
            let until = until.unwrap_or_else(|| after(FAREWELL));
            self.ending = Some((end, Some(until)));
            return timer.poll_deadline(context, until).map(|()| Some(end));
        }
        let settings = &self.settings;
        let patience = if self.accepted > 0 { settings.keep_alive_timeout } else { settings.head_timeout };
        let until = *self.idle_until.get_or_insert_with(|| after(patience));
        if timer.poll_deadline(context, until).is_ready() {
            self.part(ConnectionEnd::Idle);
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// Whether the patience since then is at its end; else the task will be woken when it is.
fn passed(context: &mut Context<'_>, timer: &Timer, since: Option<Instant>, patience: Duration) -> bool {
    since.is_some_and(|since| timer.poll_deadline(context, later(since, patience)).is_ready())
}
