//! Bodies of requests, as the gateway gives them to services.

mod content;
mod none;
mod replay;

pub(crate) use content::Content;
pub(crate) use none::NoBody;
pub use replay::Replay;
