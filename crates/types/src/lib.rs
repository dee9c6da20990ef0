//! Units, identifiers and secrets that every layer shares.
//!
//! Each type here is a value that people write in a configuration file. It is parsed once, at the
//! edge, and from then on its unit is in its type. Every one has the same four faces: `FromStr`,
//! `Display` (which gives back something that parses to the same value), serde, and a JSON Schema
//! with a `format` that [`format::check`] knows, so that a schema walker can verify text without
//! building the type.
//!
//! Not here: anything that knows where in a file a value stood (that is the configuration crate).

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod byte_size;
mod count;
mod endpoint_url;
mod error;
pub mod format;
mod ids;
mod listen_addr;
mod network;
mod percent;
mod rate;
mod resource_url;
mod secret;
mod status_range;
mod text_form;
mod time_span;

pub use byte_size::ByteSize;
pub use count::counted;
pub use endpoint_url::EndpointUrl;
pub use error::ParseError;
pub use ids::{RouteId, ServiceId};
pub use listen_addr::ListenAddr;
pub use network::Network;
pub use percent::Percent;
pub use rate::{Rate, RatePeriod};
pub use resource_url::ResourceUrl;
pub use secret::Secret;
pub use status_range::StatusRange;
pub use time_span::TimeSpan;
