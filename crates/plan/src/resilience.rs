//! What guards a service, with every default filled.

use std::num::NonZeroU32;
use std::sync::Arc;

use torana_config::written::{BreakerOn, BreakerWindowConfig, EjectionConfig, FailuresConfig, ProbeKind};
use torana_types::{ByteSize, Percent, StatusRange, TimeSpan};

use crate::tls::UpstreamTlsPlan;

/// The circuit breaker of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerPlan {
    /// It opens after this many failures in a row.
    pub failures: Option<NonZeroU32>,
    /// It opens by shares of the recent past.
    pub window: Option<BreakerWindowConfig>,
    /// How long it stays open.
    pub open_for: TimeSpan,
    /// How many requests must then succeed.
    pub trials: NonZeroU32,
    /// What counts as a failure.
    pub on: Vec<BreakerOn>,
    /// Which answers are kept and given while it is open.
    pub stale: Option<StalePlan>,
    /// What is answered while it is open, instead of 503, where no kept answer is.
    pub fallback: Option<FallbackPlan>,
}

/// Answers that are kept for the time when the service is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StalePlan {
    /// How long past its freshness one may be given; not zero.
    pub grace: TimeSpan,
    /// What all of them may take; not zero.
    pub memory: ByteSize,
    /// The longest body that is kept; neither zero nor more than `memory`.
    pub largest: ByteSize,
    /// Whether those are kept that say nothing about caching.
    pub unmarked: bool,
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FallbackPlan {
    /// The status code, from 200 to 599.
    pub status: u16,
    /// Fields, valid by RFC 9110 section 5.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Arc<[u8]>,
}

/// Which endpoints of a service are asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthPlan {
    /// Asks every endpoint from time to time.
    pub probes: Option<Arc<ProbesPlan>>,
    /// Leaves out endpoints that fail requests.
    pub ejection: Option<EjectionConfig>,
    /// For how long an endpoint gets less than its share at first; zero for not at all.
    pub slow_start: TimeSpan,
    /// Below this share of the weight in service all endpoints are asked.
    pub panic_below: Percent,
    /// At this share of the weight in service none is asked.
    pub down_at: Percent,
}

/// Whether probes go by TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProbeTlsPlan {
    /// As requests do.
    AsRequests,
    /// In plain text.
    Off,
    /// By this, whatever the endpoints' URLs say.
    Own(Arc<UpstreamTlsPlan>),
}

/// How endpoints are probed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbesPlan {
    /// What is asked.
    pub kind: ProbeKind,
    /// The path of the request, valid in a request line.
    pub path: String,
    /// The gRPC service that is asked about, at most 255 bytes; the server as a whole without it.
    pub service: Option<String>,
    /// The `Host` of the request; the endpoint's own without it.
    pub host: Option<String>,
    /// Fields of the request, valid by RFC 9110 section 5; a name may come several times, one after another.
    pub headers: Vec<(String, String)>,
    /// By TLS or not.
    pub tls: ProbeTlsPlan,
    /// Between two questions to an endpoint that works; `None` asks none.
    pub interval: Option<TimeSpan>,
    /// Between two questions to an endpoint that does not.
    pub unhealthy_interval: Option<TimeSpan>,
    /// How long an answer may take.
    pub timeout: TimeSpan,
    /// Questions to endpoints of the service at once; any number without it.
    pub at_once: Option<NonZeroU32>,
    /// Statuses that speak for the endpoint.
    pub good: Vec<StatusRange>,
    /// Statuses that speak against it; all that are not good without it.
    pub bad: Option<Vec<StatusRange>>,
    /// Text that a good answer contains.
    pub body: Option<String>,
    /// So many good answers in a row bring it back; 0 for none ever.
    pub healthy_after: u8,
    /// So many failures in a row take it out of service.
    pub unhealthy_after: FailuresConfig,
}
