//! From a routed request to an endpoint and back: the attempts, and both bodies on their way.
//!
//! A request is tried again only when nothing of it can have been acted on: when no connection could be
//! made (on another endpoint), or once on a fresh connection when a kept-alive one turns out to be closed
//! and the method is idempotent (RFC 9112 section 9.3.1). Once a byte of the client's body has been read, or
//! a byte of the response was sent, there is no second try.

mod attempt;

pub(crate) use attempt::nanos_since_start;

use crate::upstream::{Pools, Upstream, UpstreamEndpoint, UpstreamTimeouts};
use std::time::Duration;
use torana_balance::Tried;
use torana_fault::{Fault, Reason, Retry};
use torana_filter::{Attempt, Exchange};
use torana_http::{Known, ResponseHead};
use torana_transport::{RequestBody, ResponseSink, Timer, now, within};

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
    /// A random word for the balancer.
    pub random: u64,
}

/// What happens around an attempt, decided by the pipeline.
#[allow(async_fn_in_trait, reason = "called statically, on the thread that owns the connection")]
pub trait Responder {
    /// Prepares the request for the endpoint at hand.
    ///
    /// # Errors
    /// The request must not go there.
    fn on_attempt(&mut self, exchange: &mut Exchange, attempt: &Attempt<'_>) -> Result<(), Fault>;

    /// The first bytes of the response came, this long after the request began to be sent.
    fn on_first_byte(&mut self, latency: Duration);

    /// Runs the response filters over the upstream's head.
    ///
    /// # Errors
    /// A filter refuses the response; the fault is answered instead.
    async fn on_response(&mut self, exchange: &mut Exchange, head: &mut ResponseHead) -> Result<(), Fault>;
}

/// Sends the request to the service and its response to the client.
///
/// # Errors
/// No response could be had, or not all of it. Unless `response` has started, the fault can be answered.
pub async fn forward(
    call: &Call<'_>,
    exchange: &mut Exchange,
    body: &mut impl RequestBody,
    response: &mut impl ResponseSink,
    responder: &mut impl Responder,
) -> Result<(), Fault> {
    let attempts = attempts(call, exchange, body, response, responder);
    let Some(total) = call.timeouts.total else { return attempts.await };
    let start = now();
    let deadline = start.checked_add(total).unwrap_or(start);
    within(call.timer, deadline, Reason::TotalTimeout, attempts).await?
}

async fn attempts(
    call: &Call<'_>,
    exchange: &mut Exchange,
    body: &mut impl RequestBody,
    response: &mut impl ResponseSink,
    responder: &mut impl Responder,
) -> Result<(), Fault> {
    let mut tried = Tried::default();
    let mut random = call.random;
    let mut number = 0_u32;
    let mut last = Fault::new(Reason::NoEndpoint);
    // HTTP/1.0 may come without Host; what we send is HTTP/1.1, which may not (RFC 9112 section 3.2).
    let without_host = !exchange.request.fields.contains(Known::Host);
    while number < call.upstream.attempts {
        number = number.saturating_add(1);
        random = random.rotate_left(17);
        let picked = call.upstream.balancer.pick(random, nanos_since_start(), &tried, |_| false);
        let Some((index, endpoint)) = picked.and_then(|index| endpoint_at(call.upstream, index)) else {
            break;
        };
        let in_flight = call.upstream.balancer.begin(index);
        let mut attempt = attempt::Once { call, endpoint, in_flight, fresh: false };
        if without_host {
            exchange.request.fields.insert(Known::Host, endpoint.authority.as_bytes())?;
        }
        responder
            .on_attempt(exchange, &Attempt { number, endpoint: index, authority: &endpoint.authority })?;
        let mut outcome = attempt.run(exchange, body, response, responder).await;
        if let Err(fault) = &outcome
            && fault.retry == Retry::IfReused
            && exchange.request.method().is_idempotent()
            && body.bytes_read() == 0
        {
            attempt.fresh = true;
            outcome = attempt.run(exchange, body, response, responder).await;
        }
        match outcome {
            Err(fault) if fault.retry == Retry::Yes => {
                tried.insert(index);
                last = fault;
            }
            outcome => return outcome,
        }
    }
    Err(last)
}

fn endpoint_at(upstream: &Upstream, index: usize) -> Option<(usize, &UpstreamEndpoint)> {
    upstream.endpoints.get(index).map(|endpoint| (index, endpoint))
}
