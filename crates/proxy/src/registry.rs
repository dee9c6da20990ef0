//! State that outlives a configuration.
//!
//! Connections, loads, balancer positions and limiters are not configuration: a reload that does not change
//! a service must not reset them. They are found here by identity and by what shapes them, and live for as
//! long as a pipeline (or a request under way) holds them: the registry itself holds them weakly.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;
use torana_balance::{
    AdaptiveLimit, Alarm, Breaker, BreakerSettings, BudgetSettings, EndpointHealth, EndpointLoad,
    GradientSettings, RetryBudget,
};
use torana_filters::{
    FailureLimit, LimiterState, LoginMemory, Method, NodeClock, Provider, RedisStore, RemoteKeys,
};
use torana_http::FieldName;
use torana_http::proxy_protocol::ProxyVersion;
use torana_observe::{AccessLog, AccessLogSettings};
use torana_plan::{
    AuthenticationPlan, KeyPart, ListenerTlsPlan, ProbesPlan, ProviderPlan, RemoteKeysPlan, StalePlan,
    StorePlan, UpstreamTlsPlan,
};
use torana_transport::{
    Address, ClientAuthentication, Endpoint, EndpointSettings, Protocol, Tickets, TlsClientContext, TlsServer,
};
use torana_types::Rate;

use crate::chores::Chores;
use crate::forward::HedgeCounts;
use crate::probing::Prober;
use crate::stale::Stale;
use crate::traffic::MirrorCounts;
use crate::upstream::Upstream;

/// An endpoint with the number by which workers find its pool.
#[derive(Debug)]
pub(crate) struct NumberedEndpoint {
    /// Not used again while this lives.
    pub(crate) number: usize,
    pub(crate) endpoint: Arc<Endpoint>,
}

/// Service, place, bounds, and TLS with the name that is asked for: pools with others are other pools.
pub(crate) type EndpointKey =
    (Arc<str>, Address, EndpointSettings, Option<(Arc<UpstreamTlsPlan>, Box<str>)>, Option<ProxyVersion>);

/// How an endpoint is reached: place, protocol, TLS with the name that is asked for, introduction.
pub(crate) type Reached = (Address, Protocol, Option<(Arc<UpstreamTlsPlan>, Box<str>)>, Option<ProxyVersion>);

/// Service, what shapes its kept answers, and the fields that show who calls.
pub(crate) type StaleKey = (Arc<str>, StalePlan, Arc<[FieldName]>);

/// The limit on wrong credentials, by what it is.
pub(crate) type Failures = (Rate, Arc<FailureLimit>);

/// A limit's identity, and who is counted.
pub(crate) type LimiterKey = (Arc<str>, Vec<KeyPart>);

/// State by identity. Owned by the one thread that prepares pipelines.
#[derive(Debug, Default)]
pub struct Registry {
    /// By what shapes them.
    pub(crate) endpoints: Kept<EndpointKey, NumberedEndpoint>,
    /// By service and place.
    pub(crate) loads: Kept<(Arc<str>, Address), EndpointLoad>,
    /// By service and what shapes them.
    pub(crate) breakers: Kept<(Arc<str>, BreakerSettings), Breaker>,
    /// Answers are kept as long as what they are found by stays.
    pub(crate) stale: Kept<StaleKey, Stale>,
    /// By service and what shapes them.
    pub(crate) adaptive: Kept<(Arc<str>, GradientSettings), AdaptiveLimit>,
    /// By service; the health of its endpoints shares it.
    pub(crate) alarms: Kept<Arc<str>, Alarm>,
    /// By route.
    pub(crate) mirrors: Kept<Arc<str>, MirrorCounts>,
    /// By service and place.
    pub(crate) health: Kept<(Arc<str>, Address), EndpointHealth>,
    /// By service, authority, what is asked, and how the endpoint is reached.
    pub(crate) probers: Kept<(Arc<str>, String, Arc<ProbesPlan>, Reached), Prober>,
    /// Room for the questions of a service's probers, by service and what is asked.
    pub(crate) probe_rooms: Kept<(Arc<str>, Arc<ProbesPlan>), Semaphore>,
    /// By service and what shapes them.
    pub(crate) budgets: Kept<(Arc<str>, BudgetSettings), RetryBudget>,
    /// By service.
    pub(crate) hedges: Kept<Arc<str>, HedgeCounts>,
    /// By name; a balancer goes on where the one before it stood.
    pub(crate) upstreams: Kept<Arc<str>, Upstream>,
    /// By identity and who is counted; what of them goes on is for them to say.
    pub(crate) limiters: Kept<LimiterKey, LimiterState>,
    /// By everything that shapes them.
    pub(crate) tls_servers: Kept<Arc<ListenerTlsPlan>, TlsServer>,
    /// By what clients must show: a session must not go on under other demands.
    pub(crate) tickets: Kept<Option<ClientAuthentication>, Tickets>,
    /// By everything that shapes them; they hold sessions that may go on.
    pub(crate) tls_clients: Kept<(Arc<UpstreamTlsPlan>, &'static [Protocol]), TlsClientContext>,
    /// By everything about them: connections go on over reloads.
    pub(crate) stores: Kept<StorePlan, RedisStore>,
    /// What gateways count alone when a store is away outlives the store, so all go by one clock.
    pub(crate) clock: NodeClock,
    /// By everything that shapes them; they hold what they have verified.
    pub(crate) authentication: Kept<AuthenticationPlan, Method>,
    /// Keys that are fetched, by where and how.
    pub(crate) remote_keys: Kept<RemoteKeysPlan, RemoteKeys>,
    /// Providers of logins, by where they are and how they are asked.
    pub(crate) providers: Kept<ProviderPlan, Provider>,
    /// What is remembered of logins, by whose they are ([`torana_plan::OidcLoginPlan::login`]).
    pub(crate) logins: Kept<(String, String, String), LoginMemory>,
    /// Wrong credentials by address; they are remembered while the limit stays.
    pub(crate) failures: Option<Failures>,
    pub(crate) access_log: Option<(AccessLogSettings, AccessLog)>,
    /// Who fetches, probes and watches; nobody when a configuration is only looked at.
    chores: Option<Chores>,
    numbers: Vec<bool>,
}

impl Registry {
    /// A registry for a gateway that serves: what its state needs done beside the requests is done.
    #[must_use]
    pub fn with_chores(chores: Chores) -> Self {
        Self { chores: Some(chores), ..Self::default() }
    }

