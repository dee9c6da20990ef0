//! How an endpoint is chosen, with every default filled.

use torana_config::written::Balance;
use torana_types::{Percent, Secret, TimeSpan};

/// How an endpoint is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BalancePlan {
    /// The algorithm.
    pub algorithm: BalanceAlgorithm,
    /// What of a request counts, in order; empty unless the algorithm goes by it.
    pub keys: Vec<HashKeyPlan>,
    /// A client stays with its endpoint.
    pub sticky: Option<StickyPlan>,
    /// Endpoints of this zone come first.
    pub zone: Option<ZonePlan>,
}

/// The algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BalanceAlgorithm {
    /// One that goes by the endpoints alone.
    By(Balance),
    /// A ring of hashes.
    Ring,
    /// A table of hashes.
    Maglev,
}

/// Something of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HashKeyPlan {
    /// The client's address.
    Address,
    /// The consumer.
    Consumer,
    /// The path.
    Path,
    /// The first value of a field.
    Header(String),
    /// The value of a cookie, which is given to clients that have none.
    Cookie {
        /// Its name.
        name: String,
        /// Its path.
        path: String,
    },
    /// The values of a query parameter.
    Argument(String),
    /// A segment of the path, counted from 1.
    Segment(u16),
}

/// A client stays with its endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StickyPlan {
    /// The name of the cookie.
    pub cookie: String,
    /// What it is signed with.
    pub secret: Secret,
    /// How long the client keeps it.
    pub keep: Option<TimeSpan>,
    /// Its path.
    pub path: String,
}

/// Endpoints of a zone come first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ZonePlan {
    /// Which.
    pub own: String,
    /// With less of its weight in service, all zones are asked.
    pub at_least: Percent,
}
