//! Limits whose share each gateway counts alone, where nobody says how many gateways there are.

use torana_config::written::StoreFailure;
use torana_config::{Document, Finding, Path};

use crate::plan::Plan;
use crate::policy::{PolicyPlan, RateLimitPlan};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let unsaid = document.config().store.config().is_some_and(|store| store.gateways.is_none());
    if plan.settings.store.is_none() || !unsaid {
        return;
    }
    let is_shared = |limit: &RateLimitPlan| match limit.sharing {
        Some(sharing) => sharing.on_failure == StoreFailure::LocalShare,
        None => !limit.windows.is_empty(),
    };
    let mut policies = plan.routes.iter().flat_map(|route| &route.policies);
    let shared = policies.find(|planned| match &planned.policy {
        PolicyPlan::RateLimit(limit) => is_shared(limit),
        _ => false,
    });
    let Some(shared) = shared else { return };
    let message =
        "how many gateways there are is not said: each that counts alone lets the whole limit through";
    let place = document.key_span_at(&Path::root().key("store"));
    let finding = Finding::warning("gateways-unsaid", message).at(place);
    let help = "write `gateways: 3`, or 1 if this is the only one, or `when_store_fails: closed`";
    findings.push(finding.help(help).related("a limit that counts alone", Some(shared.span.clone())));
}
