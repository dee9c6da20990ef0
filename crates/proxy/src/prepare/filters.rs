//! Policies become filters.

use super::authentication;
use super::routes::echo_place;
use crate::pipeline::Limiter;
use crate::registry::Registry;
use std::collections::HashSet;
use std::sync::Arc;
use torana_config::written::MethodOverrides;
use torana_filters::{
    CONSUMER_FIELDS, Filter, LimiterState, METHOD_OVERRIDES, RateLimitFilter, RedisStore, ReservedFields,
    Stateful, TerminateFilter,
};
use torana_http::FieldName;
use torana_plan::{AuthenticationPlan, Plan, PolicyPlan, RateLimitPlan, RoutePlan};

/// The limits in force, each once however many routes share it.
#[derive(Default)]
pub(super) struct Limiters {
    pub(super) all: Vec<Limiter>,
    known: HashSet<*const LimiterState>,
    store: Option<Arc<RedisStore>>,
}

impl Limiters {
    /// Limits that several gateways share are counted in this store.
    pub(super) fn over(store: Option<Arc<RedisStore>>) -> Self {
        Self { store, ..Self::default() }
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
        Stateful::Authentication(plan) => authentication::filter(plan, route, position, registry),
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

/// The fields that carry identity to services, whichever route sets them: a service behind a public route
/// must not see what a client made up. And what is only spelled like a field in which callers show who they are, or by
/// which it is decided what they may: a service may take it for that one. A few may come from trusted proxies.
pub(super) fn reserved_fields(plan: &Plan, few: &[String]) -> ReservedFields {
    let removes = plan.settings.method_overrides == MethodOverrides::Remove;
    let overrides = METHOD_OVERRIDES.into_iter().filter(|_| removes);
    let alike = credential_names(plan).into_iter().chain(judged_names(plan));
    ReservedFields::except(few, reserved_names(plan).into_iter().chain(overrides)).and_alike(alike)
}

/// The trailers that no client may send.
pub(super) fn reserved_trailers(plan: &Plan) -> ReservedFields {
    ReservedFields::of_trailers(reserved_names(plan).into_iter().chain(credential_names(plan)))
}

fn ways(plan: &Plan) -> impl Iterator<Item = &AuthenticationPlan> {
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    policies.filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(way),
        _ => None,
    })
}

/// The fields in which callers show who they are, each once.
fn credential_names(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = ways(plan).flat_map(AuthenticationPlan::credential_fields).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The fields by which requests are judged: by what a route or a policy asks of them.
fn judged_names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.routes.iter().flat_map(|route| {
        let conditions = route.matching.headers.iter().map(|condition| &*condition.name);
        conditions.chain(route.policies.iter().flat_map(|planned| planned.policy.judged_fields()))
    })
}

/// The names of [`credential_names`] in one spelling.
pub(super) fn credential_fields(plan: &Plan) -> Arc<[FieldName]> {
    let mut names: Vec<_> = credential_names(plan).into_iter().map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| FieldName::new(name)).collect()
}

fn reserved_names(plan: &Plan) -> Vec<&str> {
    let carried = ways(plan).flat_map(AuthenticationPlan::identity_fields);
    let clients =
        plan.settings.listen.iter().filter_map(|listener| listener.tls.as_ref()?.client_auth.as_ref());
    let certificates = clients.flat_map(|clients| clients.headers.given()).map(|(_, field)| field);
    let written = plan.settings.reserved_headers.iter().map(String::as_str);
    CONSUMER_FIELDS.into_iter().chain(carried).chain(certificates).chain(written).collect()
}
