//! What looks at the plan as a whole: what is unused, unwise, or says less than it seems to.

mod addresses;
mod below;
mod callers;
mod contradictions;
mod identifiers;
mod login;
mod options;
mod removed;
mod routes;
mod scopes;
mod self_made;
mod shares;
mod spelled;
mod trusted;
mod ways;

use std::collections::HashSet;

use torana_config::{Document, Finding, Path, has_errors};

use crate::admission::Anybody;
use crate::build::access::is_way;
use crate::plan::{Action, Plan};
use crate::policy::{AuthenticationPlan, KeyPart, PolicyPlan, Scope};
use crate::tls::ListenerPlan;

pub(crate) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    addresses::lint(document, plan, findings);
    routes::lint(document, plan, findings);
    below::lint(document, plan, findings);
    spelled::lint(document, plan, findings);
    callers::lint(plan, findings);
    // What is wrong may be why something never happens.
    if !has_errors(findings) {
        contradictions::lint(document, plan, findings);
    }
    if document.config().routes.is_empty() {
        let finding = Finding::warning("no-route", "there is no route: every request is answered 404");
        let place = document.span_at(&Path::root().key("routes"));
        findings.push(finding.at(place).help("add one, such as `{ path: /, respond: { body: hello } }`"));
    }
    unused_services(document, plan, findings);
    login::lint(document, plan, findings);
    options::lint(document, plan, findings);
    removed::lint(document, plan, findings);
    scopes::lint(document, findings);
    self_made::lint(plan, findings);
    identifiers::lint(plan, findings);
    shares::lint(document, plan, findings);
    ways::lint(document, findings);
    trusted::lint(document, plan, findings);
    identity(document, plan, findings);
    certificates(plan, findings);
    parameters(plan, findings);
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
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    let asked = policies.filter_map(|planned| match &planned.policy {
        PolicyPlan::Authentication(way) => Some(&*way.asks()?.name),
        _ => None,
    });
    let named: HashSet<&str> = own.chain(splits).chain(mirrors).chain(asked).collect();
    let written = &document.config().services;
    let written = plan.services.iter().filter(|service| written.contains_key(&*service.name));
    for service in written.filter(|service| !named.contains(&*service.name)) {
        let place = document.key_span_at(&Path::root().key("services").key(&service.name));
        let finding =
            Finding::warning("unused-service", format!("no route leads to the service `{}`", service.name));
        findings.push(finding.at(place).help("add a route with it, or remove it"));
    }
}

/// `mtls_auth` where no listener asks for certificates: nobody could pass.
fn certificates(plan: &Plan, findings: &mut Vec<Finding>) {
    let asks = |listener: &ListenerPlan| listener.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some());
    if plan.settings.listen.iter().any(asks) {
        return;
    }
    let policies = plan.routes.iter().flat_map(|route| &route.policies);
    let ways = policies.filter(|planned| {
        matches!(planned.policy, PolicyPlan::Authentication(AuthenticationPlan::MtlsAuth(_)))
    });
    let mut said = HashSet::new();
    for planned in ways.filter(|planned| said.insert(planned.span.start)) {
        let message = "no listener asks clients for certificates: nobody could pass";
        let finding = Finding::warning("no-client-certificates", message).at(planned.span.clone());
        findings.push(finding.help("add `client_auth` to the `tls` of a listener"));
    }
}

/// Limits of a route by a part that its path does not name.
fn parameters(plan: &Plan, findings: &mut Vec<Finding>) {
    for route in &plan.routes {
        for planned in route.policies.iter().filter(|planned| planned.scope == Scope::Route) {
            let PolicyPlan::RateLimit(limit) = &planned.policy else { continue };
            for part in &limit.by {
                if let KeyPart::Parameter(name) = part
                    && !route.matching.path.names(name)
                {
                    let message = format!("the path of the route names no `{{{name}}}`");
                    let finding = Finding::error("unknown-parameter", message).at(planned.span.clone());
                    let help = format!("write `{{{name}}}` where it stands in `path`");
                    findings.push(finding.help(help).related("the route", Some(route.span.clone())));
                }
            }
        }
    }
}

/// Whether any scope says how callers say who they are.
fn asks_somewhere(document: &Document) -> bool {
    let config = document.config();
    let routes = config.routes.iter().map(|route| &route.policies);
    let scopes = config.services.values().map(|service| &service.policies).chain(routes);
    let mut scopes = std::iter::once(&config.policies).chain(scopes);
    scopes.any(|policies| policies.said().iter().any(|(name, on)| *on == Some(true) && is_way(name)))
}

/// What needs to know the caller, where nobody asks who it is.
fn identity(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    // Also where every route is public to which it was written.
    let expected = plan.routes.iter().any(|route| route.protected) || asks_somewhere(document);
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
    }
    for route in plan.routes.iter().filter(|_| expected) {
        let name = &route.name;
        let answered = matches!(route.action, Action::Respond { .. } | Action::Echo { .. });
        let what = if answered { "answered" } else { "forwarded" };
        let message = match route.anybody() {
            None => continue,
            Some(Anybody::Unasked) => {
                format!("`{name}` is public: requests are {what} without asking who calls")
            }
            Some(Anybody::TakenFor(consumer)) => format!(
                "`{name}` refuses nobody for want of credentials: whoever has none is taken for `{}`",
                consumer.name()
            ),
            Some(Anybody::WithoutAnswerOf(service)) => format!(
                "`{name}` refuses nobody for want of credentials where `{service}`, which is asked, gives no answer"
            ),
        };
        let place = document.span_at(&Path::root().key("routes").index(route.index));
        findings.push(Finding::note("public-route", message).at(place));
    }
}
