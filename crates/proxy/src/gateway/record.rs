//! What becomes known of a request while it is served, for metrics and the access log.

use super::Passage;
use crate::pipeline::{Action, Route};
use crate::traffic::Arm;
use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime};
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange};
use torana_filters::Filter;
use torana_http::{Known, Version};
use torana_observe::{AccessRecord, Observation, RouteMetrics};
use torana_transport::now;

/// Filled on the way, read once at the end.
#[derive(Debug, Default)]
pub(super) struct Record<'p> {
    pub(super) route: Cell<Option<&'p Route>>,
    /// Where a split has sent it, if elsewhere.
    pub(super) arm: Cell<Option<&'p Arm>>,
    /// Zero until a response was made.
    pub(super) status: Cell<u16>,
    /// Whether a response of gRPC has begun, whose end can say what went wrong.
    pub(super) call: Cell<bool>,
    /// Whether it was served to its end, good or bad.
    pub(super) ended: Cell<bool>,
    fault: RefCell<Option<Fault>>,
    /// Whether the client got only a part of the answer.
    pub(super) incomplete: Cell<bool>,
    attempts: Cell<u32>,
    endpoint: Cell<usize>,
    pub(super) upstream: Cell<Option<Duration>>,
    /// How long it took until the connection left HTTP: what counts as the duration of such a request, for
    /// how long the tunnel lasts says nothing about how quickly anybody answers.
    pub(super) switched: Cell<Option<Duration>>,
}

impl Record<'_> {
    /// Notes why the request failed; the first reason stays.
    pub(super) fn fault(&self, fault: Fault) {
        self.fault.borrow_mut().get_or_insert(fault);
    }

    /// Notes that nothing more is said to the client. A connection that has left HTTP has had its answer.
    pub(super) fn cut(&self, started: bool) {
        self.incomplete.set(started && self.switched.get().is_none());
    }

    pub(super) fn attempt(&self, attempt: &Attempt<'_>) {
        self.attempts.set(self.attempts.get().max(attempt.number));
        self.endpoint.set(attempt.endpoint);
    }

    /// Of tries made side by side the one at this endpoint has the answer.
    pub(super) fn taken(&self, endpoint: usize) {
        self.endpoint.set(endpoint);
    }
}

/// Bytes that came and went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    /// Of the request's body.
    pub(super) received: u64,
    /// Of the whole response.
    pub(super) sent: u64,
}

/// The identifier that goes with a request through every service, where there is one.
fn correlation_id<'r>(
    passage: &Passage<'_>,
    route: Option<&Route>,
    exchange: &'r Exchange,
) -> Option<&'r [u8]> {
    let filters = route.map_or(&passage.pipeline.of_answers, |route| &route.filters);
    filters.iter().find_map(|filter| match filter {
        Filter::CorrelationId(filter) => filter.of(exchange),
        _ => None,
    })
}

/// Counts the request and writes its line.
pub(super) fn observe(passage: &Passage<'_>, exchange: &Exchange, unrouted: &RouteMetrics, traffic: Traffic) {
    let record = &passage.record;
    let total = now().duration_since(passage.started);
    let fault = record.fault.borrow();
    let reason = fault.as_ref().map(|fault| fault.reason);
    let status = match (record.status.get(), &*fault) {
        // Nothing was answered: what would have been.
        (0, Some(fault)) => fault.status(),
        (status, _) => status,
    };
    let route = record.route.get();
    let upstream = record.upstream.get();
    let Traffic { received, sent } = traffic;
    let arm = record.arm.get();
    let metrics = arm.map_or_else(|| route.map_or(unrouted, |route| &*route.metrics), |arm| &*arm.metrics);
    let answered = record.switched.get().unwrap_or(total);
    metrics.record(&Observation { status, reason, total: answered, upstream, received, sent });
    let Some(log) = &passage.pipeline.access_log else { return };
    let request = &exchange.request;
    let service = route.and_then(|route| match &route.action {
        Action::Forward { upstream, .. } => {
            passage.pipeline.upstreams.get(arm.map_or(*upstream, |arm| arm.upstream))
        }
        Action::Respond(_) | Action::Echo(_) => None,
    });
    let attempts = record.attempts.get();
    let endpoint = service
        .filter(|_| attempts > 0)
        .and_then(|service| service.endpoints.get(record.endpoint.get()))
        .map(|endpoint| endpoint.authority.as_str());
    log.record(&AccessRecord {
        time: SystemTime::now(),
        request_id: super::admit::identifier(passage.pipeline, request, &passage.own_id),
        correlation_id: correlation_id(passage, route, exchange),
        client: match route {
            Some(_) => exchange.client_address,
            None => passage.connection.peer.ip().to_canonical(),
        },
        method: request.received_method(),
        scheme: if passage.connection.secure { "https" } else { "http" },
        host: request.host(),
        path: request.received_path(),
        query: request.query(),
        version: protocol(request.version),
        status,
        reason,
        incomplete: record.incomplete.get(),
        detail: fault.as_ref().and_then(Fault::detail),
        would_refuse: &exchange.would_refuse,
        route: route.map(|route| &*route.name),
        service: service.map(|service| &*service.name),
        endpoint,
        consumer: exchange.identity.as_ref().map(|identity| identity.consumer.as_str()),
        received,
        sent,
        total,
        upstream,
        attempts,
        user_agent: request.fields.get(Known::UserAgent),
        referer: request.fields.get(Known::Referer),
    });
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
        Version::Unsupported => "HTTP/?",
    }
}
