//! HTTP messages without I/O.
//!
//! - [`RequestHead`] and [`ResponseHead`]: what filters see. Method, target, status and an ordered
//!   multi-map of fields ([`Fields`]) that is an index over the received bytes plus an overlay of edits.
//!   Forwarding unchanged fields is a copy of byte ranges.
//! - [`cookie`]: the cookies of a request.
//! - [`h1`]: the HTTP/1.x codec. Heads are read, checked and indexed in one pass over their bytes; bodies are
//!   decoded and encoded by small state machines; heads are written back.
//! - [`h2`]: what HTTP/2 messages must hold beyond their framing, and how many frames a peer may spend.
//!
//! Nothing here reads a socket, a clock or a file. Names and values are validated when they enter, so
//! nothing downstream can inject a line.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod bytes;
pub mod cookie;
mod fields;
pub mod h1;
pub mod h2;
mod head;
mod method;
mod name;
pub mod proxy_protocol;

pub use fields::{Fields, InvalidField};
pub use head::{RequestHead, ResponseHead, TargetForm, Version};
pub use method::Method;
pub use name::{FieldName, Known, KnownSet, Name};
