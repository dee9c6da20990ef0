//! Decisions by claims of tokens that consumers sign themselves: whoever has the key writes what it likes.

use std::collections::HashSet;

use torana_config::Finding;
use torana_expression::{Expression, Fact};

use crate::plan::{Plan, RoutePlan};
use crate::policy::{AuthenticationPlan, KeyPart, PolicyPlan, RoleSource};

pub(super) fn lint(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut said = HashSet::new();
    for route in plan.routes.iter().filter(|route| takes_self_made(route)) {
        for planned in route.policies.iter().filter(|planned| reads_claims(&planned.policy)) {
            if !said.insert(planned.span.start) {
                continue;
            }
            let message = format!(
                "`{}` on `{}` decides by claims, which consumers that sign their tokens themselves choose",
                planned.policy.name(),
                route.name
            );
            let finding = Finding::warning("self-made-claims", message).at(planned.span.clone());
            findings
                .push(finding.help("decide by the consumer or its groups, which the configuration gives"));
        }
    }
}

fn takes_self_made(route: &RoutePlan) -> bool {
    route.policies.iter().any(|planned| match &planned.policy {
        PolicyPlan::Authentication(AuthenticationPlan::Jwt(jwt)) => jwt.consumers.is_some(),
        _ => false,
    })
}

fn reads_claims(policy: &PolicyPlan) -> bool {
    let asks = |expression: &Expression| expression.facts().contains(&Fact::Claims);
    match policy {
        PolicyPlan::Roles(roles) => roles.from.iter().any(|from| matches!(from, RoleSource::Claim(_))),
        PolicyPlan::AllowIf(plan) => [&plan.all, &plan.any, &plan.deny].into_iter().flatten().any(asks),
        PolicyPlan::RateLimit(limit) => limit.by.iter().any(|part| match part {
            KeyPart::Claim(_) => true,
            KeyPart::Expression(expression) => asks(expression),
            _ => false,
        }),
        _ => false,
    }
}
