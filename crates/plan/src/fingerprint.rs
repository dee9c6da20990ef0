//! A number that changes when what it was made from changes.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The fingerprint of a value. Equal values have equal fingerprints within one run of the program; it
/// is made to compare configurations across a reload, not to be stored.
pub(crate) fn of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
