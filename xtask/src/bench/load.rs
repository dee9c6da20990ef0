//! Running the load generator that speaks the protocol of a case, on core 1.

mod h2load;
mod wrk;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::cases::{Case, Protocol};

/// What is asked, where, and how hard.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) address: SocketAddr,
    pub(super) path: &'a str,
    pub(super) case: &'a Case,
    pub(super) token: Option<&'a str>,
    /// Connections, each with one request at a time.
    pub(super) connections: u32,
    pub(super) seconds: u32,
}

/// What one run has given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Answered {
    pub(super) requests: u64,
    pub(super) rate: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

/// 99th percentiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Late {
    /// Of all requests.
    pub(super) all: Duration,
    /// Of those of 50 ms, in the middle of all such windows.
    pub(super) calm: Duration,
}

impl Load<'_> {
    pub(super) fn run(&self) -> Result<Answered> {
        match self.case.protocol {
            Protocol::Http1 | Protocol::Https => wrk::run(self),
            Protocol::Http2 => h2load::run(self),
        }
    }

    /// How late the latest one of a hundred answers is, see `h2load::late`.
    pub(super) fn late(&self) -> Result<Late> {
        h2load::late(self)
    }

    fn url(&self) -> String {
        let scheme = if self.case.protocol == Protocol::Http1 { "http" } else { "https" };
        format!("{scheme}://{}{}", self.address, self.path)
    }
}
