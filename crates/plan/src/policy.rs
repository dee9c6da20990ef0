//! Policies in the plan: what is in force on a route, and where each came from.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use torana_config::Span;
use torana_config::written::{Algorithm, LimitKey};
use torana_types::{Rate, Secret, TimeSpan};

use crate::fingerprint;
use crate::order::Phase;

/// Where a policy was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// For every route.
    Global,
    /// For the routes to one service.
    Service,
    /// For one route.
    Route,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Global => "global",
            Self::Service => "service",
            Self::Route => "route",
        })
    }
}

/// A policy in force on a route.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPolicy {
    /// The policy. Routes that share one written policy share the allocation too.
    pub policy: PolicyPlan,
    /// The scope it was written at.
    pub scope: Scope,
    /// Where it stands in the file.
    pub span: Span,
}

/// A policy with every default filled. The variants stand in the order of their standard phases.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyPlan {
    /// Callers show a token.
    Jwt(Arc<JwtPlan>),
    /// Callers have a role.
    Roles(Arc<RolesPlan>),
    /// Callers make only so many requests.
    RateLimit(Arc<RateLimitPlan>),
}

impl PolicyPlan {
    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::Roles(_) => "roles",
            Self::RateLimit(_) => "rate_limit",
        }
    }

    /// When it happens. A limit by address alone needs no caller, and so comes before credentials are
    /// looked at.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Jwt(_) => Phase::Authentication,
            Self::Roles(_) => Phase::Authorisation,
            Self::RateLimit(limit) if limit.by == LimitKey::Address => Phase::LimitsByAddress,
            Self::RateLimit(_) => Phase::LimitsByConsumer,
        }
    }

    /// Changes with anything about the policy.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}

/// Callers show a JSON Web Token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JwtPlan {
    /// The secret that tokens are signed with; never empty.
    pub secret: Secret,
    /// Algorithms that are accepted; at least one.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may differ.
    pub leeway: TimeSpan,
    /// Claims and the field that carries each to the service; the fields are removed from requests.
    pub claims_to_headers: Vec<(String, String)>,
    /// The claim that says who calls.
    pub consumer_claim: String,
    /// The claim that lists roles.
    pub roles_claim: String,
    /// The realm in `WWW-Authenticate`, free of quotes and control characters.
    pub realm: String,
}

/// Callers have a role. At least one of the lists is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RolesPlan {
    /// One of these is needed; no condition when empty.
    pub any: Vec<String>,
    /// All of these are needed.
    pub all: Vec<String>,
}

/// Callers make only so many requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimitPlan {
    /// What the counters are keyed by over reloads: the scope and its name, such as `global`,
    /// `service/users` or `route/GET /x`. Routes with the same identifier count together.
    pub id: Arc<str>,
    /// How many requests in what period.
    pub limit: Rate,
    /// How many may come at once.
    pub burst: NonZeroU32,
    /// Who is counted.
    pub by: LimitKey,
    /// How many callers are remembered.
    pub max_keys: NonZeroU32,
}

impl RateLimitPlan {
    /// Changes with anything that shapes the counters.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}
