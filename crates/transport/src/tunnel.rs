//! Two peers that have left HTTP: bytes go both ways until nobody has any left.

use crate::body::{BodySink, BodySource};
use crate::clock::{after, now};
use crate::timer::Timer;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use torana_fault::Fault;

/// How long the other direction may be silent once one has ended: a peer that only forgot to close must
/// not keep two connections.
const HALF_OPEN: Duration = Duration::from_secs(30);

/// How a tunnel ended.
#[derive(Debug)]
pub enum Tunnelled {
    /// Both sides have said all they had to say.
    Ended,
    /// Neither has said a word for too long.
    Idle,
    /// The client's side failed.
    ClientFailed(Fault),
    /// The upstream's side failed.
    UpstreamFailed(Fault),
}

/// Moves bytes both ways with back-pressure, each direction until its source ends; the end is passed on.
/// `idle` bounds how long neither direction moves. What the sinks hold already goes first.
pub async fn tunnel(
    timer: &Timer,
    idle: Duration,
    client: (&mut impl BodySource, &mut impl BodySink),
    upstream: (&mut impl BodySource, &mut impl BodySink),
) -> Tunnelled {
    let moved = Cell::new(true);
    let mut up = pin!(pump(client.0, upstream.1, &moved));
    let mut down = pin!(pump(upstream.0, client.1, &moved));
    let (mut up_ended, mut down_ended) = (false, false);
    let mut deadline = now();
    poll_fn(|context| {
        if !up_ended && let Poll::Ready(ended) = up.as_mut().poll(context) {
            match ended {
                Ok(()) => up_ended = true,
                Err(Side::Source(fault)) => return Poll::Ready(Tunnelled::ClientFailed(fault)),
                Err(Side::Sink(fault)) => return Poll::Ready(Tunnelled::UpstreamFailed(fault)),
            }
        }
        if !down_ended && let Poll::Ready(ended) = down.as_mut().poll(context) {
            match ended {
                Ok(()) => down_ended = true,
                Err(Side::Source(fault)) => return Poll::Ready(Tunnelled::UpstreamFailed(fault)),
                Err(Side::Sink(fault)) => return Poll::Ready(Tunnelled::ClientFailed(fault)),
            }
        }
        if up_ended && down_ended {
            return Poll::Ready(Tunnelled::Ended);
        }
        if moved.replace(false) {
            let patience = if up_ended || down_ended { idle.min(HALF_OPEN) } else { idle };
            deadline = after(patience);
        }
        timer.poll_deadline(context, deadline).map(|()| Tunnelled::Idle)
    })
    .await
}

enum Side {
    Source(Fault),
    Sink(Fault),
}

/// A source that fails has often said why just before: what has come of it goes on all the same.
async fn pump(
    source: &mut impl BodySource,
    sink: &mut impl BodySink,
    moved: &Cell<bool>,
) -> Result<(), Side> {
    loop {
        let filled = poll_fn(|context| match source.poll_fill(context) {
            Poll::Ready(filled) => Poll::Ready(filled.map_err(Side::Source)),
            Poll::Pending => match sink.poll_flush(context) {
                Poll::Ready(Err(fault)) => Poll::Ready(Err(Side::Sink(fault))),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            },
        });
        let more = match filled.await {
            Ok(more) => more,
            Err(failed) => {
                moved.set(true);
                let flushed = poll_fn(|context| sink.poll_flush(context)).await;
                return Err(flushed.map_or_else(Side::Sink, |()| failed));
            }
        };
        moved.set(true);
        if !more {
            break;
        }
        poll_fn(|context| sink.poll_write(context, source.data())).await.map_err(Side::Sink)?;
        source.consume();
        moved.set(true);
    }
    poll_fn(|context| sink.poll_flush(context)).await.map_err(Side::Sink)?;
    moved.set(true);
    poll_fn(|context| sink.poll_shutdown(context)).await.map_err(Side::Sink)
}
