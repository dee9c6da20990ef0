//! Bodies on their way: where data comes from, where it goes, and the pump between.

use std::future::poll_fn;
use std::task::{Context, Poll};
use torana_fault::Fault;
use torana_http::Fields;

/// Where a body comes from: a client's request or an upstream's response, whatever the protocol.
pub trait BodySource {
    /// Waits for data. `true`: [`BodySource::data`] is not empty. `false`: the body is complete.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>>;
    /// The data at hand, until it is consumed.
    fn data(&self) -> &[u8];
    /// Marks all of [`BodySource::data`] as used.
    fn consume(&mut self);
    /// The trailers that may be forwarded, once the body is complete.
    ///
    /// # Errors
    /// The trailer section is not valid.
    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault>;
    /// Whether the body is complete.
    fn is_done(&self) -> bool;
    /// Ready once the peer is known to be gone though nothing more is read from it now. Only asked while there is no
    /// room for what it sends.
    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<Fault> {
        Poll::Pending
    }
}

/// Where a body goes. What is written may wait in a buffer until [`BodySink::poll_flush`].
pub trait BodySink {
    /// Writes data; returns when it was sent or put into the buffer.
    fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Fault>>;
    /// Sends what waits in the buffer.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>>;
    /// Puts the end of the body into the buffer.
    ///
    /// # Errors
    /// The body does not have the announced length.
    fn finish(&mut self, trailers: &Fields) -> Result<(), Fault>;
    /// Tells the peer that nothing more comes in this direction. Only in a tunnel, after the last flush.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>>;
}

/// On which side a relay failed.
#[derive(Debug)]
pub enum Relayed {
    /// The whole body has gone through and was flushed.
    Complete,
    /// The source failed.
    SourceFailed(Fault),
    /// The sink failed.
    SinkFailed(Fault),
}

/// Moves a body from `source` to `sink` with back-pressure: nothing more is read while the sink is busy.
/// What the sink holds back (a head, small chunks) is sent as soon as the source has to be waited for.
pub async fn relay(source: &mut impl BodySource, sink: &mut impl BodySink) -> Relayed {
    loop {
        let filled = poll_fn(|context| match source.poll_fill(context) {
            Poll::Ready(filled) => Poll::Ready(filled.map_err(Relayed::SourceFailed)),
            Poll::Pending => match sink.poll_flush(context) {
                Poll::Ready(Err(fault)) => Poll::Ready(Err(Relayed::SinkFailed(fault))),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            },
        });
        match filled.await {
            Ok(true) => {
                let written = poll_fn(|context| match sink.poll_write(context, source.data()) {
                    Poll::Ready(written) => Poll::Ready(written.map_err(Relayed::SinkFailed)),
                    Poll::Pending => source.poll_gone(context).map(|fault| Err(Relayed::SourceFailed(fault))),
                });
                if let Err(failed) = written.await {
                    return failed;
                }
                source.consume();
            }
            Ok(false) => break,
            Err(failed) => return failed,
        }
    }
    let mut trailers = Fields::default();
    if let Err(fault) = source.trailers(&mut trailers) {
        return Relayed::SourceFailed(fault);
    }
    if let Err(fault) = sink.finish(&trailers) {
        return Relayed::SinkFailed(fault);
    }
    poll_fn(|context| match sink.poll_flush(context) {
        Poll::Ready(flushed) => Poll::Ready(flushed.map_or_else(Relayed::SinkFailed, |()| Relayed::Complete)),
        Poll::Pending => source.poll_gone(context).map(Relayed::SourceFailed),
    })
    .await
}
