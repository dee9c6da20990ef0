//! The filters that are made of their plan alone, in one place for those who serve and those who measure.

use crate::{
    AccessFilter, AclFilter, AllowIfFilter, BotDetectionFilter, CorrelationIdFilter, CorsFilter, CsrfFilter,
    Filter, IpRestrictionFilter, RequestSizeFilter, RequiredHeadersFilter, RolesFilter,
    SecurityHeadersFilter,
};
use std::sync::Arc;
use torana_plan::{AuthenticationPlan, PolicyPlan, RateLimitPlan, TerminatePlan};

/// A policy whose filter needs more than its plan.
#[derive(Clone, Copy, Debug)]
pub enum Stateful<'p> {
    /// What it remembers, fetches and counts outlives a configuration.
    Authentication(&'p AuthenticationPlan),
    /// What it counts does.
    RateLimit(&'p Arc<RateLimitPlan>),
    /// It tells of the route where it stands.
    Terminate(&'p Arc<TerminatePlan>),
}

impl Filter {
    /// The filter of a policy.
    ///
    /// # Errors
    /// It needs more than the plan.
    pub fn stateless(plan: &PolicyPlan) -> Result<Self, Stateful<'_>> {
        Ok(match plan {
            PolicyPlan::Authentication(plan) => return Err(Stateful::Authentication(plan)),
            PolicyPlan::RateLimit(plan) => return Err(Stateful::RateLimit(plan)),
            PolicyPlan::Terminate(plan) => return Err(Stateful::Terminate(plan)),
            PolicyPlan::Roles(plan) => Self::Roles(RolesFilter::prepare(plan)),
            PolicyPlan::Acl(plan) => Self::Acl(AclFilter::prepare(plan)),
            PolicyPlan::AllowIf(plan) => Self::AllowIf(AllowIfFilter::prepare(plan)),
            PolicyPlan::CorrelationId(plan) => Self::CorrelationId(CorrelationIdFilter::prepare(plan)),
            PolicyPlan::SecurityHeaders(plan) => Self::SecurityHeaders(SecurityHeadersFilter::prepare(plan)),
            PolicyPlan::Cors(plan) => Self::Cors(CorsFilter::prepare(plan)),
            PolicyPlan::IpRestriction(plan) => Self::IpRestriction(IpRestrictionFilter::prepare(plan)),
            PolicyPlan::RequestSize(plan) => Self::RequestSize(RequestSizeFilter::prepare(plan)),
            PolicyPlan::RequiredHeaders(plan) => Self::RequiredHeaders(RequiredHeadersFilter::prepare(plan)),
            PolicyPlan::BotDetection(plan) => Self::BotDetection(BotDetectionFilter::prepare(plan)),
            PolicyPlan::Csrf(plan) => Self::Csrf(CsrfFilter::prepare(plan)),
            PolicyPlan::Access => Self::Access(AccessFilter),
        })
    }
}
