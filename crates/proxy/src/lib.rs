//! The request's way through the gateway.
//!
//! - [`prepare`] makes a [`Pipeline`] of a plan; the [`Registry`] keeps the state that outlives it.
//! - [`Gateway`] is what a worker runs: normalise, route, filter, act. `gateway/pass.rs` reads in that order.
//! - [`forward`] carries a request to an endpoint and back: attempts, both bodies, deadlines.
//! - [`explain`] takes the same way without asking a service, and tells every step.
//! - [`render`] is the one place where a fault becomes a response.
//! - [`start_worker`] starts a data-plane thread.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod affinity;
mod body;
mod changes;
mod chores;
mod client_address;
mod demands;
mod explain;
mod fetch_url;
mod forward;
mod forwarded;
mod gateway;
mod handshakes;
mod key_fetching;
mod limits;
mod listener;
mod local_thread;
mod overload;
mod pipeline;
mod prepare;
mod probing;
mod provider_asking;
mod registry;
mod render;
mod report;
mod request_id;
mod resilience;
mod services;
mod shared;
mod sparing;
mod stale;
mod statuses;
mod text;
mod traffic;
mod upstream;
mod worker;

pub use affinity::{KeySource, Sticky};
pub use body::Replay;
pub use chores::Chores;
pub use client_address::client_address;
pub use explain::{Decision, End, Explanation, Step, explain, read_head};
pub use forward::{Call, Hedge, HedgeCounts, Parties, Responder, RetryPolicy, forward};
pub use forwarded::{CLAIMS, Forwarded, Told, ViaName};
pub use gateway::Gateway;
pub use limits::{Reset, limits, one_limit, reset_limit, return_leases};
pub use listener::{CertificatePart, Listener};
pub use overload::{OverloadRules, overload};
pub use pipeline::{Action, Limiter, Pipeline, RequestIdField, Route};
pub use prepare::{PrepareError, prepare};
pub use probing::Prober;
pub use registry::Registry;
pub use render::render;
pub use report::Report;
pub use request_id::{RequestId, RequestIds};
pub use resilience::{UpstreamBreaker, UpstreamHealth, Zones};
pub use services::{restore, services};
pub use shared::Shared;
pub use stale::Stale;
pub use statuses::Statuses;
pub use torana_filters::LetPass;
pub use traffic::{Arm, Faults, Mirror, MirrorCounts, Split, Traffic};
pub use upstream::{Pools, Upstream, UpstreamEndpoint, UpstreamHost, UpstreamTimeouts};
pub use worker::{Ended, WorkerHandle, start_worker};
