//! Identifiers of requests in fields that say something else: who calls, or what the gateway knows of it.

use torana_config::{Finding, Span};

use crate::plan::Plan;
use crate::policy::{AuthenticationPlan, PlannedPolicy, PolicyPlan};
use crate::reserved::is_alike;

pub(super) fn lint(plan: &Plan, findings: &mut Vec<Finding>) {
    let policies = || plan.routes.iter().flat_map(|route| &route.policies);
    let identifiers = policies().chain(&plan.of_answers).filter_map(|planned| match &planned.policy {
        PolicyPlan::CorrelationId(config) => Some((config.header.as_str(), planned)),
        _ => None,
    });
    let ways = policies().filter_map(|planned| match &planned.policy {
        // A service that is asked may well be told of the identifier.
        PolicyPlan::Authentication(AuthenticationPlan::ForwardAuth(_)) => None,
        PolicyPlan::Authentication(way) => Some((way, &planned.span)),
        _ => None,
    });
    let shown = ways.flat_map(|(way, span)| way.credential_fields().map(move |name| (name, span)));
    let shown: Vec<_> = shown.collect();
    let written = |name: &'_ str| {
        let name = name.to_owned();
        plan.written_fields().filter(move |(one, _)| is_alike(one, &name))
    };
    // What is asked may give identifiers, too.
    let is_asked = |span: Option<&Span>| {
        let is_forward = |planned: &PlannedPolicy| {
            matches!(planned.policy, PolicyPlan::Authentication(AuthenticationPlan::ForwardAuth(_)))
        };
        span.is_some_and(|span| policies().any(|planned| planned.span == *span && is_forward(planned)))
    };
    for (name, planned) in identifiers {
        let (finding, related, other) = if let Some((_, way)) =
            shown.iter().find(|(one, _)| is_alike(one, name))
        {
            let message = format!(
                "callers show in `{name}` who they are: client and log would be told, and who shows nothing has shown the identifier"
            );
            (Finding::error("contradiction", message), "looks there", Some((*way).clone()))
        } else if let Some((_, span)) = written(name).find(|(_, span)| !is_asked(*span)) {
            let message = format!("the gateway itself writes `{name}`, to tell services who calls");
            (Finding::error("contradiction", message), "has it written", span.cloned())
        } else if let Some((_, span)) = written(name).next() {
            let message = format!(
                "`forward_auth` takes `{name}` out of its answer: no client's identifier is taken over, and where it is asked the identifier is what it says, or none"
            );
            (Finding::warning("contradiction", message), "has it written", span.cloned())
        } else {
            continue;
        };
        let finding = finding.at(planned.span.clone());
        let finding =
            finding.help("take a field of its own, such as `X-Correlation-Id`").related(related, other);
        // Policies that many routes share say it once.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
}
