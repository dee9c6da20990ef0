//! What policies ask of a caller that no way here knows, so that nobody passes; and where every way has to succeed, what
//! only another one knows than that which says who calls.

use std::collections::HashSet;

use torana_config::Finding;
use torana_expression::Fact;

use crate::plan::{Plan, RoutePlan};
use crate::policy::{AuthenticationPlan, PlannedPolicy, PolicyPlan, RoleSource};

pub(super) fn lint(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for finding in plan.routes.iter().flat_map(of) {
        // Policies that many routes share say it once.
        if seen.insert(format!("{finding:?}")) {
            findings.push(finding);
        }
    }
}

/// What a way may know of a caller.
#[derive(Clone, Copy)]
enum Known<'p> {
    Roles,
    /// A claim, by its path; any when `None`.
    Claim(Option<&'p str>),
}

/// What a certificate says of its holder.
const OF_CERTIFICATES: [&str; 5] = ["subject", "issuer", "fingerprint", "names", "common_name"];

fn of(route: &RoutePlan) -> Vec<Finding> {
    let group = &route.authentication;
    let ways = || {
        route.policies.iter().filter_map(|planned| match &planned.policy {
            PolicyPlan::Authentication(way) => Some((way, planned)),
            _ => None,
        })
    };
    let mut findings: Vec<Finding> = Vec::new();
    for asking in route.policies.iter().filter(|planned| is_role_needed(&planned.policy)) {
        let needed = needs(&asking.policy);
        let unknown = |way| !needed.iter().any(|known| knows(way, *known));
        if !needed.is_empty() && ways().count() > 0 && ways().all(|(way, _)| unknown(way)) {
            findings.push(nobody(asking, ways().map(|(way, _)| way.name())));
        }
    }
    let chosen = ways().find(|(way, _)| group.caller == Some(way.name()));
    let Some((caller, _)) = chosen.or_else(|| ways().next_back()).filter(|_| group.all) else {
        return findings;
    };
    for asking in &route.policies {
        let needed = needs(&asking.policy);
        if needed.iter().any(|known| knows(caller, *known)) {
            continue;
        }
        let gives = |way: &AuthenticationPlan| needed.iter().any(|known| knows(way, *known));
        if let Some((other, planned)) = ways().find(|(way, _)| gives(way)) {
            findings.push(finding(asking, planned, caller.name(), other.name()));
        }
    }
    findings
}

fn finding(asking: &PlannedPolicy, way: &PlannedPolicy, caller: &str, other: &str) -> Finding {
    let name = asking.policy.name();
    let message =
        format!("`{name}` asks what `{other}` knows, but `{caller}` says who calls, and knows no such thing");
    Finding::warning("caller-without", message)
        .at(Some(asking.span.clone()))
        .help(format!("write `auth: {{ caller: {other} }}`"))
        .related("knows it", Some(way.span.clone()))
}

fn nobody<'n>(asking: &PlannedPolicy, ways: impl Iterator<Item = &'n str>) -> Finding {
    let ways: Vec<String> = ways.map(|name| format!("`{name}`")).collect();
    let (name, ways) = (asking.policy.name(), ways.join(", "));
    let message = format!("`{name}` asks what {ways} does not know of any caller: nobody could pass");
    let help = "ask for the groups of consumers by `from: groups` or `acl`, or add a way that knows it, such as `jwt`";
    Finding::warning("caller-without", message).at(Some(asking.span.clone())).help(help)
}

/// Whether a policy lets nobody pass without a role, whatever is called.
fn is_role_needed(policy: &PolicyPlan) -> bool {
    match policy {
        PolicyPlan::Roles(plan) => plan.rules.is_empty() && !(plan.any.is_empty() && plan.all.is_empty()),
        _ => false,
    }
}

/// One of what a policy needs to let anybody pass; nothing where it may be satisfied otherwise.
fn needs(policy: &PolicyPlan) -> Vec<Known<'_>> {
    match policy {
        PolicyPlan::Roles(plan) => {
            let known = plan.from.iter().map(|source| match source {
                RoleSource::Roles => Some(Known::Roles),
                RoleSource::Claim(path) => Some(Known::Claim(Some(path))),
                RoleSource::Groups => None,
            });
            known.collect::<Option<_>>().unwrap_or_default()
        }
        PolicyPlan::AllowIf(plan) => {
            let asks = |fact: Fact| plan.all.iter().any(|one| one.facts().contains(&fact));
            if asks(Fact::Roles) {
                vec![Known::Roles]
            } else if asks(Fact::Claims) {
                vec![Known::Claim(None)]
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    }
}

fn knows(way: &AuthenticationPlan, known: Known<'_>) -> bool {
    match way {
        AuthenticationPlan::Jwt(_)
        | AuthenticationPlan::OAuth2Introspection(_)
        | AuthenticationPlan::OidcLogin(_) => true,
        AuthenticationPlan::ForwardAuth(plan) => match known {
            Known::Roles => plan.identity.roles.is_some(),
            Known::Claim(_) => !plan.identity.claims.is_empty(),
        },
        AuthenticationPlan::MtlsAuth(_) => match known {
            Known::Roles => false,
            Known::Claim(None) => true,
            Known::Claim(Some(path)) => OF_CERTIFICATES.contains(&path.split('.').next().unwrap_or(path)),
        },
        AuthenticationPlan::KeyAuth(_)
        | AuthenticationPlan::BasicAuth(_)
        | AuthenticationPlan::HmacAuth(_)
        | AuthenticationPlan::SigV4(_) => false,
    }
}
