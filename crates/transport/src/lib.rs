//! Sockets of clients and services: listeners, TLS, HTTP/1 and HTTP/2 on both sides, pools, tunnels, handover.
//! The only crate that reads and writes them.
//!
//! A worker is one thread with one `current_thread` runtime; everything here runs on it and nothing is
//! shared between workers but the [`Endpoint`]s' counters. With HTTP/1 on both sides a
//! request is served in the task that owns the client's connection, and no channel stands between that and the
//! upstream's. With HTTP/2 each stream of a client has a task, beside one that moves the connection's frames; a
//! connection to an upstream has one that moves its frames.
//!
//! The seam to the proxy is protocol-neutral: a [`Service`] gets a head, a [`BodySource`] for the request's
//! body and a [`ResponseSink`]; towards the upstream it holds a [`ClientExchange`].
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod body;
mod buffer;
mod clock;
mod date;
mod descriptors;
mod drain;
mod entrance;
mod exchange;
mod fetch;
pub mod h1;
pub mod h2;
pub mod handover;
mod io;
mod listener;
mod patience;
mod pool;
mod recycled;
mod reuse;
mod service;
mod timer;
mod tls;
mod tunnel;
mod usage;

pub use body::{BodySink, BodySource, End, Relayed, Waits, relay, relay_noting};
pub use buffer::Buffer;
pub use clock::{FOREVER, after, far_future, later, nanos_at, nanos_since_start, now, recently};
pub use descriptors::{descriptors, raise_descriptors};
pub use drain::Drain;
pub use entrance::Entrance;
pub use exchange::{ClientExchange, RequestWriter, ResponseBody, ResponseReader};
pub use fetch::{Fetch, FetchLimits, Fetched, Unwatched, Watch};
pub use io::{Io, Stream};
pub use listener::{AcceptError, Bound, bind, connection_task_bytes, serve_listener};
pub use pool::{Address, Endpoint, EndpointSettings, EndpointUsage, Lease, Pool, Queueing, Wanted};
pub use recycled::Recycled;
pub use service::{ConnectionInfo, RequestBody, ResponseSink, ServerSettings, Service};
pub use timer::{Timer, within};
pub use tls::{
    ClientAuthentication, HandshakeFailure, HandshakeFault, Protocol, ServerVerification, Tickets, TlsClient,
    TlsClientContext, TlsClientSettings, TlsError, TlsInfo, TlsServer, TlsServerSettings, TlsStream,
    TlsVersion,
};
pub use tunnel::{Tunnelled, tunnel};
pub use usage::{RequestInFlight, Usage};
