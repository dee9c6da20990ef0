//! Metrics and the access log: what happened, told without ever delaying what happens.
//!
//! - [`Metrics`] hands out handles that were resolved beforehand; counting is a few additions on memory that
//!   the thread has nearly for itself. [`Metrics::render`] is the page that Prometheus reads.
//! - [`AccessLog`] takes a line for each request and writes it elsewhere; when that is too slow, lines are
//!   dropped and counted.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly"))]

mod access_log;
mod histogram;
mod line;
mod metrics;
pub mod names;
mod route;
mod samples;
mod shard;

pub use access_log::{AccessLog, AccessLogSettings, LogTarget};
pub use line::{AccessRecord, LogFormat};
pub use metrics::{AccessLogMetrics, ConnectionMetrics, Metrics, OpenTunnel, ReloadMetrics};
pub use route::{Observation, RouteMetrics};
pub use samples::{Samples, Source};
