//! A response on its stream.

use crate::body::BodySink;
use crate::date::with_date;
use crate::h2::convert::{header_map, trailer_map};
use crate::h2::ledger::{Ledger, Piece};
use crate::h2::pieces::{Outlet, Pieces};
use crate::h2::room;
use crate::patience::Patience;
use crate::service::ResponseSink;
use crate::timer::Timer;
use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::header::DATE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use torana_fault::{Fault, Reason};
use torana_http::h1::BodyFraming;
use torana_http::{Fields, ResponseHead};

/// The sending half of a stream. The request's body looks at it too: it knows when the client is gone.
pub(super) struct Respond {
    head: SendResponse<Piece>,
    body: Option<SendStream<Piece>>,
    ledger: Rc<Ledger>,
}

impl Respond {
    pub(super) const fn new(head: SendResponse<Piece>, ledger: Rc<Ledger>) -> Self {
        Self { head, body: None, ledger }
    }

    /// Ready once the client has cancelled the request or its connection has ended.
    pub(super) fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        let reset = match &mut self.body {
            Some(body) => body.poll_reset(context),
            None => self.head.poll_reset(context),
        };
        reset.map(|reason| match reason {
            Ok(reason) => Fault::new(Reason::ClientClosed).because(format!("the client said {reason:?}")),
            Err(error) => Fault::new(Reason::ClientClosed).because(error.to_string()),
        })
    }

    /// Answers `Expect: 100-continue`.
    pub(super) fn say_continue(&mut self) {
        let mut interim = Response::new(());
        *interim.status_mut() = StatusCode::CONTINUE;
        self.inform(interim);
    }

    /// Sends an interim response, unless the final one has begun. When it fails the client is gone, as will
    /// show.
    fn inform(&mut self, interim: Response<()>) {
        if self.body.is_none() {
            let _ = self.head.send_informational(interim);
        }
    }

    /// Tells the client that the response is not whole.
    pub(super) fn reset(&mut self, reason: h2::Reason) {
        match &mut self.body {
            Some(body) => body.send_reset(reason),
            None => self.head.send_reset(reason),
        }
    }

    fn start(&mut self, head: Response<()>, ends: bool) -> Result<(), Fault> {
        let body = self.head.send_response(head, ends).map_err(|error| gone(&error))?;
        self.body = Some(body);
        Ok(())
    }

    fn send(&mut self, data: Bytes, ends: bool) -> Result<(), Fault> {
        match &mut self.body {
            Some(body) => body.send_data(Piece::new(data, &self.ledger), ends).map_err(|error| gone(&error)),
            None => Err(Fault::new(Reason::Internal).because("a body before its head")),
        }
    }

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Fault> {
        match &mut self.body {
            Some(body) => body.send_trailers(trailers).map_err(|error| gone(&error)),
            None => Err(Fault::new(Reason::Internal).because("trailers before a head")),
        }
    }

    /// Waits for the client to take some of `wanted` more bytes.
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Fault>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Err(Fault::new(Reason::Internal).because("a body before its head")));
        };
        room::poll_room(body, context, wanted).map(|room| match room {
            Some(Ok(room)) => Ok(room),
            Some(Err(error)) => Err(gone(&error)),
            None => Err(Fault::new(Reason::ClientClosed)),
        })
    }
}

fn date() -> HeaderValue {
    with_date(|date| HeaderValue::from_bytes(date)).unwrap_or(HeaderValue::from_static(""))
}

fn gone(error: &h2::Error) -> Fault {
    Fault::new(Reason::ClientClosed).because(error.to_string())
}

/// A response on its way to the client.
///
/// The head is held with the first small pieces, until more comes than these or the source has to be waited for: so long
/// it can be taken back.
pub(super) struct ResponseStream<'a> {
    respond: &'a RefCell<Respond>,
    /// Whether the connection is to take no further request.
    parts: &'a Cell<bool>,
    timer: &'a Timer,
    patience: Patience,
    head: Option<Response<()>>,
    pieces: Pieces,
    head_request: bool,
    wants_body: bool,
    started: bool,
    /// The end, once it was said; with trailers or without.
    end: Option<HeaderMap>,
    finished: bool,
    failed: Option<Fault>,
    /// Bytes of the head.
    head_bytes: u64,
}

impl<'a> ResponseStream<'a> {
    pub(super) fn new(
        respond: &'a RefCell<Respond>,
        parts: &'a Cell<bool>,
        timer: &'a Timer,
        patience: Patience,
        head_request: bool,
    ) -> Self {
        Self {
            respond,
            parts,
            timer,
            patience,
            head: None,
            pieces: Pieces::default(),
            head_request,
            wants_body: true,
            started: false,
            end: None,
            finished: false,
            failed: None,
            head_bytes: 0,
        }
    }

    /// Whether the client got a whole response.
    pub(super) const fn is_complete(&self) -> bool {
        self.finished
    }

