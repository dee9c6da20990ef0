//! Who calls.
//!
//! - [`Identity`]: a caller as far as the gateway has verified it. Built once for a credential, shared by
//!   every request that shows it, so reading it costs nothing.
//! - [`Claims`]: what a credential says, as it was written.
//! - [`Consumer`]: what the configuration knows about a caller.
//! - [`Credential`]: by what a caller was recognised.
//!
//! Not here: how a credential is verified.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod claims;
mod consumer;
mod credential;
mod identity;
mod told;

pub use claims::{Claims, Json, Nested};
pub use consumer::Consumer;
pub use credential::{Credential, CredentialKind};
pub use identity::Identity;
pub use told::Told;
