//! What the tests of stores share.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by test binaries that use parts of it"
)]

use std::time::Duration;
use torana_limit::{Budget, FixedWindow, Gcra, Key, Period, Window};
use torana_store::{RedisStore, StoreSettings};
use torana_testkit::{RedisServer, not_at_midnight};

/// Longer than a busy machine is likely to need.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs as a worker does: on one thread, with tasks that stay on it.
pub fn on_worker<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// How the server is spoken to in tests that are not about being slow.
pub fn settings(server: &RedisServer) -> StoreSettings {
    StoreSettings {
        timeout: PATIENCE,
        connect_timeout: PATIENCE,
        ..StoreSettings::single("127.0.0.1", server.port())
    }
}

pub fn store(server: &RedisServer) -> RedisStore {
    RedisStore::new(settings(server))
}

pub const fn key(name: &str) -> Key<'_> {
    Key { kind: 1, bytes: name.as_bytes() }
}

/// So many an hour, all at once.
pub fn hourly(limit: u64) -> Budget {
    let hour = Duration::from_secs(3_600);
    Budget::new(Window::Gcra(Gcra::new(limit, hour, limit)), Vec::new())
}

/// So many in each day. It does not end while a test counts in it.
pub fn daily(limit: u64) -> Budget {
    not_at_midnight();
    Budget::new(Window::Fixed(FixedWindow::new(limit, Period::Span(Duration::from_secs(86_400)))), Vec::new())
}
