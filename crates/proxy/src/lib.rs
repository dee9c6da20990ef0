//! The request's way through the gateway.
//!
//! What is here so far is the way from a routed request to an upstream and back: who the client is
//! ([`client_address`]), what the upstream is told about it ([`Forwarded`]), the attempts ([`forward`]) and
//! how a failure becomes a response ([`render`]).
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod client_address;
mod forward;
mod forwarded;
mod render;
mod request_id;
mod text;
mod upstream;

pub use client_address::client_address;
pub use forward::{Call, Responder, forward};
pub use forwarded::{Forwarded, ViaName};
pub use render::render;
pub use request_id::{RequestId, RequestIds};
pub use upstream::{Pools, Upstream, UpstreamEndpoint, UpstreamTimeouts};
