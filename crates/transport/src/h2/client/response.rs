//! Receiving a response on its stream.

use super::fault::{SoFar, fault_of};
use super::stream::Halves;
use crate::body::BodySource;
use crate::clock::after;
use crate::h2::arriving::Arriving;
use crate::h2::convert::{answered_trailers, received_fields};
use crate::timer::Timer;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_http::h1::{BodyFraming, HeadError, HeadLimits};
use torana_http::h2::read_response;
use torana_http::{Fields, Method, ResponseHead};

/// How many interim responses (1xx) may precede the final one.
const MAX_INTERIM: u8 = 16;

/// Receives a response's head, then its body.
pub struct ResponseReader<'a> {
    halves: &'a Halves,
    timer: &'a Timer,
    limits: HeadLimits,
    interim: u8,
    /// The head is there and announces nothing, and the stream has not ended.
    awaits_end: bool,
}

impl fmt::Debug for ResponseReader<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResponseReader").finish_non_exhaustive()
    }
}

impl<'a> ResponseReader<'a> {
    pub(super) const fn new(halves: &'a Halves, timer: &'a Timer, limits: HeadLimits) -> Self {
        Self { halves, timer, limits, interim: 0, awaits_end: false }
    }

    /// Waits for the next head: an interim one or the final one.
    pub fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        method: Method,
        deadline: Instant,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), Fault>> {
        let mut received =
            if self.awaits_end { Poll::Ready(Ok(())) } else { self.poll_received(context, method, head) };
        if matches!(received, Poll::Ready(Ok(()))) && head.framing == BodyFraming::Length(0) {
            self.awaits_end = true;
            received = self.poll_end(context);
        }
        match received {
            Poll::Ready(received) => Poll::Ready(received),
            Poll::Pending => self
                .timer
                .poll_deadline(context, deadline)
                .map(|()| Err(Fault::new(Reason::UpstreamFirstByteTimeout))),
        }
    }

    /// Waits until nothing can follow: a head that announces nothing is a whole response to a client of
    /// HTTP/1, while the upstream could still send what makes it malformed.
    fn poll_end(&self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let arriving = self.halves.arriving.borrow();
        let Some(stream) = &*arriving else { return Poll::Ready(Ok(())) };
        loop {
            match stream.poll_data(context) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(_))) => {
                    let detail = "more data than Content-Length announced";
                    return Poll::Ready(Err(Fault::new(Reason::UpstreamMalformed).because(detail)));
                }
                Poll::Ready(Some(Err(error))) if is_end(&error) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(broken(&error, self.halves.so_far())));
                }
                Poll::Ready(None) => match stream.poll_trailers(context) {
                    Poll::Ready(Ok(received)) => {
                        let trailers = answered_trailers(received.as_ref());
                        return Poll::Ready(
                            trailers.map(|trailers| drop(self.halves.trailers.replace(trailers))),
                        );
                    }
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(broken(&error, self.halves.so_far())));
                    }
                    Poll::Pending => return Poll::Pending,
                },
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_received(
        &mut self,
        context: &mut Context<'_>,
        method: Method,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), Fault>> {
        let mut response = self.halves.response.borrow_mut();
        let Some(future) = &mut *response else {
            self.halves.reader.set(Some(context.waker().clone()));
            return Poll::Pending;
        };
        if let Poll::Ready(Some(Ok(interim))) = future.poll_informational(context) {
            self.halves.answered.set(true);
            self.interim = self.interim.saturating_add(1);
            if self.interim > MAX_INTERIM || interim.status() == StatusCode::SWITCHING_PROTOCOLS {
                let detail = "too many interim responses, or one that switches protocols";
                return Poll::Ready(Err(Fault::new(Reason::UpstreamMalformed).because(detail)));
            }
            return Poll::Ready(self.read(interim.status(), interim.headers(), true, method, head));
        }
        let arrived = match Pin::new(future).poll(context) {
            Poll::Ready(Ok(arrived)) => arrived,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(fault_of(&error, self.halves.so_far()))),
            Poll::Pending => return Poll::Pending,
        };
        self.halves.answered.set(true);
        *response = None;
        drop(response);
        let (parts, stream) = arrived.into_parts();
        let ends = stream.is_end_stream();
        let ledger = &self.halves.place.0.state().ledger;
        self.halves.arriving.replace((!ends).then(|| ledger.watch(stream)));
        Poll::Ready(self.read(parts.status, &parts.headers, ends, method, head))
    }

    fn read(
        &self,
        status: StatusCode,
        fields: &HeaderMap,
        ends: bool,
        method: Method,
        head: &mut ResponseHead,
    ) -> Result<(), Fault> {
        read_response(status.as_u16(), received_fields(fields), ends, method, &self.limits, head)
            .map_err(malformed)
    }

    /// Completes a fault of sending the request; whether it may be retried was known where it arose.
    #[must_use]
    pub const fn blame(&self, fault: Fault) -> Fault {
        fault
    }

    /// The body that follows `head`.
    #[must_use]
    pub fn body(self, head: &ResponseHead, idle_timeout: Duration) -> ResponseBody<'a> {
        let announced = match head.framing {
            BodyFraming::Length(length) => Some(length),
            _ => None,
        };
        // What follows a head that has no body, as to HEAD, is not waited for.
        let stream = self.halves.arriving.take().filter(|_| head.framing != BodyFraming::None);
        let ended = stream.as_ref().is_none_or(|stream| stream.is_end_stream());
        ResponseBody {
            halves: self.halves,
            stream,
            timer: self.timer,
            data: Bytes::new(),
            held: false,
            announced,
            ended,
            idle_timeout,
            deadline: None,
            bytes: 0,
        }
    }

    /// No body at all: HTTP/2 has no switch to another protocol.
    pub(crate) fn nothing(self) -> ResponseBody<'a> {
        self.halves.arriving.take();
        self.body(&ResponseHead::default(), Duration::ZERO)
    }
}

