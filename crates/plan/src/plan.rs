//! The plan: what will be served, as plain data.

use std::num::NonZeroU16;
use std::sync::Arc;

use torana_config::Span;
use torana_config::written::{
    AccessLogConfig, AdaptiveConcurrencyConfig, ForwardedConfig, Http2Config, Importance, LimitsConfig,
    MethodOverrides, PathsConfig, PoolConfig, ProxyProtocolVersion, RequestIdConfig, RetriesConfig,
    ServerTimeoutsConfig, UpstreamProtocol,
};
use torana_credential::directory::Consumers;
use torana_route::RouteSpec;
use torana_types::{EndpointUrl, ListenAddr, Network, Secret, ServiceId, TimeSpan};

use crate::balance::BalancePlan;
use crate::policy::{AuthenticationGroup, PlannedPolicy};
use crate::resilience::{BreakerPlan, HealthPlan};
use crate::store::StorePlan;
use crate::tls::{ListenerPlan, UpstreamTlsPlan};
use crate::traffic::TrafficPlan;

/// What will be served.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What holds for the whole gateway.
    pub settings: Settings,
    /// The consumers, where policies look them up. Those of a plan that changes another come in force by
    /// [`Consumers::commit`].
    pub consumers: Arc<Consumers>,
    /// The services; a [`ServiceId`] is a place in this list.
    pub services: Vec<ServicePlan>,
    /// The routes; a [`torana_types::RouteId`] is a place in this list. In the order of the file.
    pub routes: Vec<RoutePlan>,
    /// What the file's own scope says of answers, whatever is called: it holds where no route is concerned too.
    pub of_answers: Vec<PlannedPolicy>,
}

impl Plan {
    /// The service of that identifier, when it belongs to this plan.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&ServicePlan> {
        self.services.get(id.index())
    }
}

/// What holds for the whole gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where clients connect; at least one.
    pub listen: Vec<ListenerPlan>,
    /// Where the admin API listens, if at all.
    pub admin: Option<ListenAddr>,
    /// What lets somebody change things by the admin API; nobody may without it.
    pub admin_token: Option<Secret>,
    /// Threads that serve; `None` is one for each core.
    pub workers: Option<NonZeroU16>,
    /// Where limits of several gateways are counted, if not in the memory of each.
    pub store: Option<StorePlan>,
    /// Networks whose forwarding fields are believed.
    pub trusted_proxies: Vec<Network>,
    /// What services are told about the client.
    pub forwarded: ForwardedConfig,
    /// The identifier of requests.
    pub request_id: RequestIdConfig,
    /// How long clients may take.
    pub timeouts: ServerTimeoutsConfig,
    /// How much clients may send.
    pub limits: LimitsConfig,
    /// Bounds of clients' HTTP/2 connections.
    pub http2: Http2Config,
    /// The access log, unless it is off.
    pub access_log: Option<AccessLogConfig>,
    /// How long everything goes on as before on shutdown.
    pub drain_delay: TimeSpan,
    /// How long requests in flight may take to end after that.
    pub drain_timeout: TimeSpan,
    /// Fields that no client may send.
    pub reserved_headers: Vec<String>,
    /// Fields about the caller that trusted proxies may send.
    pub trusted_headers: Vec<String>,
    /// What becomes of fields that name another method.
    pub method_overrides: MethodOverrides,
    /// How paths are read.
    pub paths: PathsConfig,
}

/// A service with every default filled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServicePlan {
    /// Its name: what its state is keyed by over reloads.
    pub name: Arc<str>,
    /// Where it runs; at least one.
    pub endpoints: Vec<EndpointPlan>,
    /// How an endpoint is chosen.
    pub balance: BalancePlan,
    /// The `Host` it sees.
    pub host: HostHeader,
    /// What is spoken with endpoints whose URL leaves it open.
    pub protocol: UpstreamProtocol,
    /// Bounds of HTTP/2 connections.
    pub http2: Http2Config,
    /// Connections to each endpoint.
    pub pool: PoolConfig,
    /// How long it may take. A route's [`Action::Forward`] holds what is in force there.
    pub timeouts: UpstreamTimeouts,
    /// When a request is sent again.
    pub retries: RetriesConfig,
    /// Learns how many requests it can work on at once.
    pub adaptive_concurrency: Option<AdaptiveConcurrencyConfig>,
    /// Stops asking it when it fails.
    pub breaker: Option<BreakerPlan>,
    /// Which endpoints are asked.
    pub health: Option<HealthPlan>,
    /// The field that tells it how many milliseconds it has.
    pub deadline_header: Option<String>,
    /// Protocols that a connection may be switched to, lower case.
    pub upgrades: Vec<Arc<str>>,
    /// What is asked of endpoints that are reached by TLS; `None` where none is.
    pub tls: Option<Arc<UpstreamTlsPlan>>,
    /// The PROXY protocol header that connections begin with.
    pub proxy_protocol: Option<ProxyProtocolVersion>,
}

/// An endpoint of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointPlan {
    /// Where it is.
    pub url: EndpointUrl,
    /// Its share of requests; 0 gets nothing new.
    pub weight: u32,
    /// The zone it is in.
    pub zone: Option<String>,
}

/// Which `Host` a service sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostHeader {
    /// What the client sent.
    Preserve,
    /// The authority of the endpoint.
    Rewrite,
    /// Always this.
    Literal(Arc<str>),
}

/// How long a service may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamTimeouts {
    /// To make a connection.
    pub connect: TimeSpan,
    /// From the end of the request until the first byte of the response.
    pub first_byte: TimeSpan,
    /// Between two pieces.
    pub idle: TimeSpan,
    /// For the whole exchange, unless it is off.
    pub total: Option<TimeSpan>,
    /// How long neither direction of a switched connection may move.
    pub tunnel: TimeSpan,
}

/// A route with everything that will happen on it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutePlan {
    /// Its name, unique in the plan: what metrics, logs and state over reloads are keyed by.
    pub name: Arc<str>,
    /// Its place among the routes of the file.
    pub index: usize,
    /// Which requests it takes.
    pub matching: RouteSpec,
    /// What happens to them in the end.
    pub action: Action,
    /// Which are still served when the gateway has more than it can do.
    pub importance: Importance,
    /// What else happens to them.
    pub traffic: TrafficPlan,
    /// What is asked of them before, in order.
    pub policies: Vec<PlannedPolicy>,
    /// How the ways to say who calls go together.
    pub authentication: AuthenticationGroup,
    /// Whether callers must say who they are.
    pub protected: bool,
    /// Where it stands in the file.
    pub span: Span,
}

/// What happens to a request in the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It goes to a service.
    Forward {
        /// Which.
        service: ServiceId,
        /// A prefix of the path that the service does not see.
        strip_prefix: Option<Arc<str>>,
        /// What is in force on this route.
        timeouts: UpstreamTimeouts,
    },
    /// The gateway answers.
    Respond {
        /// The status code, from 200 to 599.
        status: u16,
        /// Fields, valid by RFC 9110 section 5, `Content-Type` included where there is a body.
        headers: Vec<(String, String)>,
        /// The body.
        body: Arc<[u8]>,
    },
    /// The gateway answers with the request.
    Echo {
        /// The status code, from 200 to 599.
        status: u16,
        /// Fields, valid by RFC 9110 section 5.
        headers: Vec<(String, String)>,
        /// What is said beside it.
        message: Arc<str>,
    },
}
