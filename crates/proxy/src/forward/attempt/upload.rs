//! The body of a request on its way to the service, beside which the answer may begin.

use super::super::deliver::pass_on;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Retry};
use torana_http::h2::carries_messages;
use torana_http::{Fields, Method, RequestHead, ResponseHead};
use torana_transport::{
    BodySink, BodySource, Relayed, RequestBody, RequestWriter, ResponseReader, ResponseSink, Waits,
    relay_noting,
};

/// What is known of a body that is being sent, beside the future that sends it.
pub(super) struct Uploading<'t> {
    ended: Cell<Option<Relayed>>,
    waits: &'t Waits,
    /// Both sides talk: how long the client pauses is between it and the service.
    talks: Cell<Option<Duration>>,
    /// Its answer has begun.
    answered: Cell<bool>,
}

/// How far a body has come when it is not waited for any more.
pub(super) enum Sent {
    Whole,
    /// The service stopped reading; it may have said why before it did.
    InPart,
    /// The final head has come.
    Answered,
}

impl<'t> Uploading<'t> {
    /// `idle`: how long the service bears a pause between two messages, where the body is made of them.
    pub(super) fn of(
        request: &RequestHead,
        writer: &RequestWriter<'_>,
        idle: Duration,
        waits: &'t Waits,
    ) -> Self {
        waits.reset();
        // The messages of a call come when the client has something to say.
        let talks = carries_messages(request) && matches!(writer, RequestWriter::Http2(_));
        Self {
            ended: Cell::default(),
            waits,
            talks: Cell::new(talks.then_some(idle)),
            answered: Cell::default(),
        }
    }

    /// When a piece of it has last left.
    pub(super) const fn moved(&self) -> Option<Instant> {
        self.waits.moved()
    }

    /// Sends the body, notes how that went, and then watches for the client to go away.
    pub(super) async fn send(&self, body: &mut impl RequestBody, writer: &mut impl BodySink) -> Fault {
        let mut source = Outbound { body, talks: &self.talks, answered: &self.answered };
        self.ended.set(Some(relay_noting(&mut source, writer, self.waits).await));
        // What was noted is looked at before anything else.
        let mut noticed = false;
        poll_fn(
            |context| {
                if std::mem::replace(&mut noticed, true) { body.poll_left(context) } else { Poll::Pending }
            },
        )
        .await
    }

    /// Waits until `sending` has sent the body or the final head comes; interim heads are passed on meanwhile.
    pub(super) async fn until_head(
        &self,
        mut sending: Pin<&mut impl Future<Output = Fault>>,
        reader: &mut ResponseReader<'_>,
        head: &mut ResponseHead,
        method: Method,
        deadline: Instant,
        response: &mut impl ResponseSink,
    ) -> Result<Sent, Fault> {
        loop {
            let first = poll_fn(|context| {
                // Before the body, which may have to invite the client in between.
                if let Poll::Ready(Err(fault)) = response.poll_flush(context) {
                    return Poll::Ready(Err(fault));
                }
                if let Poll::Ready(left) = sending.as_mut().poll(context) {
                    return Poll::Ready(Err(left));
                }
                match self.ended.take() {
                    Some(relayed) => Poll::Ready(sent(relayed)),
                    None => reader.poll_head(context, method, deadline, head).map_ok(|()| Sent::Answered),
                }
            });
            match first.await? {
                Sent::Answered if head.is_interim() => pass_on(head, response),
                first => return Ok(first),
            }
        }
    }

    /// Waits for an answer that began while the body was on its way; what is left of that goes on beside it.
    pub(super) async fn beside(
        &self,
        mut sending: Pin<&mut impl Future<Output = Fault>>,
        mut download: Pin<&mut impl Future<Output = Relayed>>,
    ) -> Relayed {
        // Now both sides are watched by the answer's times.
        self.talks.set(Some(Duration::MAX));
        self.answered.set(true);
        poll_fn(|context| {
            loop {
                if let Poll::Ready(left) = sending.as_mut().poll(context) {
                    return Poll::Ready(Relayed::SinkFailed(left));
                }
                let failed = match self.ended.take() {
                    None => None,
                    Some(Relayed::SourceFailed(fault)) => Some(fault),
                    // Now it watches the client.
                    Some(_) => continue,
                };
                return match (download.as_mut().poll(context), failed) {
                    // The service would wait for the rest for ever.
                    (Poll::Pending, Some(fault)) => Poll::Ready(Relayed::SinkFailed(fault)),
                    (relayed, _) => relayed,
                };
            }
        })
        .await
    }
}

fn sent(relayed: Relayed) -> Result<Sent, Fault> {
    match relayed {
        Relayed::Complete => Ok(Sent::Whole),
        // Not even the head has left: nobody will answer.
        Relayed::SinkFailed(fault) if fault.retry == Retry::Yes => Err(fault),
        Relayed::SinkFailed(_) => Ok(Sent::InPart),
        Relayed::SourceFailed(fault) => Err(fault),
    }
}

/// A client's body that is being sent.
struct Outbound<'a, B> {
    body: &'a mut B,
    talks: &'a Cell<Option<Duration>>,
    answered: &'a Cell<bool>,
}

impl<B: RequestBody> BodySource for Outbound<'_, B> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if let Some(most) = self.talks.take() {
            self.body.bear_pauses(most);
        }
        if self.answered.take() {
            self.body.is_answered();
        }
        self.body.poll_fill(context)
    }

    fn data(&self) -> &[u8] {
        self.body.data()
    }

    fn consume(&mut self) {
        self.body.consume();
    }

    fn trailers(&mut self, into: &mut Fields) -> Result<(), Fault> {
        self.body.trailers(into)
    }

    fn is_done(&self) -> bool {
        self.body.is_done()
    }

    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Fault> {
        self.body.poll_gone(context)
    }
}