fn malformed(error: HeadError) -> Fault {
    Fault::new(error.response_reason()).because(error.detail)
}

/// A response's body.
///
/// The piece that completes an announced length is held back until the upstream has ended the stream: a client
/// of HTTP/1 takes the response for whole with that piece, and the upstream could still say more.
pub struct ResponseBody<'a> {
    halves: &'a Halves,
    stream: Option<Rc<Arriving>>,
    timer: &'a Timer,
    data: Bytes,
    /// Whether the data is not to be shown yet.
    held: bool,
    announced: Option<u64>,
    ended: bool,
    idle_timeout: Duration,
    deadline: Option<Instant>,
    bytes: u64,
}

impl fmt::Debug for ResponseBody<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResponseBody").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl ResponseBody<'_> {
    /// Whether the response was read to its end; the connection does not depend on it.
    #[must_use]
    pub const fn leaves_connection_usable(&self) -> bool {
        self.ended
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        let deadline = *self.deadline.get_or_insert_with(|| after(self.idle_timeout));
        self.timer.poll_deadline(context, deadline).map(|()| Err(Fault::new(Reason::UpstreamIdleTimeout)))
    }
}

/// Whether a service says by resetting a stream that it has sent all (RFC 9113 section 8.1). Without an end that is true only
/// where what was announced has come: services of Node do so once the window of the connection was used up.
fn is_end(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
}

/// In the middle of a response nothing can be tried again.
fn broken(error: &h2::Error, so_far: SoFar) -> Fault {
    let reason = match (error.is_reset(), error.is_remote()) {
        (true, true) => Reason::UpstreamReset,
        (true, false) => Reason::UpstreamMalformed,
        (false, _) => Reason::UpstreamClosed,
    };
    so_far.explain(Fault::new(reason).retry(Retry::No), error)
}

impl BodySource for ResponseBody<'_> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if !self.data.is_empty() && !self.held {
            return Poll::Ready(Ok(true));
        }
        while !self.ended {
            let Some(stream) = &self.stream else { break };
            match stream.poll_data(context) {
                Poll::Ready(Some(Ok(piece))) => {
                    self.deadline = None;
                    self.bytes = self.bytes.saturating_add(piece.len() as u64);
                    if self.announced.is_some_and(|length| self.bytes > length) {
                        let detail = "more data than Content-Length announced";
                        return Poll::Ready(Err(Fault::new(Reason::UpstreamMalformed).because(detail)));
                    }
                    if !piece.is_empty() {
                        self.data = piece;
                        self.held = self.announced == Some(self.bytes) && !stream.is_end_stream();
                        if !self.held {
                            return Poll::Ready(Ok(true));
                        }
                    }
                }
                Poll::Ready(Some(Err(error))) if is_end(&error) && self.announced == Some(self.bytes) => {
                    self.ended = true;
                    self.held = false;
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(broken(&error, self.halves.so_far())));
                }
                Poll::Ready(None) => match stream.poll_trailers(context) {
                    Poll::Ready(Ok(trailers)) => {
                        self.ended = true;
                        if self.announced.is_some_and(|length| self.bytes != length) {
                            let detail = "less data than Content-Length announced";
                            return Poll::Ready(Err(Fault::new(Reason::UpstreamClosed).because(detail)));
                        }
                        let trailers = answered_trailers(trailers.as_ref())?;
                        self.halves.trailers.replace(trailers);
                        self.held = false;
                    }
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(broken(&error, self.halves.so_far())));
                    }
                    Poll::Pending => return self.poll_idle(context),
                },
                Poll::Pending => return self.poll_idle(context),
            }
        }
        Poll::Ready(Ok(!self.data.is_empty()))
    }

    fn data(&self) -> &[u8] {
        &self.data
    }

    fn consume(&mut self) {
        if let Some(stream) = &self.stream {
            stream.pass_on(&mut self.data);
        }
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        // Nobody adds any to those of the message.
        *into = self.halves.trailers.take();
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.ended && self.data.is_empty()
    }
}
