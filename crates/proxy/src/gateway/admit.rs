//! The way of a request until it is decided what becomes of it. Serving and explaining both take it.

use super::view::View;
use crate::body::Replay;
use crate::client_address::client_address;
use crate::forwarded::{CLAIMS, Told};
use crate::pipeline::{Pipeline, Route};
use crate::request_id::RequestId;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use torana_fault::{Fault, Reason};
use torana_filter::{Ends, Exchange, OnRequest, Outside, Response, Verdict};
use torana_filters::{Filter, overriding_methods, preflight_method};
use torana_http::h1::{BodyFraming, HOP_BY_HOP, remove_named};
use torana_http::{Known, RequestHead};
use torana_route::{Outcome, RequestView, any_looser, decoded, normalize, without_parameters};
use torana_transport::{ConnectionInfo, RequestBody};

/// The longest identifier that is taken over from a client.
const LONGEST_ID: usize = 128;

/// Gives the request its identifier, unless it came with one that is to be kept.
pub(super) fn identify(pipeline: &Pipeline, request: &mut RequestHead, own: RequestId) {
    let Some(field) = &pipeline.request_id else { return };
    let acceptable = |value: &[u8]| value.len() <= LONGEST_ID && value.iter().all(u8::is_ascii_graphic);
    let mut incoming = request.fields.get_all(&field.name);
    let keep = field.trust_incoming
        && incoming.next().is_some_and(|value| !value.is_empty() && acceptable(value))
        && incoming.next().is_none();
    drop(incoming);
    if !keep {
        // The name was checked with the configuration and the digits are digits: it cannot fail.
        let _ = request.fields.insert(&field.name, own.as_bytes());
    }
}

/// The identifier by which a caller's report is found in the log.
pub(super) fn identifier<'a>(pipeline: &Pipeline, request: &'a RequestHead, own: &'a RequestId) -> &'a str {
    let field = pipeline.request_id.as_ref();
    field.and_then(|field| request.fields.get_str(&field.name)).unwrap_or_else(|| own.as_str())
}

/// Brings the path into the one form that is matched, authorised and forwarded.
///
/// # Errors
/// The path has no single meaning.
pub(crate) fn set_path(pipeline: &Pipeline, request: &mut RequestHead) -> Result<(), Fault> {
    let mut scratch = Vec::new();
    let invalid = || Fault::new(Reason::InvalidPath);
    let path = normalize(request.path(), &pipeline.paths, &mut scratch)
        .map_err(|error| invalid().because(error.to_string()))?;
    if path == request.path() {
        return Ok(());
    }
    let path = path.to_vec();
    if request.set_path(&path) { Ok(()) } else { Err(invalid()) }
}

/// Removes what describes the client's connection or claims an identity, and says who calls and how.
///
/// # Errors
/// The request runs in a loop.
pub(crate) fn introduce(
    pipeline: &Pipeline,
    connection: &ConnectionInfo,
    told: &Told,
    exchange: &mut Exchange,
) -> Result<(), Fault> {
    let peer = connection.peer;
    let trusted = pipeline.trusted_proxies.iter().any(|network| network.contains(peer.ip()));
    exchange.ends = Ends { local: connection.local, peer };
    exchange.client_address = client_address(peer, &exchange.request.fields, &pipeline.trusted_proxies);
    if exchange.request.connection.names_fields {
        remove_named(&mut exchange.request.fields);
    }
    let (reserved, goes) = match trusted {
        true => (&pipeline.reserved_for_trusted, HOP_BY_HOP),
        false => (&pipeline.reserved_fields, HOP_BY_HOP.and(CLAIMS)),
    };
    reserved.strip_with(&mut exchange.request.fields, goes);
    exchange.client_certificate =
        connection.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref()).map(Arc::clone);
    if let Some(listener) = pipeline.listeners.get(connection.listener) {
        listener.introduce(exchange.client_certificate.as_ref(), &mut exchange.request.fields)?;
    }
    let told_secure = || {
        let proto = exchange.request.fields.get(Known::XForwardedProto);
        trusted && proto.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"))
    };
    exchange.secure = connection.secure || told_secure();
    pipeline.forwarded.apply(&mut exchange.request, connection, told)
}

