//! Writing a response that the gateway made itself.

use super::Passage;
use std::future::poll_fn;
use std::task::Poll;
use torana_fault::Fault;
use torana_filter::Response;
use torana_http::h1::BodyFraming;
use torana_http::{Fields, Known};
use torana_transport::{RequestBody, ResponseSink};

/// How much of a request body is thrown away so that the connection can be kept.
const DRAINED: u64 = 64 * 1024;

/// Writes the response. What is left of a small request body that has already arrived is read and thrown
/// away; else the connection ends after the response. A client that waits to be told to send its body is told nothing
/// but this.
///
/// # Errors
/// The client is gone or takes nothing.
pub(super) async fn answer(
    made: &Response,
    passage: &Passage<'_>,
    body: &mut impl RequestBody,
    response: &mut impl ResponseSink,
) -> Result<(), Fault> {
    if !body.awaits_invitation() {
        drain(body).await;
    }
    write(made, passage, !body.is_done(), response).await
}

async fn drain(body: &mut impl RequestBody) {
    while !body.is_done() && body.bytes_read() < DRAINED {
        let more = poll_fn(|context| match body.poll_fill(context) {
            Poll::Ready(Ok(more)) => Poll::Ready(more),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(false),
        });
        if !more.await {
            return;
        }
        body.consume();
    }
}

/// Writes the response as it is; with `close` the connection ends afterwards.
///
/// # Errors
/// As above.
pub(super) async fn write(
    made: &Response,
    passage: &Passage<'_>,
    close: bool,
    response: &mut impl ResponseSink,
) -> Result<(), Fault> {
    let framing = match made.body.len() {
        0 => BodyFraming::None,
        length => BodyFraming::Length(length as u64),
    };
    passage.record.status.set(made.head.status);
    response.start(&made.head, framing, close);
    if !made.body.is_empty() && response.wants_body() {
        poll_fn(|context| response.poll_write(context, &made.body)).await?;
    }
    response.finish(&Fields::default())?;
    poll_fn(|context| response.poll_flush(context)).await
}

/// Ends a response of gRPC that has begun by the status of the fault, in its trailers. A client that has not got all
/// of a message takes that for the reason.
pub(super) async fn end_call(mut made: Response, response: &mut impl ResponseSink) {
    let trailers = &mut made.head.fields;
    // Something else where the request did not ask for a call.
    if trailers.get("grpc-status").is_some() {
        trailers.remove(Known::ContentType);
        // Where it cannot be said, the stream is reset.
        if response.finish(trailers).is_ok() {
            let _ = poll_fn(|context| response.poll_flush(context)).await;
        }
    }
}
