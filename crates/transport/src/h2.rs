//! HTTP/2 on the worker's sockets: framing, header compression and flow control are the `h2` library's, what
//! a gateway has to hold beyond them is `torana_http::h2`'s, and the drivers between are here.
//!
//! A connection is one task that moves frames; each request is a task of the same worker that talks to the
//! proxy through the same seam as HTTP/1 does. Nothing crosses threads.

mod arriving;
pub(crate) mod client;
mod convert;
mod ledger;
mod pieces;
mod room;
mod seal;
mod server;
mod settings;
mod socket;

pub use client::{RequestWriter, ResponseBody, ResponseReader};
pub use server::serve_connection;
pub use settings::{ConnectionEnd, Http2Settings, UpstreamHttp2};
