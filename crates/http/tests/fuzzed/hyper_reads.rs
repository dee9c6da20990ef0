//! How hyper's server and client read bytes. No socket and no runtime: the bytes lie in memory, then comes their end.

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::Builder as ClientBuilder;
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

struct Memory<'a> {
    bytes: &'a [u8],
    /// Whether they are there only when something was sent.
    answers: bool,
}

impl HyperRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answers {
            return Poll::Pending;
        }
        let count = room.remaining().min(self.bytes.len());
        let (now, later) = self.bytes.split_at(count);
        room.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.answers = false;
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
        let mut connection = pin!(builder.serve_connection(Memory { bytes: input, answers: false }, service));
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

/// What hyper's client made of some bytes.
#[derive(Debug)]
pub enum Answer {
    /// A final response.
    Response(FoundResponse),
    /// Not enough.
    Incomplete,
    /// No response, in hyper's words.
    Refused(String),
}

/// The first final response.
#[derive(Debug)]
pub struct FoundResponse {
    pub status: u16,
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, if it came whole.
    pub body: Option<Vec<u8>>,
}

/// Reads what hyper's client makes of the bytes, as the answer to a request of this method.
pub fn answer(method: &str, input: &[u8]) -> Answer {
    let request = Request::builder().method(method).uri("/").header("host", "a").body(String::new()).unwrap();
    let exchange = async {
        let mut builder = ClientBuilder::new();
        builder.max_headers(256).max_buf_size(1 << 20);
        let (mut sender, connection) = builder.handshake(Memory { bytes: input, answers: true }).await?;
        let (mut connection, mut response) = (pin!(connection), pin!(sender.send_request(request)));
        let mut ended = false;
        let mut go_on = move |context: &mut Context<'_>| {
            // What has ended must not be asked again; what it knew has been told to the response.
            ended = ended || connection.as_mut().poll(context).is_ready();
        };
        let response = poll_fn(|context| {
            go_on(context);
            response.as_mut().poll(context)
        })
        .await?;
        let (head, body) = response.into_parts();
        let mut body = pin!(whole(body));
        let body = poll_fn(|context| {
            go_on(context);
            body.as_mut().poll(context)
        });
        let fields = head.headers.iter();
        let fields = fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        let fields = fields.collect();
        Ok::<_, hyper::Error>((head.status.as_u16(), fields, bounded(body).await.flatten()))
    };
    match at_once(bounded(exchange)) {
        Some(Some(Ok((status, fields, body)))) => Answer::Response(FoundResponse { status, fields, body }),
        Some(Some(Err(error))) if error.is_incomplete_message() => Answer::Incomplete,
        Some(Some(Err(error))) => {
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            Answer::Refused(format!("{error} {source}"))
        }
        _ => Answer::Incomplete,
    }
}

/// Asks so often and no more: with all bytes there, what waits then waits for ever.
async fn bounded<T>(future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut turns) = (pin!(future), 0);
    poll_fn(|context| {
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            turns += 1;
            if turns > 1_000 {
                return Poll::Ready(None);
            }
        }
    })
    .await
}

fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