    /// The access log in use, if any: to have it reopened, and to have its last lines written.
    #[must_use]
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref().map(|(_, log)| log)
    }

    /// Who does what goes on beside the requests; `None` where nothing is served.
    #[must_use]
    pub const fn chores(&self) -> Option<&Chores> {
        self.chores.as_ref()
    }

    /// Begins a preparation: learns which endpoint numbers are free.
    pub(crate) fn begin(&mut self) {
        self.numbers.clear();
        let taken: Vec<usize> = self.endpoints.living().map(|endpoint| endpoint.number).collect();
        for number in taken {
            self.take_number(number);
        }
    }

    /// The smallest number that no endpoint has.
    pub(crate) fn free_number(&mut self) -> usize {
        let number = self.numbers.iter().position(|taken| !taken).unwrap_or(self.numbers.len());
        self.take_number(number);
        number
    }

    fn take_number(&mut self, number: usize) {
        if self.numbers.len() <= number {
            self.numbers.resize(number.saturating_add(1), false);
        }
        if let Some(taken) = self.numbers.get_mut(number) {
            *taken = true;
        }
    }

    /// Forgets what nobody holds any more.
    pub(crate) fn sweep(&mut self) {
        // Every field is named, so that the compiler asks about a new one.
        let Self {
            endpoints,
            loads,
            breakers,
            stale,
            adaptive,
            alarms,
            mirrors,
            health,
            probers,
            probe_rooms,
            budgets,
            hedges,
            upstreams,
            limiters,
            tls_servers,
            tickets,
            tls_clients,
            stores,
            clock: _,
            authentication,
            remote_keys,
            providers,
            logins,
            failures: _,
            access_log: _,
            chores: _,
            numbers: _,
        } = self;
        endpoints.sweep();
        loads.sweep();
        breakers.sweep();
        stale.sweep();
        adaptive.sweep();
        alarms.sweep();
        mirrors.sweep();
        health.sweep();
        probers.sweep();
        probe_rooms.sweep();
        budgets.sweep();
        hedges.sweep();
        upstreams.sweep();
        limiters.sweep();
        tls_servers.sweep();
        tickets.sweep();
        tls_clients.sweep();
        stores.sweep();
        authentication.sweep();
        remote_keys.sweep();
        providers.sweep();
        logins.sweep();
    }
}

/// Weakly held values by key.
#[derive(Debug)]
pub(crate) struct Kept<K, V>(HashMap<K, Weak<V>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    /// The living value of a key, if there is one.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.get(key).and_then(Weak::upgrade)
    }

    /// The living value of a key, or a new one.
    pub(crate) fn get_or(&mut self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let value = Arc::new(make());
        self.keep(key, &value);
        value
    }

    /// Keeps a value by its key.
    pub(crate) fn keep(&mut self, key: K, value: &Arc<V>) {
        self.0.insert(key, Arc::downgrade(value));
    }

    /// All that somebody holds.
    pub(crate) fn living(&self) -> impl Iterator<Item = Arc<V>> {
        self.0.values().filter_map(Weak::upgrade)
    }

    fn sweep(&mut self) {
        self.0.retain(|_, value| value.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_found_and_what_is_not_is_forgotten() {
        let mut kept: Kept<&str, u8> = Kept::default();
        let first = kept.get_or("a", || 1);
        assert_eq!(*kept.get_or("a", || 2), 1);
        drop(first);
        assert_eq!(*kept.get_or("a", || 3), 3);
        kept.sweep();
        assert!(kept.0.is_empty());
    }

    #[test]
    fn numbers_are_used_again_only_when_free() {
        let mut registry = Registry::default();
        registry.begin();
        assert_eq!((registry.free_number(), registry.free_number()), (0, 1));
        registry.begin();
        assert_eq!(registry.free_number(), 0);
    }
}
