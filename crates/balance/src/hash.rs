//! The one hash of keys and of endpoints' identities: xxHash64, the same in every process, so that all
//! gateways send a key to the same endpoint.

use twox_hash::XxHash64;

/// The hash of a key, or of an endpoint's identity.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// The hash of an identity's numbered part.
pub(crate) fn hash_numbered(identity: u64, number: u64) -> u64 {
    XxHash64::oneshot(number, &identity.to_le_bytes())
}
