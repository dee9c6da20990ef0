//! One try on one endpoint.

use super::judge::Judge;
use super::retry::Chances;
use super::{Call, Parties, Responder};
use crate::upstream::UpstreamEndpoint;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use torana_fault::{Fault, Reason, Retry};
use torana_filter::Exchange;
use torana_http::h1::{BodyFraming, remove_hop_by_hop};
use torana_http::h2::carries_messages;
use torana_http::{Fields, Known, Method, ResponseHead};
use torana_transport::{
    BodySink, BodySource, ClientExchange, Lease, Queueing, Recycled, Relayed, RequestBody, RequestWriter,
    ResponseReader, ResponseSink, Waits, Wanted, after, far_future, later, nanos_at, nanos_since_start, now,
    recently, relay_noting,
};

/// One try: where, and whether kept-alive connections may be used.
pub(super) struct Once<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) endpoint: &'a UpstreamEndpoint,
    pub(super) fresh: bool,
    /// When this try must have an answer, where tries have a time of their own.
    pub(super) by: Cell<Option<Instant>>,
}

/// Who watches a try: what it tells about the service, and whether another one may follow.
pub(super) struct Trial<'t, 'a> {
    pub(super) judge: &'t mut Judge<'a>,
    pub(super) chances: &'t mut Chances<'a>,
    /// Whom the relay of the request's body waits for.
    pub(super) uploads: &'t Waits,
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

/// What has become of an exchange, and whether its connection can be used again.
struct Exchanged {
    end: End,
    usable: bool,
}

/// As [`Ended`], while the connection is still lent.
enum End {
    Delivered,
    Refused,
    Switched,
}

/// What came first while the request's body was on its way.
enum First {
    Uploaded(Relayed),
    Head(Result<(), Fault>),
}

/// What is known of a body that is being sent, beside the future that sends it.
struct Uploading<'t> {
    ended: Cell<Option<Relayed>>,
    waits: &'t Waits,
    /// Both sides talk: how long the client pauses is between it and the service.
    talks: Cell<Option<Duration>>,
}

/// A client's body that is being sent.
struct Outbound<'a, B> {
    body: &'a mut B,
    talks: &'a Cell<Option<Duration>>,
}

impl<B: RequestBody> BodySource for Outbound<'_, B> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if let Some(most) = self.talks.take() {
            self.body.bear_pauses(most);
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

