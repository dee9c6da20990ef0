//! What would become of a request, and why: the way of [`Gateway`](crate::Gateway), step by step, without a
//! service being asked.
//!
//! Reading, normalising, routing and every filter are the code that serves. Only what comes after the last
//! filter is described instead of done.

mod traffic;

use crate::forwarded::Told;
use crate::gateway::admit::{introduce, set_path, strip};
use crate::gateway::ask::ask;
use crate::gateway::find::find;
use crate::gateway::view::View;
use crate::pipeline::{Action, Pipeline};
use crate::replay::{NoBody, Replay};
use bytes::Bytes;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Attempt, Exchange, Identity, Moment, Offline, OnAttempt, Verdict};
use torana_filters::{Filter, LetPass};
use torana_http::h1::{BodyFraming, HeadLimits, parse_request};
use torana_http::{Method, RequestHead, TargetForm};
use torana_route::{Candidate, Outcome};
use torana_transport::ConnectionInfo;

/// What would become of a request.
#[derive(Debug)]
pub struct Explanation {
    /// The path as it is matched, authorised and forwarded; empty when the request was refused before.
    pub path: String,
    /// Every route, and why it won, lost or did not match; empty when it was refused before.
    pub candidates: Vec<Candidate>,
    /// The place of the route in [`Pipeline::routes`], if one takes the request.
    pub route: Option<usize>,
    /// The filters that were asked, in order.
    pub steps: Vec<Step>,
    /// Who calls, once a filter knew it.
    pub identity: Option<Arc<Identity>>,
    /// What splits, mirrors and faults may do to it, a line each.
    pub traffic: Vec<String>,
    /// How it ends.
    pub end: End,
}

/// A filter that was asked.
#[derive(Debug)]
pub struct Step {
    /// The filter's name.
    pub name: String,
    /// What it asks for, in words.
    pub asks: String,
    /// What it decided.
    pub decision: Decision,
}

/// What a filter decided.
#[derive(Debug)]
pub enum Decision {
    /// Go on.
    Continue,
    /// Go on: this way to say who calls let it pass, in its manner.
    LetPass(LetPass),
    /// Answer with this status.
    Answer(u16),
    /// Refuse.
    Refuse(Fault),
}

/// How a request ends, as far as the gateway decides it.
#[derive(Debug)]
pub enum End {
    /// The gateway refuses.
    Refuse(Fault),
    /// The gateway answers by itself.
    Answer {
        /// The status.
        status: u16,
        /// The fields that matter, such as `Allow`.
        fields: Vec<(String, String)>,
    },
    /// A service is asked.
    Forward {
        /// The place of the service in [`Pipeline::upstreams`]; where a split draws by chance, the route's own.
        upstream: usize,
        /// The request's path and query as the service sees them.
        target: String,
        /// The fields as the service sees them, in order.
        fields: Vec<(String, String)>,
    },
}

impl End {
    /// The status, where the gateway decides it.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refuse(fault) => Some(fault.status()),
            Self::Answer { status, .. } => Some(*status),
            Self::Forward { .. } => None,
        }
    }
}

/// Reads a whole request head, as a client would send it.
///
/// # Errors
/// The gateway would refuse to read it.
pub fn read_head(text: &[u8], limits: &HeadLimits) -> Result<RequestHead, Fault> {
    let mut head = RequestHead::default();
    match parse_request(text, 0, limits, &mut head) {
        Ok(Some(_)) if matches!(head.method(), Method::Connect | Method::Trace) => {
            Err(Fault::new(Reason::UnsupportedMethod))
        }
        Ok(Some(_)) => Ok(head),
        Ok(None) => Err(Fault::new(Reason::MalformedRequest).because("the head does not end")),
        Err(error) => Err(Fault::new(error.request_reason()).because(error.detail)),
    }
}

/// Explains what the pipeline would do with a request that came by `connection` at `moment`, with `body`.
pub async fn explain(
    pipeline: &Pipeline,
    request: RequestHead,
    connection: &ConnectionInfo,
    moment: Moment,
    body: &[u8],
) -> Explanation {
    let mut exchange = Exchange { request, moment, ..Exchange::default() };
    let mut told = Explanation {
        path: String::new(),
        candidates: Vec::new(),
        route: None,
        steps: Vec::new(),
        identity: None,
        traffic: Vec::new(),
        end: End::Answer { status: 204, fields: Vec::new() },
    };
    if exchange.request.target_form() == TargetForm::Asterisk {
        return told;
    }
    told.end = walk(pipeline, &mut exchange, connection, body, &mut told).await.unwrap_or_else(End::Refuse);
    told.identity = exchange.identity;
    told
}

