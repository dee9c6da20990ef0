//! Where OPTIONS, with whatever body, reaches a service although nobody says who calls.

use torana_config::written::PreflightRule;
use torana_config::{Document, Finding, Path};

use crate::plan::{Action, Plan, RoutePlan};
use crate::policy::PolicyPlan;

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    for route in plan.routes.iter().filter(|route| lets_pass(route)) {
        let message = format!("every OPTIONS on `{}` reaches the service, whoever calls", route.name);
        let place = document.span_at(&Path::root().key("routes").index(route.index).key("path"));
        let help = "write `preflight: cors` if CORS preflights are what is meant";
        findings.push(Finding::warning("options-pass", message).at(place).help(help));
    }
}

fn lets_pass(route: &RoutePlan) -> bool {
    let methods = &route.matching.methods;
    let takes = methods.is_empty() || methods.iter().any(|method| &**method == "OPTIONS");
    let mut ways = route.policies.iter().filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(route.authentication.preflight.of(way.way())),
        _ => None,
    });
    let asks_more = |policy: &PolicyPlan| matches!(policy, PolicyPlan::Roles(_) | PolicyPlan::Acl(_));
    takes
        && matches!(route.action, Action::Forward { .. })
        && ways.next() == Some(PreflightRule::Options)
        && ways.all(|rule| rule == PreflightRule::Options)
        && !route.policies.iter().any(|planned| asks_more(&planned.policy))
}
