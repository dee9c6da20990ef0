//! A response on its stream.

use crate::body::BodySink;
use crate::h2::GATHERED;
use crate::h2::convert::{header_map, trailer_map};
use crate::h2::ledger::{Ledger, Piece};
use crate::h2::room;
use crate::patience::Patience;
use crate::service::ResponseSink;
use crate::timer::Timer;
use bytes::{Bytes, BytesMut};
use h2::SendStream;
use h2::server::SendResponse;
use http::{HeaderMap, Response, StatusCode};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
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

fn gone(error: &h2::Error) -> Fault {
    Fault::new(Reason::ClientClosed).because(error.to_string())
}

/// A response on its way to the client.
///
/// Head and newest piece of data are held until more comes or the source has to be waited for, so that the
/// end of the stream can be said with them instead of in a frame of its own.
pub(super) struct ResponseStream<'a> {
    respond: &'a RefCell<Respond>,
    timer: &'a Timer,
    patience: Patience,
    head: Option<Response<()>>,
    held: Bytes,
    /// How much of the data in hand is gone, while `poll_write` returns pending.
    data_sent: usize,
    /// What is left of an announced length.
    remaining: Option<u64>,
    head_request: bool,
    wants_body: bool,
    started: bool,
    finished: bool,
    failed: Option<Fault>,
    bytes: u64,
}

impl<'a> ResponseStream<'a> {
    pub(super) const fn new(
        respond: &'a RefCell<Respond>,
        timer: &'a Timer,
        patience: Patience,
        head_request: bool,
    ) -> Self {
        Self {
            respond,
            timer,
            patience,
            head: None,
            held: Bytes::new(),
            data_sent: 0,
            remaining: None,
            head_request,
            wants_body: true,
            started: false,
            finished: false,
            failed: None,
            bytes: 0,
        }
    }

    /// Whether the client got a whole response.
    pub(super) const fn is_complete(&self) -> bool {
        self.finished
    }

    /// Puts a piece to the one that is held, when both are small and the client has room for both.
    fn gather(&mut self, context: &mut Context<'_>, data: &[u8]) -> Result<bool, Fault> {
        let both = self.held.len().saturating_add(data.len());
        if self.held.is_empty() || self.data_sent > 0 || both > GATHERED {
            return Ok(false);
        }
        match self.respond.borrow_mut().poll_room(context, both) {
            Poll::Ready(Ok(room)) if room >= both => {}
            Poll::Ready(Err(fault)) => return Err(fault),
            Poll::Ready(Ok(_)) | Poll::Pending => return Ok(false),
        }
        self.count(data.len())?;
        let mut joined = BytesMut::from(std::mem::take(&mut self.held));
        joined.extend_from_slice(data);
        self.held = joined.freeze();
        Ok(true)
    }

    /// Sends what is held; more will follow.
    fn send_held(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let mut respond = self.respond.borrow_mut();
        if let Some(head) = self.head.take() {
            respond.start(head, false)?;
        }
        if !self.held.is_empty() {
            respond.send(std::mem::take(&mut self.held), false)?;
        }
        Ok(())
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.patience.poll(self.timer, context).map(|()| Err(Fault::new(Reason::ClientWriteTimeout)))
    }

    fn count(&mut self, length: usize) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(length as u64);
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining
                .checked_sub(length as u64)
                .ok_or(Fault::new(Reason::Internal).because("the body is longer than announced"))?;
        }
        Ok(())
    }
}

impl ResponseSink for ResponseStream<'_> {
    fn start(&mut self, head: &ResponseHead, framing: BodyFraming, _close: bool) {
        self.wants_body = !(self.head_request || matches!(head.status, 100..=199 | 204 | 304));
        let framing = if self.wants_body { framing } else { BodyFraming::None };
        self.remaining = match framing {
            BodyFraming::Length(length) => Some(length),
            BodyFraming::None => Some(0),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        };
        self.started = true;
        match header_map(&head.fields, framing) {
            Ok(fields) => {
                let sizes =
                    fields.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
                self.bytes = sizes.fold(self.bytes, |sum, size| sum.saturating_add(size as u64));
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

    fn wants_body(&self) -> bool {
        self.wants_body
    }

    fn is_started(&self) -> bool {
        self.started
    }

    fn bytes_sent(&self) -> u64 {
        self.bytes
    }
}

impl BodySink for ResponseStream<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        if self.gather(context, data)? {
            return Poll::Ready(Ok(()));
        }
        self.send_held()?;
        loop {
            let rest = data.get(self.data_sent..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let room = match self.respond.borrow_mut().poll_room(context, rest.len()) {
                Poll::Ready(room) => room?,
                Poll::Pending => return self.poll_stalled(context),
            };
            let piece = rest.get(..room.min(rest.len())).unwrap_or_default();
            self.patience.progress(piece.len());
            self.count(piece.len())?;
            self.data_sent = self.data_sent.saturating_add(piece.len());
            if piece.len() == rest.len() {
                self.held = Bytes::copy_from_slice(piece);
            } else {
                self.respond.borrow_mut().send(Bytes::copy_from_slice(piece), false)?;
            }
        }
        self.data_sent = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        self.send_held()?;
        // Whoever waits for the service is told here when nobody waits for the answer any more.
        match self.respond.borrow_mut().poll_closed(context) {
            Poll::Ready(fault) => Poll::Ready(Err(fault)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        if self.remaining.is_some_and(|remaining| remaining > 0) {
            return Err(Fault::new(Reason::Internal).because("the body is shorter than announced"));
        }
        let trailers = if self.wants_body { trailer_map(trailers)? } else { HeaderMap::new() };
        let ends = trailers.is_empty();
        let mut respond = self.respond.borrow_mut();
        let held = std::mem::take(&mut self.held);
        match self.head.take() {
            Some(head) if held.is_empty() => respond.start(head, ends)?,
            Some(head) => {
                respond.start(head, false)?;
                respond.send(held, ends)?;
            }
            None if ends || !held.is_empty() => respond.send(held, ends)?,
            None => {}
        }
        if !ends {
            respond.send_trailers(trailers)?;
        }
        self.finished = true;
        Ok(())
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(self.finish(&Fields::default()))
    }
}
