//! Answers that are kept: which, for whom, for how long, and where.
//!
//! - [`Directives`]: what `Cache-Control` says, read so that what is unclear keeps nothing.
//! - [`Rules`]: whether an answer may be kept, as a shared cache by RFC 9111 and stricter: one caller's answer is
//!   never another's. [`Terms`]: for whom and for how long.
//! - [`Variant`]: the fields of a request that the answer depends on (`Vary`).
//! - [`Cache`]: a store bounded by bytes, of which the least recently used goes first.
//! - [`resolve`]: which URL a field of an answer names.
//!
//! What is kept is up to the caller, and so are the fields: they are asked for through [`Fields`]. Nothing here reads
//! a clock.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod cache;
mod directives;
mod location;
mod rules;
mod store;
mod terms;
mod variant;

pub use cache::{Cache, Mark, Room};
pub use directives::Directives;
pub use location::resolve;
pub use rules::{Refusal, Rules, shows_somebody, supersedes};
pub use terms::{Audience, Received, Standing, Terms};
pub use variant::Variant;

/// The fields of a message.
pub trait Fields {
    /// Every value of a field, in order; names are compared without regard to case.
    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]>;

    /// Whether a field is there.
    fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }
}

#[cfg(test)]
impl Fields for [(&str, &str)] {
    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        let named = self.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_bytes())
    }
}
