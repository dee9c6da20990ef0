//! The upstream side of HTTP/2: connections that carry many requests, and one request on them.

mod connection;
mod driver;
mod fault;
mod request;
mod response;
mod stream;

pub(crate) use connection::{Multiplexed, Opening, Unspoken, connect};
pub(crate) use stream::StreamLease;

pub use request::RequestWriter;
pub use response::{ResponseBody, ResponseReader};
