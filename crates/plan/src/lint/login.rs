//! Where browsers come back to after a login: a route with the policy must take it, or nobody could log in.

use torana_config::{Document, Finding, Path};
use torana_route::PathPattern;

use crate::plan::{Plan, RoutePlan};
use crate::policy::{AuthenticationPlan, OidcLoginPlan, PolicyPlan, Scope};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let mut seen: Vec<&OidcLoginPlan> = Vec::new();
    for route in &plan.routes {
        let Some((login, scope)) = written(route) else { continue };
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
            findings.push(Finding::error("no-login-route", message).at(place).help(help(path, scope)));
        }
    }
}

/// A route that would take the path: what is written at the top holds for it by itself, all else does not. The gateway
/// answers there before whatever the route does.
fn help(path: &str, scope: Scope) -> String {
    let folder = path.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty());
    let taken = folder.map_or_else(|| path.to_owned(), |folder| format!("{folder}/*"));
    match scope {
        Scope::Global => format!("add a route such as `{{ path: {taken}, respond: {{ status: 404 }} }}`"),
        Scope::Service => {
            format!("add a route to the same service such as `{{ path: {taken}, service: ... }}`")
        }
        Scope::Route => format!(
            "add a route with the very same policy, such as `{{ path: {taken}, respond: {{ status: 404 }}, policies: {{ \
             oidc_login: *login }} }}` where this one has `oidc_login: &login {{ ... }}`, or write it at the top, and \
             `off` where nobody logs in"
        ),
    }
}

fn login(route: &RoutePlan) -> Option<&OidcLoginPlan> {
    written(route).map(|(login, _)| login)
}

/// The policy of a route, and how wide it was written.
fn written(route: &RoutePlan) -> Option<(&OidcLoginPlan, Scope)> {
    route.policies.iter().find_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(AuthenticationPlan::OidcLogin(plan)) => Some((&**plan, planned.scope)),
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
