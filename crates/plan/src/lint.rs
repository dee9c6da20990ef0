//! What looks at the plan as a whole: what is unused, unwise, or says less than it seems to.

mod addresses;
mod login;
mod routes;
mod scopes;

use std::collections::HashSet;

use torana_config::{Document, Finding, Path};

use crate::plan::{Action, Plan};
use crate::policy::PolicyPlan;

pub(crate) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    addresses::lint(document, plan, findings);
    routes::lint(document, plan, findings);
    unused_services(document, plan, findings);
    login::lint(document, plan, findings);
    scopes::lint(document, findings);
    identity(document, plan, findings);
    for place in document.secrets_in_clear() {
        let finding =
            Finding::warning("secret-in-clear", "a secret stands in the file in clear text").at(place);
        findings.push(finding.help("write a reference: \"${env:NAME}\" or \"${file:path}\""));
    }
}

fn unused_services(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let routes = &document.config().routes;
    let own = routes.iter().filter_map(|route| route.service.as_deref());
    let splits = routes.iter().filter_map(|route| route.split.as_ref());
    let splits = splits.flat_map(|split| split.to.keys().map(String::as_str));
    let mirrors = routes.iter().filter_map(|route| Some(&*route.mirror.as_ref()?.service));
    let named: HashSet<&str> = own.chain(splits).chain(mirrors).collect();
    for service in plan.services.iter().filter(|service| !named.contains(&*service.name)) {
        let place = document.key_span_at(&Path::root().key("services").key(&service.name));
        let finding =
            Finding::warning("unused-service", format!("no route leads to the service `{}`", service.name));
        findings.push(finding.at(place).help("add a route with it, or remove it"));
    }
}

/// What needs to know the caller, where nobody asks who it is.
fn identity(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let expected = plan.routes.iter().any(|route| route.protected);
    for route in plan.routes.iter().filter(|route| !route.protected) {
        let place = || document.span_at(&Path::root().key("routes").index(route.index));
        for planned in &route.policies {
            let finding = match &planned.policy {
                PolicyPlan::Roles(roles) if !(roles.any.is_empty() && roles.all.is_empty()) => Finding::error(
                    "roles-without-authentication",
                    format!("`roles` asks for a role on `{}`, but nothing there says who calls: nobody could pass", route.name),
                )
                .help("add a policy that says who calls, such as `jwt`, or write `roles: off` on the route"),
                PolicyPlan::Acl(_) => Finding::error(
                    "acl-without-authentication",
                    format!("`acl` asks for a group on `{}`, but nothing there says who calls: nobody could pass", route.name),
                )
                .help("add a policy that says who calls, or write `acl: off` on the route"),
                PolicyPlan::RateLimit(limit) if limit.expects_caller => Finding::warning(
                    "limit-without-consumer",
                    format!("`rate_limit` counts by caller on `{}`, but nothing there says who calls", route.name),
                )
                .help("add a policy that says who calls, such as `jwt`, or count `by: consumer_or_address`"),
                _ => continue,
            };
            findings.push(finding.at(place()).related("written here", Some(planned.span.clone())));
        }
        let closed = route.policies.iter().any(|planned| planned.policy == PolicyPlan::Access);
        if expected && !closed {
            let what = if matches!(route.action, Action::Respond { .. }) { "answered" } else { "forwarded" };
            let message = format!("`{}` is public: requests are {what} without asking who calls", route.name);
            findings.push(Finding::note("public-route", message).at(place()));
        }
    }
}