async fn walk(
    pipeline: &Pipeline,
    exchange: &mut Exchange,
    connection: &ConnectionInfo,
    content: &[u8],
    told: &mut Explanation,
) -> Result<End, Fault> {
    if let BodyFraming::Length(length) = exchange.request.framing
        && length > pipeline.server.body_bytes
    {
        return Err(Fault::new(Reason::BodyTooLarge));
    }
    if let Some(listener) = pipeline.listeners.get(connection.listener)
        && let Some(made) = listener.receive(connection, &exchange.request)?
    {
        return Ok(End::Answer { status: made.head.status, fields: fields(&made.head.fields) });
    }
    set_path(pipeline, &mut exchange.request)?;
    told.path = String::from_utf8_lossy(exchange.request.path()).into_owned();
    introduce(pipeline, connection, &Told::default(), exchange)?;
    let view = View::new(&exchange.request);
    told.candidates = pipeline.router.explain(&view);
    let number = match find(pipeline, &exchange.request)? {
        Outcome::Matched { route, .. } => route,
        Outcome::NotFound => return Err(Fault::new(Reason::NoRoute)),
        Outcome::MethodNotAllowed { allow } => {
            let allow = allow.to_string();
            if exchange.request.method() == Method::Options {
                return Ok(End::Answer { status: 204, fields: vec![("Allow".into(), allow)] });
            }
            return Err(Fault::new(Reason::MethodNotAllowed).with_field("Allow", allow));
        }
    };
    told.route = Some(number);
    let route = pipeline.routes.get(number).ok_or(Fault::new(Reason::NoRoute))?;
    let steps = &mut told.steps;
    let mut reached = 0;
    let (mut nothing, outside) = (NoBody, Offline);
    let mut body = Replay::new(&mut nothing);
    // Filters that need the body see what was given as such.
    body.replace(Bytes::copy_from_slice(content));
    let mut known = false;
    let made = ask(route, exchange, &mut body, &outside, &mut reached, |filter, verdict, exchange| {
        let decision = match (verdict, filter) {
            (Verdict::Continue, Filter::Authentication(way)) => {
                Decision::LetPass(way.passed(exchange, known))
            }
            (Verdict::Continue, _) => Decision::Continue,
            (Verdict::Respond(response), _) => Decision::Answer(response.head.status),
            (Verdict::Fail(fault), _) => Decision::Refuse(fault.clone()),
        };
        known = exchange.identity.is_some();
        steps.push(Step { name: filter.name().to_owned(), asks: filter.describe(), decision });
    });
    if let Some(made) = made.await? {
        return Ok(End::Answer { status: made.head.status, fields: fields(&made.head.fields) });
    }
    match &route.action {
        Action::Respond(fixed) => Ok(End::Answer { status: fixed.status(), fields: fixed.fields().to_vec() }),
        Action::Echo(echo) => Ok(End::Answer { status: echo.status(), fields: echo.fields().to_vec() }),
        Action::Forward { upstream, strip_prefix, .. } => {
            // Before the prefix goes: that is where the serving code decides too.
            let (upstream, lines) = traffic::describe(pipeline, route, *upstream, exchange);
            told.traffic = lines;
            if let Some(prefix) = strip_prefix {
                strip(&mut exchange.request, prefix)?;
            }
            if let Some(service) = pipeline.upstreams.get(upstream)
                && let Some(endpoint) = service.endpoints.first()
            {
                // Which endpoint it will be is not known; with `host: rewrite` this shows the first one's name.
                let attempt = Attempt { number: 1, endpoint: 0, authority: &endpoint.authority };
                let _ = service.host.on_attempt(exchange, &attempt);
            }
            let request = &exchange.request;
            let mut target = String::from_utf8_lossy(request.path()).into_owned();
            if let Some(query) = request.query() {
                target.push('?');
                target.push_str(&String::from_utf8_lossy(query));
            }
            Ok(End::Forward { upstream, target, fields: fields(&request.fields) })
        }
    }
}

fn fields(fields: &torana_http::Fields) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}
