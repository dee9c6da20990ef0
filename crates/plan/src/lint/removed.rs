//! What is asked of fields that are removed before anybody looks at them.

use std::collections::HashSet;

use torana_config::{Finding, Span};
use torana_route::ValueTest;

use crate::plan::{Plan, RoutePlan};
use crate::policy::{AuthenticationPlan, PolicyPlan};
use crate::reserved::is_reserved;

pub(super) fn lint(plan: &Plan, findings: &mut Vec<Finding>) {
    let clients =
        plan.settings.listen.iter().filter_map(|listener| listener.tls.as_ref()?.client_auth.as_ref());
    let given: Vec<&str> =
        clients.flat_map(|clients| clients.headers.given()).map(|(_, name)| name).collect();
    // A listener may set one itself, and trusted proxies may send some.
    let may_come = |name: &str| {
        let trusted = plan.settings.trusted_headers.iter().map(String::as_str);
        given.iter().copied().chain(trusted).any(|one| one.eq_ignore_ascii_case(name))
    };
    let mut seen = HashSet::new();
    for (name, place) in
        plan.routes.iter().flat_map(asked).filter(|(name, _)| is_reserved(&plan.settings, name) && !may_come(name))
    {
        let message = format!("no request has `{name}`: it is removed, since services take it for verified");
        let help = "name it in `trusted_headers`, and in `trusted_proxies` who may send it, or ask for another field";
        let finding = Finding::warning("removed-field", message).at(place.clone()).help(help);
        // Policies that many routes share say it once.
        if seen.insert(format!("{finding:?}")) {
            findings.push(finding);
        }
    }
}

/// The fields that a route and its ways look for in requests, each with where that is written.
fn asked(route: &RoutePlan) -> impl Iterator<Item = (&str, &Span)> {
    let absent = ValueTest::Present(false);
    let conditions = route.matching.headers.iter().filter(move |condition| condition.test != absent);
    let conditions = conditions.map(|condition| (&*condition.name, &route.span));
    let shown = route.policies.iter().flat_map(|planned| {
        let way = match &planned.policy {
            // A service that is asked may be told of what is not there.
            PolicyPlan::Authentication(AuthenticationPlan::ForwardAuth(_)) => None,
            PolicyPlan::Authentication(way) => Some(way),
            _ => None,
        };
        way.into_iter().flat_map(AuthenticationPlan::credential_fields).map(|name| (name, &planned.span))
    });
    conditions.chain(shown)
}
