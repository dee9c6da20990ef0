//! The request's body, and the client behind it.

use super::after;
use super::shared::Shared;
use crate::body::BodySource;
use crate::h1::incoming::{Incoming, has_from_incoming};
use crate::service::RequestBody;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};
use torana_http::Fields;

/// What a client sends of one request after its head.
pub(super) struct ClientBody<'a> {
    incoming: Incoming<'a>,
    shared: &'a Shared,
    half_close_timeout: Duration,
    /// Since the client has ended its side: until when its answer must make progress, and how much of it
    /// had left when that was set.
    ended: Option<(Instant, u64)>,
    /// While nothing is read: when to look next whether the client is still there.
    look: Option<Instant>,
}

/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

impl<'a> ClientBody<'a> {
    pub(super) const fn new(
        incoming: Incoming<'a>,
        shared: &'a Shared,
        half_close_timeout: Duration,
    ) -> Self {
        Self { incoming, shared, half_close_timeout, ended: None, look: None }
    }

    /// A client that has ended its side after a whole request may still wait for the answer (as `nc` and
    /// some health checks do), or be gone for good: TCP does not tell until something is sent. So the answer
    /// is still worked for, but not for long.
    fn poll_half_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        let sent = self.shared.sent.get();
        let deadline = match self.ended {
            Some((deadline, before)) if before == sent => deadline,
            _ => {
                let deadline = after(self.half_close_timeout);
                self.ended = Some((deadline, sent));
                deadline
            }
        };
        self.incoming.timer.poll_deadline(context, deadline).map(|()| {
            Fault::new(Reason::ClientClosed).because("the client ended its side and no answer came in time")
        })
    }
}

impl BodySource for ClientBody<'_> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        let has_body = !self.incoming.buffer.is_empty();
        match self.shared.poll_invite(self.incoming.io, context, has_body) {
            Poll::Ready(Ok(())) => self.incoming.poll_fill(context),
            Poll::Ready(Err(error)) => Poll::Ready(Err(gone(&error))),
            Poll::Pending => self.incoming.poll_idle(context),
        }
    }

    has_from_incoming!();

    /// The event loop says of a reset no more than that something can be read, which it can anyway. So the socket is
    /// asked, once a second.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        loop {
            let look = *self.look.get_or_insert_with(|| after(LOOK));
            if self.incoming.timer.poll_deadline(context, look).is_pending() {
                return Poll::Pending;
            }
            self.look = None;
            if let Some(error) = self.incoming.io.error() {
                return Poll::Ready(gone(&error));
            }
        }
    }
}

fn gone(error: &std::io::Error) -> Fault {
    Fault::new(Reason::ClientClosed).because(error.to_string())
}

impl RequestBody for ClientBody<'_> {
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        if self.ended.is_some() {
            return self.poll_half_closed(context);
        }
        let io = self.incoming.io;
        loop {
            match io.poll_readable(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(gone(&error)),
                Poll::Ready(Ok(())) => {}
            }
            let capacity = self.incoming.buffer.capacity();
            match io.poll_read(context, self.incoming.buffer, capacity) {
                Poll::Ready(Ok(0)) => return self.poll_half_closed(context),
                Poll::Ready(Ok(_)) => {}
                // The buffer is full of pipelined requests: they wait in the socket, and so does its end.
                Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::OutOfMemory => {
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(gone(&error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn awaits_invitation(&self) -> bool {
        self.incoming.buffer.is_empty() && self.shared.awaits_invitation()
    }

    fn bear_pauses(&mut self, most: Duration) {
        self.incoming.bear_pauses(most);
    }

    fn switch(&mut self) {
        self.incoming.switch();
    }

    fn bytes_read(&self) -> u64 {
        self.incoming.bytes
    }
}
