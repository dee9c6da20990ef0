//! Tries side by side: when no answer has begun after a while, another endpoint is asked as well.
//!
//! The first head is taken, unless it has a status that is tried again while others are still asked. The other
//! tries are dropped at that moment: over HTTP/1 their connections are closed, over HTTP/2 their streams are
//! cancelled. That says nothing to the breaker and to the endpoint's health, for nobody failed; balancer and bound
//! learn that it took at least so long, or a slow one would always look quick.
//!
//! Only requests that are whole and may be sent twice get here. Each further try is one of the `attempts`, is
//! asked of the breaker, and has a place in the retry budget. A round costs a few allocations, which is why it
//! stands apart from [`super::attempt`].
//!
//! Source of the idea: Dean and Barroso, "The Tail at Scale" (2013).

mod leg;

use super::attempt::Ended;
use super::deliver::deliver;
use super::judge::Judge;
use super::retry::Chances;
use super::rounds::{Chosen, Rounds};
use super::terms::Terms;
use super::{Call, Parties, Responder, pick};
use crate::body::Replay;
use leg::{Headed, Leg, Means, Runner};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use torana_fault::{Fault, Reason, Retry};
use torana_filter::Attempt;
use torana_transport::{BodySource, RequestBody, ResponseSink, Waits, after};

/// When another endpoint is asked as well.
#[derive(Clone, Debug)]
pub struct Hedge {
    /// After this long without a head.
    pub after: Duration,
    /// So many tries at the same time.
    pub at_once: usize,
    /// What became of further tries.
    pub counts: Arc<HedgeCounts>,
}

/// The longest body of a request that is asked twice at once, in bytes: what fits into any window.
const LARGEST: usize = 16 * 1024;

impl Hedge {
    /// The one of the service, where this request may be asked twice at once.
    pub(super) fn of<'a, B: RequestBody, S, R>(
        call: &'a Call<'_>,
        chances: &Chances<'_>,
        parties: &Parties<'_, '_, B, S, R>,
    ) -> Option<&'a Self> {
        call.upstream.retries.hedge.as_ref().filter(|_| {
            // Who has a home is not sent elsewhere for a moment's delay, and a switched connection is no answer.
            chances.is_repeatable()
                && parties.body.is_whole()
                // A large one may still be on its way when an answer begins, and then it stays there.
                && parties.body.held().is_none_or(|held| held.len() <= LARGEST)
                && call.preferred.is_none()
                && call.upstream.upgrade_for(&parties.exchange.request).is_none()
        })
    }
}

/// What became of further tries of one service.
#[derive(Debug, Default)]
pub struct HedgeCounts {
    taken: AtomicU64,
    not_taken: AtomicU64,
}

