//! The client side: one task owns a connection and serves its requests in order.

use super::incoming::{CLIENT, Incoming};
use super::outgoing::Outgoing;
use crate::body::{BodySink, BodySource};
use crate::buffer::Buffer;
use crate::clock::{now, recently};
use crate::drain::Drain;
use crate::io::Io;
use crate::service::{ConnectionInfo, RequestBody, ResponseSink, ServerSettings, Service};
use crate::timer::Timer;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};
use torana_http::h1::{BodyFraming, parse_request, write_response_head};
use torana_http::{Fields, Known, Method, RequestHead, ResponseHead, Version};

/// What is read and thrown away after a last response, so that the client can read it before the
/// connection is reset.
const LINGER_BYTES: u64 = 1024 * 1024;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How long a connection counts as busy after a request.
const BUSY: Duration = Duration::from_secs(1);

thread_local! {
    /// Heads and output buffers between two requests.
    static SPARE: RefCell<Vec<(RequestHead, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

/// What becomes of the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It was woken for nothing and waits on.
    FalseAlarm,
    /// It takes the next request.
    KeepAlive,
    /// The response is out; the client may still be sending.
    Linger,
    /// Nothing more is to be said.
    Close,
    /// The response is incomplete; the client must not take it for whole.
    Reset,
    /// The client speaks HTTP/2.
    Http2,
}

/// Serves the requests of one connection until either side ends it. A connection that begins with the
/// preface of HTTP/2 is given back, with what was read of it.
pub async fn serve_connection(
    io: Io,
    connection: &ConnectionInfo,
    service: &impl Service,
    drain: &Drain,
) -> Option<(Io, Option<Buffer>)> {
    let timer = Timer::default();
    let _seat = poll_fn(|context| Poll::Ready(drain.seat(context.waker().clone()))).await;
    let mut carried = None;
    let mut patience = after(service.settings().head_timeout);
    let mut first = true;
    loop {
        if carried.is_none()
            && wait_for_request(&io, &timer, drain, patience, first).await != Waited::Readable
        {
            return None;
        }
        // Boxed: an idle connection must not hold room for a request in flight.
        let serving =
            Box::pin(serve_while_busy(&io, &timer, connection, service, drain, first, &mut carried));
        match serving.await {
            After::FalseAlarm => {}
            After::KeepAlive => {
                first = false;
                let left = service.settings().keep_alive_timeout.saturating_sub(BUSY);
                patience = recently_plus(left);
            }
            After::Linger => {
                linger(&io, &timer).await;
                return None;
            }
            After::Close => return None,
            After::Reset => {
                io.reset();
                return None;
            }
            After::Http2 => return Some((io, carried)),
        }
    }
}

/// Serves requests for as long as each follows the one before it soon, so that a busy connection does not
/// ask for room anew with every request. `KeepAlive`: none has followed, and the connection is idle.
async fn serve_while_busy(
    io: &Io,
    timer: &Timer,
    connection: &ConnectionInfo,
    service: &impl Service,
    drain: &Drain,
    mut first: bool,
    carried: &mut Option<Buffer>,
) -> After {
    loop {
        match serve_one(io, timer, connection, service, drain, first, carried).await {
            After::KeepAlive => first = false,
            After::FalseAlarm if !first => {}
            after => return after,
        }
        let soon = recently_plus(BUSY.min(service.settings().keep_alive_timeout));
        if carried.is_none() {
            match wait_for_request(io, timer, drain, soon, false).await {
                Waited::Readable => {}
                Waited::TooLong => return After::KeepAlive,
                Waited::Failed => return After::Close,
            }
        }
    }
}

fn recently_plus(duration: Duration) -> Instant {
    let now = recently();
    now.checked_add(duration).unwrap_or(now)
}

fn after(duration: Duration) -> Instant {
    let now = now();
    now.checked_add(duration).unwrap_or(now)
}

/// How a wait for a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    /// Something has arrived, or the client's end.
    Readable,
    /// The deadline has passed, or the connection drains.
    TooLong,
    /// The connection is broken.
    Failed,
}

/// Waits without a buffer.
async fn wait_for_request(io: &Io, timer: &Timer, drain: &Drain, deadline: Instant, first: bool) -> Waited {
    poll_fn(|context| {
        if let Poll::Ready(result) = io.poll_readable(context) {
            return Poll::Ready(if result.is_ok() { Waited::Readable } else { Waited::Failed });
        }
        let deadline = drain.patience(first).map_or(deadline, |grace| grace.min(deadline));
        timer.poll_deadline(context, deadline).map(|()| Waited::TooLong)
    })
    .await
}

