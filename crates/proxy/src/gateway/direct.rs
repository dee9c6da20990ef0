//! Where a request goes: its route's service or another one, and what the balancer shall go by.

use super::responder::RouteResponder;
use super::{Gateway, Passage};
use crate::affinity;
use crate::body::Replay;
use crate::pipeline::Route;
use crate::traffic::copy;
use crate::upstream::{Upstream, UpstreamTimeouts};
use std::sync::Arc;
use torana_fault::{Fault, Reason};
use torana_filter::Exchange;
use torana_transport::RequestBody;

/// Where a request goes.
pub(super) struct Direction<'p> {
    pub(super) upstream: &'p Arc<Upstream>,
    pub(super) timeouts: &'p UpstreamTimeouts,
    pub(super) key: Option<u64>,
    pub(super) preferred: Option<usize>,
}

impl Gateway {
    /// Chooses by the route's split and by what the service goes by. What has to be told to the client for
    /// that is left with the responder.
    ///
    /// # Errors
    /// The service is not in the pipeline, which the plan excludes.
    pub(super) fn direct<'r, 'p>(
        &self,
        passage: &'r Passage<'p>,
        route: &'p Route,
        (upstream, timeouts): (usize, &'p UpstreamTimeouts),
        exchange: &Exchange,
        responder: &mut RouteResponder<'r, 'p>,
    ) -> Result<Direction<'p>, Fault> {
        let (mut upstream, mut timeouts) = (upstream, timeouts);
        if let Some(split) = &route.traffic.split {
            let (arm, set_cookie) = split.choose(exchange, &self.ids);
            responder.cookies.extend(set_cookie);
            if let Some(arm) = arm {
                passage.record.arm.set(Some(arm));
                (upstream, timeouts) = (arm.upstream, &arm.timeouts);
            }
        }
        let gone = || Fault::new(Reason::Internal).because("the route's service is not in the pipeline");
        let upstream = passage.pipeline.upstreams.get(upstream).ok_or_else(gone)?;
        responder.host = Some(&upstream.host);
        let mut direction = Direction { upstream, timeouts, key: None, preferred: None };
        if !upstream.keys.is_empty() {
            let key = affinity::key(&upstream.keys, exchange, || self.ids.next());
            direction.key = key.hash;
            responder.cookies.extend(key.set_cookie);
        }
        if let Some(sticky) = &upstream.sticky {
            let endpoints = upstream.balancer.endpoints();
            let known = sticky.read(&exchange.request.fields);
            direction.preferred =
                known.and_then(|known| endpoints.iter().position(|endpoint| endpoint.identity == known));
            responder.sticky = Some((upstream, direction.preferred));
        }
        Ok(direction)
    }

    /// Waits or gives a status by the route's faults, and copies the request by its mirror.
    ///
    /// # Errors
    /// A fault was made on purpose, or the client is gone.
    pub(super) async fn disturb(
        &self,
        passage: &Passage<'_>,
        route: &Route,
        exchange: &Exchange,
        body: &mut Replay<'_, impl RequestBody>,
    ) -> Result<(), Fault> {
        if let Some(faults) = &route.traffic.faults
            && let Some(status) = faults.meet(exchange, body, passage.timer, &self.ids).await?
        {
            return Err(Fault::new(Reason::InjectedFault).with_status(status));
        }
        if let Some(mirror) = &route.traffic.mirror
            && let Some(upstream) = passage.pipeline.upstreams.get(mirror.upstream)
        {
            copy(mirror, upstream, exchange, body, &self.pools, &self.copies, self.ids.word()).await?;
        }
        Ok(())
    }
}
