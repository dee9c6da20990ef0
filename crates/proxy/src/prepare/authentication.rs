//! Ways to say who calls: state that outlives a reload, and the place of each among the others.

use crate::provider_asking;
use crate::registry::{Failures, Registry};
use std::sync::Arc;
use torana_filter::{Consumer, Identity};
use torana_filters::{
    AuthenticationFilter, BasicAuthFilter, FailureLimit, Filter, ForwardAuthFilter, HmacAuthFilter,
    JwtFilter, KeyAuthFilter, LoginMemory, Method, MtlsAuthFilter, OAuth2IntrospectionFilter,
    OidcLoginFilter, Place, Provider, RemoteKeys, SigV4Filter,
};
use torana_plan::{AuthenticationPlan, PolicyPlan, ProviderPlan, RemoteKeysPlan, RoutePlan, Settings};

/// A way on its place. `position` is the policy's place in the route's list.
pub(super) fn filter(
    plan: &AuthenticationPlan,
    route: &RoutePlan,
    position: usize,
    registry: &mut Registry,
    failures: Option<&Failures>,
) -> Filter {
    let is_way = |policy: &PolicyPlan| matches!(policy, PolicyPlan::Authentication(_));
    let after = route.policies.iter().skip(position.saturating_add(1));
    let group = &route.authentication;
    let mut ways = |wanted: &dyn Fn(usize, &AuthenticationPlan) -> bool| -> Arc<[Arc<Method>]> {
        let chosen = route.policies.iter().enumerate().filter_map(|(other, planned)| match &planned.policy {
            PolicyPlan::Authentication(plan) if wanted(other, plan) => Some(method(plan, registry)),
            _ => None,
        });
        chosen.collect()
    };
    let others = ways(&|other, _| !group.all && other != position);
    let earlier = ways(&|other, _| group.all && other < position);
    let preflight = group.preflight.of(plan.way());
    let still_asked = ways(&|_, way| group.preflight.of(way.way()) < preflight);
    let place = Place {
        all: group.all,
        last: !after.map(|planned| &planned.policy).any(is_way),
        yields: group.all && group.caller.is_some_and(|caller| caller != plan.name()),
        anonymous: group.anonymous.as_ref().map(anonymous),
        preflight,
        still_asked,
        others,
        earlier,
    };
    let method = method(plan, registry);
    Filter::Authentication(AuthenticationFilter::new(
        method,
        place,
        failures.map(|(_, limit)| Arc::clone(limit)),
    ))
}

/// The limit on wrong credentials; what it has counted stays while it is the same.
pub(super) fn limit_failures(settings: &Settings, registry: &Registry) -> Option<Failures> {
    let wanted = settings.limits.failed_credentials.on()?;
    let known = registry.failures.as_ref().filter(|(rate, _)| rate == wanted);
    Some(known.cloned().unwrap_or_else(|| (*wanted, Arc::new(FailureLimit::new(wanted)))))
}

fn anonymous(record: &Arc<Consumer>) -> Arc<Identity> {
    let record = Some(Arc::clone(record));
    let consumer = record.as_ref().map_or_else(String::new, |record| record.name().to_owned());
    Arc::new(Identity { consumer, record, anonymous: true, ..Identity::default() })
}

fn method(plan: &AuthenticationPlan, registry: &mut Registry) -> Arc<Method> {
    if let Some(known) = registry.authentication.get(plan) {
        return known;
    }
    let made = match plan {
        AuthenticationPlan::KeyAuth(plan) => Method::KeyAuth(KeyAuthFilter::prepare(plan)),
        AuthenticationPlan::BasicAuth(plan) => Method::BasicAuth(BasicAuthFilter::prepare(plan)),
        AuthenticationPlan::HmacAuth(plan) => Method::HmacAuth(HmacAuthFilter::prepare(plan)),
        AuthenticationPlan::SigV4(plan) => Method::SigV4(SigV4Filter::prepare(plan)),
        AuthenticationPlan::MtlsAuth(plan) => Method::MtlsAuth(MtlsAuthFilter::prepare(plan)),
        AuthenticationPlan::OAuth2Introspection(plan) => {
            Method::OAuth2Introspection(OAuth2IntrospectionFilter::prepare(plan))
        }
        AuthenticationPlan::ForwardAuth(plan) => Method::ForwardAuth(ForwardAuthFilter::prepare(plan)),
        AuthenticationPlan::OidcLogin(plan) => {
            let provider = provider(&plan.provider, registry);
            let memory = registry.logins.get_or(plan.login(), LoginMemory::default);
            Method::OidcLogin(Box::new(OidcLoginFilter::prepare(plan, provider, memory)))
        }
        AuthenticationPlan::Jwt(plan) => {
            Method::Jwt(JwtFilter::prepare(plan, |plan| remote_keys(plan, registry)))
        }
    };
    let made = Arc::new(made);
    registry.authentication.keep(plan.clone(), &made);
    made
}

/// A provider is asked by one, whichever policies send callers there.
fn provider(plan: &ProviderPlan, registry: &mut Registry) -> Arc<Provider> {
    if let Some(known) = registry.providers.get(plan) {
        return known;
    }
    let provider = Arc::new(Provider::new(plan, remote_keys(&plan.keys, registry)));
    registry.providers.keep(plan.clone(), &provider);
    if let Some(chores) = registry.chores() {
        provider_asking::begin(chores, &provider);
    }
    provider
}

/// Keys of one place are fetched once, whoever uses them, and not before their configuration is in force. Those that are known
/// stay where only the way changes in which they are fetched: the place may be out of reach just now.
fn remote_keys(plan: &RemoteKeysPlan, registry: &mut Registry) -> Arc<RemoteKeys> {
    let in_force = |keys: &Arc<RemoteKeys>| keys.fetcher().is_some() && keys.are_those_of(plan);
    let known = registry.remote_keys.living().find(in_force);
    registry.remote_keys.get_or(plan.clone(), || match known {
        Some(before) => RemoteKeys::after(plan, &before),
        None => RemoteKeys::new(plan),
    })
}
