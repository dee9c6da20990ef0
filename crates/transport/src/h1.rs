//! HTTP/1.x on tokio sockets, over the codec of `torana_http::h1`.

mod client;
mod incoming;
mod outgoing;
mod server;

pub use client::{RequestWriter, ResponseBody, ResponseReader};
pub(crate) use server::linger;
pub use server::serve_connection;