impl HedgeCounts {
    /// Further tries whose answer was taken, and those that were in vain.
    #[must_use]
    pub fn read(&self) -> [(&'static str, u64); 2] {
        [("taken", self.taken.load(Ordering::Relaxed)), ("not_taken", self.not_taken.load(Ordering::Relaxed))]
    }

    fn count(&self, taken: bool) {
        let counter = if taken { &self.taken } else { &self.not_taken };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What holds for all tries of one round.
pub(super) struct Race<'a> {
    pub(super) terms: Terms<'a>,
    pub(super) hedge: &'a Hedge,
    /// Whom the first try asks.
    pub(super) first: Chosen<'a>,
}

impl<'a> Race<'a> {
    /// Makes the first try and those beside it, and delivers the answer that is taken.
    ///
    /// # Errors
    /// No try got an answer, or it broke off; each has been judged, and is among those tried.
    pub(super) async fn run<B: RequestBody, S: ResponseSink, R: Responder>(
        self,
        judge: Judge<'a>,
        parties: &mut Parties<'_, '_, B, S, R>,
        rounds: &mut Rounds<'a>,
    ) -> Result<Ended, Fault> {
        let call = self.terms.call;
        let means = Means {
            terms: self.terms,
            informer: Cell::default(),
            content: parties.body.held().cloned().unwrap_or_default(),
            exchange: RefCell::new(&mut *parties.exchange),
            responder: RefCell::new(&mut *parties.responder),
            response: RefCell::new(&mut *parties.response),
        };
        let Chosen { attempt, endpoint, .. } = self.first;
        let first = means.begin(attempt, endpoint, judge, None);
        let (mut runner, headed) = self.first_head(&means, first, parties.body, rounds).await?;
        drop(means);
        if parties.body.held().is_some() {
            parties.body.consume();
        }
        runner.taken = true;
        runner.place = None;
        parties.responder.on_taken(runner.index);
        parties.responder.on_first_byte(headed.latency);
        let again = rounds.chances.after_status(headed.head.status, true);
        let delivering = conclude(call, headed, again, &runner.judge.waits, parties);
        // Bounded here as well, where it is known whose answer it is.
        match self.terms.bounded(delivering).await {
            Ok(()) if again => Ok(Ended::Refused),
            Ok(()) => {
                runner.judge.delivered();
                Ok(Ended::Delivered)
            }
            Err(fault) => {
                runner.fault(&fault);
                Err(fault)
            }
        }
    }

    /// Waits for the head that is taken; begins further tries as time passes.
    async fn first_head<'l, B: RequestBody, S: ResponseSink, R: Responder>(
        &self,
        means: &'l Means<'_, 'a, S, R>,
        first: Leg<'a, 'l>,
        body: &mut Replay<'_, B>,
        rounds: &mut Rounds<'a>,
    ) -> Result<(Runner<'a>, Headed), Fault>
    where
        'a: 'l,
    {
        let timer = self.terms.call.timer;
        rounds.tried.insert(first.runner.index);
        let mut next = Some(after(self.hedge.after));
        let mut legs = Legs { running: vec![first], bad: None, last: None };
        let taken = poll_fn(|context| {
            loop {
                if let Poll::Ready(over) = legs.poll(context, self) {
                    return Poll::Ready(over);
                }
                let is_due = legs.running.len() < self.hedge.at_once
                    && next.is_some_and(|next| timer.poll_deadline(context, next).is_ready());
                let another = is_due.then(|| self.another(means, rounds)).flatten();
                let Some(another) = another else {
                    // Without room for another try there will be none in a moment either.
                    next = next.filter(|_| !is_due);
                    break;
                };
                legs.running.push(another);
                next = Some(after(self.hedge.after));
            }
            if let Some(over) =
                self.terms.deadline.filter(|end| timer.poll_deadline(context, end.at).is_ready())
            {
                return Poll::Ready(Err(legs.too_late(over.reason)));
            }
            if let Poll::Ready(Err(fault)) = means.response.borrow_mut().poll_flush(context) {
                return Poll::Ready(Err(fault));
            }
            body.poll_left(context).map(Err)
        });
        taken.await
    }

    /// Another try, if there is an endpoint for it and room.
    fn another<'l, S: ResponseSink, R: Responder>(
        &self,
        means: &'l Means<'_, 'a, S, R>,
        rounds: &mut Rounds<'a>,
    ) -> Option<Leg<'a, 'l>>
    where
        'a: 'l,
    {
        let call = self.terms.call;
        let (index, endpoint) = pick(call.upstream, self.first.by, &rounds.tried)?;
        let mut judge = Judge::admit(call.upstream, call.patience(), true).ok()?;
        judge.begins_late();
        let place = rounds.chances.beside()?;
        judge.at(call.upstream, index);
        rounds.chances.begun = rounds.chances.begun.saturating_add(1);
        rounds.tried.insert(index);
        let attempt =
            Attempt { number: rounds.chances.begun, endpoint: index, authority: &endpoint.authority };
        let mut leg = means.begin(attempt, endpoint, judge, place);
        leg.runner.counts = Some(Arc::clone(&self.hedge.counts));
        Some(leg)
    }
}

/// Delivers the answer that is taken, and gives its connection back; when another try follows `again`, only that.
async fn conclude<B: RequestBody, S: ResponseSink, R: Responder>(
    call: &Call<'_>,
    headed: Headed,
    again: bool,
    waits: &Waits,
    parties: &mut Parties<'_, '_, B, S, R>,
) -> Result<(), Fault> {
    let Headed { mut lease, mut head, sent_whole, .. } = headed;
    let usable = {
        let idle = call.timeouts.idle;
        let reader = lease.exchange(call.timer, call.upstream.head_limits, idle).reader;
        let mut source = reader.body(&head, idle);
        deliver(&mut head, &mut source, again, waits, parties).await? && sent_whole
    };
    if usable {
        lease.give_back();
    }
    Ok(())
}

/// The tries under way.
struct Legs<'a, 'l> {
    running: Vec<Leg<'a, 'l>>,
    /// An answer with a status that is tried again, in case that nobody gives a better one.
    bad: Option<(Runner<'a>, Headed)>,
    last: Option<Fault>,
}

impl<'a> Legs<'a, '_> {
    /// Ready with the answer that is taken, or once nobody is asked any more.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        race: &Race<'_>,
    ) -> Poll<Result<(Runner<'a>, Headed), Fault>> {
        let mut place = 0_usize;
        while let Some(leg) = self.running.get_mut(place) {
            match leg.trying.as_mut().poll(context) {
                Poll::Pending => place = place.saturating_add(1),
                Poll::Ready(Err(fault)) => {
                    self.running.remove(place).runner.fault(&fault);
                    // A try that reached nobody says less than one that did.
                    if self.last.is_none() || fault.retry != Retry::Yes {
                        self.last = Some(fault);
                    }
                }
                Poll::Ready(Ok(headed)) => {
                    let mut runner = self.running.remove(place).runner;
                    runner.answered(&headed);
                    if !race.terms.call.upstream.retries.statuses.contains(headed.head.status) {
                        return Poll::Ready(Ok((runner, headed)));
                    }
                    self.bad = Some((runner, headed));
                }
            }
        }
        if !self.running.is_empty() {
            return Poll::Pending;
        }
        match (self.bad.take(), self.last.take()) {
            (Some((runner, headed)), _) => Poll::Ready(Ok((runner, headed))),
            (None, Some(fault)) => Poll::Ready(Err(fault)),
            (None, None) => Poll::Ready(Err(Fault::new(Reason::Internal).because("nobody was asked"))),
        }
    }

    /// The time for all tries together is over: whoever is asked was too slow.
    fn too_late(&mut self, reason: Reason) -> Fault {
        let fault = Fault::new(reason);
        for leg in &mut self.running {
            leg.runner.fault(&fault);
        }
        fault
    }
}
