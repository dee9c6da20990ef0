//! Policies in the plan: what is in force on a route, and where each came from.

pub(crate) mod authentication;
pub(crate) mod basic_auth;
pub(crate) mod jwt;
pub(crate) mod key_auth;
pub(crate) mod rate_limit;
pub(crate) mod roles;

pub use authentication::{AuthenticationGroup, AuthenticationPlan};
pub use basic_auth::BasicAuthPlan;
pub use jwt::{IssuerPlan, JwtPlan, KeyPlan, KeysPlan, MintPlan, RemoteKeysPlan, UpstreamTokenPlan};
pub use key_auth::KeyAuthPlan;
pub use rate_limit::{CostPlan, KeyPart, RateLimitPlan, SharingPlan, WindowPlan};
pub use roles::RolesPlan;

use std::fmt;
use std::sync::Arc;

use torana_config::Span;

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
    /// Callers say who they are.
    Authentication(AuthenticationPlan),
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
            Self::Authentication(plan) => plan.name(),
            Self::Roles(_) => "roles",
            Self::RateLimit(_) => "rate_limit",
        }
    }

    /// When it happens. A limit that needs no caller comes before credentials are looked at.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Authentication(_) => Phase::Authentication,
            Self::Roles(_) => Phase::Authorisation,
            Self::RateLimit(limit) if limit.needs_no_caller() => Phase::LimitsByAddress,
            Self::RateLimit(_) => Phase::LimitsByConsumer,
        }
    }

    /// Changes with anything about the policy.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}
