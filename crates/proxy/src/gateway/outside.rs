//! What filters may ask of services: the worker's pools, the services' own balancers.

use super::Gateway;
use crate::forward::{By, Judge, Patience, nobody, pick};
use crate::pipeline::Pipeline;
use std::time::Duration;
use torana_balance::{Retrying, Tried};
use torana_fault::{Fault, Reason, Retry};
use torana_filter::{BoxFuture, FetchBounds, Moment, Outside, Response};
use torana_filters::strip_login_cookies;
use torana_http::{Known, RequestHead};
use torana_transport::{Fetch, FetchLimits, Timer, now};

/// A worker's means, lent to the filters of one request.
pub(super) struct Lent<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) pipeline: &'a Pipeline,
    pub(super) timer: &'a Timer,
}

impl Outside for Lent<'_> {
    fn moment(&self) -> Option<Moment> {
        Some(self.gateway.shared.moment(now()))
    }

    fn fetch<'a>(
        &'a self,
        service: usize,
        request: &'a mut RequestHead,
        body: &'a [u8],
        bounds: FetchBounds,
    ) -> BoxFuture<'a, Result<Response, Fault>> {
        Box::pin(self.ask(service, request, body, bounds))
    }
}

impl Lent<'_> {
    /// Tries endpoints until one can be connected to, all within one deadline.
    async fn ask(
        &self,
        service: usize,
        request: &mut RequestHead,
        body: &[u8],
        bounds: FetchBounds,
    ) -> Result<Response, Fault> {
        let gone = || Fault::new(Reason::Internal).because("the service is not in the pipeline");
        let upstream = self.pipeline.upstreams.get(service).ok_or_else(gone)?;
        // Whoever is asked could be whom a session says, as could a service.
        for name in &self.pipeline.login_cookies {
            strip_login_cookies(&mut request.fields, name);
        }
        let start = now();
        let mut tried = Tried::default();
        let mut random = self.gateway.ids.word();
        let (mut last, mut place) = (None, None::<Retrying>);
        for _ in 0..upstream.retries.attempts {
            let left = bounds.timeout.saturating_sub(now().duration_since(start));
            if left == Duration::ZERO {
                return Err(Fault::new(Reason::TotalTimeout));
            }
            random = random.rotate_left(17);
            let judge = Judge::admit(upstream, Patience::whole(bounds.timeout), true);
            let mut judge = match (judge, last.take()) {
                (Ok(mut judge), earlier) => {
                    if earlier.is_some() {
                        judge.begins_late();
                    }
                    last = earlier;
                    judge
                }
                (Err(refused), earlier) => return Err(earlier.unwrap_or(refused)),
            };
            let Some((index, endpoint)) = pick(upstream, By::chance(random), &tried) else { break };
            judge.at(upstream, index);
            request.fields.insert(Known::Host, endpoint.authority.as_bytes())?;
            let pool = self.gateway.pools.of(endpoint);
            let limits =
                FetchLimits { timeout: left, body_bytes: bounds.body_bytes, head: upstream.head_limits };
            let fetch = Fetch { pool: &pool, timer: self.timer, request: &*request, body, limits };
            match fetch.whole(&mut judge).await {
                Ok(fetched) => {
                    judge.delivered();
                    return Ok(Response { head: fetched.head, body: fetched.body.into() });
                }
                Err(fault) => {
                    judge.fault(&fault, true);
                    if fault.retry != Retry::Yes {
                        return Err(fault);
                    }
                    // Who refuses a stream sheds load: then there must be room for another one.
                    drop(place.take());
                    if fault.reason == Reason::UpstreamReset {
                        let Some(room) = upstream.room_to_repeat() else { return Err(fault) };
                        place = room;
                    }
                    tried.insert(index);
                    last = Some(fault);
                }
            }
        }
        Err(last.unwrap_or_else(|| nobody(upstream)))
    }
}
