//! The response on its way to the client.

use super::shared::Shared;
use crate::body::BodySink;
use crate::date::with_date;
use crate::drain::Drain;
use crate::h1::outgoing::Outgoing;
use crate::io::Io;
use crate::patience::Patience;
use crate::service::{ResponseSink, ServerSettings};
use crate::timer::Timer;
use std::task::{Context, Poll};
use torana_fault::{Fault, Reason};
use torana_http::h1::{BodyFraming, write_response_head};
use torana_http::{Fields, Known, Method, RequestHead, ResponseHead, Version};

/// Where a head lies that was put into the buffer.
#[derive(Clone, Copy)]
struct Held {
    /// The length of what waits before it.
    behind: usize,
    /// How many bytes of responses have been sent once that is gone.
    from: u64,
}

/// Writes one response, adapted to what the client understands.
pub(super) struct ResponseWriter<'a> {
    outgoing: Outgoing<'a>,
    drain: &'a Drain,
    shared: &'a Shared,
    version: Version,
    head_request: bool,
    wants_body: bool,
    /// Whether the client wants the connection to go on.
    pub(super) may_keep_alive: bool,
    /// Whether it will.
    pub(super) keep_alive: bool,
    finished: bool,
    /// Where the final head lies.
    held: Option<Held>,
    pub(super) complete: bool,
    /// Whether the connection has left HTTP.
    pub(super) switched: bool,
}

impl<'a> ResponseWriter<'a> {
    pub(super) fn new(
        io: &'a Io,
        timer: &'a Timer,
        pending: &'a mut Vec<u8>,
        settings: &ServerSettings,
        request: &RequestHead,
        drain: &'a Drain,
        shared: &'a Shared,
    ) -> Self {
        let reasons = (Reason::ClientClosed, Reason::ClientWriteTimeout);
        let patience = Patience::new(settings.write_timeout, settings.min_rate);
        let may_keep_alive = !request.connection.close
            && (request.version == Version::Http11 || request.connection.keep_alive);
        Self {
            outgoing: Outgoing::new(io, timer, pending, reasons, patience),
            drain,
            shared,
            version: request.version,
            head_request: request.method() == Method::Head,
            wants_body: true,
            may_keep_alive,
            keep_alive: false,
            finished: false,
            held: None,
            complete: false,
            switched: false,
        }
    }

    /// Keeps the other direction informed after each use of the socket.
    fn note(&self) {
        self.shared.busy.set(!self.outgoing.pending.is_empty());
        self.shared.sent.set(self.outgoing.bytes);
    }

    fn poll_settled(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        match self.shared.poll_settled(self.outgoing.io, context) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => {
                Poll::Ready(Err(Fault::new(Reason::ClientClosed).because(error.to_string())))
            }
            Poll::Pending => self.outgoing.poll_stalled(context),
        }
    }
}

impl Drop for ResponseWriter<'_> {
    /// A worker whose time is over drops its connections where they are. A response that has begun must not
    /// end there like one that lasts until its connection closes.
    fn drop(&mut self) {
        if self.shared.started.get() && !self.complete && !self.switched {
            self.outgoing.io.reset();
        }
    }
}

/// Adds a field to the head that was written last: the empty line comes after it.
fn add_field(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    head.truncate(head.len().saturating_sub(2));
    for part in [name, value, b"\r\n\r\n"] {
        head.extend_from_slice(part);
    }
}

impl ResponseSink for ResponseWriter<'_> {
    fn start(&mut self, head: &ResponseHead, framing: BodyFraming, close: bool) {
        let http11 = self.version == Version::Http11;
        let bodiless = self.head_request || matches!(head.status, 100..=199 | 204 | 304);
        self.wants_body = !bodiless;
        let framing = match framing {
            _ if bodiless => BodyFraming::None,
            // Without a length the client would wait for a body until the connection closes.
            BodyFraming::None if !head.fields.contains(Known::ContentLength) => BodyFraming::Length(0),
            BodyFraming::UntilClose if http11 => BodyFraming::Chunked,
            BodyFraming::Chunked if !http11 => BodyFraming::UntilClose,
            framing => framing,
        };
        self.keep_alive =
            self.may_keep_alive && !close && !self.drain.is_draining() && framing != BodyFraming::UntilClose;
        let connection = match (self.keep_alive, http11) {
            (false, _) => Some("close"),
            (true, false) => Some("keep-alive"),
            (true, true) => None,
        };
        self.held = Some(Held { behind: self.outgoing.pending.len(), from: self.outgoing.bytes_to_come() });
        write_response_head(head, framing, connection, self.outgoing.pending);
        if !head.fields.contains(Known::Date) {
            with_date(|date| add_field(self.outgoing.pending, b"Date: ", date));
        }
        self.outgoing.set_framing(framing);
        self.shared.started.set(true);
        self.note();
    }

    fn interim(&mut self, head: &ResponseHead) {
        // RFC 9110 section 15.2: an HTTP/1.0 client knows no interim responses.
        if self.version == Version::Http11 && !self.shared.started.get() {
            write_response_head(head, BodyFraming::None, None, self.outgoing.pending);
            self.note();
        }
    }

    fn switch(&mut self, head: &ResponseHead, protocol: &str) {
        let pending = &mut *self.outgoing.pending;
        write_response_head(head, BodyFraming::None, Some("Upgrade"), pending);
        add_field(pending, b"Upgrade: ", protocol.as_bytes());
        self.outgoing.switch();
        self.shared.started.set(true);
        self.switched = true;
        self.note();
    }

    fn part(&mut self) {
        self.may_keep_alive = false;
    }

    fn wants_body(&self) -> bool {
        self.wants_body
    }

    fn is_started(&self) -> bool {
        self.shared.started.get()
    }

    fn take_back(&mut self) -> bool {
        let held = self.held.filter(|held| self.outgoing.bytes <= held.from && !self.finished);
        let Some(Held { behind, .. }) = held else { return false };
        self.held = None;
        self.outgoing.truncate(behind);
        self.shared.started.set(false);
        self.keep_alive = false;
        self.wants_body = true;
        self.note();
        true
    }

    fn bytes_sent(&self) -> u64 {
        self.outgoing.bytes
    }
}

impl BodySink for ResponseWriter<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        if self.poll_settled(context)?.is_pending() {
            return Poll::Pending;
        }
        let written = self.outgoing.poll_write(context, data);
        self.note();
        written
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.poll_settled(context)?.is_pending() {
            return Poll::Pending;
        }
        let flushed = self.outgoing.poll_flush(context);
        self.note();
        if self.finished && matches!(flushed, Poll::Ready(Ok(()))) {
            self.complete = true;
        }
        flushed
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        self.outgoing.finish(trailers)?;
        self.finished = true;
        Ok(())
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.outgoing.poll_shutdown(context)
    }
}
