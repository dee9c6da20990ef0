//! The admin listener: is it alive, is it ready, what does it count, what does it serve.
//!
//! Meant for loopback or a private network: it asks for no credentials. A browser cannot be tricked into
//! reading it, because requests must name an address, `localhost` or nothing as their host (DNS rebinding).
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod answer;
mod connections;

use answer::{Page, host_is_local, problem};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
pub use connections::Bounds;
use std::future::Future;
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
}

const INDEX: &str = "\
/healthz   200 while the process lives
/readyz    200 while requests should be sent here, else 503 and why
/metrics   counters for Prometheus
/config    the configuration in force, secrets left out
/services  the services at this moment: endpoints, health, breakers
/overload  connections, waiting work and buffered bytes against their bounds
";

/// Serves until `shutdown` ends, and the requests that have come until then.
pub async fn serve(
    listener: TcpListener,
    control: Arc<dyn Control>,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let routes = Router::new()
        .route("/", any(|| async { Page::text(INDEX) }))
        .route("/healthz", any(|| async { Page::text("ok\n") }))
        .route("/readyz", any(ready))
        .route("/metrics", any(metrics))
        .route("/config", any(config))
        .route("/services", any(services))
        .route("/overload", any(overload))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "There is no such page; see /.") })
        .layer(from_fn(guard))
        .with_state(control);
    connections::serve(listener, routes, bounds, shutdown).await;
}

/// What holds for every page: only reading, and only by whom it is meant for.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    if !host.is_none_or(host_is_local) {
        return problem(StatusCode::FORBIDDEN, "Use an address or localhost as the host.");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refused = problem(StatusCode::METHOD_NOT_ALLOWED, "Everything here is only for reading.");
        return ([(header::ALLOW, "GET, HEAD")], refused).into_response();
    }
    next.run(request).await
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

async fn overload(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/json", control.overload())
}

async fn config(State(control): State<Arc<dyn Control>>) -> Page {
    Page::new("application/json", control.configuration())
}
