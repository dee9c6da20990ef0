//! From a routed request to an endpoint and back: the attempts, and both bodies on their way.
//!
//! A request is sent again when no connection could be made (to another endpoint, whatever the method), once
//! on a fresh connection when a kept-alive one turns out to be closed and the method is idempotent
//! (RFC 9112 section 9.3.1), and for what the service's [`RetryPolicy`] names. Never once a byte of the
//! response was sent, nor when the request's body cannot be sent again.

mod attempt;
mod choose;
mod deadline;
mod deliver;
mod hedge;
mod judge;
mod retry;
mod terms;
mod tunnel;

pub(crate) use choose::{By, nobody, pick};
pub(crate) use judge::{Judge, Patience};

pub use hedge::{Hedge, HedgeCounts};
pub use retry::RetryPolicy;

use crate::body::Replay;
use crate::upstream::{Pools, Upstream, UpstreamEndpoint, UpstreamTimeouts};
use attempt::{Ended, Trial};
use choose::pick_resting;
use retry::{Chances, Next, is_shed};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use terms::Terms;
use tokio::time::Instant;
use torana_balance::Tried;
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange};
use torana_http::ResponseHead;
use torana_http::h1::BodyFraming;
use torana_http::proxy_protocol::Introduction;
use torana_transport::{BodySource, RequestBody, ResponseSink, Timer, Waits, after};

/// The longest body of a request that is asked twice at once, in bytes: what fits into any window.
const LARGEST_HEDGED: usize = 16 * 1024;

/// What one exchange with a service needs besides the exchange itself.
#[derive(Debug)]
pub struct Call<'a> {
    /// The service.
    pub upstream: &'a Upstream,
    /// Its deadlines on this route.
    pub timeouts: &'a UpstreamTimeouts,
    /// The worker's connections.
    pub pools: &'a Pools,
    /// The connection's timer.
    pub timer: &'a Timer,
    /// When the request came: the time that its client gives it runs from there.
    pub begun: Instant,
    /// A random word for the balancer.
    pub random: u64,
    /// The hash of what the balancer goes by, where it goes by something of the request.
    pub key: Option<u64>,
    /// The endpoint that the client has had.
    pub preferred: Option<usize>,
    /// Whom connections are for, where endpoints are told.
    pub client: Option<Introduction>,
}

impl Call<'_> {
    fn patience(&self) -> Patience {
        let first_byte = self.timeouts.first_byte;
        let try_for = self.upstream.retries.per_try.map_or(first_byte, |per_try| per_try.min(first_byte));
        Patience { total: self.timeouts.total, try_for: Some(try_for) }
    }
}

