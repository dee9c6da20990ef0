//! A service as the data plane sees it, and a worker's pools of connections.

mod host;

use crate::affinity::{KeySource, Sticky};
use crate::forward::RetryPolicy;
use crate::registry::NumberedEndpoint;
use crate::resilience::{UpstreamBreaker, UpstreamHealth, Zones};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use torana_balance::{AdaptiveLimit, Balancer, Retrying};
use torana_http::RequestHead;
use torana_http::h1::HeadLimits;
use torana_limit::Memory;
use torana_transport::{Endpoint, Pool};

pub use host::UpstreamHost;
pub(crate) use host::names_no_host;

/// One endpoint of a service.
#[derive(Debug)]
pub struct UpstreamEndpoint {
    /// Its number among all endpoints the process has known; finds a worker's pool without a hash.
    pub number: usize,
    /// Its address and what all workers share of it.
    pub endpoint: Arc<Endpoint>,
    /// `host[:port]`, for `Host`.
    pub authority: String,
    /// Keeps the number from being given to another endpoint.
    #[expect(dead_code, reason = "held for its reference count")]
    pub(crate) kept: Option<Arc<NumberedEndpoint>>,
}

impl UpstreamEndpoint {
    /// An endpoint whose number the caller keeps distinct.
    #[must_use]
    pub const fn new(number: usize, endpoint: Arc<Endpoint>, authority: String) -> Self {
        Self { number, endpoint, authority, kept: None }
    }
}

/// A service: endpoints and how one is chosen.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in configuration, metrics and logs.
    pub name: Arc<str>,
    /// Chooses an endpoint; its indices are those of `endpoints`.
    pub balancer: Balancer,
    /// The endpoints, in the order of the configuration.
    pub endpoints: Vec<UpstreamEndpoint>,
    /// Whether connections to an endpoint begin with whom they are for.
    introduces: bool,
    /// Whether an endpoint may speak HTTP/2.
    multiplexes: bool,
    /// Which `Host` it sees.
    pub host: UpstreamHost,
    /// When requests are sent again.
    pub retries: RetryPolicy,
    /// The field that tells the service how many milliseconds it has; the client may ask for less by it.
    pub deadline_field: Option<Arc<str>>,
    /// Bounds the requests that it works on by what it was found to be able to.
    pub adaptive: Option<Arc<AdaptiveLimit>>,
    /// Stops asking a service that fails.
    pub breaker: Option<UpstreamBreaker>,
    /// Which endpoints serve.
    pub health: Option<UpstreamHealth>,
    /// What of a request the balancer goes by.
    pub keys: Vec<KeySource>,
    /// Clients stay with their endpoints.
    pub sticky: Option<Sticky>,
    /// Endpoints of the own zone come first.
    pub zones: Option<Zones>,
    /// Bounds of a response head.
    pub head_limits: HeadLimits,
    /// Protocols that a connection may be switched to, lower case.
    pub upgrades: Vec<Arc<str>>,
}

impl Upstream {
    /// A service with nothing but endpoints: three of them are tried when connecting fails.
    #[must_use]
    pub fn new(name: Arc<str>, balancer: Balancer, endpoints: Vec<UpstreamEndpoint>) -> Self {
        let introduces = endpoints.iter().any(|endpoint| endpoint.endpoint.introduces.is_some());
        let multiplexes = endpoints.iter().any(|endpoint| endpoint.endpoint.may_speak_http2());
        Self {
            name,
            introduces,
            multiplexes,
            balancer,
            endpoints,
            host: UpstreamHost::Preserve,
            retries: RetryPolicy::connecting(3),
            deadline_field: None,
            adaptive: None,
            breaker: None,
            health: None,
            keys: Vec::new(),
            sticky: None,
            zones: None,
            head_limits: HeadLimits::default(),
            upgrades: Vec::new(),
        }
    }

    /// Whether an endpoint may speak HTTP/2, where a goodbye may leave out any request.
    pub(crate) const fn multiplexes(&self) -> bool {
        self.multiplexes
    }

    /// Whether an endpoint is told whom connections are for.
    pub(crate) const fn introduces(&self) -> bool {
        self.introduces
    }

    /// Room in the retry budget for one more sending, and the place that it takes where there is a budget; `None` where
    /// there is none left.
    pub(crate) fn room_to_repeat(&self) -> Option<Option<Retrying>> {
        match &self.retries.budget {
            None => Some(None),
            Some(budget) => budget.begin(self.balancer.in_flight()).map(Some),
        }
    }

