//! What happens around an attempt, and to every response, on one route.

use super::Passage;
use crate::forward::Responder;
use crate::pipeline::Route;
use crate::upstream::{Upstream, UpstreamHost};
use std::time::Duration;
use torana_fault::Fault;
use torana_filter::{Attempt, Exchange, OnAttempt, OnResponse, Verdict};
use torana_http::h2::is_grpc;
use torana_http::{Known, ResponseHead, Version};
use torana_observe::OpenTunnel;
use torana_transport::now;

/// A route on which a request is, and how far its filters got.
pub(super) struct RouteResponder<'r, 'p> {
    passage: &'r Passage<'p>,
    route: &'p Route,
    /// How many filters have seen the request; only they see the response.
    pub(super) reached: usize,
    /// Which `Host` the service sees, once it is known.
    pub(super) host: Option<&'p UpstreamHost>,
    /// The connection, once it has left HTTP.
    tunnel: Option<OpenTunnel<'r>>,
    /// Cookies that the client is given with an answer of the service.
    pub(super) cookies: Vec<String>,
    /// The service whose clients stay with their endpoints, and which one this client has had.
    pub(super) sticky: Option<(&'p Upstream, Option<usize>)>,
    /// The endpoint that was asked last, once it has answered.
    endpoint: usize,
    answered: bool,
}

impl<'r, 'p> RouteResponder<'r, 'p> {
    pub(super) const fn new(passage: &'r Passage<'p>, route: &'p Route) -> Self {
        Self {
            passage,
            route,
            reached: 0,
            host: None,
            tunnel: None,
            cookies: Vec::new(),
            sticky: None,
            endpoint: 0,
            answered: false,
        }
    }
}

impl RouteResponder<'_, '_> {
    /// What has to come back with the client's next request.
    fn set_cookies(&mut self, head: &mut ResponseHead) -> Result<(), Fault> {
        // Kept: another answer may take the place of this one.
        for cookie in &self.cookies {
            head.fields.append(Known::SetCookie, cookie.as_bytes())?;
        }
        let Some((upstream, _)) = self.sticky.filter(|(_, had)| *had != Some(self.endpoint)) else {
            return Ok(());
        };
        if let (Some(sticky), Some(endpoint)) =
            (&upstream.sticky, upstream.balancer.endpoints().get(self.endpoint))
        {
            head.fields.append(Known::SetCookie, sticky.write(endpoint.identity).as_bytes())?;
        }
        Ok(())
    }
}

impl Responder for RouteResponder<'_, '_> {
    fn on_attempt(&mut self, exchange: &mut Exchange, attempt: &Attempt<'_>) -> Result<(), Fault> {
        self.passage.record.attempt(attempt);
        (self.endpoint, self.answered) = (attempt.endpoint, false);
        let Some(host) = self.host else { return Ok(()) };
        match host.on_attempt(exchange, attempt) {
            Verdict::Fail(fault) => Err(fault),
            Verdict::Continue | Verdict::Respond(_) => Ok(()),
        }
    }

    fn on_taken(&mut self, endpoint: usize) {
        self.passage.record.taken(endpoint);
        self.endpoint = endpoint;
    }

    fn on_first_byte(&mut self, latency: Duration) {
        self.passage.record.upstream.set(Some(latency));
        self.answered = true;
    }

    fn on_taken_back(&mut self) {
        self.answered = false;
        self.passage.record.status.set(0);
        self.passage.record.call.set(false);
    }

    fn on_switch(&mut self) {
        self.tunnel = Some(self.passage.metrics.connections().tunnel());
        self.passage.record.switched.set(Some(now().duration_since(self.passage.started)));
    }

    async fn on_response(&mut self, exchange: &mut Exchange, head: &mut ResponseHead) -> Result<(), Fault> {
        let pipeline = self.passage.pipeline;
        if let Some(via) = pipeline.forwarded.via() {
            head.fields.extend(via.line(head.version));
        }
        if let Some(field) = &pipeline.request_id {
            let id = exchange.request.fields.get(&field.name).unwrap_or_default();
            head.fields.insert(&field.name, id)?;
        }
        if self.answered {
            self.set_cookies(head)?;
        }
        for filter in self.route.filters.iter().take(self.reached).rev() {
            if let Verdict::Fail(fault) = filter.on_response(exchange, head).await {
                return Err(fault);
            }
        }
        self.passage.record.status.set(head.status);
        // Over HTTP/1 nobody reads its end.
        let call = exchange.request.version == Version::Http2 && head.status == 200 && is_grpc(&head.fields);
        self.passage.record.call.set(call);
        Ok(())
    }
}