    /// Sends what is held as the client takes it; with `ends` the last of it ends the stream.
    fn poll_held(&mut self, context: &mut Context<'_>, ends: bool) -> Poll<Result<(), Fault>> {
        let mut pieces = std::mem::take(&mut self.pieces);
        let sent = pieces.poll_send(self, context, ends);
        self.pieces = pieces;
        sent
    }

    /// Sends the head and what is held, and the end where it was said, as the client takes it.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let bare_end = self.end.as_ref().is_some_and(HeaderMap::is_empty);
        let is_held = !self.pieces.is_empty();
        let ends_with_head = bare_end && !is_held && self.head.is_some();
        self.start_held(ends_with_head)?;
        ready!(self.poll_held(context, bare_end))?;
        let Some(trailers) = self.end.take() else { return Poll::Ready(Ok(())) };
        let mut respond = self.respond.borrow_mut();
        if !trailers.is_empty() {
            respond.send_trailers(trailers)?;
        } else if !is_held && !ends_with_head {
            respond.send(Bytes::new(), true)?;
        }
        self.finished = true;
        Poll::Ready(Ok(()))
    }

    /// Sends the head, if it was not sent yet.
    fn start_held(&mut self, ends: bool) -> Result<(), Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        match self.head.take() {
            Some(head) => self.respond.borrow_mut().start(head, ends),
            None => Ok(()),
        }
    }
}

impl Outlet for ResponseStream<'_> {
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Fault>> {
        self.respond.borrow_mut().poll_room(context, wanted)
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.patience.poll(self.timer, context).map(|()| Fault::new(Reason::ClientWriteTimeout))
    }

    fn send(&mut self, data: Bytes, ends: bool) -> Result<(), Fault> {
        self.patience.progress(data.len());
        self.respond.borrow_mut().send(data, ends)
    }

    fn has_begun(&self) -> bool {
        self.head.is_none()
    }

    fn begin(&mut self) -> Result<(), Fault> {
        self.start_held(false)
    }
}

impl ResponseSink for ResponseStream<'_> {
    fn start(&mut self, head: &ResponseHead, framing: BodyFraming, _close: bool) {
        self.wants_body = !(self.head_request || matches!(head.status, 100..=199 | 204 | 304));
        let framing = if self.wants_body { framing } else { BodyFraming::None };
        self.pieces.remaining = match framing {
            BodyFraming::Length(length) => Some(length),
            BodyFraming::None => Some(0),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        };
        self.started = true;
        match header_map(&head.fields, framing) {
            Ok(mut fields) => {
                fields.entry(DATE).or_insert_with(date);
                let sizes =
                    fields.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
                self.head_bytes = sizes.fold(0, |sum, size| sum.saturating_add(size as u64));
                let mut response = Response::new(());
                // Statuses are from 100 to 999 wherever heads are made.
                *response.status_mut() =
                    StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                *response.headers_mut() = fields;
                self.head = Some(response);
            }
            Err(fault) => self.failed = Some(fault),
        }
    }

    fn interim(&mut self, head: &ResponseHead) {
        let (Ok(fields), Ok(status)) =
            (header_map(&head.fields, BodyFraming::UntilClose), StatusCode::from_u16(head.status))
        else {
            return;
        };
        let mut interim = Response::new(());
        *interim.status_mut() = status;
        *interim.headers_mut() = fields;
        self.respond.borrow_mut().inform(interim);
    }

    /// HTTP/2 has no `Upgrade`, so no such request is ever taken for one.
    fn switch(&mut self, _: &ResponseHead, _: &str) {
        self.started = true;
        self.failed = Some(Fault::new(Reason::Internal).because("a switch on HTTP/2"));
    }

    fn part(&mut self) {
        self.parts.set(true);
    }

    fn wants_body(&self) -> bool {
        self.wants_body
    }

    fn is_started(&self) -> bool {
        self.started
    }

    fn take_back(&mut self) -> bool {
        let untouched = self.started && (self.head.is_some() || self.failed.is_some());
        if untouched {
            (self.head, self.failed, self.head_bytes) = (None, None, 0);
            (self.pieces, self.end) = (Pieces::default(), None);
            (self.started, self.wants_body) = (false, true);
        }
        untouched
    }

    fn bytes_sent(&self) -> u64 {
        let head = if self.head.is_some() { 0 } else { self.head_bytes };
        head.saturating_add(self.pieces.bytes())
    }
}

impl BodySink for ResponseStream<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        let mut pieces = std::mem::take(&mut self.pieces);
        let written = pieces.poll_write(self, context, data);
        self.pieces = pieces;
        written
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_rest(context))?;
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        // Whoever waits for the service is told here when nobody waits for the answer any more.
        match self.respond.borrow_mut().poll_closed(context) {
            Poll::Ready(fault) => Poll::Ready(Err(fault)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        self.pieces.finish()?;
        self.end = Some(if self.wants_body { trailer_map(trailers)? } else { HeaderMap::new() });
        Ok(())
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        // Only in a tunnel, and HTTP/2 has none here.
        Poll::Ready(Ok(()))
    }
}
