//! One try on one endpoint.

mod upload;

use super::deliver::{deliver, finished, pass_on, prepare, switch, switched};
use super::trial::Trial;
use super::{Call, Parties, Responder};
use crate::upstream::UpstreamEndpoint;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_http::{Fields, ResponseHead};
use torana_transport::{
    BodySink, BodySource, ClientExchange, Lease, Queueing, Recycled, RequestBody, ResponseReader,
    ResponseSink, Wanted, after, far_future, later, now, recently, relay_noting,
};
use upload::{Sent, Uploading};

/// One try: where, and whether kept-alive connections may be used.
pub(super) struct Once<'a> {
    call: &'a Call<'a>,
    endpoint: &'a UpstreamEndpoint,
    pub(super) fresh: bool,
    /// When this try must have an answer, where tries have a time of their own.
    pub(super) until: Cell<Option<Instant>>,
}

/// How a try ended, when it did not fail.
#[derive(Debug)]
pub(super) enum Ended {
    /// The whole response was delivered.
    Delivered,
    /// An answer came that is not delivered, because another try is made.
    Refused,
    /// The client has its 101, and this connection speaks another protocol from here on.
    Switched(Box<Lease>),
}

/// What has become of an exchange whose connection is still lent.
enum Exchanged {
    /// The answer was delivered, or another try is made `again`. `usable`: the connection can be used again.
    Answered { again: bool, usable: bool },
    /// The client has its 101.
    Switched,
}

impl<'a> Once<'a> {
    pub(super) const fn at(call: &'a Call<'a>, endpoint: &'a UpstreamEndpoint) -> Self {
        Self { call, endpoint, fresh: false, until: Cell::new(None) }
    }

    /// Makes the try; once more on a fresh connection when a kept-alive one turns out to be closed.
    pub(super) async fn run<B: RequestBody, S: ResponseSink, R: Responder>(
        &mut self,
        parties: &mut Parties<'_, '_, B, S, R>,
        trial: &mut Trial<'_, '_>,
    ) -> Result<Ended, Fault> {
        self.begin();
        let outcome = self.once(parties, trial).await;
        match outcome {
            Err(fault)
                if fault.retry == Retry::IfReused
                    && parties.exchange.request.method().is_idempotent()
                    && parties.body.is_replayable() =>
            {
                self.fresh = true;
                parties.body.rewind();
                self.once(parties, trial).await
            }
            outcome => outcome,
        }
    }

    async fn once<B: RequestBody, S: ResponseSink, R: Responder>(
        &self,
        parties: &mut Parties<'_, '_, B, S, R>,
        trial: &mut Trial<'_, '_>,
    ) -> Result<Ended, Fault> {
        let switches = self.call.upstream.upgrade_for(&parties.exchange.request).is_some();
        let mut lease = self.lease(switches, parties.body, &trial.judge.queueing).await?;
        let exchanged = match self.exchange(&mut lease, parties, trial).await {
            Ok(exchanged) => exchanged,
            Err(fault) => {
                lease.give_back_unused();
                return Err(fault);
            }
        };
        match exchanged {
            Exchanged::Switched => Ok(Ended::Switched(Box::new(lease))),
            Exchanged::Answered { again, usable } => {
                if usable {
                    lease.give_back();
                }
                Ok(if again { Ended::Refused } else { Ended::Delivered })
            }
        }
    }

    /// The time of this try runs from here.
    pub(super) fn begin(&self) {
        self.until.set(self.call.upstream.retries.per_try.map(after));
    }

    /// Gets a connection, unless the client goes away meanwhile. Who had to wait for those that others use has the
    /// whole time of a try from then on: what is left of it would be too little, and the service blamed.
    pub(super) async fn lease(
        &self,
        whole: bool,
        body: &mut impl RequestBody,
        queueing: &Queueing,
    ) -> Result<Lease, Fault> {
        let pool = self.call.pools.of(self.endpoint);
        let wanted = Wanted { client: self.call.client.as_ref(), fresh: self.fresh, whole };
        let mut acquiring = pin!(pool.acquire_for(wanted, self.call.timer, queueing));
        let mut waits = false;
        poll_fn(|context| {
            let acquired = acquiring.as_mut().poll(context);
            let waited = std::mem::replace(&mut waits, queueing.is_waiting());
            if waited && !waits {
                self.begin();
            }
            match acquired {
                Poll::Ready(lease) => Poll::Ready(lease),
                Poll::Pending if self.is_late(context) => {
                    let reason = if waits { Reason::PoolTimeout } else { Reason::UpstreamConnectTimeout };
                    Poll::Ready(Err(Fault::new(reason).retry(Retry::Yes)))
                }
                Poll::Pending => body.poll_left(context).map(Err),
            }
        })
        .await
    }

