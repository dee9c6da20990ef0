//! A request's body on its stream.

use super::response::Respond;
use crate::body::BodySource;
use crate::h2::arriving::Arriving;
use crate::h2::convert::asked_trailers;
use crate::patience::Patience;
use crate::service::{RequestBody, ServerSettings};
use crate::timer::Timer;
use bytes::Bytes;
use http::HeaderMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_http::h1::BodyFraming;
use torana_http::{Fields, RequestHead};

/// A request's body.
///
/// The piece that completes an announced length is held back until the client has ended the stream: an
/// HTTP/1 service would take the request for whole with that piece, and the client could still say more.
pub(super) struct RequestStream<'a> {
    /// None where the head is all.
    stream: Option<Rc<Arriving>>,
    timer: &'a Timer,
    respond: &'a RefCell<Respond>,
    /// The data at hand.
    data: Bytes,
    /// What completes the announced length.
    last: Bytes,
    announced: Option<u64>,
    trailers: Fields,
    ended: bool,
    expects_continue: bool,
    patience: Patience,
    limit: u64,
    bytes: u64,
}

impl<'a> RequestStream<'a> {
    pub(super) fn new(
        stream: Option<Rc<Arriving>>,
        head: &RequestHead,
        timer: &'a Timer,
        settings: &ServerSettings,
        respond: &'a RefCell<Respond>,
    ) -> Self {
        let announced = match head.framing {
            BodyFraming::Length(length) => Some(length),
            _ => None,
        };
        Self {
            stream,
            timer,
            respond,
            data: Bytes::new(),
            last: Bytes::new(),
            announced,
            trailers: Fields::default(),
            ended: head.framing == BodyFraming::None,
            expects_continue: head.expects_continue,
            patience: Patience::new(settings.body_idle_timeout, settings.min_rate),
            limit: settings.body_bytes,
            bytes: 0,
        }
    }

    /// Takes a piece in; `true` when it may be shown.
    fn take(&mut self, piece: Bytes) -> Result<bool, Fault> {
        self.patience.progress(piece.len());
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > self.limit {
            return Err(Fault::new(Reason::BodyTooLarge));
        }
        match self.announced {
            Some(length) if self.bytes > length => {
                Err(Fault::new(Reason::MalformedBody).because("more data than Content-Length announced"))
            }
            Some(length) if self.bytes == length && !self.is_at_end() => {
                self.last = piece;
                Ok(false)
            }
            _ => {
                self.data = piece;
                Ok(!self.data.is_empty())
            }
        }
    }

    fn is_at_end(&self) -> bool {
        self.stream.as_ref().is_none_or(|stream| stream.is_end_stream())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<bool, Fault> {
        if self.announced.is_some_and(|length| self.bytes != length) {
            return Err(Fault::new(Reason::MalformedBody).because("less data than Content-Length announced"));
        }
        self.trailers = asked_trailers(trailers)?;
        self.ended = true;
        self.data = std::mem::take(&mut self.last);
        Ok(!self.data.is_empty())
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        self.patience.poll(self.timer, context).map(|()| Err(Fault::new(Reason::ClientBodyTimeout)))
    }
}

impl BodySource for RequestStream<'_> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if !self.data.is_empty() {
            return Poll::Ready(Ok(true));
        }
        loop {
            let stream = match &self.stream {
                Some(stream) if !self.ended => stream,
                _ => return Poll::Ready(Ok(false)),
            };
            match stream.poll_data(context) {
                Poll::Ready(Some(Ok(piece))) => {
                    self.expects_continue = false;
                    if self.take(piece)? {
                        return Poll::Ready(Ok(true));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(fault_of(&error))),
                Poll::Ready(None) => match stream.poll_trailers(context) {
                    Poll::Ready(Ok(trailers)) => return Poll::Ready(self.end(trailers.as_ref())),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(fault_of(&error))),
                    Poll::Pending => return self.poll_idle(context),
                },
                Poll::Pending => {
                    if std::mem::take(&mut self.expects_continue) {
                        self.respond.borrow_mut().say_continue();
                    }
                    return self.poll_idle(context);
                }
            }
        }
    }

    fn data(&self) -> &[u8] {
        &self.data
    }

    fn consume(&mut self) {
        if let Some(stream) = &self.stream {
            stream.pass_on(&mut self.data);
        }
        if !self.ended && self.is_at_end() && self.announced.is_none_or(|length| length == self.bytes) {
            self.ended = true;
        }
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        // Nobody adds any to those of the message; they may be asked for once more.
        into.extend(&self.trailers);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.ended && self.data.is_empty()
    }

    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.respond.borrow_mut().poll_closed(context)
    }
}

impl RequestBody for RequestStream<'_> {
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.poll_gone(context)
    }

    fn awaits_invitation(&self) -> bool {
        self.expects_continue
    }

    fn bear_pauses(&mut self, most: Duration) {
        self.patience = Patience::bearing(most);
    }

    /// What comes is data already, and its end the end of the stream.
    fn switch(&mut self) {}

    fn bytes_read(&self) -> u64 {
        self.bytes
    }
}

fn fault_of(error: &h2::Error) -> Fault {
    let reason = if error.is_library() && error.is_reset() {
        // The library counts the data against Content-Length.
        Reason::MalformedBody
    } else {
        Reason::ClientClosed
    };
    Fault::new(reason).because(error.to_string())
}
