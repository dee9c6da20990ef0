//! The seam between a protocol's driver and the proxy.

use crate::body::{BodySink, BodySource};
use crate::entrance::Entrance;
use crate::h2::{ConnectionEnd, Http2Settings};
use crate::timer::Timer;
use crate::tls::{HandshakeFault, TlsInfo};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_http::h1::{BodyFraming, HeadLimits};
use torana_http::{Method, RequestHead, ResponseHead};
use torana_limit::{Memory, Seat};

/// What is known of a client's connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The peer of the socket.
    pub peer: SocketAddr,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// Whether the bytes came through TLS.
    pub secure: bool,
    /// What its handshake has agreed on.
    pub tls: Option<Arc<TlsInfo>>,
    /// The number of the listener that it came by.
    pub listener: usize,
}

impl ConnectionInfo {
    /// A connection without TLS by the first listener.
    #[must_use]
    pub const fn plain(peer: SocketAddr, local: SocketAddr) -> Self {
        Self { peer, local, secure: false, tls: None, listener: 0 }
    }
}

/// Where a response goes: first its head, then its body.
pub trait ResponseSink: BodySink {
    /// Puts the head into the buffer. `framing` says what body will follow; the sink adapts it to what
    /// the client understands. With `close` the connection ends after this response.
    fn start(&mut self, head: &ResponseHead, framing: BodyFraming, close: bool);
    /// Puts an interim response (1xx, but for 101) into the buffer, unless the client would not understand
    /// it. Only before [`ResponseSink::start`]; any number of them.
    fn interim(&mut self, head: &ResponseHead);
    /// Puts the head of a 101 into the buffer, with the name of the protocol that is switched to. What is
    /// written afterwards are its bytes. In place of [`ResponseSink::start`].
    fn switch(&mut self, head: &ResponseHead, protocol: &str);
    /// The connection takes no request after this one. Before [`ResponseSink::start`].
    fn part(&mut self);
    /// Whether the response that was started may have a body: not to HEAD, and not with 204 or 304.
    fn wants_body(&self) -> bool;
    /// Whether a final head was put into the buffer or sent: too late for another answer, but for
    /// [`ResponseSink::take_back`].
    fn is_started(&self) -> bool;
    /// Takes a response back that has begun, so that another one can be given; `false` where some of it has left, or all
    /// of it is about to.
    fn take_back(&mut self) -> bool;
    /// Bytes that went to the socket so far, heads included.
    fn bytes_sent(&self) -> u64;
}

/// What a client's request body can do besides being read.
pub trait RequestBody: BodySource {
    /// Waits for the client to go away. Pipelined requests that arrive meanwhile are kept. A client that
    /// has only ended its side is waited for as long as [`ServerSettings::half_close_timeout`] says.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault>;
    /// Waits for the client to go away, whether or not its body has been read. Of an unread one only a reset shows:
    /// its end comes behind what it has sent.
    fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        if self.is_done() { self.poll_closed(context) } else { self.poll_gone(context) }
    }
    /// Whether the client holds the body back until it is told to send it (RFC 9110 section 10.1.1), and has not been
    /// told.
    fn awaits_invitation(&self) -> bool;
    /// From here on the client may pause for so long at a time, however little it sends: the body is one side of a
    /// conversation. A body that does not come from a client has nothing to say to that.
    fn bear_pauses(&mut self, _most: Duration) {}
    /// The answer has begun while the body is on its way: it will not be sent again, and what is kept for that may go.
    fn is_answered(&mut self) {}
    /// From here on the body is what the client sends in the protocol that was switched to, until its end.
    fn switch(&mut self);
    /// Bytes of the body read so far.
    fn bytes_read(&self) -> u64;
}

/// Serves requests. Implemented by the proxy; called by the drivers.
pub trait Service {
    /// What the service holds of a request while it serves it; the driver reads the head into it.
    type Request: AsMut<RequestHead> + 'static;

    /// What the service remembers of a connection from one request to the next, while the connection is busy.
    type Memory: Default + 'static;

    /// Room for a request; empty.
    fn room(&self) -> Box<Self::Request>;

    /// Takes room back that a driver needs no longer.
    fn take_back(&self, room: Box<Self::Request>);

