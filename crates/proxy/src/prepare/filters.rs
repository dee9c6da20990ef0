//! Policies become filters.

use super::authentication;
use super::routes::echo_place;
use crate::pipeline::Limiter;
use crate::registry::{Failures, Registry};
use std::collections::HashSet;
use std::sync::Arc;
use torana_filters::{Filter, LimiterState, RateLimitFilter, RedisStore, Stateful, TerminateFilter};
use torana_plan::{AuthenticationPlan, Plan, PolicyPlan, RateLimitPlan, RoutePlan};

/// The limits in force, each once however many routes share it.
#[derive(Default)]
pub(super) struct Limiters {
    pub(super) all: Vec<Limiter>,
    known: HashSet<*const LimiterState>,
    store: Option<Arc<RedisStore>>,
    failures: Option<Failures>,
}

impl Limiters {
    /// Limits that several gateways share are counted in this store, wrong credentials by that limit.
    pub(super) fn over(store: Option<Arc<RedisStore>>, failures: Option<Failures>) -> Self {
        Self { store, failures, ..Self::default() }
    }

    fn add(&mut self, plan: &Arc<RateLimitPlan>, state: &Arc<LimiterState>) {
        if self.known.insert(Arc::as_ptr(state)) {
            let (id, plan) = (Arc::clone(&plan.id), Arc::clone(plan));
            self.all.push(Limiter { id, plan, state: Arc::clone(state) });
        }
    }
}

/// The filter of a route's policy at `position` in its list.
pub(super) fn filter(
    policy: &PolicyPlan,
    route: &RoutePlan,
    position: usize,
    service: Option<&str>,
    registry: &mut Registry,
    limiters: &mut Limiters,
) -> Filter {
    let policy = match Filter::stateless(policy) {
        Ok(filter) => return filter,
        Err(policy) => policy,
    };
    match policy {
        Stateful::Authentication(plan) => {
            authentication::filter(plan, route, position, registry, limiters.failures.as_ref())
        }
        Stateful::Terminate(plan) => {
            Filter::Terminate(TerminateFilter::prepare(plan, echo_place(route, service)))
        }
        Stateful::RateLimit(plan) => {
            let state = registry
                .limiters
                .get_or(Arc::clone(plan), || LimiterState::new(plan, limiters.store.as_deref()));
            limiters.add(plan, &state);
            let limits = route.policies.iter().filter(|one| matches!(one.policy, PolicyPlan::RateLimit(_)));
            let filter = RateLimitFilter::prepare(plan, state, &route.name, &route.matching.path, service);
            Filter::RateLimit(filter.beside_others(limits.count() > 1))
        }
    }
}

/// The cookies of logins, on routes without one too: whoever has one is whom it says.
pub(super) fn login_cookies(plan: &Plan) -> Vec<String> {
    let mut names = Vec::new();
    for planned in plan.routes.iter().flat_map(|route| &route.policies) {
        if let PolicyPlan::Authentication(AuthenticationPlan::OidcLogin(login)) = &planned.policy
            && !names.contains(&login.cookie)
        {
            names.push(login.cookie.clone());
        }
    }
    names
}
