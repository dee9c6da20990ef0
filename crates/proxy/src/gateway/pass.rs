//! A request's way through the pipeline, in the order in which it happens.

use super::answer::answer;
use super::outside::Lent;
use super::responder::RouteResponder;
use super::way::{self, Way};
use super::{Gateway, Passage, admit, ask};
use crate::body::Replay;
use crate::forward::{Call, Parties, Responder, forward};
use crate::pipeline::{Action, Route};
use crate::render::suit;
use crate::stale::Question;
use crate::upstream::Upstream;
use std::net::SocketAddr;
use torana_fault::{Fault, Reason};
use torana_filter::{Exchange, OnResponse, Response, Verdict};
use torana_filters::{Echo, Filter, strip_login_cookies};
use torana_http::proxy_protocol::Introduction;
use torana_transport::{ConnectionInfo, RequestBody, ResponseSink};

impl Gateway {
    /// Normalises, routes, filters and acts. Whatever was answered is in `response`.
    ///
    /// # Errors
    /// A fault that was not answered here.
    pub(super) async fn pass(
        &self,
        passage: &Passage<'_>,
        exchange: &mut Exchange,
        body: &mut Replay<'_, impl RequestBody>,
        response: &mut impl ResponseSink,
    ) -> Result<(), Fault> {
        let pipeline = passage.pipeline;
        if let Some(listener) = pipeline.listeners.get(passage.connection.listener)
            && let Err(fault) = listener.still_trusts(passage.connection, &self.compared)
        {
            response.part();
            return Err(fault);
        }
        let route = match way::take(pipeline, passage.connection, passage.told, exchange, |_| {}) {
            Ok(Way::Route(_, route)) => route,
            // Boxed, so that who has a route holds no room for it.
            Ok(Way::Answer(made)) => {
                return Box::pin(turn_back(*made, passage, exchange, body, response)).await;
            }
            Err(fault) => {
                let made = passage.refusal(fault, &exchange.request);
                return Box::pin(turn_back(made, passage, exchange, body, response)).await;
            }
        };
        passage.record.route.set(Some(route));
        if let Some(random) = self.queue.sheds(route.importance, || self.ids.word()) {
            return Err(self.shared.overload.shed(route.importance, random));
        }
        let mut responder = RouteResponder::new(passage, route);
        let outside = Lent { gateway: self, pipeline, timer: passage.timer };
        let asked = ask::ask(route, exchange, body, &outside, &mut responder.reached, |_, _, _| {}).await;
        let made = match asked {
            Ok(None) => return self.act(passage, route, exchange, body, response, &mut responder).await,
            Ok(Some(made)) => *made,
            Err(fault) => match exchange.answer.take() {
                Some(made) => {
                    passage.record.fault(fault);
                    *made
                }
                None => passage.refusal(fault, &exchange.request),
            },
        };
        give(made, passage, exchange, body, response, &mut responder).await
    }

    /// The route's action, once every filter has agreed.
    async fn act<'r, 'p>(
        &self,
        passage: &'r Passage<'p>,
        route: &'p Route,
        exchange: &mut Exchange,
        body: &mut Replay<'_, impl RequestBody>,
        response: &mut impl ResponseSink,
        responder: &mut RouteResponder<'r, 'p>,
    ) -> Result<(), Fault> {
        let (upstream, strip_prefix, timeouts) = match &route.action {
            Action::Forward { upstream, strip_prefix, timeouts } => (*upstream, strip_prefix, timeouts),
            Action::Respond(fixed) => {
                let made = fixed.response()?;
                return give(made, passage, exchange, body, response, responder).await;
            }
            Action::Echo(echo) => {
                let made = Box::pin(show(echo, passage, exchange, body)).await?;
                return give(made, passage, exchange, body, response, responder).await;
            }
        };
        let direction = self.direct(passage, route, (upstream, timeouts), exchange, responder)?;
        let upstream = direction.upstream;
        for name in &passage.pipeline.login_cookies {
            strip_login_cookies(&mut exchange.request.fields, name);
        }
        if let Some(prefix) = strip_prefix {
            admit::strip(&mut exchange.request, prefix)?;
        }
        let question = Question::of(upstream, exchange);
        let call = Call {
            upstream,
            timeouts: direction.timeouts,
            pools: &self.pools,
            timer: passage.timer,
            begun: passage.started,
            random: self.ids.word(),
            key: direction.key,
            preferred: direction.preferred,
            client: upstream.introduces().then(|| introduction(passage.connection, exchange)),
        };
        let forwarded = async {
            if route.traffic.disturbs() {
                Box::pin(self.disturb(passage, route, exchange, body)).await?;
            }
            let parties = Parties { exchange, body, response, responder };
            match &question {
                None => forward(&call, parties).await,
                // Boxed, so that who keeps no answers holds no room for it.
                Some(question) => Box::pin(question.forward(&call, parties)).await,
            }
        };
        match forwarded.await {
            Err(fault) if !response.is_started() && fault.reason != Reason::ClientClosed => {
                let made = instead(fault, passage, upstream, question.as_deref(), exchange);
                give(made, passage, exchange, body, response, responder).await
            }
            forwarded => forwarded,
        }
    }
}

