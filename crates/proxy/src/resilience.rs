//! What guards a service, beside its balancer: prepared once, its state kept over reloads.

use crate::probing::Prober;
use crate::statuses::Statuses;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use torana_balance::{Breaker, Panel};
use torana_filter::Response;
use torana_http::ResponseHead;

/// A service's breaker, and what counts for it.
#[derive(Debug)]
pub struct UpstreamBreaker {
    /// The state, shared by all routes and workers.
    pub breaker: Arc<Breaker>,
    /// Answers that count as failures.
    pub statuses: Statuses,
    /// Whether connections that fail or break count.
    pub connections: bool,
    /// Whether timeouts count.
    pub timeouts: bool,
    /// From which time to the first byte an answer counts as slow.
    pub slow_after: Option<Duration>,
    /// What is answered while it refuses, instead of a fault.
    pub fallback: Option<Fallback>,
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// The health of a service's endpoints, and which answers say what about it.
#[derive(Debug)]
pub struct UpstreamHealth {
    /// The endpoints, in the order of the balancer's.
    pub panel: Panel,
    /// Answers that speak against an endpoint.
    pub bad: Statuses,
    /// Answers that speak for it.
    pub good: Statuses,
    /// Who asks the endpoints, in their order; nobody without probes.
    pub probers: Vec<Arc<Prober>>,
}

impl Fallback {
    /// The answer; `None` only when a field is not valid, which the plan has checked.
    pub(crate) fn response(&self) -> Option<Response> {
        let mut head = ResponseHead::new(self.status);
        for (name, value) in &self.fields {
            head.fields.append(name.as_str(), value.as_bytes()).ok()?;
        }
        Some(Response { head, body: self.body.clone() })
    }
}
