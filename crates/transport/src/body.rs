//! Bodies on their way: where data comes from, where it goes, and the pump between.

use crate::clock::recently;
use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
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

/// One end of a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Where the body comes from.
    #[default]
    Source,
    /// Where it goes.
    Sink,
}

/// Whom a relay waits for, and for whom it has waited longer. Costs nothing while neither end is waited for, and a
/// look at the last reading of the clock when the other end is.
#[derive(Debug, Default)]
pub struct Waits {
    end: Cell<End>,
    /// Since when; nobody was waited for yet.
    since: Cell<Option<Instant>>,
    /// The nanoseconds for the source, less those for the sink.
    balance: Cell<i64>,
    moved: Cell<Option<Instant>>,
}

impl Waits {
    /// That end is waited for from here on.
    pub fn turn_to(&self, end: End) {
        if self.since.get().is_none() || self.end.get() != end {
            self.balance.set(self.balance());
            self.since.set(Some(recently()));
            self.end.set(end);
        }
    }

    /// How much longer it has waited for this end than for the other one.
    #[must_use]
    pub fn more_for(&self, end: End) -> Duration {
        let balance = self.balance();
        let more = if end == End::Source { balance } else { balance.saturating_neg() };
        Duration::from_nanos(u64::try_from(more).unwrap_or(0))
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.since.set(None);
        self.balance.set(0);
        self.moved.set(None);
    }

    /// Whether it waits for the source, and has not waited longer for the sink. A sink that holds a relay up holds
    /// the source up too: what that one is late with just after says nothing about it.
    #[must_use]
    pub fn is_for_source(&self) -> bool {
        self.end.get() == End::Source && self.balance() > 0
    }

    /// When a piece has last gone from one end to the other, by the last reading of the clock then.
    #[must_use]
    pub const fn moved(&self) -> Option<Instant> {
        self.moved.get()
    }

    fn balance(&self) -> i64 {
        let waited = self.since.get().map_or(Duration::ZERO, |since| recently().duration_since(since));
        let nanos = i64::try_from(waited.as_nanos()).unwrap_or(i64::MAX);
        match self.end.get() {
            End::Source => self.balance.get().saturating_add(nanos),
            End::Sink => self.balance.get().saturating_sub(nanos),
        }
    }
}

/// Moves a body from `source` to `sink` with back-pressure: nothing more is read while the sink is busy.
/// What the sink holds back (a head, small chunks) is sent as soon as the source has to be waited for.
pub async fn relay(source: &mut impl BodySource, sink: &mut impl BodySink) -> Relayed {
    pump(source, sink, None).await
}

/// As [`relay`], and tells meanwhile whom it waits for.
pub async fn relay_noting(source: &mut impl BodySource, sink: &mut impl BodySink, waits: &Waits) -> Relayed {
    pump(source, sink, Some(waits)).await
}

async fn pump(source: &mut impl BodySource, sink: &mut impl BodySink, waits: Option<&Waits>) -> Relayed {
    let waits_for = |side| {
        if let Some(waits) = waits {
            waits.turn_to(side);
        }
    };
    loop {
        let filled = poll_fn(|context| match source.poll_fill(context) {
            Poll::Ready(filled) => Poll::Ready(filled.map_err(Relayed::SourceFailed)),
            Poll::Pending => {
                waits_for(End::Source);
                match sink.poll_flush(context) {
                    Poll::Ready(Err(fault)) => Poll::Ready(Err(Relayed::SinkFailed(fault))),
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                }
            }
        });
        match filled.await {
            Ok(true) => {
                let written = poll_fn(|context| match sink.poll_write(context, source.data()) {
                    Poll::Ready(written) => Poll::Ready(written.map_err(Relayed::SinkFailed)),
                    Poll::Pending => {
                        waits_for(End::Sink);
                        source.poll_gone(context).map(|fault| Err(Relayed::SourceFailed(fault)))
                    }
                });
                if let Err(failed) = written.await {
                    return failed;
                }
                source.consume();
                if let Some(waits) = waits {
                    waits.moved.set(Some(recently()));
                }
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
        Poll::Pending => {
            waits_for(End::Sink);
            source.poll_gone(context).map(Relayed::SourceFailed)
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    const STEP: Duration = Duration::from_secs(1);

    async fn pass(steps: u32) {
        tokio::time::advance(STEP * steps).await;
        let _ = now();
    }

    #[tokio::test(start_paused = true)]
    async fn the_source_is_waited_for_once_that_took_longer_than_the_sink_did() {
        let _ = now();
        let waits = Waits::default();
        assert!(!waits.is_for_source(), "nobody is waited for yet");
        waits.turn_to(End::Source);
        pass(1).await;
        assert!(waits.is_for_source());
        waits.turn_to(End::Sink);
        pass(5).await;
        assert!(!waits.is_for_source());
        waits.turn_to(End::Source);
        pass(1).await;
        waits.turn_to(End::Source);
        pass(1).await;
        assert!(!waits.is_for_source(), "three for the source, five for the sink");
        assert_eq!((waits.more_for(End::Source), waits.more_for(End::Sink)), (Duration::ZERO, STEP * 2));
        pass(3).await;
        assert!(waits.is_for_source());
        assert_eq!((waits.more_for(End::Source), waits.more_for(End::Sink)), (STEP, Duration::ZERO));
        waits.reset();
        pass(1).await;
        assert!(waits.more_for(End::Source).is_zero() && !waits.is_for_source() && waits.moved().is_none());
    }
}
