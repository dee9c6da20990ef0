//! Where a request goes before any filter is asked: to a route, or back with an answer that is the gateway's own.

use super::admit::{introduce, meet, set_path};
use super::find::find;
use crate::forwarded::Told;
use crate::pipeline::{Pipeline, Route};
use bytes::Bytes;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, Response};
use torana_http::{Known, Method, RequestHead, ResponseHead, TargetForm};
use torana_route::{Allow, Outcome};
use torana_transport::ConnectionInfo;

/// Where a request goes.
pub(crate) enum Way<'p> {
    /// To the route of this number.
    Route(usize, &'p Route),
    /// Back, with this; no route is concerned.
    Answer(Box<Response>),
}

/// Takes a request to its route. Serving and explaining both do; `witness` sees the request as routes are matched with it.
///
/// # Errors
/// It belongs to another connection, its path has no single meaning, it runs in a loop, or no route takes it.
pub(crate) fn take<'p>(
    pipeline: &'p Pipeline,
    connection: &ConnectionInfo,
    told: &Told,
    exchange: &mut Exchange,
    witness: impl FnOnce(&RequestHead),
) -> Result<Way<'p>, Fault> {
    let trusted = meet(pipeline, connection, exchange);
    if let Some(listener) = pipeline.listeners.get(connection.listener)
        && let Some(made) = listener.receive(connection, &exchange.request)?
    {
        return Ok(Way::Answer(Box::new(made)));
    }
    if exchange.request.target_form() == TargetForm::Asterisk {
        return Ok(plainly(ResponseHead::new(204)));
    }
    set_path(pipeline, &mut exchange.request)?;
    // Before the route is found: a route may ask for fields that only gateways may write.
    introduce(pipeline, connection, told, trusted, exchange)?;
    witness(&exchange.request);
    match find(pipeline, &exchange.request)? {
        Outcome::Matched { route: number } => {
            let route = pipeline.routes.get(number).ok_or(Fault::new(Reason::NoRoute))?;
            Ok(Way::Route(number, route))
        }
        Outcome::MethodNotAllowed { allow } => by_other_methods(&allow, exchange.request.method()),
        Outcome::NotFound => Err(Fault::new(Reason::NoRoute)),
    }
}

/// What is answered where the path has routes for other methods alone: to OPTIONS, which they are (RFC 9110 section
/// 9.3.7).
fn by_other_methods<'p>(allow: &Allow, method: Method) -> Result<Way<'p>, Fault> {
    let allow = allow.to_string();
    if method != Method::Options {
        return Err(Fault::new(Reason::MethodNotAllowed).with_field("Allow", allow));
    }
    let mut head = ResponseHead::new(204);
    head.fields.insert(Known::Allow, allow.as_bytes())?;
    Ok(plainly(head))
}

fn plainly<'p>(head: ResponseHead) -> Way<'p> {
    Way::Answer(Box::new(Response { head, body: Bytes::new() }))
}
