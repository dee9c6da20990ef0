//! Which fields of requests are removed before anything looks at them, and which show who calls.

use std::sync::Arc;
use torana_config::written::MethodOverrides;
use torana_filters::ReservedFields;
use torana_http::FieldName;
use torana_plan::reserved::METHOD_OVERRIDES;
use torana_plan::{AuthenticationPlan, Plan, PolicyPlan};

/// The fields that carry identity to services, whichever route sets them: a service behind a public route
/// must not see what a client made up. And what is only spelled like a field in which callers show who they are, or by
/// which it is decided what they may: a service may take it for that one.
pub(super) fn fields(plan: &Plan) -> ReservedFields {
    let settings = &plan.settings;
    let named = settings.reserved_headers.iter().chain(&settings.trusted_headers);
    completed(plan, ReservedFields::new(named.map(String::as_str)))
}

/// The same for trusted proxies, which may send a few; but not what the gateway writes itself.
pub(super) fn fields_for_trusted(plan: &Plan) -> ReservedFields {
    let settings = &plan.settings;
    let named = settings.reserved_headers.iter().map(String::as_str);
    completed(plan, ReservedFields::except(&settings.trusted_headers, named))
}

fn completed(plan: &Plan, reserved: ReservedFields) -> ReservedFields {
    let removes = plan.settings.method_overrides == MethodOverrides::Remove;
    let overrides = METHOD_OVERRIDES.into_iter().filter(|_| removes);
    let alike = credential_names(plan).into_iter().chain(judged_names(plan));
    reserved.sparing(identifier_names(plan)).and(written_names(plan).chain(overrides)).and_alike(alike)
}

/// The fields of identifiers that the gateway gives before anything is removed, or takes over from clients.
fn identifier_names(plan: &Plan) -> impl Iterator<Item = &str> {
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    let correlations = policies.filter_map(|planned| match &planned.policy {
        PolicyPlan::CorrelationId(config) => Some(config.header.as_str()),
        _ => None,
    });
    plan.settings.request_id.header.on().map(String::as_str).into_iter().chain(correlations)
}

/// The trailers that nobody may send.
pub(super) fn trailers(plan: &Plan) -> ReservedFields {
    let settings = &plan.settings;
    let named = settings.reserved_headers.iter().chain(&settings.trusted_headers).map(String::as_str);
    ReservedFields::of_trailers(named.chain(written_names(plan)).chain(credential_names(plan)))
}

/// The fields in which callers show who they are, or trusted proxies say so, in one spelling.
pub(super) fn credential_fields(plan: &Plan) -> Arc<[FieldName]> {
    let trusted = plan.settings.trusted_headers.iter().map(String::as_str);
    let names = credential_names(plan).into_iter().chain(trusted);
    let mut names: Vec<_> = names.map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| FieldName::new(name)).collect()
}

fn written_names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.written_fields().map(|(name, _)| name)
}

/// The fields in which callers show who they are, each once.
fn credential_names(plan: &Plan) -> Vec<&str> {
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    let ways = policies.filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(way),
        _ => None,
    });
    let mut names: Vec<&str> = ways.flat_map(AuthenticationPlan::credential_fields).collect();
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
