//! Asking the filters of a route, with the body for those that need it.

use crate::body::Replay;
use crate::pipeline::Route;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Context;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnRequest, Outside, Response, Verdict};
use torana_filters::Filter;
use torana_http::Known;
use torana_http::h1::BodyFraming;
use torana_transport::RequestBody;

/// Runs the request filters in order, until one decides. `reached` counts those that were asked;
/// `witness` sees each with its verdict and what it has left. After each wait, for a body or for somebody else's
/// answer, the clocks are read anew: how long that took is up to others, and no limit or credential is judged by
/// a time that they choose.
///
/// # Errors
/// A filter refuses the request.
pub(crate) async fn ask(
    route: &Route,
    exchange: &mut Exchange,
    body: &mut Replay<'_, impl RequestBody>,
    outside: &dyn Outside,
    reached: &mut usize,
    mut witness: impl FnMut(&Filter, &Verdict, &Exchange),
) -> Result<Option<Box<Response>>, Fault> {
    let mut waited = false;
    for filter in &route.filters {
        if let Some(limit) = filter.needs(exchange).request_body {
            let limit = limit.min(exchange.body_limit.unwrap_or(u64::MAX));
            noticing(hold(exchange, body, limit), &mut waited).await?;
        }
        if std::mem::take(&mut waited) {
            exchange.moment = outside.moment().unwrap_or(exchange.moment);
        }
        *reached = reached.saturating_add(1);
        let verdict = noticing(filter.on_request(exchange, outside), &mut waited).await;
        witness(filter, &verdict, exchange);
        match verdict {
            Verdict::Continue => {}
            Verdict::Respond(response) => return Ok(Some(response)),
            Verdict::Fail(fault) => return Err(fault),
        }
    }
    body.limit(exchange.body_limit);
    send_what_is_held(exchange, body);
    Ok(None)
}

/// Notes whether a future was not ready at once.
async fn noticing<T>(future: impl Future<Output = T>, waited: &mut bool) -> T {
    let mut future = pin!(future);
    let look = |context: &mut Context<'_>| {
        let polled = future.as_mut().poll(context);
        *waited |= polled.is_pending();
        polled
    };
    poll_fn(look).await
}

/// Reads the whole body into the exchange, unless it is there already.
async fn hold(
    exchange: &mut Exchange,
    body: &mut Replay<'_, impl RequestBody>,
    limit: u64,
) -> Result<(), Fault> {
    match (&exchange.body, exchange.request.framing) {
        // Whatever was read or put there by a filter before: the bound is this filter's.
        (Some(held), _) if held.len() as u64 <= limit => return Ok(()),
        (Some(_), _) => return Err(Fault::new(Reason::BodyTooLarge)),
        // Refused before a byte of it is asked for.
        (None, BodyFraming::Length(length)) if length > limit => {
            return Err(Fault::new(Reason::BodyTooLarge));
        }
        (None, _) => {}
    }
    exchange.body = Some(body.hold(limit).await?);
    Ok(())
}

/// What filters have left in the exchange is what is sent, with its own length.
fn send_what_is_held(exchange: &mut Exchange, body: &mut Replay<'_, impl RequestBody>) {
    let Some(held) = exchange.body.clone() else { return };
    // Of none before and none now a client may have said so, and that goes on.
    if !held.is_empty() || exchange.request.framing != BodyFraming::None {
        exchange.request.framing = BodyFraming::Length(held.len() as u64);
        exchange.request.fields.remove(Known::ContentLength);
    }
    body.replace(held);
}