    /// The protocol that the service is asked to switch to: the first that the client listed and the service
    /// may be asked for. A version (`name/version`) is part of the name.
    pub(crate) fn upgrade_for(&self, request: &RequestHead) -> Option<&str> {
        let mut listed = request.upgrade()?.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        listed.find_map(|wanted| {
            let known = |upgrade: &&Arc<str>| upgrade.as_bytes().eq_ignore_ascii_case(wanted);
            self.upgrades.iter().find(known).map(|upgrade| &**upgrade)
        })
    }
}

/// How long a service may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// From the end of the request to the first byte of the response.
    pub first_byte: Duration,
    /// Between two pieces of either body.
    pub idle: Duration,
    /// For everything, all attempts included.
    pub total: Option<Duration>,
    /// How long neither direction of a switched connection may move.
    pub tunnel: Duration,
}

/// One worker's pools, by endpoint number.
#[derive(Debug, Default)]
pub struct Pools {
    pools: RefCell<Vec<Option<Rc<Pool>>>>,
    /// Where bytes of bodies that wait in connections are counted.
    memory: Option<Arc<Memory>>,
    housekeeping: Arc<Notify>,
}

impl Pools {
    /// None yet; the bytes of bodies that wait in their connections are counted there.
    #[must_use]
    pub fn within(memory: Arc<Memory>) -> Self {
        Self { memory: Some(memory), ..Self::default() }
    }

    /// The pool of an endpoint, made when it is first asked for.
    pub fn of(&self, upstream: &UpstreamEndpoint) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        if pools.len() <= upstream.number {
            pools.resize_with(upstream.number.saturating_add(1), || None);
        }
        let make = || {
            upstream.endpoint.on_wanted(Arc::clone(&self.housekeeping));
            Pool::within(Arc::clone(&upstream.endpoint), self.memory.clone())
        };
        let Some(place) = pools.get_mut(upstream.number) else { return make() };
        // A request that began before a change may have left the pool of an endpoint that is gone, whose number
        // another one has now.
        let known = place.as_ref().filter(|pool| Arc::ptr_eq(pool.endpoint(), &upstream.endpoint));
        match known {
            Some(pool) => Rc::clone(pool),
            None => Rc::clone(place.insert(make())),
        }
    }

    /// Drops the pools whose endpoints are not among these, which are in use by their numbers. Requests in
    /// flight keep theirs until they end.
    ///
    /// A number alone says too little: one that is free again may have been given to another endpoint before a
    /// worker has looked, and without requests nothing but this would ever close what the old pool holds.
    pub fn retain(&self, in_use: &HashMap<usize, Arc<Endpoint>>) {
        for (number, place) in self.pools.borrow_mut().iter_mut().enumerate() {
            place.take_if(|pool| !in_use.get(&number).is_some_and(|used| Arc::ptr_eq(used, pool.endpoint())));
        }
    }

    /// Closes what is stale or wanted elsewhere: at once when another worker waits for a place, else once a
    /// second. Runs for as long as the worker does; `tick` is called at each turn.
    pub async fn keep_house(&self, tick: impl Fn()) {
        loop {
            let wanted = self.housekeeping.notified();
            // A timeout is the usual case: nobody waits.
            let _ = tokio::time::timeout(Duration::from_secs(1), wanted).await;
            tick();
            for pool in self.pools.borrow().iter().flatten() {
                pool.give_way();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torana_transport::{Address, EndpointSettings};

    /// The endpoint of number 0 at this port.
    fn endpoint(port: u16) -> UpstreamEndpoint {
        let address = Address::Socket(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let endpoint = Endpoint::new(address, EndpointSettings::default());
        UpstreamEndpoint::new(0, endpoint, format!("127.0.0.1:{port}"))
    }

    #[test]
    fn a_number_that_is_used_again_leads_to_no_other_endpoint() {
        let (pools, before, after) = (Pools::default(), endpoint(1), endpoint(2));
        let old = pools.of(&before);
        assert!(Rc::ptr_eq(&pools.of(&before), &old));
        let new = pools.of(&after);
        assert!(Arc::ptr_eq(new.endpoint(), &after.endpoint));
        assert!(Rc::ptr_eq(&pools.of(&after), &new));
    }

    #[test]
    fn the_pool_of_an_endpoint_that_is_gone_is_let_go_though_its_number_is_in_use() {
        let (pools, before, after) = (Pools::default(), endpoint(1), endpoint(2));
        let in_use = |upstream: &UpstreamEndpoint| HashMap::from([(0, Arc::clone(&upstream.endpoint))]);
        let old = pools.of(&before);
        pools.retain(&in_use(&before));
        assert!(Rc::ptr_eq(&pools.of(&before), &old));
        pools.retain(&in_use(&after));
        assert_eq!(Rc::strong_count(&old), 1, "only this test has it");
        let new = pools.of(&after);
        pools.retain(&HashMap::new());
        assert!(!Rc::ptr_eq(&pools.of(&after), &new));
    }
}
