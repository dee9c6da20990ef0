//! Other services that a route's requests reach, by a split or a mirror: what a service asks of its requests
//! must not be gone round by a route that is another service's.

use std::sync::Arc;

use torana_config::written::RouteConfig;
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;

use super::layers;
use crate::admission::opens_without_answer;
use crate::build::authentication;
use crate::build::policies::Planned;
use crate::policy::{AuthenticationGroup, PlannedPolicy, PolicyPlan};

/// The route, and what is in force on it.
pub(super) struct Here<'a> {
    pub(super) path: &'a Path,
    pub(super) config: &'a RouteConfig,
    pub(super) name: &'a Arc<str>,
    pub(super) policies: &'a [PlannedPolicy],
    pub(super) group: &'a AuthenticationGroup,
}

/// Reports every policy that would be in force if the route were that other service's, and is not. What the
/// route itself says of a policy holds either way.
pub(super) fn check(
    document: &Document,
    here: &Here<'_>,
    planned: &mut Planned<'_>,
    consumers: &Consumers,
    findings: &mut Vec<Finding>,
) {
    let Some(own) = &here.config.service else { return };
    let split = here.config.split.iter().flat_map(|split| split.to.keys());
    let split = split.map(|name| (name, document.key_span_at(&here.path.key("split").key("to").key(name))));
    let mirror = here.config.mirror.iter();
    let mirror =
        mirror.map(|mirror| (&mirror.service, document.span_at(&here.path.key("mirror").key("service"))));
    for (other, span) in split.chain(mirror) {
        if other == own || !document.config().services.contains_key(other) {
            continue;
        }
        let layers = layers(document, here.path, here.config, Some(other), here.name);
        let mut found = Vec::new();
        let mut there = planned.in_force(document, &layers, &mut found);
        let group = authentication::group(document, &layers, consumers, &mut there, &mut found);
        // What the route says was said before.
        for finding in found {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        let asks = there.iter().any(is_way);
        let missing = there.iter().find(|planned| !is_met(planned, here));
        let (name, place) = match missing {
            Some(missing) => (missing.policy.name(), Some(missing.span.clone())),
            None if asks && group != *here.group => ("auth", None),
            None => continue,
        };
        let message = format!("requests that reach `{other}` from here go round its `{name}`");
        let help = format!(
            "write `{name}` under the route's own policies: what is meant for both services, or `off`"
        );
        findings.push(
            Finding::error("policy-bypassed", message).at(span).help(help).related("in force there", place),
        );
    }
}

fn is_way(planned: &PlannedPolicy) -> bool {
    matches!(planned.policy, PolicyPlan::Authentication(_))
}

/// Whether callers are asked who they are, and nobody passes where a way gets no answer.
fn asks_and_closes(policies: &[PlannedPolicy]) -> bool {
    let opens = |planned: &PlannedPolicy| match &planned.policy {
        PolicyPlan::Authentication(way) => opens_without_answer(way).is_some(),
        _ => false,
    };
    policies.iter().any(is_way) && !policies.iter().any(opens)
}

/// Whether it is in force here too, or could not refuse a request.
fn is_met(planned: &PlannedPolicy, here: &Here<'_>) -> bool {
    let same = || here.policies.iter().any(|own| own.policy == planned.policy);
    match &planned.policy {
        PolicyPlan::CorrelationId(_) | PolicyPlan::SecurityHeaders(_) | PolicyPlan::Cors(_) => true,
        PolicyPlan::Access => (here.group.anonymous.is_none() && asks_and_closes(here.policies)) || same(),
        _ => same(),
    }
}