    /// Sends the request and delivers the response.
    async fn exchange<B: RequestBody, S: ResponseSink, R: Responder>(
        &self,
        lease: &mut Lease,
        parties: &mut Parties<'_, '_, B, S, R>,
        trial: &mut Trial<'_, '_>,
    ) -> Result<Exchanged, Fault> {
        let (call, request) = (self.call, &parties.exchange.request);
        let (limits, idle) = (call.upstream.head_limits, call.timeouts.idle);
        trial.begin(parties.body.is_whole());
        let ClientExchange { mut writer, mut reader } = lease.exchange(call.timer, limits, idle);
        let upgrade = call.upstream.upgrade_for(request);
        writer.start(request, request.framing, upgrade);
        let mut head = Recycled::take();
        // What was read of the body need not have left: the rest of it would be read as the next request.
        let mut sent_whole = true;
        if parties.body.is_done() {
            // Of one that begins again there may be trailers and nothing else.
            let mut trailers = Fields::default();
            parties.body.trailers(&mut trailers)?;
            writer.finish(&trailers)?;
            poll_fn(|context| writer.poll_flush(context)).await.map_err(|fault| reader.blame(fault))?;
        } else {
            let until = self.until.get().unwrap_or_else(|| far_future(trial.begun));
            let uploading = Uploading::of(request, &writer, idle, trial.uploads);
            let mut sending = pin!(uploading.send(parties.body, &mut writer));
            let (method, response) = (request.method(), &mut *parties.response);
            match uploading
                .until_head(sending.as_mut(), &mut reader, &mut head, method, until, response)
                .await?
            {
                Sent::Whole => {}
                Sent::InPart => sent_whole = false,
                Sent::Answered => {
                    switched(&head, None)?;
                    // Since the client's body came to a halt.
                    trial.head(head.status, uploading.moved(), parties.responder);
                    // What is left of the request is not sent, so the connection ends here.
                    if trial.tries_again(head.status) {
                        return Ok(Exchanged::Answered { again: true, usable: false });
                    }
                    let framing = prepare(&mut head, parties.exchange, parties.responder).await?;
                    parties.response.start(&head, framing, true);
                    let mut source = reader.body(&head, idle);
                    let relayed = {
                        let download = pin!(relay_noting(&mut source, parties.response, &trial.judge.waits));
                        uploading.beside(sending, download).await
                    };
                    finished(relayed, parties.response).await?;
                    return Ok(Exchanged::Answered { again: false, usable: false });
                }
            }
        }
        // A body that was sent may have taken long, and sending does not look at the clock.
        let begun = if parties.body.bytes_read() > 0 { now() } else { recently() };
        trial.sent();
        self.wait_for_head(&mut reader, &mut head, begun, parties).await?;
        parties.body.is_answered();
        let protocol = switched(&head, upgrade)?;
        trial.head(head.status, None, parties.responder);
        if let Some(protocol) = protocol {
            switch(&mut head, protocol, parties).await?;
            return Ok(Exchanged::Switched);
        }
        let again = trial.tries_again(head.status);
        let mut source = reader.body(&head, idle);
        let usable = deliver(&mut head, &mut source, again, &trial.judge.waits, parties).await?;
        Ok(Exchanged::Answered { again, usable: usable && sent_whole })
    }

    /// Waits for the final head; interim ones before it are passed on at once, as a proxy must (RFC 9110 section 15.2),
    /// though this try may not be the one whose answer is delivered: they promise nothing about it (RFC 8297 section 2).
    async fn wait_for_head<B: RequestBody, S: ResponseSink, R>(
        &self,
        reader: &mut ResponseReader<'_>,
        head: &mut ResponseHead,
        begun: Instant,
        parties: &mut Parties<'_, '_, B, S, R>,
    ) -> Result<(), Fault> {
        let Parties { exchange, body, response, .. } = parties;
        let method = exchange.request.method();
        let deadline = later(begun, self.call.timeouts.first_byte);
        let deadline = self.until.get().map_or(deadline, |until| until.min(deadline));
        loop {
            poll_fn(|context| match reader.poll_head(context, method, deadline, head) {
                Poll::Ready(received) => Poll::Ready(received),
                Poll::Pending => match response.poll_flush(context) {
                    Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
                    // Nobody waits for the answer any more: dropping the lease cancels the request upstream.
                    _ => body.poll_left(context).map(Err),
                },
            })
            .await?;
            if !head.is_interim() {
                return Ok(());
            }
            pass_on(head, *response);
        }
    }

    /// Whether the time of this try is over.
    fn is_late(&self, context: &mut Context<'_>) -> bool {
        self.until.get().is_some_and(|until| self.call.timer.poll_deadline(context, until).is_ready())
    }
}