    /// Serves one request: writes a whole response to `response`, or fails to and leaves it incomplete.
    /// The driver closes the connection when the request body was not read to its end, or the response
    /// was not written to its end.
    fn serve(
        &self,
        connection: &ConnectionInfo,
        memory: &Self::Memory,
        timer: &Timer,
        request: &mut Self::Request,
        body: &mut impl RequestBody,
        response: &mut impl ResponseSink,
    ) -> impl Future<Output = ()>;

    /// Answers a request whose head could not be accepted. The connection ends afterwards. `request` is what
    /// can be told of it: all, or method and path as far as they came.
    fn refuse(
        &self,
        connection: &ConnectionInfo,
        request: &mut Self::Request,
        fault: Fault,
        response: &mut impl ResponseSink,
    ) -> impl Future<Output = ()>;

    /// Where bytes of bodies that wait in the drivers are counted, if anywhere.
    fn memory(&self) -> Option<Arc<Memory>> {
        None
    }

    /// The settings in force for connections and requests.
    fn settings(&self) -> Rc<ServerSettings>;

    /// What the listener of that number asks of new connections, as of now.
    /// `None`: there is no such listener any more, and nobody gets in.
    fn entrance(&self, listener: usize) -> Option<Entrance> {
        let _ = listener;
        Some(Entrance::default())
    }

    /// A place for a connection that was accepted; `None`: there is none, and it is closed.
    fn seat(&self) -> Option<Seat> {
        Some(Seat::default())
    }

    /// Whether a client's address may have this connection too; `false` closes it. Asked once, as soon as the
    /// address is known.
    fn welcomes(&self, seat: &mut Seat, client: IpAddr) -> bool {
        let _ = (seat, client);
        true
    }

    /// A connection has shaken hands.
    fn admitted(&self, connection: &ConnectionInfo) {
        let _ = connection;
    }

    /// A connection has not; it ends.
    fn turned_away(&self, listener: usize, peer: SocketAddr, fault: &HandshakeFault) {
        let _ = (listener, peer, fault);
    }

    /// A client has connected.
    fn opened(&self);

    /// A client's connection has ended, in whatever way.
    fn closed(&self);

    /// An HTTP/2 connection has ended in this way.
    fn http2_ended(&self, _end: ConnectionEnd) {}

    /// So many HTTP/2 requests were refused before they were served: malformed, with too large a head, or more at once
    /// than were allowed.
    fn http2_refused(&self, _count: u64) {}
}

/// Bounds and deadlines on the client's side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerSettings {
    /// Bounds of a request head.
    pub head_limits: HeadLimits,
    /// Largest request body.
    pub body_bytes: u64,
    /// For everything before the first request, where there is something.
    pub handshake_timeout: Duration,
    /// From the first byte of a head to its end.
    pub head_timeout: Duration,
    /// Between two pieces of a request body.
    pub body_idle_timeout: Duration,
    /// Between two requests on a connection, and before the first.
    pub keep_alive_timeout: Duration,
    /// While the client takes no byte of a response.
    pub write_timeout: Duration,
    /// Bytes a second that a client must send of a body, or take of a response, on average over the time
    /// that it is waited for; the timeouts above are the grace. 0 asks for none.
    pub min_rate: u64,
    /// How long the answer to a client that has ended its side may make no progress.
    pub half_close_timeout: Duration,
    /// Bounds of HTTP/2 connections.
    pub http2: Http2Settings,
}

impl ServerSettings {
    /// Whether a request may be at all, whoever sends it and whatever route it is for. Every driver asks this of a head
    /// that it has read, and so does whoever tells what would become of one.
    ///
    /// # Errors
    /// The method is CONNECT or TRACE, or the head announces a longer body than there may be.
    pub fn check(&self, head: &RequestHead) -> Result<(), Fault> {
        if matches!(head.method(), Method::Connect | Method::Trace) {
            return Err(Fault::new(Reason::UnsupportedMethod));
        }
        match head.framing {
            BodyFraming::Length(length) if length > self.body_bytes => Err(Fault::new(Reason::BodyTooLarge)),
            _ => Ok(()),
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            head_limits: HeadLimits::default(),
            body_bytes: 100 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            min_rate: 240,
            half_close_timeout: Duration::from_secs(5),
            http2: Http2Settings::default(),
        }
    }
}
