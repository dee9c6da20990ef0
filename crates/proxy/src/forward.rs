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
mod rounds;
mod terms;
mod trial;
mod tunnel;

pub(crate) use choose::{By, nobody, pick};
pub(crate) use judge::{Judge, Patience};

pub use hedge::{Hedge, HedgeCounts};
pub use retry::RetryPolicy;

use crate::body::Replay;
use crate::upstream::{Pools, Upstream, UpstreamTimeouts};
use attempt::{Ended, Once};
use hedge::Race;
use retry::Next;
use rounds::Rounds;
use std::pin::pin;
use std::time::Duration;
use terms::Terms;
use tokio::time::Instant;
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange};
use torana_http::h1::BodyFraming;
use torana_http::proxy_protocol::Introduction;
use torana_http::{RequestHead, ResponseHead};
use torana_transport::{BodySource, RequestBody, ResponseSink, Timer, Waits};
use trial::Trial;

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

    /// What came of an answer is none to the client: it was taken back after [`Responder::on_response`] has seen it, was
    /// one that another try follows, or broke off before.
    fn on_taken_back(&mut self);

    /// The connection has left HTTP; [`Responder::on_response`] has been called with the 101.
    fn on_switch(&mut self);

    /// Runs the response filters over the upstream's head.
    ///
    /// # Errors
    /// A filter refuses the response; the fault is answered instead.
    async fn on_response(&mut self, exchange: &mut Exchange, head: &mut ResponseHead) -> Result<(), Fault>;
}

/// Of what streams to services of HTTP/2 this much is copied, in bytes.
const COPIED: usize = 16 * 1024;

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
    let mut rounds = Rounds::new(call, &parties.exchange.request);
    hold(call, rounds.chances.is_repeatable(), &parties.exchange.request, parties.body).await?;
    let hedge = Hedge::of(call, &rounds.chances, &parties);
    loop {
        let mut judge = rounds.begin(parties.body.is_whole())?;
        let chosen = rounds.choose(&mut judge)?;
        let uploads = Waits::default();
        let outcome = if let Some(hedge) = hedge {
            let judge = std::mem::replace(&mut judge, Judge::silent());
            let race = Race { terms, hedge, first: chosen };
            // Boxed, so that who does not hedge holds no room for it.
            terms.bounded(Box::pin(race.run(judge, &mut parties, &mut rounds))).await
        } else {
            terms.address(parties.exchange, &chosen.attempt, parties.responder)?;
            let mut once = Once::at(call, chosen.endpoint);
            let mut trial = Trial::new(&mut judge, &mut rounds.chances, &uploads);
            // Pinned here, it is not moved again: it is the largest future of all.
            let trying = pin!(once.run(&mut parties, &mut trial));
            terms.bounded(trying).await
        };
        let next = match outcome {
            Ok(Ended::Delivered) => {
                judge.delivered();
                return Ok(());
            }
            Ok(Ended::Refused) => {
                parties.responder.on_taken_back();
                Next::Again
            }
            Ok(Ended::Switched(lease)) => {
                judge.delivered();
                drop(rounds);
                // A tunnel ends when nobody uses it, not at a time set for an answer. The endpoint counts as
                // in use for as long as it lasts, and nothing is judged any more.
                let _in_use = judge.into_in_use();
                return tunnel::run(call, *lease, parties.body, parties.response).await;
            }
            Err(fault) => {
                let next = if parties.response.is_started() {
                    Next::GiveUp
                } else {
                    parties.responder.on_taken_back();
                    rounds.chances.after_fault(&fault, parties.body)
                };
                judge.uploaded(&uploads);
                judge.fault(&fault, parties.body.is_done());
                if next == Next::GiveUp {
                    return Err(fault);
                }
                rounds.failed(fault);
                next
            }
        };
        parties.body.rewind();
        rounds.rest(&terms, &chosen, next, parties.body).await?;
    }
}

/// Holds what can be sent again: where the request may be, a body of known length up to `keep_body`, which is waited for. Of
/// any other a service of HTTP/2 may have to be sent the beginning once more, whatever its method: a stream that a goodbye
/// leaves out was not acted on, and nobody is to lose a request by a service that renews its connections.
async fn hold<B: RequestBody>(
    call: &Call<'_>,
    repeatable: bool,
    request: &RequestHead,
    body: &mut Replay<'_, B>,
) -> Result<(), Fault> {
    match request.framing {
        _ if body.held().is_some() => {}
        BodyFraming::Length(length) if repeatable && length <= call.upstream.retries.keep_body => {
            body.keep(length).await?;
        }
        BodyFraming::None => {}
        _ if call.upstream.multiplexes() => body.copy_up_to(COPIED),
        _ => {}
    }
    Ok(())
}
