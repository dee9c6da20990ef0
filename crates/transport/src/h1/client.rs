//! The upstream side: one request and its response on a leased connection.

use super::incoming::{Incoming, UPSTREAM, has_from_incoming};
use super::outgoing::Outgoing;
use crate::body::{BodySink, BodySource};
use crate::buffer::Buffer;
use crate::io::Io;
use crate::patience::Patience;
use crate::reuse::Reuse;
use crate::timer::Timer;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_http::h1::{BodyFraming, HeadLimits, parse_response, write_request_head};
use torana_http::{Fields, Method, RequestHead, ResponseHead, Version};

/// How many interim responses (1xx) may precede the final one.
const MAX_INTERIM: u8 = 16;

/// Sends a request's head and body.
#[derive(Debug)]
pub struct RequestWriter<'a> {
    outgoing: Outgoing<'a>,
    /// Set at the end where any of it has left.
    used: &'a mut bool,
}

impl Drop for RequestWriter<'_> {
    fn drop(&mut self) {
        *self.used |= self.outgoing.bytes > 0;
    }
}

impl<'a> RequestWriter<'a> {
    /// `pending` is empty; `used` is told whether anything has left.
    pub(crate) fn new(
        io: &'a Io,
        timer: &'a Timer,
        (pending, used): (&'a mut Vec<u8>, &'a mut bool),
        timeout: Duration,
    ) -> Self {
        let reasons = (Reason::UpstreamClosed, Reason::UpstreamIdleTimeout);
        Self { outgoing: Outgoing::new(io, timer, pending, reasons, Patience::new(timeout, 0)), used }
    }

    /// Puts the head into the buffer; it leaves together with the first data. With `upgrade` the upstream
    /// is asked to speak that protocol from here on.
    pub fn start(&mut self, head: &RequestHead, framing: BodyFraming, upgrade: Option<&str>) {
        write_request_head(head, framing, upgrade, self.outgoing.pending);
        self.outgoing.set_framing(framing);
    }

    /// From here on what is written are bytes of the protocol that was switched to.
    pub fn switch(&mut self) {
        self.outgoing.switch();
    }
}

impl BodySink for RequestWriter<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        self.outgoing.poll_write(context, data)
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.outgoing.poll_flush(context)
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        self.outgoing.finish(trailers)
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.outgoing.poll_shutdown(context)
    }
}

/// Receives a response's head, then its body.
#[derive(Debug)]
pub struct ResponseReader<'a> {
    io: &'a Io,
    timer: &'a Timer,
    buffer: &'a mut Buffer,
    limits: HeadLimits,
    seen: usize,
    interim: u8,
    reuse: Reuse,
}

impl<'a> ResponseReader<'a> {
    pub(crate) fn new(
        io: &'a Io,
        timer: &'a Timer,
        buffer: &'a mut Buffer,
        limits: HeadLimits,
        reuse: Reuse,
    ) -> Self {
        Self { io, timer, buffer, limits, seen: 0, interim: 0, reuse }
    }

    /// Waits for a head: the final one, or an interim one before it ([`ResponseHead::is_interim`]), of
    /// which there may be only so many. 101 is final: the caller knows whether it was asked for.
    /// A fault of a kept-alive connection that had just been closed says that it may be retried.
    pub fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        method: Method,
        deadline: Instant,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), Fault>> {
        loop {
            if !self.buffer.is_empty() && self.parse(method, head)? {
                return Poll::Ready(Ok(()));
            }
            match self.io.poll_read(context, self.buffer, self.limits.head_bytes) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(self.closed("closed before an answer")));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.closed(error.to_string()))),
                Poll::Pending => {
                    return self
                        .timer
                        .poll_deadline(context, deadline)
                        .map(|()| Err(Fault::new(Reason::UpstreamFirstByteTimeout)));
                }
            }
        }
    }

    /// Whether a head is there.
    fn parse(&mut self, method: Method, head: &mut ResponseHead) -> Result<bool, Fault> {
        let input = self.buffer.filled();
        let refused =
            |error: torana_http::h1::HeadError| Fault::new(error.response_reason()).because(error.detail);
        let parsed = parse_response(input, self.seen, &self.limits, method, head).map_err(refused)?;
        let Some(length) = parsed else {
            self.seen = input.len();
            return Ok(false);
        };
        self.buffer.consume(length);
        self.seen = 0;
        if head.is_interim() {
            self.interim = self.interim.saturating_add(1);
            if self.interim > MAX_INTERIM {
                let detail = "too many interim responses";
                return Err(Fault::new(Reason::UpstreamMalformed).because(detail));
            }
        }
        Ok(true)
    }

    /// Completes a fault of sending the request: on a kept-alive connection that had just been closed, the
    /// first write may be what finds out, as on one whose handshake has failed at the other end.
    #[must_use]
    pub fn blame(&self, fault: Fault) -> Fault {
        if fault.reason == Reason::UpstreamClosed
            && let Some(refused) = self.refused()
        {
            return refused;
        }
        if fault.reason == Reason::UpstreamClosed && self.reuse.had_just_ended() {
            fault.retry(Retry::IfReused)
        } else {
            fault
        }
    }

    fn closed(&self, detail: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
        if let Some(refused) = self.refused() {
            return refused;
        }
        let retry =
            if self.nothing_received() && self.reuse.had_just_ended() { Retry::IfReused } else { Retry::No };
        Fault::new(Reason::UpstreamClosed).because(detail).retry(retry)
    }

    fn nothing_received(&self) -> bool {
        self.buffer.is_empty() && self.interim == 0
    }

    /// The fault of a handshake that was over only at this end. Nobody has read a request then.
    fn refused(&self) -> Option<Fault> {
        let is_first = self.nothing_received() && !self.reuse.is_again();
        let refusal = is_first.then(|| self.io.refusal()).flatten()?;
        Some(Fault::new(Reason::UpstreamTlsFailed).because(refusal.to_string()).retry(Retry::Yes))
    }

    /// The body that follows `head`.
    #[must_use]
    pub fn body(self, head: &ResponseHead, idle_timeout: Duration) -> ResponseBody<'a> {
        let framing = head.framing;
        let persistent = match head.version {
            Version::Http11 | Version::Http2 | Version::Unsupported => !head.connection.close,
            Version::Http10 => head.connection.keep_alive && !head.connection.close,
        };
        let patience = Patience::new(idle_timeout, 0);
        let incoming = Incoming::new(self.io, self.timer, self.buffer, framing, UPSTREAM, patience, u64::MAX);
        ResponseBody { incoming, persistent: persistent && framing != BodyFraming::UntilClose }
    }

    /// What comes after a 101: bytes of the protocol that was switched to.
    #[must_use]
    pub fn switch(self) -> ResponseBody<'a> {
        let (framing, patience) = (BodyFraming::UntilClose, Patience::endless());
        let incoming = Incoming::new(self.io, self.timer, self.buffer, framing, UPSTREAM, patience, u64::MAX);
        ResponseBody { incoming, persistent: false }
    }
}

/// A response's body.
#[derive(Debug)]
pub struct ResponseBody<'a> {
    incoming: Incoming<'a>,
    persistent: bool,
}

impl ResponseBody<'_> {
    /// Whether the connection can carry another request: the response was read to its end, nothing
    /// follows it, and the upstream did not say that it closes.
    #[must_use]
    pub fn leaves_connection_usable(&self) -> bool {
        self.persistent && self.incoming.is_done() && self.incoming.buffer.is_empty()
    }
}

impl BodySource for ResponseBody<'_> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        self.incoming.poll_fill(context)
    }

    has_from_incoming!();
}
