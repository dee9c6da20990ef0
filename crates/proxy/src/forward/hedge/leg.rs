//! One of the tries that are made side by side, until its head.

use super::super::Responder;
use super::super::attempt::Once;
use super::super::deliver::{pass_on, switched};
use super::super::judge::Judge;
use super::super::terms::Terms;
use super::HedgeCounts;
use crate::body::{Content, NoBody};
use crate::upstream::UpstreamEndpoint;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use torana_balance::Retrying;
use torana_fault::{Fault, Retry};
use torana_filter::{Attempt, Exchange};
use torana_http::{Method, ResponseHead};
use torana_transport::{
    ClientExchange, Lease, Queueing, Recycled, Relayed, ResponseSink, after, far_future, nanos_since_start,
    recently, relay,
};

/// What all tries of a request share. Each borrows for a moment, between two waits.
pub(super) struct Means<'m, 'a, S, R> {
    pub(super) terms: Terms<'a>,
    /// The number of the try whose interim responses the client gets: the first that had one. Those of several
    /// would contradict each other.
    pub(super) informer: Cell<Option<u32>>,
    /// The whole body.
    pub(super) content: Bytes,
    pub(super) exchange: RefCell<&'m mut Exchange>,
    pub(super) responder: RefCell<&'m mut R>,
    pub(super) response: RefCell<&'m mut S>,
}

/// A head, and the connection on which its body follows.
pub(super) struct Headed {
    pub(super) lease: Lease,
    pub(super) head: Recycled,
    /// From the beginning of sending to the head.
    pub(super) latency: Duration,
    /// The answer did not come before the request had left.
    pub(super) sent_whole: bool,
}

/// One try, and what it will come to.
pub(super) struct Leg<'a, 'l> {
    pub(super) runner: Runner<'a>,
    pub(super) trying: Pin<Box<dyn Future<Output = Result<Headed, Fault>> + 'l>>,
}

/// A try as others see it: the balancer, the breaker, the budget.
pub(super) struct Runner<'a> {
    pub(super) index: usize,
    pub(super) judge: Judge<'a>,
    /// Where the try is counted, unless it is the first.
    pub(super) counts: Option<Arc<HedgeCounts>>,
    /// Whether its answer is the one.
    pub(super) taken: bool,
    progress: Rc<Progress>,
    /// Its place in the budget, unless it is the first; until its answer is taken.
    pub(super) place: Option<Retrying>,
}

/// How far a try has come, as it says itself.
#[derive(Debug, Default)]
struct Progress {
    /// When the service has it, by [`nanos_since_start`].
    sent: Cell<Option<u64>>,
    queueing: Queueing,
}

impl Runner<'_> {
    /// A head came.
    pub(super) fn answered(&mut self, headed: &Headed) {
        self.note_sent();
        let now = nanos_since_start();
        self.judge.head(headed.head.status, now, now);
    }

    /// The try failed.
    pub(super) fn fault(&mut self, fault: &Fault) {
        self.note_sent();
        self.judge.fault(fault, true);
    }

    fn note_sent(&mut self) {
        self.judge.queueing.clone_from(&self.progress.queueing);
        if let Some(then) = self.progress.sent.take() {
            self.judge.sent_at(then);
        }
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        // Where another one's answer is taken, or nobody waits any more, the judge learns how long this one took.
        self.note_sent();
        if let Some(counts) = &self.counts {
            counts.count(self.taken);
        }
    }
}

impl<'a, S: ResponseSink, R: Responder> Means<'_, 'a, S, R> {
    /// Begins a try. It does nothing until it is polled.
    pub(super) fn begin<'l>(
        &'l self,
        attempt: Attempt<'l>,
        endpoint: &'l UpstreamEndpoint,
        judge: Judge<'a>,
        place: Option<Retrying>,
    ) -> Leg<'a, 'l>
    where
        'a: 'l,
    {
        let progress = Rc::new(Progress::default());
        let runner = Runner {
            index: attempt.endpoint,
            judge,
            counts: None,
            taken: false,
            progress: Rc::clone(&progress),
            place,
        };
        Leg { runner, trying: Box::pin(self.run(attempt, endpoint, progress)) }
    }

    /// Asks; once more on a fresh connection when a kept-alive one turns out to be closed.
    async fn run(
        &self,
        attempt: Attempt<'_>,
        endpoint: &UpstreamEndpoint,
        progress: Rc<Progress>,
    ) -> Result<Headed, Fault> {
        let mut once = Once::at(self.terms.call, endpoint);
        once.begin();
        match self.ask(&once, &attempt, &progress).await {
            Err(fault) if fault.retry == Retry::IfReused && self.method().is_idempotent() => {
                once.fresh = true;
                self.ask(&once, &attempt, &progress).await
            }
            headed => headed,
        }
    }

    fn method(&self) -> Method {
        self.exchange.borrow().request.method()
    }

    async fn ask(
        &self,
        once: &Once<'_>,
        attempt: &Attempt<'_>,
        progress: &Progress,
    ) -> Result<Headed, Fault> {
        let mut lease = once.lease(false, &mut NoBody, &progress.queueing).await?;
        progress.sent.set(Some(nanos_since_start()));
        let sent = recently();
        let mut head = Recycled::take();
        let until = once.until.get().unwrap_or_else(|| far_future(sent));
        let sent_whole = self.converse(&mut lease, &mut head, until, attempt).await?;
        switched(&head, None)?;
        Ok(Headed { lease, head, latency: recently().duration_since(sent), sent_whole })
    }

    /// Sends the request and waits for the head; tells whether all of the request was sent by then.
    async fn converse(
        &self,
        lease: &mut Lease,
        head: &mut ResponseHead,
        mut deadline: Instant,
        attempt: &Attempt<'_>,
    ) -> Result<bool, Fault> {
        let call = self.terms.call;
        let limits = call.upstream.head_limits;
        let ClientExchange { mut writer, mut reader } =
            lease.exchange(call.timer, limits, call.timeouts.idle);
        {
            let mut exchange = self.exchange.borrow_mut();
            self.terms.address(&mut exchange, attempt, &mut **self.responder.borrow_mut())?;
            writer.start(&exchange.request, exchange.request.framing, None);
        }
        let method = self.method();
        let mut content = Content::new(self.content.clone());
        let mut upload = pin!(relay(&mut content, &mut writer));
        let (mut sent_whole, mut stopped) = (false, false);
        loop {
            poll_fn(|context| {
                if !sent_whole
                    && !stopped
                    && let Poll::Ready(relayed) = upload.as_mut().poll(context)
                {
                    match relayed {
                        Relayed::Complete => sent_whole = true,
                        // Nothing has left.
                        Relayed::SourceFailed(fault) | Relayed::SinkFailed(fault)
                            if fault.retry == Retry::Yes =>
                        {
                            return Poll::Ready(Err(fault));
                        }
                        // The upstream stopped reading; it may have said why before it did.
                        Relayed::SourceFailed(_) | Relayed::SinkFailed(_) => stopped = true,
                    }
                    deadline = after(call.timeouts.first_byte).min(deadline);
                }
                reader.poll_head(context, method, deadline, head)
            })
            .await?;
            if !head.is_interim() {
                return Ok(sent_whole);
            }
            let informer = self.informer.get().unwrap_or(attempt.number);
            self.informer.set(Some(informer));
            if informer == attempt.number {
                pass_on(head, &mut **self.response.borrow_mut());
            }
        }
    }
}
