//! The seal of this process, by which it knows trailers that the library has altered.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use torana_http::h2::Seal;

/// The seal. Its secret is the system's, and no peer is ever told.
pub(super) fn seal() -> Seal {
    static SEAL: OnceLock<Seal> = OnceLock::new();
    *SEAL.get_or_init(|| Seal::new(RandomState::new().hash_one("trailers")))
}