/// What happens around an attempt, decided by the pipeline.
#[allow(async_fn_in_trait, reason = "called statically, on the thread that owns the connection")]
pub trait Responder {
    /// Prepares the request for the endpoint at hand.
    ///
    /// # Errors
    /// The request must not go there.
    fn on_attempt(&mut self, exchange: &mut Exchange, attempt: &Attempt<'_>) -> Result<(), Fault>;

    /// Of tries that were made side by side the one at this endpoint has the answer.
    fn on_taken(&mut self, endpoint: usize);

    /// The first bytes of the response came, this long after the request began to be sent.
    fn on_first_byte(&mut self, latency: Duration);

    /// The connection has left HTTP; [`Responder::on_response`] has been called with the 101.
    fn on_switch(&mut self);

    /// Runs the response filters over the upstream's head.
    ///
    /// # Errors
    /// A filter refuses the response; the fault is answered instead.
    async fn on_response(&mut self, exchange: &mut Exchange, head: &mut ResponseHead) -> Result<(), Fault>;
}

/// A request on its way: itself, its body, where its answer goes, and the pipeline around it.
#[derive(Debug)]
pub struct Parties<'p, 'b, B, S, R> {
    /// The request, and what filters know of it.
    pub exchange: &'p mut Exchange,
    /// Its body.
    pub body: &'p mut Replay<'b, B>,
    /// Where the answer goes.
    pub response: &'p mut S,
    /// What happens around each attempt.
    pub responder: &'p mut R,
}

/// Sends the request to the service and its response to the client.
///
/// # Errors
/// No response could be had, or not all of it. Unless `response` has started, the fault can be answered, also where some
/// of an answer had come.
pub async fn forward<B: RequestBody, S: ResponseSink, R: Responder>(
    call: &Call<'_>,
    mut parties: Parties<'_, '_, B, S, R>,
) -> Result<(), Fault> {
    let terms = Terms::of(call, &parties.exchange.request)?;
    let mut chances = Chances::new(call, &parties.exchange.request);
    let policy = &call.upstream.retries;
    if let BodyFraming::Length(length) = parties.exchange.request.framing
        && length <= policy.keep_body
        && chances.is_repeatable()
        && parties.body.held().is_none()
    {
        parties.body.keep(length).await?;
    }
    let hedge = policy.hedge.as_ref().filter(|_| {
        // Who has a home is not sent elsewhere for a moment's delay, and a switched connection is no answer.
        chances.is_repeatable()
            && parties.body.is_whole()
            // A large one may still be on its way when an answer begins, and then it stays there.
            && parties.body.held().is_none_or(|held| held.len() <= LARGEST_HEDGED)
            && call.preferred.is_none()
            && call.upstream.upgrade_for(&parties.exchange.request).is_none()
    });
    let mut tried = Tried::default();
    let mut last = None;
    // Whether none that was asked has had the request.
    let mut unsent = true;
    loop {
        chances.begun = chances.begun.saturating_add(1);
        let number = chances.begun;
        let key = call.key.unwrap_or(call.random.rotate_left(number.wrapping_mul(17)));
        let by = By { key, random: call.random, preferred: call.preferred };
        // Why a try has failed says more than that nobody is asked any more.
        let earlier = last.take();
        let mut judge = match Judge::admit(call.upstream, call.patience(), parties.body.is_whole()) {
            Ok(judge) => judge,
            Err(refused) => return Err(earlier.unwrap_or(refused)),
        };
        let picked = pick(call.upstream, by, &tried).or_else(|| again(call.upstream, by, &mut tried, unsent));
        let Some((index, endpoint)) = picked else {
            return Err(earlier.unwrap_or_else(|| nobody(call.upstream)));
        };
        if number > 1 {
            judge.begins_late();
        }
        judge.at(call.upstream, index);
        let number = Attempt { number, endpoint: index, authority: &endpoint.authority };
        let mut attempt;
        let uploads = Waits::default();
        let outcome = if let Some(hedge) = hedge {
            let judge = std::mem::replace(&mut judge, Judge::silent());
            let race = hedge::Race { terms, hedge, by };
            // Boxed, so that who does not hedge holds no room for it.
            let racing =
                Box::pin(race.run((number, endpoint, judge), &mut parties, (&mut chances, &mut tried)));
            terms.bounded(racing).await
        } else {
            terms.address(parties.exchange, &number, parties.responder)?;
            attempt = attempt::Once { call, endpoint, fresh: false, until: Cell::default() };
            let mut trial = Trial::new(&mut judge, &mut chances, &uploads);
            // Pinned here, it is not moved again: it is the largest future of all.
            let trying = pin!(attempt.run(&mut parties, &mut trial));
            terms.bounded(trying).await
        };
        let next = match outcome {
            Ok(Ended::Delivered) => {
                judge.delivered();
                return Ok(());
            }
            Ok(Ended::Refused) => Next::Again,
            Ok(Ended::Switched(lease)) => {
                judge.delivered();
                drop(chances);
                // A tunnel ends when nobody uses it, not at a time set for an answer. The endpoint counts as
                // in use for as long as it lasts, and nothing is judged any more.
                let _in_use = judge.into_in_use();
                return tunnel::run(call, *lease, parties.body, parties.response).await;
            }
            Err(fault) => {
                let next = if parties.response.is_started() {
                    Next::GiveUp
                } else {
                    chances.after_fault(&fault, parties.body.is_replayable())
                };
                judge.uploaded(&uploads);
                judge.fault(&fault, parties.body.is_done());
                if next == Next::GiveUp {
                    return Err(fault);
                }
                last = Some(fault);
                next
            }
        };
        tried.insert(index);
        parties.body.rewind();
        unsent &= next == Next::Elsewhere && !last.as_ref().is_some_and(is_shed);
        let elsewhere = next == Next::Elsewhere && pick(call.upstream, by, &tried).is_some();
        if !elsewhere {
            // Who has waited in a queue in vain does not join it anew.
            if let Some(fault) = last.take_if(|fault| fault.reason.is_full_pool()) {
                return Err(fault);
            }
            let retry = chances.begun.saturating_sub(1);
            let wait = policy.backoff.delay(retry, call.random.rotate_left(retry));
            terms.bounded(pause(call, parties.body, wait)).await?;
        }
    }
}

/// When every endpoint in service was tried, those that are ejected for a time are, where `unsent` says that none of the
/// tries has reached one; and then all of them again.
fn again<'a>(
    upstream: &'a Upstream,
    by: By,
    tried: &mut Tried,
    unsent: bool,
) -> Option<(usize, &'a UpstreamEndpoint)> {
    if tried.is_empty() {
        return None;
    }
    if let Some(resting) = pick_resting(upstream, by, tried).filter(|_| unsent) {
        return Some(resting);
    }
    *tried = Tried::default();
    pick(upstream, by, tried)
}

/// Waits, unless the client goes away.
async fn pause(call: &Call<'_>, body: &mut impl RequestBody, wait: Duration) -> Result<(), Fault> {
    let end = after(wait);
    poll_fn(|context| match call.timer.poll_deadline(context, end) {
        Poll::Ready(()) => Poll::Ready(Ok(())),
        Poll::Pending => body.poll_left(context).map(Err),
    })
    .await
}
