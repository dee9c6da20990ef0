//! The admin listener: is it alive, is it ready, what does it count, what does it serve.
//!
//! Meant for loopback or a private network: reading asks for no credentials, changing for a token. A browser cannot be tricked into
//! reading it, because requests must name an address, `localhost` or nothing as their host (DNS rebinding).
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod answer;
mod connections;

use answer::{Page, host_is_local, problem};
use axum::Router;
use axum::extract::{Path as Named, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
pub use connections::{Bounds, Reserve};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Whether requests should be sent here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// No, and why, in a few words.
    NotReady(&'static str),
}

/// Whether somebody may change things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Yes.
    Granted,
    /// The token is missing or wrong.
    Wrong,
    /// Nobody may: no token is configured.
    Nobody,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done.
    Done,
    /// There is no such thing.
    Unknown,
    /// It is done here, but the store did not answer.
    StoreAway,
}

/// What the process lets be seen of itself.
pub trait Control: Send + Sync + 'static {
    /// Whether requests should be sent here.
    fn readiness(&self) -> Readiness;
    /// The configuration in force as JSON, secrets left out.
    fn configuration(&self) -> String;
    /// The metrics page, in the OpenMetrics text format.
    fn metrics(&self) -> String;
    /// The services and their endpoints at this moment, as JSON.
    fn services(&self) -> String;
    /// How the process stands with its own bounds, as JSON.
    fn overload(&self) -> String;
    /// Every limit with what it has counted, as JSON.
    fn limits(&self) -> String;
    /// One limit with those who ask most, as JSON.
    fn limit(&self, id: &str) -> Option<String>;
    /// Whether whoever shows this may change things.
    fn may_change(&self, token: Option<&str>) -> Permission;
    /// Forgets what the callers of a limit have used.
    fn reset_limit<'a>(&'a self, id: &'a str) -> Pin<Box<dyn Future<Output = Changed> + Send + 'a>>;
    /// Puts an endpoint of a service back into service; whether its health is kept at all.
    fn restore(&self, service: &str, endpoint: &str) -> bool;
}

const INDEX: &str = "\
/healthz   200 while the process lives
/readyz    200 while requests should be sent here, else 503 and why
/metrics   counters for Prometheus
/config    the configuration in force, secrets left out
/services  the services at this moment: endpoints, health, breakers; POST to /services/SERVICE/ENDPOINT puts an
           endpoint back into service, with a token
/limits    what is limited and used; /limits/ID with who asks most; DELETE or POST forgets it, with a token
/overload  connections, waiting work and buffered bytes against their bounds
";

/// Serves until `shutdown` ends, and the requests that have come until then.
pub async fn serve(
    listener: TcpListener,
    control: Arc<dyn Control>,
    bounds: Bounds,
    reserve: Reserve,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let routes = Router::new()
        .route("/", any(|| async { Page::text(INDEX) }))
        .route("/healthz", any(|| async { Page::text("ok\n") }))
        .route("/readyz", any(ready))
        .route("/metrics", any(metrics))
        .route("/config", any(config))
        .route("/services", any(services))
        .route("/services/{service}/{endpoint}", post(restore))
        .route("/overload", any(overload))
        .route("/limits", get(limits))
        .route("/limits/", get(limits))
        .route("/limits/{*id}", get(limit).post(reset_limit).delete(reset_limit))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "There is no such page; see /.") })
        .layer(from_fn_with_state(Arc::clone(&control), guard))
        .with_state(control);
    connections::serve(listener, routes, bounds, reserve, shutdown).await;
}

/// What holds for every page: only for whom it is meant, and changes only with the token.
async fn guard(State(control): State<Arc<dyn Control>>, request: Request, next: Next) -> Response {
    if is_too_large(&request) {
        let detail = format!("A head may have {HEAD_BYTES} bytes and {HEADER_COUNT} fields.");
        return problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &detail);
    }
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    if !host.is_none_or(host_is_local) {
        return problem(StatusCode::FORBIDDEN, "Use an address or localhost as the host.");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let below = |page| request.uri().path().strip_prefix(page).is_some_and(|rest| !rest.is_empty());
        let changes = match *request.method() {
            Method::POST => below("/limits/") || below("/services/"),
            Method::DELETE => below("/limits/"),
            _ => false,
        };
        if !changes {
            let refused = problem(StatusCode::METHOD_NOT_ALLOWED, "This is only for reading.");
            return ([(header::ALLOW, "GET, HEAD")], refused).into_response();
        }
        if let Some(refused) = refusal(control.may_change(bearer(&request))) {
            return refused;
        }
    }
    next.run(request).await
}

/// Largest head of a request, in bytes and fields.
const HEAD_BYTES: usize = 16 * 1024;
const HEADER_COUNT: usize = 64;

fn is_too_large(request: &Request) -> bool {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let sizes = request.headers().iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
    request.headers().len() > HEADER_COUNT || sizes.fold(target, usize::saturating_add) > HEAD_BYTES
}

async fn ready(State(control): State<Arc<dyn Control>>) -> Response {
    match control.readiness() {
        Readiness::Ready => Page::text("ready\n").into_response(),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/openmetrics-text; version=1.0.0; charset=utf-8", control.metrics())
}

async fn services(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/json", control.services())
}

/// The token of a request.
fn bearer(request: &Request) -> Option<&str> {
    let field = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = field.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refusal(permission: Permission) -> Option<Response> {
    match permission {
        Permission::Granted => None,
        Permission::Nobody => Some(problem(
            StatusCode::FORBIDDEN,
            "Nobody may change anything: no `admin_token` is configured.",
        )),
        Permission::Wrong => {
            let refused = problem(StatusCode::UNAUTHORIZED, "Show the admin token.");
            Some(([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response())
        }
    }
}

async fn limits(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/json", control.limits())
}

async fn limit(State(control): State<Arc<dyn Control>>, Named(id): Named<String>) -> Response {
    match control.limit(&id) {
        Some(shown) => Page::new("application/json", shown).into_response(),
        None => no_such_limit(),
    }
}

async fn reset_limit(State(control): State<Arc<dyn Control>>, Named(id): Named<String>) -> Response {
    match control.reset_limit(&id).await {
        Changed::Done => StatusCode::NO_CONTENT.into_response(),
        Changed::Unknown => no_such_limit(),
        Changed::StoreAway => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "Forgotten here, but the store did not answer.")
        }
    }
}

async fn restore(
    State(control): State<Arc<dyn Control>>,
    Named((service, endpoint)): Named<(String, String)>,
) -> Response {
    if control.restore(&service, &endpoint) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, "There is no such endpoint whose health is kept; see /services.")
    }
}

fn no_such_limit() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no such limit; see /limits.")
}

async fn overload(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/json", control.overload())
}

async fn config(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/json", control.configuration())
}