async fn serve_one(
    io: &Io,
    timer: &Timer,
    connection: &ConnectionInfo,
    service: &impl Service,
    drain: &Drain,
    first: bool,
    carried: &mut Option<Buffer>,
) -> After {
    let settings = service.settings();
    let mut buffer = carried.take().unwrap_or_else(Buffer::take);
    let (mut head, mut pending) = SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_default();
    let read = read_head(io, timer, &settings, &mut buffer, &mut head).await;
    let outcome = match read {
        Ok(Arrived::Nothing) => After::FalseAlarm,
        Ok(Arrived::End) => After::Close,
        Ok(Arrived::Head) => {
            let exchange = Parts { io, timer, connection, service, drain, settings: &settings };
            exchange.serve(&mut head, &mut buffer, &mut pending).await
        }
        // Only at the start: later on it would be a second reading of what another proxy took for HTTP/1.
        Err(_) if first && torana_http::h2::is_preface(buffer.filled()) => After::Http2,
        Err(fault) => {
            let started = Cell::new(false);
            let mut response =
                ResponseWriter::new(io, timer, &mut pending, &settings, &head, drain, &started);
            response.may_keep_alive = false;
            service.refuse(connection, fault, &mut response).await;
            After::Linger
        }
    };
    SPARE.with(|spare| spare.borrow_mut().push((head, pending)));
    if !buffer.is_empty() {
        *carried = Some(buffer);
    }
    outcome
}

/// What came when a head was awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrived {
    /// A whole head.
    Head,
    /// The client's end, before a whole head.
    End,
    /// Not one byte, although the socket was said to be readable. The connection is as idle as before.
    Nothing,
}

/// Reads until a head is complete.
async fn read_head(
    io: &Io,
    timer: &Timer,
    settings: &ServerSettings,
    buffer: &mut Buffer,
    head: &mut RequestHead,
) -> Result<Arrived, Fault> {
    let deadline = Cell::new(None);
    let mut seen = 0;
    loop {
        // RFC 9112 section 2.2: an empty line before the request line is passed over.
        if seen == 0 && buffer.filled().starts_with(b"\r\n") {
            buffer.consume(2);
        }
        if !buffer.is_empty() {
            let input = buffer.filled();
            match parse_request(input, seen, &settings.head_limits, head) {
                Ok(Some(length)) => {
                    buffer.consume(length);
                    return check_request(head, settings).map(|()| Arrived::Head);
                }
                Ok(None) => seen = input.len(),
                Err(error) => return Err(Fault::new(error.request_reason()).because(error.detail)),
            }
        }
        let read = poll_fn(|context| {
            match io.poll_read(context, buffer, settings.head_limits.head_bytes.saturating_add(1)) {
                Poll::Ready(result) => {
                    Poll::Ready(result.map(Some).map_err(|_| Fault::new(Reason::ClientClosed)))
                }
                Poll::Pending if buffer.is_empty() => Poll::Ready(Ok(None)),
                Poll::Pending => {
                    let until = deadline.get().unwrap_or_else(|| after(settings.head_timeout));
                    deadline.set(Some(until));
                    timer.poll_deadline(context, until).map(|()| Err(Fault::new(Reason::ClientHeadTimeout)))
                }
            }
        });
        match read.await {
            Ok(None) => return Ok(Arrived::Nothing),
            Ok(Some(0)) => return Ok(Arrived::End),
            Ok(Some(_)) => {}
            // There is nobody to tell.
            Err(fault) if fault.reason == Reason::ClientClosed => return Ok(Arrived::End),
            Err(fault) => return Err(fault),
        }
    }
}

/// What no route may change.
fn check_request(head: &RequestHead, settings: &ServerSettings) -> Result<(), Fault> {
    if matches!(head.method(), Method::Connect | Method::Trace) {
        return Err(Fault::new(Reason::UnsupportedMethod));
    }
    match head.framing {
        BodyFraming::Length(length) if length > settings.body_bytes => Err(Fault::new(Reason::BodyTooLarge)),
        _ => Ok(()),
    }
}

/// What serving one request needs besides its bytes.
struct Parts<'a, S> {
    io: &'a Io,
    timer: &'a Timer,
    connection: &'a ConnectionInfo,
    service: &'a S,
    drain: &'a Drain,
    settings: &'a ServerSettings,
}

impl<S: Service> Parts<'_, S> {
    async fn serve(&self, head: &mut RequestHead, buffer: &mut Buffer, pending: &mut Vec<u8>) -> After {
        let started = Cell::new(false);
        let settings = self.settings;
        let mut body = ClientBody {
            incoming: Incoming::new(
                self.io,
                self.timer,
                buffer,
                head.framing,
                CLIENT,
                settings.body_idle_timeout,
                settings.body_bytes,
            ),
            interim: if head.expects_continue { b"HTTP/1.1 100 Continue\r\n\r\n" } else { b"" },
            response_started: &started,
        };
        let mut response =
            ResponseWriter::new(self.io, self.timer, pending, settings, head, self.drain, &started);
        self.service.serve(self.connection, self.timer, head, &mut body, &mut response).await;
        match (response.complete, response.keep_alive, body.is_done()) {
            (true, true, true) => After::KeepAlive,
            (true, ..) => After::Linger,
            (false, ..) => After::Reset,
        }
    }
}

