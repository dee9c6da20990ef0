//! What tests of a gateway need around it: origins that do exactly what a script says, a client that sends
//! and receives exactly the bytes of the test, and waiting for states.
//!
//! - [`Origin`]: an HTTP/1.1 server on a free port of 127.0.0.1, in its own thread, which records every
//!   request byte for byte and answers with the [`Reply`] that a closure returns, faults included.
//! - [`Client`]: a blocking TCP client; every call has a deadline.
//! - [`http2`]: a client that writes HTTP/2 frames by hand, and one that behaves.
//! - [`Authority`], [`TlsOptions`], [`TlsFront`]: certificates of the test's own, and TLS around client and origin.
//! - [`eventually`], [`Gate`]: wait for a state, or hold a reply until the test says go.
//! - [`side_by_side`]: independent cases that wait for long, at once.
//! - [`HeldPort`]: a port on which nobody listens, and that nobody else gets meanwhile.
//! - [`large`], [`soak`]: traffic for a whole gateway as a process, for tests and for longer runs.
//! - [`replay`]: the inputs that fuzzers have found, again.
//! - [`temp_dir`]: a directory that is removed at the end of the test.
//!
//! It deliberately shares no code with the gateway: an error in the gateway's codec must not hide behind the
//! same error here. It is not a server for anything but tests: limits are wide, and what is wrong panics.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a panic here fails the test that uses the helper, which is the way it reports"
)]

mod certificates;
mod client;
mod fuzzed;
mod gate;
mod held_port;
pub mod http2;
pub mod large;
pub mod measurement;
mod origin;
mod redis;
mod side_by_side;
pub mod soak;
mod tls;
mod tool;
mod wait;
mod wire;

pub use certificates::{Authority, Issued, pem};
pub use client::{Client, ClientError, Response, get, request};
pub use fuzzed::replay;
pub use gate::Gate;
pub use held_port::HeldPort;
pub use origin::{Origin, ReceivedRequest, Reply, UponHead};
pub use redis::{RedisCluster, RedisSentinel, RedisServer};
pub use side_by_side::side_by_side;
pub use tls::{Greeting, TlsFront, TlsOptions};
pub use tool::tool;
pub use wait::{eventually, eventually_some, not_at_midnight, within};

/// How long the helpers wait for a peer when the test names no deadline: 30 seconds, far above what a passing
/// test needs on a machine with other work, and short enough to read the failure.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

/// A new empty directory, removed with all that is in it when the value is dropped.
#[must_use]
#[track_caller]
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("torana-test-").tempdir().expect("the temporary directory is writable")
}

#[cfg(test)]
mod tests {
    #[test]
    fn temp_dir_is_removed_with_its_content() {
        let directory = super::temp_dir();
        let path = directory.path().to_path_buf();
        std::fs::write(path.join("file"), "content").unwrap();
        drop(directory);
        assert!(!path.exists());
    }
}