impl Once<'_> {
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
        let exchanged = self.exchange(&mut lease, parties, trial).await?;
        let ended = match exchanged.end {
            End::Delivered => Ended::Delivered,
            End::Refused => Ended::Refused,
            End::Switched => return Ok(Ended::Switched(Box::new(lease))),
        };
        if exchanged.usable {
            lease.give_back();
        }
        Ok(ended)
    }

    /// The time of this try runs from here.
    fn begin(&self) {
        self.by.set(self.call.upstream.retries.per_try.map(after));
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

    /// Sends the request and delivers the response; tells whether the connection can be used again.
    async fn exchange<B: RequestBody, S: ResponseSink, R: Responder>(
        &self,
        lease: &mut Lease,
        parties: &mut Parties<'_, '_, B, S, R>,
        trial: &mut Trial<'_, '_>,
    ) -> Result<Exchanged, Fault> {
        let (exchange, body) = (&mut *parties.exchange, &mut *parties.body);
        let (response, responder) = (&mut *parties.response, &mut *parties.responder);
        let timeouts = self.call.timeouts;
        let sent = recently();
        // What is kept, or was never there, can be sent again.
        let whole = body.held().is_some() || body.is_done();
        let limits = self.call.upstream.head_limits;
        let ClientExchange { mut writer, mut reader } =
            lease.exchange(self.call.timer, limits, timeouts.idle);
        let upgrade = self.call.upstream.upgrade_for(&exchange.request);
        writer.start(&exchange.request, exchange.request.framing, upgrade);
        let mut head = Recycled::take();
        // What was read of the body need not have left: the rest of it would be read as the next request.
        let mut sent_whole = true;

        if whole {
            trial.judge.sent();
        }
        if body.is_done() {
            writer.finish(&Fields::default())?;
            poll_fn(|context| writer.poll_flush(context)).await.map_err(|fault| reader.blame(fault))?;
        } else {
            let never = self.by.get().unwrap_or_else(|| far_future(sent));
            // The messages of a call come when the client has something to say.
            let talks = carries_messages(&exchange.request) && matches!(writer, RequestWriter::Http2(_));
            let talks = talks.then_some(timeouts.idle);
            let uploading =
                Uploading { ended: Cell::default(), waits: trial.uploads, talks: Cell::new(talks) };
            uploading.waits.reset();
            let mut upload = pin!(upload(body, &mut writer, &uploading));
            let method = exchange.request.method();
            let ours = (upload.as_mut(), &uploading);
            match upload_until_head(ours, &mut reader, &mut head, method, never, response).await {
                // Not even the head has left: nobody will answer.
                First::Uploaded(Relayed::SinkFailed(fault)) if fault.retry == Retry::Yes => {
                    return Err(fault);
                }
                // The upstream stopped reading; it may have said why before it did.
                First::Uploaded(Relayed::SinkFailed(_)) => sent_whole = false,
                First::Uploaded(Relayed::Complete) => {}
                First::Uploaded(Relayed::SourceFailed(fault)) => return Err(fault),
                First::Head(received) => {
                    received?;
                    refuse_switch(&head)?;
                    // Since the client's body came to a halt.
                    let could_answer = uploading.waits.moved().unwrap_or(sent);
                    note_latency(sent, could_answer, head.status, responder, trial.judge);
                    if trial.chances.after_status(head.status, whole) {
                        return Ok(Exchanged { end: End::Refused, usable: false });
                    }
                    let framing = prepare(&mut head, exchange, responder).await?;
                    response.start(&head, framing, true);
                    // Now both sides are watched by the answer's times.
                    uploading.talks.set(Some(Duration::MAX));
                    let mut source = reader.body(&head, timeouts.idle);
                    let mut download = pin!(relay_noting(&mut source, response, &trial.judge.waits));
                    let relayed = poll_fn(|context| {
                        loop {
                            if let Poll::Ready(left) = upload.as_mut().poll(context) {
                                return Poll::Ready(Relayed::SinkFailed(left));
                            }
                            let failed = match uploading.ended.take() {
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
                    });
                    // What is left of the request is not sent, so the connection ends here.
                    finished(relayed.await)?;
                    return Ok(Exchanged { end: End::Delivered, usable: false });
                }
            }
        }
        // A body that was sent may have taken long, and sending does not look at the clock.
        let begun = if body.bytes_read() > 0 { now() } else { recently() };
        if !whole {
            trial.judge.sent();
        }
        let deadline = later(begun, timeouts.first_byte);
        let deadline = self.by.get().map_or(deadline, |by| by.min(deadline));
        self.wait_for_head(&mut reader, &mut head, exchange, deadline, body, response).await?;
        if head.status == 101 {
            let protocol = upgrade.filter(|asked| is_switch_to(&head, asked)).ok_or_else(unasked)?;
            note_latency(sent, sent, head.status, responder, trial.judge);
            prepare(&mut head, exchange, responder).await?;
            response.switch(&head, protocol);
            responder.on_switch();
            return Ok(Exchanged { end: End::Switched, usable: false });
        }
        note_latency(sent, sent, head.status, responder, trial.judge);
        if trial.chances.after_status(head.status, whole) {
            let mut source = reader.body(&head, timeouts.idle);
            let all = poll_fn(|context| Poll::Ready(skip(context, &mut source))).await;
            let usable = all && source.leaves_connection_usable() && sent_whole;
            return Ok(Exchanged { end: End::Refused, usable });
        }
        let framing = prepare(&mut head, exchange, responder).await?;
        response.start(&head, framing, !body.is_done());
        let mut source = reader.body(&head, timeouts.idle);
        let relayed = {
            let mut download = pin!(relay_noting(&mut source, response, &trial.judge.waits));
            poll_fn(|context| match download.as_mut().poll(context) {
                Poll::Ready(relayed) => Poll::Ready(relayed),
                Poll::Pending => body.poll_left(context).map(Relayed::SinkFailed),
            })
            .await
        };
        finished(relayed)?;
        let usable = source.leaves_connection_usable() && sent_whole;
        Ok(Exchanged { end: End::Delivered, usable })
    }

    /// Waits for the final head; interim ones before it are passed on at once, as a proxy must (RFC 9110 section 15.2),
    /// though this try may not be the one whose answer is delivered: they promise nothing about it (RFC 8297 section 2).
    async fn wait_for_head(
        &self,
        reader: &mut ResponseReader<'_>,
        head: &mut ResponseHead,
        exchange: &Exchange,
        deadline: Instant,
        body: &mut impl RequestBody,
        response: &mut impl ResponseSink,
    ) -> Result<(), Fault> {
        let method = exchange.request.method();
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
            pass_on(head, response);
        }
    }

    /// Whether the time of this try is over.
    fn is_late(&self, context: &mut Context<'_>) -> bool {
        self.by.get().is_some_and(|by| self.call.timer.poll_deadline(context, by).is_ready())
    }
}

/// A head came. `sent`: when the try began to be sent; `could_answer`: since when the service could have answered,
/// where it did before it had the whole request.
fn note_latency(
    sent: Instant,
    could_answer: Instant,
    status: u16,
    responder: &mut impl Responder,
    judge: &mut Judge<'_>,
) {
    responder.on_first_byte(recently().duration_since(sent));
    judge.head(status, nanos_at(could_answer), nanos_since_start());
}

/// Reads what has already arrived of a body that nobody wants; `true` when that is all of it.
pub(super) fn skip(context: &mut Context<'_>, source: &mut impl BodySource) -> bool {
    loop {
        match source.poll_fill(context) {
            Poll::Ready(Ok(true)) => source.consume(),
            Poll::Ready(Ok(false)) => return true,
            Poll::Ready(Err(_)) | Poll::Pending => return false,
        }
    }
}

/// Sends the request's body, notes how that went, and then watches for the client to go away.
async fn upload(body: &mut impl RequestBody, writer: &mut impl BodySink, uploading: &Uploading<'_>) -> Fault {
    let mut source = Outbound { body, talks: &uploading.talks };
    uploading.ended.set(Some(relay_noting(&mut source, writer, uploading.waits).await));
    // What was noted is looked at before anything else.
    let mut noticed = false;
    poll_fn(
        |context| {
            if std::mem::replace(&mut noticed, true) { body.poll_left(context) } else { Poll::Pending }
        },
    )
    .await
}

/// Sends the request's body until it is sent or the final head comes; interim heads are passed on meanwhile.
async fn upload_until_head(
    (mut upload, uploading): (Pin<&mut impl Future<Output = Fault>>, &Uploading<'_>),
    reader: &mut ResponseReader<'_>,
    head: &mut ResponseHead,
    method: Method,
    deadline: Instant,
    response: &mut impl ResponseSink,
) -> First {
    loop {
        let first = poll_fn(|context| {
            // Before the body, which may have to invite the client in between.
            if let Poll::Ready(Err(fault)) = response.poll_flush(context) {
                return Poll::Ready(First::Uploaded(Relayed::SourceFailed(fault)));
            }
            if let Poll::Ready(left) = upload.as_mut().poll(context) {
                return Poll::Ready(First::Uploaded(Relayed::SourceFailed(left)));
            }
            match uploading.ended.take() {
                Some(relayed) => Poll::Ready(First::Uploaded(relayed)),
                None => reader.poll_head(context, method, deadline, head).map(First::Head),
            }
        });
        match first.await {
            First::Head(Ok(())) if head.is_interim() => pass_on(head, response),
            first => return first,
        }
    }
}

/// Gives an interim response to the client, all but `100 Continue`: that one is between the client and us,
/// and was sent when the body was first wanted.
pub(super) fn pass_on(head: &mut ResponseHead, response: &mut impl ResponseSink) {
    if head.status != 100 {
        remove_hop_by_hop(&mut head.fields, head.connection.names_fields);
        head.fields.remove(Known::ContentLength);
        response.interim(head);
    }
}

/// Whether a 101 names the protocol that was asked for, and no other.
fn is_switch_to(head: &ResponseHead, asked: &str) -> bool {
    let mut named = head.fields.get_all(Known::Upgrade);
    let right = named.next().is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(asked.as_bytes()));
    right && named.next().is_none() && head.connection.upgrade
}

pub(super) fn refuse_switch(head: &ResponseHead) -> Result<(), Fault> {
    if head.status == 101 { Err(unasked()) } else { Ok(()) }
}

fn unasked() -> Fault {
    Fault::new(Reason::UpstreamMalformed).because("switched to a protocol that it was not asked for")
}

/// Makes the upstream's head ours: what belongs to its connection goes, the filters have their say.
pub(super) async fn prepare(
    head: &mut ResponseHead,
    exchange: &mut Exchange,
    responder: &mut impl Responder,
) -> Result<BodyFraming, Fault> {
    let framing = head.framing;
    remove_hop_by_hop(&mut head.fields, head.connection.names_fields);
    if matches!(head.status, 101 | 204) {
        // Whoever believed it would wait for a body (RFC 9110 section 8.6).
        head.fields.remove(Known::ContentLength);
    }
    responder.on_response(exchange, head).await?;
    Ok(framing)
}

pub(super) fn finished(relayed: Relayed) -> Result<(), Fault> {
    match relayed {
        Relayed::Complete => Ok(()),
        Relayed::SourceFailed(fault) | Relayed::SinkFailed(fault) => Err(fault),
    }
}