/// The request's body, and the client behind it.
struct ClientBody<'a> {
    incoming: Incoming<'a>,
    /// What is left to send of the interim response that the client waits for.
    interim: &'static [u8],
    response_started: &'a Cell<bool>,
}

impl BodySource for ClientBody<'_> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if !self.interim.is_empty() {
            if self.response_started.get() || !self.incoming.buffer.is_empty() {
                self.interim = b"";
            }
            while !self.interim.is_empty() {
                match self.incoming.io.poll_write(context, self.interim, &[], &[]) {
                    Poll::Ready(Ok(count)) if count > 0 => {
                        self.interim = self.interim.get(count..).unwrap_or_default();
                    }
                    Poll::Ready(_) => return Poll::Ready(Err(Fault::new(Reason::ClientClosed))),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }
        self.incoming.poll_fill(context)
    }

    fn data(&self) -> &[u8] {
        self.incoming.data()
    }

    fn consume(&mut self) {
        self.incoming.consume();
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        self.incoming.trailers(into)
    }

    fn is_done(&self) -> bool {
        self.incoming.is_done()
    }
}

impl RequestBody for ClientBody<'_> {
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        let io = self.incoming.io;
        loop {
            match io.poll_readable(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Fault::new(Reason::ClientClosed)),
                Poll::Ready(Ok(())) => {}
            }
            let capacity = self.incoming.buffer.capacity();
            match io.poll_read(context, self.incoming.buffer, capacity) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Fault::new(Reason::ClientClosed)),
                Poll::Ready(Ok(_)) => {}
                // The buffer is full of pipelined requests: they wait in the socket, and so does its end.
                Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::OutOfMemory => {
                    return Poll::Pending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Fault::new(Reason::ClientClosed)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn bytes_read(&self) -> u64 {
        self.incoming.bytes
    }
}

/// The response on its way to the client.
struct ResponseWriter<'a> {
    outgoing: Outgoing<'a>,
    drain: &'a Drain,
    started: &'a Cell<bool>,
    version: Version,
    head_request: bool,
    wants_body: bool,
    /// Whether the client wants the connection to go on.
    may_keep_alive: bool,
    /// Whether it will.
    keep_alive: bool,
    finished: bool,
    complete: bool,
}

impl<'a> ResponseWriter<'a> {
    fn new(
        io: &'a Io,
        timer: &'a Timer,
        pending: &'a mut Vec<u8>,
        settings: &ServerSettings,
        request: &RequestHead,
        drain: &'a Drain,
        started: &'a Cell<bool>,
    ) -> Self {
        let reasons = (Reason::ClientClosed, Reason::ClientWriteTimeout);
        let may_keep_alive = !request.connection.close
            && (request.version == Version::Http11 || request.connection.keep_alive);
        Self {
            outgoing: Outgoing::new(io, timer, pending, reasons, settings.write_timeout),
            drain,
            started,
            version: request.version,
            head_request: request.method() == Method::Head,
            wants_body: true,
            may_keep_alive,
            keep_alive: false,
            finished: false,
            complete: false,
        }
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
        write_response_head(head, framing, connection, self.outgoing.pending);
        self.outgoing.set_framing(framing);
        self.started.set(true);
    }

    fn wants_body(&self) -> bool {
        self.wants_body
    }

    fn is_started(&self) -> bool {
        self.started.get()
    }

    fn bytes_sent(&self) -> u64 {
        self.outgoing.bytes
    }
}

impl BodySink for ResponseWriter<'_> {
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>> {
        self.outgoing.poll_write(context, data)
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let flushed = self.outgoing.poll_flush(context);
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
}

/// Ends our side and reads what the client still sends, bounded, so that the kernel does not reset the
/// connection under a response that the client has not read yet (RFC 9112 section 9.6).
async fn linger(io: &Io, timer: &Timer) {
    if poll_fn(|context| io.poll_shutdown(context)).await.is_err() {
        return;
    }
    let deadline = after(LINGER_TIME);
    let mut buffer = Buffer::take();
    let mut total: u64 = 0;
    while total < LINGER_BYTES {
        let read = poll_fn(|context| {
            let capacity = buffer.capacity();
            match io.poll_read(context, &mut buffer, capacity) {
                Poll::Ready(Ok(count)) => Poll::Ready(count),
                Poll::Ready(Err(_)) => Poll::Ready(0),
                Poll::Pending => timer.poll_deadline(context, deadline).map(|()| 0),
            }
        });
        match read.await {
            0 => return,
            count => {
                buffer.consume(count);
                total = total.saturating_add(count as u64);
            }
        }
    }
}
