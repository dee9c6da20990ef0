//! Policies in the plan: what is in force on a route, and where each came from.

pub(crate) mod acl;
pub(crate) mod allow_if;
pub(crate) mod asked;
pub(crate) mod authentication;
pub(crate) mod basic_auth;
pub(crate) mod bot_detection;
pub(crate) mod correlation_id;
pub(crate) mod cors;
pub(crate) mod csrf;
mod fields;
pub(crate) mod forward_auth;
pub(crate) mod hmac_auth;
pub(crate) mod ip_restriction;
pub(crate) mod jwt;
pub(crate) mod key_auth;
pub(crate) mod mtls_auth;
pub(crate) mod oauth2_introspection;
pub(crate) mod oidc_login;
pub(crate) mod rate_limit;
pub(crate) mod request_size;
pub(crate) mod required_headers;
pub(crate) mod roles;
mod secure;
pub(crate) mod security_headers;
pub(crate) mod sigv4;
pub(crate) mod terminate;

pub use acl::AclPlan;
pub use allow_if::AllowIfPlan;
pub use asked::{AskedPlan, TargetPiece, TargetPlan};
pub use authentication::{AuthenticationGroup, AuthenticationPlan, is_neutral};
pub use basic_auth::BasicAuthPlan;
pub use bot_detection::BotDetectionPlan;
pub use cors::{CorsPlan, OriginPattern};
pub use csrf::CsrfPlan;
pub use forward_auth::ForwardAuthPlan;
pub use hmac_auth::HmacAuthPlan;
pub use ip_restriction::IpRestrictionPlan;
pub use jwt::{
    ConsumerKeysPlan, DISCOVERY, IssuerPlan, JwtPlan, KeyPlan, KeysPlan, MintPlan, RemoteKeysPlan,
    UpstreamTokenPlan,
};
pub use key_auth::KeyAuthPlan;
pub use mtls_auth::MtlsAuthPlan;
pub use oauth2_introspection::OAuth2IntrospectionPlan;
pub use oidc_login::{OidcLoginPlan, ProviderPlan};
pub use rate_limit::{CostPlan, KeyPart, RateLimitPlan, SharingPlan, WindowPlan};
pub use request_size::RequestSizePlan;
pub use required_headers::{RequiredHeadersPlan, RequiredValue};
pub use roles::{Asked, RoleSource, RolesPlan, RulePlan};
pub use security_headers::SecurityHeadersPlan;
pub use sigv4::SigV4Plan;
pub use terminate::{TerminateAnswer, TerminatePlan};

use std::fmt;
use std::sync::Arc;

use torana_config::Span;
use torana_config::written::{CorrelationIdConfig, policy_names};

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

/// A policy with every default filled. When it happens says [`Self::phase`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyPlan {
    /// Requests have an identifier that goes through every service.
    CorrelationId(Arc<CorrelationIdConfig>),
    /// Browsers are told to be careful.
    SecurityHeaders(Arc<SecurityHeadersPlan>),
    /// Pages of other origins may read answers.
    Cors(Arc<CorsPlan>),
    /// Only some addresses may call.
    IpRestriction(Arc<IpRestrictionPlan>),
    /// Bodies are only so long.
    RequestSize(Arc<RequestSizePlan>),
    /// Requests have these fields.
    RequiredHeaders(Arc<RequiredHeadersPlan>),
    /// Programs that say what they are do not pass.
    BotDetection(Arc<BotDetectionPlan>),
    /// What another site makes a browser send does not pass.
    Csrf(Arc<CsrfPlan>),
    /// Callers are known, whichever policy knows them.
    Access,
    /// Callers say who they are.
    Authentication(AuthenticationPlan),
    /// Callers have a role.
    Roles(Arc<RolesPlan>),
    /// Callers belong to a group.
    Acl(Arc<AclPlan>),
    /// Expressions hold.
    AllowIf(Arc<AllowIfPlan>),
    /// Callers make only so many requests.
    RateLimit(Arc<RateLimitPlan>),
    /// The gateway answers in place of the service.
    Terminate(Arc<TerminatePlan>),
}

impl PolicyPlan {
    /// The name by which people write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authentication(plan) => plan.name(),
            Self::Roles(_) => policy_names::ROLES,
            Self::Acl(_) => policy_names::ACL,
            Self::AllowIf(_) => policy_names::ALLOW_IF,
            Self::CorrelationId(_) => policy_names::CORRELATION_ID,
            Self::SecurityHeaders(_) => policy_names::SECURITY_HEADERS,
            Self::Cors(_) => policy_names::CORS,
            Self::IpRestriction(_) => policy_names::IP_RESTRICTION,
            Self::RequestSize(_) => policy_names::REQUEST_SIZE,
            Self::RequiredHeaders(_) => policy_names::REQUIRED_HEADERS,
            Self::BotDetection(_) => policy_names::BOT_DETECTION,
            Self::Csrf(_) => policy_names::CSRF,
            Self::Access => policy_names::ACCESS,
            Self::RateLimit(_) => policy_names::RATE_LIMIT,
            Self::Terminate(_) => policy_names::TERMINATE,
        }
    }

    /// When it happens. A limit that needs no caller comes before credentials are looked at.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Authentication(_) => Phase::Authentication,
            Self::Access | Self::Roles(_) | Self::Acl(_) | Self::AllowIf(_) => Phase::Authorisation,
            // First, so that it sees every answer, those to preflights too.
            Self::CorrelationId(_) | Self::SecurityHeaders(_) | Self::Cors(_) => Phase::CorsPreflight,
            Self::IpRestriction(_)
            | Self::RequestSize(_)
            | Self::RequiredHeaders(_)
            | Self::BotDetection(_)
            | Self::Csrf(_) => Phase::IpAndSizeLimits,
            Self::RateLimit(limit) if limit.needs_no_caller() => Phase::LimitsByAddress,
            Self::RateLimit(_) => Phase::LimitsByConsumer,
            Self::Terminate(_) => Phase::Termination,
        }
    }

    /// Whether it needs to know who calls, or finds out.
    #[must_use]
    pub fn asks_who_calls(&self) -> bool {
        match self {
            Self::AllowIf(plan) => plan.asks_who_calls(),
            other => matches!(other.phase(), Phase::Authentication | Phase::Authorisation),
        }
    }

    /// Changes with anything about the policy.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}
