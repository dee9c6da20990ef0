//! One request and its response on an upstream connection, whatever the protocol.

use crate::body::{BodySink, BodySource};
use crate::{h1, h2};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::Fault;
use torana_http::h1::BodyFraming;
use torana_http::{Fields, Method, RequestHead, ResponseHead};

/// Both directions of one exchange, to be used side by side.
#[derive(Debug)]
pub struct ClientExchange<'a> {
    /// Sends the request.
    pub writer: RequestWriter<'a>,
    /// Receives the response.
    pub reader: ResponseReader<'a>,
}

/// Sends a request's head and body.
#[derive(Debug)]
pub enum RequestWriter<'a> {
    /// On a connection of its own.
    Http1(h1::RequestWriter<'a>),
    /// On a stream.
    Http2(h2::RequestWriter<'a>),
}

/// Receives a response's head, then its body.
#[derive(Debug)]
pub enum ResponseReader<'a> {
    /// On a connection of its own.
    Http1(h1::ResponseReader<'a>),
    /// On a stream.
    Http2(h2::ResponseReader<'a>),
}

/// A response's body.
#[derive(Debug)]
pub enum ResponseBody<'a> {
    /// On a connection of its own.
    Http1(h1::ResponseBody<'a>),
    /// On a stream.
    Http2(h2::ResponseBody<'a>),
}

macro_rules! either {
    ($this:expr, $inner:ident => $call:expr) => {
        match $this {
            Self::Http1($inner) => $call,
            Self::Http2($inner) => $call,
        }
    };
}

impl RequestWriter<'_> {
    /// Puts the head into the buffer; it leaves together with the first data. With `upgrade` the upstream
    /// is asked to speak that protocol from here on; HTTP/2 has no such thing and passes it over.
    pub fn start(&mut self, head: &RequestHead, framing: BodyFraming, upgrade: Option<&str>) {
        match self {
            Self::Http1(writer) => writer.start(head, framing, upgrade),
            Self::Http2(writer) => writer.start(head, framing),
        }
    }

    /// From here on what is written are bytes of the protocol that was switched to.
    pub fn switch(&mut self) {
        match self {
            Self::Http1(writer) => writer.switch(),
            Self::Http2(_) => {}
        }
    }
}

impl BodySink for RequestWriter<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        either!(self, writer => writer.poll_write(context, data))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        either!(self, writer => writer.poll_flush(context))
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault> {
        either!(self, writer => writer.finish(trailers))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        either!(self, writer => writer.poll_shutdown(context))
    }
}

impl<'a> ResponseReader<'a> {
    /// Waits for the next head: an interim one or the final one.
    /// A fault that came before the upstream can have acted on the request says that it may be retried.
    pub fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        method: Method,
        deadline: Instant,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), Fault>> {
        either!(self, reader => reader.poll_head(context, method, deadline, head))
    }

    /// Completes a fault of sending the request with whether it may be retried.
    #[must_use]
    pub fn blame(&self, fault: Fault) -> Fault {
        either!(self, reader => reader.blame(fault))
    }

    /// The body that follows `head`.
    #[must_use]
    pub fn body(self, head: &ResponseHead, idle_timeout: Duration) -> ResponseBody<'a> {
        match self {
            Self::Http1(reader) => ResponseBody::Http1(reader.body(head, idle_timeout)),
            Self::Http2(reader) => ResponseBody::Http2(reader.body(head, idle_timeout)),
        }
    }

    /// What comes after a 101: bytes of the protocol that was switched to.
    #[must_use]
    pub fn switch(self) -> ResponseBody<'a> {
        match self {
            Self::Http1(reader) => ResponseBody::Http1(reader.switch()),
            Self::Http2(reader) => ResponseBody::Http2(reader.nothing()),
        }
    }
}

impl ResponseBody<'_> {
    /// Whether the connection can carry another request: the response was read to its end, nothing
    /// follows it, and the upstream did not say that it closes.
    #[must_use]
    pub fn leaves_connection_usable(&self) -> bool {
        either!(self, body => body.leaves_connection_usable())
    }
}

impl BodySource for ResponseBody<'_> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        either!(self, body => body.poll_fill(context))
    }

    fn data(&self) -> &[u8] {
        either!(self, body => body.data())
    }

    fn consume(&mut self) {
        either!(self, body => body.consume());
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        either!(self, body => body.trailers(into))
    }

    fn is_done(&self) -> bool {
        either!(self, body => body.is_done())
    }
}
