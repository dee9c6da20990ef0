//! Where browsers come back to after a login: a route with the policy must take it, or nobody could log in.

use torana_config::{Document, Finding, Path};
use torana_route::PathPattern;

use crate::plan::{Plan, RoutePlan};
use crate::policy::{AuthenticationPlan, OidcLoginPlan, PolicyPlan};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let mut seen: Vec<&OidcLoginPlan> = Vec::new();
    for route in &plan.routes {
        let Some(login) = login(route) else { continue };
        if seen.contains(&login) {
            continue;
        }
        seen.push(login);
        for (path, what) in [(&login.callback_path, "come back to"), (&login.logout_path, "log out at")] {
            let takes = |other: &RoutePlan| self::login(other) == Some(login) && takes(other, path);
            if plan.routes.iter().any(takes) {
                continue;
            }
            let message = format!("browsers {what} `{path}`, but no route with this `oidc_login` takes it");
            let place = document.span_at(&Path::root().key("routes").index(route.index));
            let help = "add a route such as `{ path: /oauth2/*, respond: { status: 404 } }`";
            findings.push(Finding::error("no-login-route", message).at(place).help(help));
        }
    }
}

fn login(route: &RoutePlan) -> Option<&OidcLoginPlan> {
    route.policies.iter().find_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(AuthenticationPlan::OidcLogin(plan)) => Some(&**plan),
        _ => None,
    })
}

/// Whether the route takes a GET of the path, for some host.
fn takes(route: &RoutePlan, path: &str) -> bool {
    let matching = &route.matching;
    let pattern: &PathPattern = &matching.path;
    let methods = &matching.methods;
    pattern.matches(path.as_bytes())
        && (methods.is_empty() || methods.iter().any(|method| &**method == "GET"))
}