/// Finds the route. A browser's preflight goes where the request will go that it asks about, if preflights
/// are answered there: a route that names its methods need not name OPTIONS.
///
/// # Errors
/// The path leads to another route for a service that ignores parameters of segments (`/admin;v=1/users`,
/// RFC 3986 section 3.3) or decodes what may stand as it is (`/items%3Adelete`), one that takes another method because a
/// field says so, or one that takes one of several values: it would be judged as one thing and served as another.
pub(crate) fn find(pipeline: &Pipeline, request: &RequestHead) -> Result<Outcome, Fault> {
    let view = View::new(request);
    let found = find_view(pipeline, request, &view);
    check_overrides(pipeline, request, &view, &found)?;
    // What is written for the path with its escapes is meant for it.
    let takes = |path: &[u8]| {
        let Outcome::Matched { route } = found else { return false };
        pipeline.router.spec(route).is_some_and(|spec| !spec.path.is_for_escapes(path))
    };
    let decoded = decoded(request.path()).filter(|decoded| takes(decoded));
    if let Some(decoded) = &decoded {
        check_spelling(pipeline, request, &view.with_path(decoded), &found)?;
    }
    for path in std::iter::once(request.path()).chain(decoded.as_deref()) {
        if let Some(plain) = without_parameters(path) {
            check_spelling(pipeline, request, &view.with_path(&plain), &found)?;
        }
    }
    check_other_readings(pipeline, request, &view, &found)?;
    check_other_values(pipeline, request, &view, &found)?;
    Ok(found)
}

/// Another spelling of the path must be for the same route, by each method that a field asks for and whichever of several
/// values a service takes.
fn check_spelling(
    pipeline: &Pipeline,
    request: &RequestHead,
    view: &View<'_>,
    found: &Outcome,
) -> Result<(), Fault> {
    let other = find_view(pipeline, request, view);
    if matches!(other, Outcome::Matched { .. }) && other != *found {
        let detail = "decoded, or without the parameters of its segments, it is the path of another route";
        return Err(Fault::new(Reason::InvalidPath).because(detail));
    }
    check_overrides(pipeline, request, view, found)?;
    check_other_values(pipeline, request, view, found)
}

/// The methods that fields ask for in place of the request's, where these fields arrive.
fn overriding(pipeline: &Pipeline, request: &RequestHead) -> Vec<Vec<u8>> {
    if !pipeline.forwards_overrides {
        return Vec::new();
    }
    overriding_methods(&request.fields).filter(|method| !method.is_empty()).collect()
}

/// A request must be for the same route by each method that a field asks for instead, or the rules of that one would
/// be passed by.
fn check_overrides(
    pipeline: &Pipeline,
    request: &RequestHead,
    view: &View<'_>,
    found: &Outcome,
) -> Result<(), Fault> {
    let route = |outcome: &Outcome| match outcome {
        Outcome::Matched { route } => pipeline.routes.get(*route),
        _ => None,
    };
    let Some(own) = route(found) else { return Ok(()) };
    let mut leads_elsewhere = false;
    for method in overriding(pipeline, request) {
        let other = find_view(pipeline, request, &view.with_method(&method));
        if other == *found {
            continue;
        }
        if own.admits_anybody && route(&other).is_some_and(|other| asks_otherwise(other, own)) {
            let detail = "by the method that a field asks for instead it is for a route that asks who calls";
            let fault = Fault::new(Reason::CredentialsMissing).because(detail);
            return Err(fault.with_field("WWW-Authenticate", "Bearer".into()));
        }
        leads_elsewhere = true;
    }
    if leads_elsewhere {
        let detail = "by the method that a field asks for instead it is for another route, or for none";
        return Err(Fault::new(Reason::Forbidden).because(detail));
    }
    Ok(())
}

