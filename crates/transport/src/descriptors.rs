//! How many file descriptors the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where the system names no bound.
const MANY: u64 = 1 << 20;

/// Raises what the process may have to what it may raise it to, and gives that. A refusal leaves it as it is.
pub fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // What was not raised is still counted right below.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    descriptors()
}

/// How many file descriptors the process may have.
#[must_use]
pub fn descriptors() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(MANY)
}
