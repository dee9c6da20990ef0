//! Policies become filters.

use super::authentication;
use crate::pipeline::Limiter;
use crate::registry::Registry;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use torana_filters::{CONSUMER_FIELDS, Filter, LimiterState, RateLimitFilter, RedisStore, RolesFilter};
use torana_http::FieldName;
use torana_plan::{AuthenticationPlan, Plan, PolicyPlan, RoutePlan};

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

    fn add(&mut self, id: &Arc<str>, state: &Arc<LimiterState>) {
        if self.known.insert(Arc::as_ptr(state)) {
            self.all.push(Limiter { id: Arc::clone(id), state: Arc::clone(state) });
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
    match policy {
        PolicyPlan::Authentication(plan) => authentication::filter(plan, route, position, registry),
        PolicyPlan::Roles(plan) => Filter::Roles(RolesFilter::prepare(plan)),
        PolicyPlan::RateLimit(plan) => {
            let state = registry
                .limiters
                .get_or(Arc::clone(plan), || LimiterState::new(plan, limiters.store.as_deref()));
            limiters.add(&plan.id, &state);
            Filter::RateLimit(RateLimitFilter::prepare(plan, state, &route.name, service))
        }
    }
}

/// The fields that carry identity to services, whichever route sets them: a service behind a public route
/// must not see what a client made up.
pub(super) fn identity_fields(plan: &Plan) -> Vec<FieldName> {
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    let ways = policies.filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(way),
        _ => None,
    });
    let mut fields: BTreeSet<&str> = ways.clone().flat_map(AuthenticationPlan::identity_fields).collect();
    if ways.count() > 0 {
        fields.extend(CONSUMER_FIELDS);
    }
    let clients =
        plan.settings.listen.iter().filter_map(|listener| listener.tls.as_ref()?.client_auth.as_ref());
    fields.extend(clients.flat_map(|clients| clients.headers.given()).map(|(_, field)| field));
    fields.into_iter().map(FieldName::new).collect()
}
