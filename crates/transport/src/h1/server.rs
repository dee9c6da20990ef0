//! The client side: one task owns a connection and serves its requests in order.

mod body;
mod response;
mod shared;

use super::incoming::{CLIENT, Incoming};
use crate::body::BodySource;
use crate::buffer::Buffer;
use crate::clock::{after, later, recently};
use crate::drain::Drain;
use crate::io::Io;
use crate::patience::Patience;
use crate::service::{ConnectionInfo, ServerSettings, Service};
use crate::timer::Timer;
use body::ClientBody;
use response::ResponseWriter;
use shared::Shared;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};
use torana_http::RequestHead;
use torana_http::h1::{parse_request, salvage_request};

/// What is read and thrown away after a last response, so that the client can read it before the
/// connection is reset.
const LINGER_BYTES: u64 = 64 * 1024 * 1024;
/// How long that may take in all, and how long without a byte.
const LINGER_TIME: Duration = Duration::from_secs(10);
const LINGER_IDLE: Duration = Duration::from_secs(2);
/// Output buffers beyond this number, or beyond this size, are not kept.
const KEPT: usize = 64;
/// In bytes.
const KEPT_BYTES: usize = 64 * 1024;
/// How long a connection counts as busy after a request. A burst of clients that ask once each holds room for so long.
const BUSY: Duration = Duration::from_millis(250);

