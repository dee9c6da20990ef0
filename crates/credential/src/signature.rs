//! Signatures over requests.
//!
//! - [`KongSignature`]: Kong's `hmac` scheme, a MAC over a few fields in `Authorization`.
//! - [`MessageSignature`]: HTTP Message Signatures (RFC 9421) in `Signature-Input` and `Signature`.
//! - [`content_digest`] and [`digest`]: what ties a body to either.
//!
//! Strict by design: what could be read in two ways is refused, such as repeated members and parameters, a field
//! that is covered and repeated where the scheme has no rule for it, more than one signature to choose from.

mod body;
mod kong;
mod mac;
mod message;
mod parts;

pub use body::{content_digest, digest};
pub use kong::KongSignature;
pub use mac::{MacAlgorithm, SignatureKey};
pub use message::MessageSignature;

pub use crate::request::{Refusal, SignedRequest};
