//! What serves requests: immutable, shared by all workers, replaced as a whole by a reload.

use crate::chores::Chores;
use crate::demands::Demands;
use crate::forwarded::Forwarded;
use crate::listener::Listener;
use crate::overload::OverloadRules;
use crate::traffic::Traffic;
use crate::upstream::{Upstream, UpstreamTimeouts};
use std::collections::HashMap;
use std::sync::Arc;
use torana_filters::{Echo, Filter, FixedAnswer, LimiterState, RedisStore, ReservedFields};
use torana_http::FieldName;
use torana_limit::Importance;
use torana_observe::{AccessLog, RouteMetrics};
use torana_plan::RateLimitPlan;
use torana_route::{NormalizeOptions, Router};
use torana_transport::{Endpoint, ServerSettings};
use torana_types::Network;

/// Everything that a request meets, in the order in which it meets it.
#[derive(Debug)]
pub struct Pipeline {
    /// The listeners, by the numbers that workers know their sockets by.
    pub listeners: Vec<Listener>,
    /// Bounds and deadlines on the client's side.
    pub server: ServerSettings,
    /// Bounds of the whole process.
    pub overload: OverloadRules,
    /// How paths are read.
    pub paths: NormalizeOptions,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<Network>,
    /// What upstreams are told.
    pub forwarded: Forwarded,
    /// The field that carries the request's identifier, and whether one that came along is kept.
    pub request_id: Option<RequestIdField>,
    /// Fields that only filters may set: removed from the requests of everybody but trusted proxies.
    pub reserved_fields: ReservedFields,
    /// The fewer that are removed from the requests of trusted proxies instead.
    pub reserved_for_trusted: ReservedFields,
    /// Trailers that no client may send.
    pub reserved_trailers: ReservedFields,
    /// Cookies of logins, which no service may see.
    pub login_cookies: Vec<String>,
    /// Finds the route.
    pub router: Router,
    /// Whether fields arrive by which some services take another method than the request has.
    pub forwards_overrides: bool,
    /// Whether the path of a route that asks who calls ends with a slash.
    pub guards_slashes: bool,
    /// Whether a route that asks who calls also asks for a value, which may be there more than once.
    pub guards_values: bool,
    /// The routes, by the router's numbers.
    pub routes: Vec<Route>,
    /// What is done to answers where no route is concerned, as if requests met it in this order.
    pub of_answers: Vec<Filter>,
    /// The services, by the plan's numbers.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The endpoints in use, by their numbers.
    pub endpoints: HashMap<usize, Arc<Endpoint>>,
    /// The limits in force, each once.
    pub limiters: Vec<Limiter>,
    /// Where limits of several gateways are counted.
    pub store: Option<Arc<RedisStore>>,
    /// Where requests are written down, unless that is off.
    pub access_log: Option<AccessLog>,
    /// Who fetches keys beside the requests; nobody when a configuration is only looked at.
    pub chores: Option<Chores>,
}

/// A limit and its counters, for metrics.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// The scope that it was written at, such as `global` or `route/GET /x`.
    pub id: Arc<str>,
    /// What it counts.
    pub plan: Arc<RateLimitPlan>,
    /// The counters.
    pub state: Arc<LimiterState>,
}

/// How a request's identifier travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestIdField {
    /// The field's name.
    pub name: FieldName,
    /// Whether an identifier that came with the request is kept.
    pub trust_incoming: bool,
}

/// A route, ready to serve.
#[derive(Debug)]
pub struct Route {
    /// Its name, for metrics and logs.
    pub name: Arc<str>,
    /// Where its requests are counted.
    pub metrics: Arc<RouteMetrics>,
    /// Whether its requests are served when the gateway has more than it can do.
    pub importance: Importance,
    /// What it asks of whoever calls.
    pub demands: Demands,
    /// Whether it takes one path only.
    pub exact: bool,
    /// What is asked of a request, in order.
    pub filters: Vec<Filter>,
    /// What else happens to it.
    pub traffic: Traffic,
    /// What happens to it in the end.
    pub action: Action,
}

/// What happens to a request in the end.
#[derive(Debug)]
pub enum Action {
    /// It goes to a service.
    Forward {
        /// The service's number.
        upstream: usize,
        /// A prefix of the path that the service does not see.
        strip_prefix: Option<Arc<str>>,
        /// The deadlines on this route.
        timeouts: UpstreamTimeouts,
    },
    /// The gateway answers.
    Respond(FixedAnswer),
    /// The gateway answers with the request.
    Echo(Echo),
}
