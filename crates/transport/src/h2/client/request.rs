//! Sending a request on its stream.

use super::fault::{fault_of, unsent};
use super::stream::Halves;
use crate::body::BodySink;
use crate::clock::after;
use crate::h2::convert::{header_map, trailer_map};
use crate::h2::ledger::Piece;
use crate::h2::pieces::{Outlet, Pieces};
use crate::h2::room;
use crate::timer::Timer;
use bytes::Bytes;
use http::header::{HeaderValue, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};
use std::fmt;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};
use torana_http::h1::BodyFraming;
use torana_http::h2::is_grpc;
use torana_http::{Fields, Known, RequestHead, TargetForm};

/// Sends a request's head and body.
///
/// The head too is held until data comes or the source has to be waited for.
pub struct RequestWriter<'a> {
    halves: &'a Halves,
    timer: &'a Timer,
    timeout: Duration,
    deadline: Option<Instant>,
    /// Boxed, as is the end: what a request over HTTP/1 holds room for must not grow by it.
    head: Option<Box<Request<()>>>,
    pieces: Pieces,
    /// Whether the head may end the stream: of a request without a body. Not of a call of gRPC, which ends with data, were it
    /// empty (the gRPC protocol over HTTP/2, section Requests): a server may wait for that.
    ends_with_head: bool,
    /// The end, once it was said; with trailers or without.
    end: Option<Box<HeaderMap>>,
    ended: bool,
    failed: Option<Fault>,
}

impl fmt::Debug for RequestWriter<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RequestWriter").field("bytes", &self.pieces.bytes()).finish_non_exhaustive()
    }
}

impl<'a> RequestWriter<'a> {
    pub(super) fn new(halves: &'a Halves, timer: &'a Timer, timeout: Duration) -> Self {
        Self {
            halves,
            timer,
            timeout,
            deadline: None,
            head: None,
            pieces: Pieces::default(),
            ends_with_head: false,
            end: None,
            ended: false,
            failed: None,
        }
    }

    /// Holds the head; it leaves with the first data, or when it is flushed.
    pub fn start(&mut self, head: &RequestHead, framing: BodyFraming) {
        self.pieces.remaining = match framing {
            BodyFraming::None => Some(0),
            BodyFraming::Length(length) => Some(length),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        };
        let connection = &self.halves.place.0;
        let is_call = is_grpc(&head.fields);
        if is_call {
            connection.state().speaks_grpc();
        }
        self.ends_with_head = self.pieces.remaining == Some(0) && !is_call;
        match request_of(head, framing, connection.secure) {
            Ok(request) => self.head = Some(Box::new(request)),
            Err(fault) => self.failed = Some(fault),
        }
    }

    fn fault(&self, error: &h2::Error) -> Fault {
        fault_of(error, self.halves.so_far())
    }

    /// Sends the head, once the peer takes another stream.
    fn poll_head(&mut self, context: &mut Context<'_>, ends: bool) -> Poll<Result<(), Fault>> {
        if let Some(fault) = self.failed.take() {
            return Poll::Ready(Err(fault));
        }
        if self.head.is_none() {
            return Poll::Ready(Ok(()));
        }
        let mut sender = self.halves.sender.borrow_mut();
        match sender.poll_ready(context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(unsent(&error, self.halves.so_far()))),
            Poll::Pending => {
                drop(sender);
                return self.poll_late(context).map(Err);
            }
        }
        let Some(head) = self.head.take() else { return Poll::Ready(Ok(())) };
        let (response, body) =
            sender.send_request(*head, ends).map_err(|error| unsent(&error, self.halves.so_far()))?;
        self.halves.response.replace(Some(response));
        self.halves.body.replace(Some(body));
        if let Some(reader) = self.halves.reader.take() {
            reader.wake();
        }
        self.ended = ends;
        Poll::Ready(Ok(()))
    }

    fn send_data(&mut self, data: Bytes, ends: bool) -> Result<(), Fault> {
        self.deadline = None;
        self.ended = ends;
        let ledger = &self.halves.place.0.state().ledger;
        match &mut *self.halves.body.borrow_mut() {
            Some(body) => body.send_data(Piece::new(data, ledger), ends).map_err(|error| self.fault(&error)),
            None => Err(Fault::new(Reason::Internal).because("a body before its head")),
        }
    }

    fn poll_held(&mut self, context: &mut Context<'_>, ends: bool) -> Poll<Result<(), Fault>> {
        let mut pieces = std::mem::take(&mut self.pieces);
        let sent = pieces.poll_send(self, context, ends);
        self.pieces = pieces;
        sent
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        let deadline = *self.deadline.get_or_insert_with(|| after(self.timeout));
        self.timer.poll_deadline(context, deadline).map(|()| Fault::new(Reason::UpstreamIdleTimeout))
    }
}