/// The request itself as the answer. One whose body is refused is answered here too, so that what is in force on the route is
/// in force on that.
///
/// # Errors
/// The client is gone.
async fn show(
    echo: &Echo,
    passage: &Passage<'_>,
    exchange: &Exchange,
    body: &mut Replay<'_, impl RequestBody>,
) -> Result<Response, Fault> {
    let limit = exchange.body_limit.unwrap_or(u64::MAX).min(Echo::LONGEST);
    let made = match body.hold(limit).await {
        Ok(held) => echo.response(exchange, &held).map_err(Fault::from),
        Err(fault) => Err(fault),
    };
    match made {
        Err(fault) if fault.reason != Reason::ClientClosed => Ok(passage.refusal(fault, &exchange.request)),
        made => made,
    }
}

/// What is answered in place of the service's answer. Where a breaker refuses that is what is kept of the service's answers,
/// else what is written for it; else the fault.
fn instead(
    fault: Fault,
    passage: &Passage<'_>,
    upstream: &Upstream,
    question: Option<&Question<'_>>,
    exchange: &Exchange,
) -> Response {
    if fault.reason == Reason::BreakerOpen {
        if let Some((kept, standing)) = question.and_then(|question| question.answer(exchange)) {
            let age = standing.age.as_secs();
            passage.record.fault(fault.because(format!("a kept answer was given, {age} seconds old")));
            return kept;
        }
        let fallback = upstream.breaker.as_ref().and_then(|rules| rules.fallback.as_ref());
        if let Some(made) = fallback.and_then(|fixed| fixed.response().ok()) {
            passage.record.fault(fault);
            return made;
        }
    }
    passage.refusal(fault, &exchange.request)
}

/// Answers with what was made on a route; the response filters that were reached see it too.
async fn give(
    mut made: Response,
    passage: &Passage<'_>,
    exchange: &mut Exchange,
    body: &mut impl RequestBody,
    response: &mut impl ResponseSink,
    responder: &mut RouteResponder<'_, '_>,
) -> Result<(), Fault> {
    suit(&mut made, &exchange.request);
    responder.on_response(exchange, &mut made.head).await?;
    answer(&made, passage, body, response).await
}

/// Answers where no route is concerned; what the file's own scope says of answers holds there too.
async fn turn_back(
    mut made: Response,
    passage: &Passage<'_>,
    exchange: &mut Exchange,
    body: &mut impl RequestBody,
    response: &mut impl ResponseSink,
) -> Result<(), Fault> {
    suit(&mut made, &exchange.request);
    passage.identify(&mut made, &exchange.request);
    let filters = &passage.pipeline.of_answers;
    for filter in filters {
        if let Filter::CorrelationId(filter) = filter {
            filter.correlate(exchange)?;
        }
    }
    for filter in filters.iter().rev() {
        if let Verdict::Fail(fault) = filter.on_response(exchange, &mut made.head).await {
            return Err(fault);
        }
    }
    answer(&made, passage, body, response).await
}

/// Whom a connection to a service is for: the client as the gateway knows it. Its port is known only where no
/// proxy stands between.
fn introduction(connection: &ConnectionInfo, exchange: &Exchange) -> Introduction {
    let (peer, client) = (connection.peer, exchange.client_address);
    let source = if peer.ip().to_canonical() == client { peer } else { SocketAddr::new(client, 0) };
    Introduction::of(source, connection.local)
}
