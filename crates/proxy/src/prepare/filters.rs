//! Policies become filters.

use super::authentication;
use super::routes::echo_place;
use crate::pipeline::Limiter;
use crate::registry::{Failures, LimiterKey, Registry};
use std::collections::HashMap;
use std::sync::Arc;
use torana_filters::{Filter, LimiterState, RateLimitFilter, RedisStore, Stateful, TerminateFilter};
use torana_plan::{AuthenticationPlan, Plan, PolicyPlan, RateLimitPlan, RoutePlan};

/// The limits in force, each once however many routes share it.
#[derive(Default)]
pub(super) struct Limiters {
    pub(super) all: Vec<Limiter>,
    known: HashMap<Arc<RateLimitPlan>, Arc<LimiterState>>,
    store: Option<Arc<RedisStore>>,
    failures: Option<Failures>,
}

impl Limiters {
    /// Limits that several gateways share are counted in this store, wrong credentials by that limit.
    pub(super) fn over(store: Option<Arc<RedisStore>>, failures: Option<Failures>) -> Self {
        Self { store, failures, ..Self::default() }
    }

    /// The counters of a limit, which go on from what it has counted until now.
    fn of(&mut self, plan: &Arc<RateLimitPlan>, registry: &Registry) -> Arc<LimiterState> {
        if let Some(state) = self.known.get(plan) {
            return Arc::clone(state);
        }
        let before = registry.limiters.get(&limiter_key(plan));
        let state = Arc::new(LimiterState::new(plan, self.store.as_deref(), before.as_deref()));
        self.known.insert(Arc::clone(plan), Arc::clone(&state));
        let (id, plan) = (Arc::clone(&plan.id), Arc::clone(plan));
        self.all.push(Limiter { id, plan, state: Arc::clone(&state) });
        state
    }
}

/// What a limit's counters are found by.
pub(super) fn limiter_key(plan: &RateLimitPlan) -> LimiterKey {
    (Arc::clone(&plan.id), plan.by.clone())
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
            let state = limiters.of(plan, registry);
            let limits = route.policies.iter().filter(|one| matches!(one.policy, PolicyPlan::RateLimit(_)));
            let filter = RateLimitFilter::prepare(plan, state, &route.name, &route.matching.path, service);
            Filter::RateLimit(filter.beside_others(limits.count() > 1))
        }
    }
}

/// What is done to answers where no route is concerned.
pub(super) fn of_answers(plan: &Plan) -> Vec<Filter> {
    // None of them needs more than its plan.
    plan.of_answers.iter().filter_map(|planned| Filter::stateless(&planned.policy).ok()).collect()
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
