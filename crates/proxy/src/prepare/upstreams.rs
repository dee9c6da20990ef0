//! Services: endpoints, pools and how one is chosen.

pub(super) mod affinity;
mod breaker;
mod health;
mod retries;
mod tls;

use super::PrepareError;
use super::settings::window;
use crate::registry::{NumberedEndpoint, Registry};
use crate::upstream::{Upstream, UpstreamEndpoint, UpstreamHost};
use health::Asked;
use std::net::SocketAddr;
use std::sync::Arc;
use torana_balance::{
    AdaptiveLimit, Algorithm, Balancer, Endpoint as Weighted, EndpointLoad, GradientSettings,
};
use torana_config::written::{Balance, UpstreamProtocol};
use torana_http::FieldName;
use torana_plan::{BalanceAlgorithm, HostHeader, ServicePlan};
use torana_transport::h2::UpstreamHttp2;
use torana_transport::{Address, Endpoint, EndpointSettings, FOREVER, Protocol};
use torana_types::{EndpointUrl, TimeSpan};

pub(super) fn upstream(
    service: &ServicePlan,
    credentials: &Arc<[FieldName]>,
    registry: &mut Registry,
) -> Result<Arc<Upstream>, PrepareError> {
    let name = &service.name;
    let settings = endpoint_settings(service);
    let introduces = service.proxy_protocol.map(tls::proxy_version);
    let mut endpoints = Vec::with_capacity(service.endpoints.len());
    let mut weighted = Vec::with_capacity(service.endpoints.len());
    let mut asked = Vec::with_capacity(service.endpoints.len());
    for planned in &service.endpoints {
        let address = address(&planned.url);
        let load = registry.loads.get_or((Arc::clone(name), address.clone()), EndpointLoad::default);
        let identity = torana_balance::hash(planned.url.to_string().as_bytes());
        weighted.push(Weighted { identity, weight: planned.weight, load });
        let settings = match planned.url.is_http2() {
            true => EndpointSettings { protocol: Protocol::Http2, ..settings },
            false => settings,
        };
        let secured = tls::secured(service, &planned.url);
        let client = tls::client(secured.as_ref(), service, &planned.url, registry)?;
        let reached = (address.clone(), settings.protocol, secured.clone(), introduces);
        let key = (Arc::clone(name), address.clone(), settings, secured, introduces);
        let kept = registry.endpoints.get(&key);
        let kept = kept.unwrap_or_else(|| {
            let endpoint = Endpoint::reached_by(address, settings, client, introduces);
            let numbered = Arc::new(NumberedEndpoint { number: registry.free_number(), endpoint });
            registry.endpoints.keep(key, &numbered);
            numbered
        });
        let authority = planned.url.authority();
        asked.push(Asked { endpoint: Arc::clone(&kept.endpoint), authority, reached });
        endpoints.push(UpstreamEndpoint {
            number: kept.number,
            endpoint: Arc::clone(&kept.endpoint),
            authority: planned.url.authority(),
            kept: Some(kept),
        });
    }
    let algorithm = algorithm(service.balance.algorithm);
    let balancer = match registry.upstreams.get(name) {
        Some(before) => before.balancer.rebuild(algorithm, weighted),
        None => Balancer::new(algorithm, weighted),
    };
    let known = registry.upstreams.get(name).is_some();
    let mut upstream = Upstream::new(Arc::clone(name), balancer, endpoints);
    upstream.host = host(&service.host);
    upstream.retries = retries::policy(service, registry);
    upstream.adaptive = adaptive(service, registry);
    upstream.breaker =
        service.breaker.as_ref().map(|plan| breaker::breaker(name, plan, credentials, registry));
    let health = service.health.as_ref().map(|plan| health::health(service, plan, &asked, known, registry));
    upstream.health = health.transpose()?;
    upstream.keys = service.balance.keys.iter().map(affinity::key_source).collect();
    upstream.sticky = service.balance.sticky.as_ref().map(|plan| affinity::sticky(name, plan));
    upstream.zones = affinity::zones(service);
    upstream.deadline_field = service.deadline_header.as_deref().map(Arc::from);
    upstream.upgrades.clone_from(&service.upgrades);
    Ok(Arc::new(upstream))
}

/// A bound that was learnt stays learnt over reloads.
fn adaptive(service: &ServicePlan, registry: &mut Registry) -> Option<Arc<AdaptiveLimit>> {
    let plan = service.adaptive_concurrency?;
    let settings = GradientSettings {
        min: plan.min.get(),
        max: plan.max.get(),
        start: plan.start.get(),
        headroom_percent: plan.headroom.as_percent(),
        window: plan.window.as_duration(),
        remeasure: plan.remeasure.as_duration(),
    };
    let key = (Arc::clone(&service.name), settings);
    Some(registry.adaptive.get_or(key, || AdaptiveLimit::new(settings)))
}

fn endpoint_settings(service: &ServicePlan) -> EndpointSettings {
    let (pool, http2) = (&service.pool, UpstreamHttp2::default());
    let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    EndpointSettings {
        max_connections: size(pool.max_connections.get()),
        max_queue: size(pool.max_queue),
        queue_timeout: pool.queue_timeout.as_duration(),
        connect_timeout: service.timeouts.connect.as_duration(),
        idle_timeout: pool.idle_timeout.as_duration(),
        max_age: pool.max_age.on().map_or(FOREVER, |age| age.as_duration()),
        // Where TLS lets endpoints choose, their choice goes first.
        protocol: match service.protocol {
            UpstreamProtocol::Http2 => Protocol::Http2,
            UpstreamProtocol::Http1 | UpstreamProtocol::Auto => Protocol::Http1,
        },
        http2: UpstreamHttp2 {
            max_streams: u32::from(service.http2.max_streams.get()),
            stream_window: window(service.http2.stream_window),
            connection_window: window(service.http2.connection_window),
            ping_after: service.http2.ping_after.map_or(http2.ping_after, TimeSpan::as_duration),
            ping_timeout: service.http2.ping_timeout.map_or(http2.ping_timeout, TimeSpan::as_duration),
        },
    }
}

fn address(url: &EndpointUrl) -> Address {
    match url.ip() {
        Some(ip) => Address::Socket(SocketAddr::new(ip, url.port())),
        None => Address::Name(url.host().into(), url.port()),
    }
}

const fn algorithm(planned: BalanceAlgorithm) -> Algorithm {
    match planned {
        BalanceAlgorithm::By(Balance::RoundRobin) => Algorithm::RoundRobin,
        BalanceAlgorithm::By(Balance::Weighted) => Algorithm::WeightedRoundRobin,
        BalanceAlgorithm::By(Balance::LeastConnections) => Algorithm::LeastConnections,
        BalanceAlgorithm::By(Balance::TwoChoices) => Algorithm::TwoChoices,
        BalanceAlgorithm::Ring => Algorithm::RingHash,
        BalanceAlgorithm::Maglev => Algorithm::Maglev,
    }
}

fn host(host: &HostHeader) -> UpstreamHost {
    match host {
        HostHeader::Preserve => UpstreamHost::Preserve,
        HostHeader::Rewrite => UpstreamHost::Rewrite,
        HostHeader::Literal(host) => UpstreamHost::Literal(Arc::clone(host)),
    }
}
