//! What else happens to a route's requests.

use torana_config::written::{FaultsConfig, MirrorConfig};
use torana_types::{Percent, ServiceId};

use crate::balance::HashKeyPlan;
use crate::plan::UpstreamTimeouts;

/// What else happens to a route's requests; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TrafficPlan {
    /// A part goes to other services.
    pub split: Option<SplitPlan>,
    /// Copies go to another service.
    pub mirror: Option<MirrorPlan>,
    /// Faults on purpose.
    pub faults: Option<FaultsConfig>,
}

/// A part of the requests goes to other services.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SplitPlan {
    /// Which, and how much of all; at most the whole together.
    pub arms: Vec<SplitArmPlan>,
    /// What of a request decides, in order; empty draws each.
    pub by: Vec<HashKeyPlan>,
}

/// A service that gets a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SplitArmPlan {
    /// Which.
    pub service: ServiceId,
    /// How much of all.
    pub share: Percent,
    /// How long it may take on this route.
    pub timeouts: UpstreamTimeouts,
}

/// Copies go to another service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MirrorPlan {
    /// Which.
    pub service: ServiceId,
    /// How.
    pub config: MirrorConfig,
}