/// A request that misses the condition of a more specific route only because a value is there more than once is, for a
/// service that takes one of them, what that route takes: it must not ask anything else of who calls. Where no such
/// route has such a condition nothing is looked at.
fn check_other_values(
    pipeline: &Pipeline,
    request: &RequestHead,
    view: &View<'_>,
    found: &Outcome,
) -> Result<(), Fault> {
    let Outcome::Matched { route } = found else { return Ok(()) };
    let asks_less = |own: &&Route| (pipeline.guarded && own.admits_anybody) || own.asks_less;
    let own = pipeline.routes.get(*route).filter(|_| pipeline.guards_values).filter(asks_less);
    // A preflight is answered here; no service reads it.
    let Some(own) = own.filter(|own| !(answers_preflights(own) && preflight_method(request).is_some()))
    else {
        return Ok(());
    };
    let asks_more = |other: &Route| {
        let more = || other.guarded && other.asks.iter().any(|number| !own.asks.contains(number));
        if own.admits_anybody { asks_otherwise(other, own) } else { more() }
    };
    let leads_elsewhere = |view: &View<'_>| {
        let mut leads = false;
        pipeline.router.each(&view.loosely(), &mut |other| {
            leads = other != *route && pipeline.routes.get(other).is_some_and(asks_more);
            // What comes behind it is passed over by every service.
            if leads || other == *route { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        leads
    };
    let methods = overriding(pipeline, request);
    if leads_elsewhere(view) || methods.iter().any(|method| leads_elsewhere(&view.with_method(method))) {
        let detail = "a service that takes one of several values reads what a route takes that asks something else \
            of who calls";
        return Err(Fault::new(Reason::AmbiguousRequest).because(detail));
    }
    Ok(())
}

/// Whether a route asks who calls, and something else than this one that refuses nobody for want of credentials.
fn asks_otherwise(route: &Route, open: &Route) -> bool {
    route.guarded && (route.open_door.is_none() || route.open_door != open.open_door)
}

/// Whether a route asks something of who calls that this one does not, and is the more specific one: what is written for
/// `/Reports/*` is meant for it, although `/*` asks something else.
fn asks_more(pipeline: &Pipeline, other: usize, own: usize) -> bool {
    let route = |number: usize| Some((pipeline.routes.get(number)?, pipeline.router.spec(number)?));
    let (Some((other, other_spec)), Some((own, own_spec))) = (route(other), route(own)) else { return false };
    other.guarded
        && other.asks.iter().any(|number| !own.asks.contains(number))
        && other_spec.path.kinds().lt(own_spec.path.kinds())
}

/// What a route takes must not be, for a service that is less strict, what another route takes that asks something else
/// of who calls: `/admin/`, `/ADMIN`, `/admin.`, `/x%2Fadmin` beside `/admin`. That is so for one that refuses nobody
/// for want of credentials, and for one that asks less than a more specific one. A route that is written for just this
/// path is meant for it.
fn check_other_readings(
    pipeline: &Pipeline,
    request: &RequestHead,
    view: &View<'_>,
    found: &Outcome,
) -> Result<(), Fault> {
    let Outcome::Matched { route } = found else { return Ok(()) };
    let asks_less =
        |route: &&Route| !route.exact && ((pipeline.guarded && route.admits_anybody) || route.asks_less);
    let Some(own) = pipeline.routes.get(*route).filter(asks_less) else { return Ok(()) };
    let leads = |other: usize| {
        if own.admits_anybody {
            pipeline.routes.get(other).is_some_and(|other| asks_otherwise(other, own))
        } else {
            other != *route && asks_more(pipeline, other, *route)
        }
    };
    let is_guarded = |view: &View<'_>| {
        let taken = match find_view(pipeline, request, view) {
            Outcome::Matched { route } => Some(route),
            _ => None,
        };
        let mut guarded = taken.is_some_and(leads);
        if !guarded && pipeline.guards_values {
            // What takes one of several values may take any of these, but nothing behind the one that every service takes.
            pipeline.router.each(&view.loosely(), &mut |other| {
                guarded = leads(other);
                if guarded || taken == Some(other) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        }
        guarded
    };
    let methods = overriding(pipeline, request);
    let is_guarded = |path: &[u8]| {
        let view = view.with_path(path);
        is_guarded(&view) || methods.iter().any(|method| is_guarded(&view.with_method(method)))
    };
    if any_looser(view.path(), pipeline.guards_slashes, is_guarded) {
        let detail = "a service that decodes escapes, or ignores case, a last slash or dots at the end of segments, reads \
            the path of a route that asks something else of who calls";
        return Err(Fault::new(Reason::InvalidPath).because(detail));
    }
    Ok(())
}

fn find_view(pipeline: &Pipeline, request: &RequestHead, view: &View<'_>) -> Outcome {
    if let Some(method) = preflight_method(request)
        && let Outcome::Matched { route } = pipeline.router.find(&view.with_method(method))
        && pipeline.routes.get(route).is_some_and(answers_preflights)
    {
        return Outcome::Matched { route };
    }
    pipeline.router.find(view)
}

fn answers_preflights(route: &Route) -> bool {
    let answers = |filter: &Filter| matches!(filter, Filter::Cors(cors) if cors.answers_preflights());
    route.filters.iter().any(answers)
}

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

/// Takes a prefix off the path; whole segments only, and never the leading slash.
///
/// # Errors
/// None that a normalised path can cause.
pub(crate) fn strip(request: &mut RequestHead, prefix: &str) -> Result<(), Fault> {
    let Some(rest) = request.path().strip_prefix(prefix.trim_end_matches('/').as_bytes()) else {
        return Ok(());
    };
    let path = match rest.first() {
        Some(b'/') => rest.to_vec(),
        None => b"/".to_vec(),
        // The prefix ends within a segment: it is not a prefix of this path.
        Some(_) => return Ok(()),
    };
    if request.set_path(&path) { Ok(()) } else { Err(Fault::new(Reason::InvalidPath)) }
}