impl Outlet for RequestWriter<'_> {
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Fault>> {
        let room = match &mut *self.halves.body.borrow_mut() {
            Some(body) => room::poll_room(body, context, wanted),
            None => Poll::Ready(None),
        };
        room.map(|room| match room {
            Some(Ok(room)) => Ok(room),
            Some(Err(error)) => Err(self.fault(&error)),
            // The peer wants no more; it may have said why.
            None => Err(Fault::new(Reason::UpstreamReset)),
        })
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.poll_late(context)
    }

    fn send(&mut self, data: Bytes, ends: bool) -> Result<(), Fault> {
        self.send_data(data, ends)
    }

    /// The head has left before any data is written.
    fn begin(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

impl BodySink for RequestWriter<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        ready!(self.poll_head(context, false))?;
        let mut pieces = std::mem::take(&mut self.pieces);
        let written = pieces.poll_write(self, context, data);
        self.pieces = pieces;
        written
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let bare_end = self.end.as_ref().is_some_and(|trailers| trailers.is_empty());
        ready!(self.poll_head(context, bare_end && self.ends_with_head))?;
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_held(context, bare_end))?;
        match self.end.take() {
            None => Poll::Ready(Ok(())),
            Some(_) if self.ended => Poll::Ready(Ok(())),
            Some(trailers) if trailers.is_empty() => Poll::Ready(self.send_data(Bytes::new(), true)),
            Some(trailers) => {
                self.ended = true;
                let sent = match &mut *self.halves.body.borrow_mut() {
                    Some(body) => body.send_trailers(*trailers),
                    None => Ok(()),
                };
                Poll::Ready(sent.map_err(|error| self.fault(&error)))
            }
        }
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        self.pieces.finish()?;
        self.end = Some(Box::new(trailer_map(trailers)?));
        Ok(())
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }
}

/// A target without the bytes that no URI may hold as they are (RFC 3986 appendix A), which clients send all the same:
/// the library refuses some of them.
fn encoded(target: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(target.len().saturating_add(16));
    for &byte in target {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                text.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            _ => text.push(byte),
        }
    }
    text
}

/// The request as the library wants it. The authority is what `Host` says by now.
fn request_of(head: &RequestHead, framing: BodyFraming, secure: bool) -> Result<Request<()>, Fault> {
    let invalid = |what: &'static str| Fault::new(Reason::Internal).because(what);
    let shared = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    let host = head.fields.get(Known::Host).unwrap_or_default();
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    let authority = Authority::from_maybe_shared(shared(host));
    parts.authority = Some(authority.map_err(|_| invalid("the host is not an authority"))?);
    let mut target =
        Vec::with_capacity(head.path().len().saturating_add(head.query().map_or(0, <[u8]>::len)));
    match head.target_form() {
        TargetForm::Asterisk => target.push(b'*'),
        TargetForm::Origin => {
            target.extend_from_slice(head.path());
            if let Some(query) = head.query() {
                target.push(b'?');
                target.extend_from_slice(query);
            }
        }
    }
    let target = Bytes::from(target);
    let uri = PathAndQuery::from_maybe_shared(target.clone())
        .or_else(|_| PathAndQuery::from_maybe_shared(Bytes::from(encoded(&target))));
    parts.path_and_query = Some(uri.map_err(|_| invalid("the path cannot be sent by HTTP/2"))?);
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() =
        Method::from_bytes(head.method_bytes()).map_err(|_| invalid("the method is not a token"))?;
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| invalid("the target is not a URI"))?;
    *request.headers_mut() = header_map(&head.fields, framing)?;
    if is_grpc(&head.fields) {
        // gRPC servers ask for it (the gRPC protocol over HTTP/2, section Requests); we can take trailers.
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(request)
}
