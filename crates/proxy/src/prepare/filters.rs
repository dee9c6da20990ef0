//! Policies become filters.

use crate::pipeline::Limiter;
use crate::registry::Registry;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use torana_filters::{Filter, JwtFilter, LimiterState, RateLimitFilter, RolesFilter};
use torana_http::FieldName;
use torana_plan::{Plan, PolicyPlan};

/// The limits in force, each once however many routes share it.
#[derive(Default)]
pub(super) struct Limiters {
    pub(super) all: Vec<Limiter>,
    known: HashSet<*const LimiterState>,
}

impl Limiters {
    fn add(&mut self, id: &Arc<str>, state: &Arc<LimiterState>) {
        if self.known.insert(Arc::as_ptr(state)) {
            self.all.push(Limiter { id: Arc::clone(id), state: Arc::clone(state) });
        }
    }
}

pub(super) fn filter(policy: &PolicyPlan, registry: &mut Registry, limiters: &mut Limiters) -> Filter {
    match policy {
        PolicyPlan::Jwt(plan) => {
            Filter::Jwt(registry.jwt.get_or(Arc::clone(plan), || JwtFilter::prepare(plan)))
        }
        PolicyPlan::Roles(plan) => Filter::Roles(RolesFilter::prepare(plan)),
        PolicyPlan::RateLimit(plan) => {
            let state = registry.limiters.get_or(Arc::clone(plan), || LimiterState::new(plan));
            limiters.add(&plan.id, &state);
            Filter::RateLimit(RateLimitFilter::prepare(plan, state))
        }
    }
}

/// The fields that carry identity to services, whichever route sets them: a service behind a public route
/// must not see what a client made up.
pub(super) fn identity_fields(plan: &Plan) -> Vec<FieldName> {
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    let fields = policies.filter_map(|planned| match &planned.policy {
        PolicyPlan::Jwt(jwt) => Some(&jwt.claims_to_headers),
        _ => None,
    });
    let fields: BTreeSet<&String> = fields.flatten().map(|(_, field)| field).collect();
    fields.into_iter().map(|field| FieldName::new(field)).collect()
}
