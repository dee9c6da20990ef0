//! The sample services: small, but real servers that the gateway reaches over the loopback.

use crate::token;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long a token from the login is good for, in seconds.
const TOKEN_SECONDS: u64 = 3_600;

/// Users of the demo: name, password, roles.
const USERS: [(&str, &str, &[&str]); 2] =
    [("alice", "wonder", &["user"]), ("root", "toor", &["user", "admin"])];

/// The services that run, by the placeholder that the configuration has for each.
#[derive(Debug)]
pub(super) struct Services {
    instances: Vec<(&'static str, SocketAddr)>,
}

/// What an instance knows of itself.
#[derive(Debug)]
struct Instance {
    name: &'static str,
    secret: String,
    stop: Arc<Notify>,
}

impl Services {
    /// Starts every instance on a free port of the loopback.
    pub(super) async fn start(secret: &str) -> std::io::Result<Self> {
        let plan = [
            ("USERS", &["users-1", "users-2"][..]),
            ("ORDERS_1", &["orders-1"]),
            ("ORDERS_2", &["orders-2"]),
            ("SEARCH", &["search-1", "search-2"]),
            ("PREFERENCES", &["preferences-1"]),
            ("AUTH", &["auth-1"]),
            ("ADMIN", &["admin-1"]),
        ];
        let mut instances = Vec::new();
        for (placeholder, names) in plan {
            for name in names {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
                instances.push((placeholder, listener.local_addr()?));
                let stop = Arc::new(Notify::new());
                let instance = Instance { name, secret: secret.to_owned(), stop: Arc::clone(&stop) };
                tokio::spawn(async move {
                    // Dropping the server closes the listener: the instance is gone, as after a crash.
                    tokio::select! {
                        _ = axum::serve(listener, routes(instance)) => {}
                        () = stop.notified() => {}
                    }
                });
            }
        }
        Ok(Self { instances })
    }

    /// The configuration with the addresses in it.
    pub(super) fn fill_in(&self, configuration: &str) -> String {
        let mut text = configuration.to_owned();
        for (placeholder, _) in &self.instances {
            let urls: Vec<String> = self.of(placeholder).map(|address| format!("http://{address}")).collect();
            for (open, close) in [("[", "]"), (" ", ",")] {
                text = text.replace(
                    &format!("{open}{placeholder}{close}"),
                    &format!("{open}{}{close}", urls.join(", ")),
                );
            }
        }
        text
    }

    /// Where the instances of a placeholder are.
    pub(super) fn of(&self, placeholder: &str) -> impl Iterator<Item = SocketAddr> {
        self.instances.iter().filter(move |(known, _)| *known == placeholder).map(|(_, address)| *address)
    }
}

fn routes(instance: Instance) -> Router {
    Router::new()
        .route("/api/auth/login", post(login))
        .route("/api/users/{id}", get(user))
        .route("/api/users/{id}/profile", get(profile))
        .route("/api/orders/{id}", get(order))
        .route("/api/preferences/{id}", get(preferences))
        .route("/api/search", get(search))
        .route("/api/admin/{*page}", get(admin))
        .route("/stop", post(stop))
        .with_state(Arc::new(instance))
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

async fn login(State(instance): State<Arc<Instance>>, Json(login): Json<Login>) -> Response {
    let known = USERS.iter().find(|(name, password, _)| *name == login.name && *password == login.password);
    let Some((name, _, roles)) = known else {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "wrong name or password" })))
            .into_response();
    };
    let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    match token::mint(&instance.secret, &token::claims(name, &roles, TOKEN_SECONDS)) {
        Ok(token) => Json(json!({ "token": token })).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn user(
    State(instance): State<Arc<Instance>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Json<Value> {
    let caller = headers.get("x-user-id").and_then(|value| value.to_str().ok());
    Json(json!({ "id": id, "asked_by": caller, "from": instance.name }))
}

async fn profile(State(instance): State<Arc<Instance>>, Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "id": id, "email": format!("{id}@example.com"), "from": instance.name }))
}

async fn order(State(instance): State<Arc<Instance>>, Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "id": id, "items": 3, "from": instance.name }))
}

async fn preferences(State(instance): State<Arc<Instance>>, Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "id": id, "theme": "dark", "from": instance.name }))
}

async fn search(
    State(instance): State<Arc<Instance>>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    Json(json!({ "query": query.get("q"), "hits": [], "from": instance.name }))
}

async fn admin(State(instance): State<Arc<Instance>>, Path(page): Path<String>) -> Json<Value> {
    Json(json!({ "page": page, "from": instance.name }))
}

async fn stop(State(instance): State<Arc<Instance>>) -> String {
    instance.stop.notify_one();
    format!("{} stops\n", instance.name)
}