thread_local! {
    /// Output buffers between two requests.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
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
    let mut since = recently();
    loop {
        if carried.is_none() {
            match wait_for_request(&io, &timer, drain, patience, (first, since)).await {
                Waited::Readable => {}
                Waited::TooLong if drain.is_draining() => {
                    // A request may be under way all the same.
                    linger(&io, &timer).await;
                    return None;
                }
                Waited::TooLong | Waited::Failed => return None,
            }
        }
        // Boxed: an idle connection must not hold room for a request in flight.
        let serving =
            Box::pin(serve_while_busy(&io, &timer, connection, service, drain, first, &mut carried));
        match serving.await {
            After::FalseAlarm => {}
            After::KeepAlive => {
                first = false;
                let left = service.settings().keep_alive_timeout.saturating_sub(BUSY);
                since = recently();
                patience = later(since, left);
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
async fn serve_while_busy<S: Service>(
    io: &Io,
    timer: &Timer,
    connection: &ConnectionInfo,
    service: &S,
    drain: &Drain,
    mut first: bool,
    carried: &mut Option<Buffer>,
) -> After {
    let memory = S::Memory::default();
    let parts = Parts { io, timer, connection, memory: &memory, service, drain };
    // Set by a response, and by nothing else: empty lines do not keep a connection.
    let mut soon = None;
    let mut since = recently();
    loop {
        match parts.serve_one(first, carried).await {
            After::KeepAlive => {
                first = false;
                soon = Some(later(recently(), BUSY.min(service.settings().keep_alive_timeout)));
                since = recently();
            }
            After::FalseAlarm if soon.is_some() => {}
            after => return after,
        }
        if let (None, Some(soon)) = (&carried, soon) {
            match wait_for_request(io, timer, drain, soon, (false, since)).await {
                Waited::Readable => {}
                Waited::TooLong => return After::KeepAlive,
                Waited::Failed => return After::Close,
            }
        }
    }
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

/// Waits without a buffer, for the `first` request or for another one, `since` then.
async fn wait_for_request(
    io: &Io,
    timer: &Timer,
    drain: &Drain,
    deadline: Instant,
    (first, since): (bool, Instant),
) -> Waited {
    poll_fn(|context| {
        if let Poll::Ready(result) = io.poll_readable(context) {
            return Poll::Ready(if result.is_ok() { Waited::Readable } else { Waited::Failed });
        }
        let deadline = drain.patience(first, since).map_or(deadline, |grace| grace.min(deadline));
        timer.poll_deadline(context, deadline).map(|()| Waited::TooLong)
    })
    .await
}

/// Keeps an output buffer for later, as long as neither their number nor its size is that of a flood.
fn keep(pending: Vec<u8>) {
    SPARE.with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < KEPT && pending.capacity() <= KEPT_BYTES {
            spare.push(pending);
        }
    });
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
        // RFC 9112 section 2.2: an empty line before the request line is passed over, also one that came in two
        // pieces.
        if seen < 2 && buffer.filled().starts_with(b"\r\n") {
            buffer.consume(2);
            seen = 0;
        }
        if !buffer.is_empty() {
            let input = buffer.filled();
            match parse_request(input, seen, &settings.head_limits, head) {
                Ok(Some(length)) => {
                    buffer.consume(length);
                    return settings.check(head).map(|()| Arrived::Head);
                }
                Ok(None) => seen = input.len(),
                Err(error) => {
                    salvage_request(input, head);
                    return Err(Fault::new(error.request_reason()).because(error.detail));
                }
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
            Err(fault) => {
                salvage_request(buffer.filled(), head);
                return Err(fault);
            }
        }
    }
}

/// What serving requests of one connection needs besides their bytes.
struct Parts<'a, S: Service> {
    io: &'a Io,
    timer: &'a Timer,
    connection: &'a ConnectionInfo,
    memory: &'a S::Memory,
    service: &'a S,
    drain: &'a Drain,
}

impl<S: Service> Parts<'_, S> {
    async fn serve_one(&self, first: bool, carried: &mut Option<Buffer>) -> After {
        let settings = self.service.settings();
        let mut buffer = carried.take().unwrap_or_else(Buffer::empty);
        let mut pending = SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_default();
        let mut room = self.service.room();
        let request = &mut *room;
        let outcome = match read_head(self.io, self.timer, &settings, &mut buffer, request.as_mut()).await {
            Ok(Arrived::Nothing) => After::FalseAlarm,
            Ok(Arrived::End) => After::Close,
            Ok(Arrived::Head) => self.serve(&settings, request, &mut buffer, &mut pending).await,
            // Only at the start: later on it would be a second reading of what another proxy took for HTTP/1.
            Err(_) if first && torana_http::h2::is_preface(buffer.filled()) => After::Http2,
            Err(fault) => self.refuse(&settings, request, fault, &mut pending).await,
        };
        self.service.take_back(room);
        keep(pending);
        if !buffer.is_empty() {
            *carried = Some(buffer);
        }
        outcome
    }

    async fn refuse(
        &self,
        settings: &ServerSettings,
        request: &mut S::Request,
        fault: Fault,
        pending: &mut Vec<u8>,
    ) -> After {
        let (shared, head) = (Shared::default(), request.as_mut());
        let mut response =
            ResponseWriter::new(self.io, self.timer, pending, settings, head, self.drain, &shared);
        response.may_keep_alive = false;
        self.service.refuse(self.connection, request, fault, &mut response).await;
        After::Linger
    }

    async fn serve(
        &self,
        settings: &ServerSettings,
        request: &mut S::Request,
        buffer: &mut Buffer,
        pending: &mut Vec<u8>,
    ) -> After {
        let head = request.as_mut();
        let shared = Shared::expecting(head.expects_continue);
        let patience = Patience::new(settings.body_idle_timeout, settings.min_rate);
        let incoming =
            Incoming::new(self.io, self.timer, buffer, head.framing, CLIENT, patience, settings.body_bytes);
        let mut body = ClientBody::new(incoming, &shared, settings.half_close_timeout);
        let mut response =
            ResponseWriter::new(self.io, self.timer, pending, settings, head, self.drain, &shared);
        self.service.serve(self.connection, self.memory, self.timer, request, &mut body, &mut response).await;
        match (response.complete, response.keep_alive, body.is_done()) {
            _ if response.switched => After::Close,
            (true, true, true) => After::KeepAlive,
            (true, ..) => After::Linger,
            (false, ..) => After::Reset,
        }
    }
}

/// Ends our side and reads what the client still sends, bounded, so that the kernel does not reset the
/// connection under a response that the client has not read yet (RFC 9112 section 9.6).
pub(crate) async fn linger(io: &Io, timer: &Timer) {
    let deadline = after(LINGER_TIME);
    let ended = poll_fn(|context| match io.poll_shutdown(context) {
        Poll::Ready(ended) => Poll::Ready(ended.is_ok()),
        Poll::Pending => timer.poll_deadline(context, deadline).map(|()| false),
    });
    if !ended.await {
        return;
    }
    let mut buffer = Buffer::empty();
    let mut total: u64 = 0;
    while total < LINGER_BYTES {
        let idle = after(LINGER_IDLE).min(deadline);
        let read = poll_fn(|context| {
            let capacity = buffer.capacity();
            match io.poll_read(context, &mut buffer, capacity) {
                Poll::Ready(Ok(count)) => Poll::Ready(count),
                Poll::Ready(Err(_)) => Poll::Ready(0),
                Poll::Pending => timer.poll_deadline(context, idle).map(|()| 0),
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

#[cfg(test)]
mod tests;
