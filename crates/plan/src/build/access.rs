//! Which routes are public. Once any route asks who calls, every route that does not say otherwise is
//! protected: forgetting a policy closes a route and never opens one.

use torana_config::written::{AccessConfig, AuthWay, PoliciesConfig, Switch};
use torana_config::{Document, Finding, Path};

use super::policies::Layer;
use crate::plan::RoutePlan;
use crate::policy::{PlannedPolicy, PolicyPlan, Scope};

/// Whether a policy says who calls, by its key.
pub(crate) fn is_way(name: &str) -> bool {
    AuthWay::ALL.iter().any(|way| way.name() == name)
}

/// Whether a policy is about saying who calls, by its key: switching one off says that a route is public.
pub(crate) fn is_about_callers(name: &str) -> bool {
    name == "auth" || is_way(name)
}

fn said(config: &PoliciesConfig) -> Option<AccessConfig> {
    config.access.as_ref().and_then(Switch::on).copied()
}

/// Whether the layers say that anybody is served.
pub(super) fn is_said_public(layers: &[Layer<'_>]) -> bool {
    match layers.iter().rev().find_map(|layer| said(layer.config)) {
        Some(access) => access == AccessConfig::Public,
        None => layers.iter().any(|layer| {
            let said = layer.config.said();
            said.iter().any(|(name, on)| *on == Some(false) && is_about_callers(name))
        }),
    }
}

/// Applies `access` to the policies in force under the layers: `public` switches off what wider scopes ask
/// about the caller, `protected` asks for one whom some policy knows.
pub(super) fn apply(
    document: &Document,
    layers: &[Layer<'_>],
    policies: &mut Vec<PlannedPolicy>,
    findings: &mut Vec<Finding>,
) {
    let narrowest = layers.iter().rev().find_map(|layer| Some((layer, said(layer.config)?)));
    let Some((layer, access)) = narrowest else { return };
    let key = layer.path.key("access");
    match access {
        AccessConfig::Protected => {
            let span = document.key_span_at(&key);
            policies.push(PlannedPolicy { policy: PolicyPlan::Access, scope: layer.scope, span });
        }
        AccessConfig::Public => {
            let asks = |planned: &PlannedPolicy| planned.policy.asks_who_calls();
            policies.retain(|planned| !asks(planned) || planned.scope >= layer.scope);
            for planned in policies.iter().filter(|planned| asks(planned) && planned.scope == layer.scope) {
                let name = planned.policy.name();
                let message = format!("`access: public` beside `{name}`: one of them is not meant");
                let finding = Finding::error("contradiction", message).at(document.span_at(&key));
                let finding = finding.related("asks about the caller", Some(planned.span.clone()));
                // A scope that many routes share says it once.
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
}

/// Closes routes that nobody has thought of. `public` says of each whether it was said to be open.
pub(super) fn protect(
    document: &Document,
    routes: &mut [RoutePlan],
    public: &[bool],
    findings: &mut Vec<Finding>,
) {
    if !routes.iter().any(|route| route.protected) {
        return;
    }
    for (route, public) in routes.iter_mut().zip(public) {
        if route.protected || *public {
            continue;
        }
        if !route.policies.iter().any(|planned| planned.policy == PolicyPlan::Access) {
            let planned =
                PlannedPolicy { policy: PolicyPlan::Access, scope: Scope::Route, span: route.span.clone() };
            let place = |planned: &PlannedPolicy| planned.policy.phase().place();
            let before = route.policies.partition_point(|other| place(other) < place(&planned));
            route.policies.insert(before, planned);
        }
        let name = &route.name;
        let message = format!("`{name}` is closed: other routes ask who calls, and nothing on this one does");
        let place = document.span_at(&Path::root().key("routes").index(route.index));
        let help = "add a policy that says who calls, or write `access: public` under its policies";
        findings.push(Finding::warning("closed-route", message).at(place).help(help));
    }
}
