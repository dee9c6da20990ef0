//! How hyper's server reads bytes. No socket and no runtime: the bytes lie in memory, then comes their end.

use hyper::body::{Body, Incoming};
use hyper::rt::{Read as HyperRead, ReadBufCursor, Write};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// What hyper made of some bytes.
#[derive(Debug)]
pub enum Read {
    /// A request, the first one.
    Request(Found),
    /// Not enough.
    Incomplete,
    /// No request, in hyper's words.
    Refused(String),
}

/// The first request.
#[derive(Debug, Default)]
pub struct Found {
    pub method: Vec<u8>,
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, if it came whole.
    pub body: Option<Vec<u8>>,
    /// How many requests there were in all.
    pub requests: usize,
}

struct Memory<'a>(&'a [u8]);

impl HyperRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = room.remaining().min(self.0.len());
        let (now, later) = self.0.split_at(count);
        room.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn whole(mut body: Incoming) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(piece) = frame.ok()?.into_data() {
            data.extend_from_slice(&piece);
        }
    }
    Some(data)
}

/// Reads what hyper makes of the bytes.
pub fn first(input: &[u8]) -> Read {
    let found = RefCell::new(None::<Found>);
    let service = service_fn(|request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let is_first = found.borrow().is_none();
        if is_first {
            *found.borrow_mut() = Some(Found {
                method: head.method.as_str().as_bytes().to_vec(),
                fields: head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                    .collect(),
                body: None,
                requests: 0,
            });
        }
        if let Some(found) = &mut *found.borrow_mut() {
            found.requests += 1;
        }
        let found = &found;
        async move {
            let body = whole(body).await;
            if is_first && let Some(found) = &mut *found.borrow_mut() {
                found.body = body;
            }
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let mut builder = Builder::new();
    builder.half_close(true).max_headers(256).max_buf_size(1 << 20);
    let outcome = {
        let mut connection = pin!(builder.serve_connection(Memory(input), service));
        let mut context = Context::from_waker(Waker::noop());
        let mut turns = 0;
        loop {
            match connection.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => break Some(outcome),
                Poll::Pending if turns > 1_000 => break None,
                Poll::Pending => turns += 1,
            }
        }
    };
    match (found.into_inner(), outcome) {
        (Some(found), _) => Read::Request(found),
        (None, Some(Err(error))) if error.is_incomplete_message() => Read::Incomplete,
        (None, Some(Err(error))) => {
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            Read::Refused(format!("{error} {source}"))
        }
        (None, _) => Read::Incomplete,
    }
}
