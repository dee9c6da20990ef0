//! What would become of a request, and why: the way of [`Gateway`](crate::Gateway), step by step, without a
//! service being asked.
//!
//! Reading, normalising, routing and every filter are the code that serves. Only what comes after the last
//! filter is described instead of done.

mod traffic;

use crate::body::{NoBody, Replay};
use crate::forwarded::Told;
use crate::gateway::admit::strip;
use crate::gateway::ask::ask;
use crate::gateway::view::View;
use crate::gateway::way::{self, Way};
use crate::pipeline::{Action, Pipeline, Route};
use bytes::Bytes;
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::{Attempt, Exchange, Identity, Moment, Offline, OnAttempt, Response, Verdict};
use torana_filters::{Filter, LetPass};
use torana_http::h1::{HeadLimits, parse_request};
use torana_http::{Fields, RequestHead};
use torana_route::Candidate;
use torana_transport::ConnectionInfo;

/// What would become of a request.
#[derive(Debug)]
pub struct Explanation {
    /// The path as it is matched, authorised and forwarded; empty when it was decided before.
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
    pipeline.server.check(&exchange.request)?;
    let way = way::take(pipeline, connection, &Told::default(), exchange, |request| {
        told.path = String::from_utf8_lossy(request.path()).into_owned();
        told.candidates = pipeline.router.explain(&View::new(request));
    });
    let route = match way? {
        Way::Route(number, route) => {
            told.route = Some(number);
            route
        }
        Way::Answer(made) => return Ok(answered(&made)),
    };
    if let Some(made) = asked(route, exchange, content, &mut told.steps).await? {
        return Ok(answered(&made));
    }
    match &route.action {
        Action::Respond(fixed) => Ok(End::Answer { status: fixed.status(), fields: fixed.fields().to_vec() }),
        Action::Echo(echo) => Ok(End::Answer { status: echo.status(), fields: echo.fields().to_vec() }),
        Action::Forward { upstream, strip_prefix, .. } => {
            // Before the prefix goes: that is where the serving code decides too.
            let (upstream, lines) = traffic::describe(pipeline, route, *upstream, exchange);
            told.traffic = lines;
            forwarded(pipeline, upstream, strip_prefix.as_deref(), exchange)
        }
    }
}

/// Asks the filters, and notes what each says. Those that need the body see what was given as such.
async fn asked(
    route: &Route,
    exchange: &mut Exchange,
    content: &[u8],
    steps: &mut Vec<Step>,
) -> Result<Option<Box<Response>>, Fault> {
    let (mut nothing, outside, mut reached) = (NoBody, Offline, 0);
    let mut body = Replay::new(&mut nothing);
    body.replace(Bytes::copy_from_slice(content));
    let mut known = false;
    let witness = |filter: &Filter, verdict: &Verdict, exchange: &Exchange| {
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
    };
    ask(route, exchange, &mut body, &outside, &mut reached, witness).await
}

/// The request as the service sees it.
fn forwarded(
    pipeline: &Pipeline,
    upstream: usize,
    strip_prefix: Option<&str>,
    exchange: &mut Exchange,
) -> Result<End, Fault> {
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

fn answered(made: &Response) -> End {
    End::Answer { status: made.head.status, fields: fields(&made.head.fields) }
}

fn fields(fields: &Fields) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}
