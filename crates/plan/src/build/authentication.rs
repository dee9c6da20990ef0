//! How the ways to say who calls go together on a route, and what that makes of its policies.

use torana_config::{Document, Finding};

use torana_credential::directory::Consumers;

use super::policies::Layer;
use crate::policy::{AuthenticationGroup, AuthenticationPlan, PlannedPolicy, PolicyPlan, authentication};

/// The group in force: the narrowest scope that speaks wins. `off` removes every way of a wider scope; one that
/// a narrower scope asks for stays, and one beside it is a contradiction.
pub(super) fn group(
    document: &Document,
    layers: &[Layer<'_>],
    consumers: &Consumers,
    policies: &mut Vec<PlannedPolicy>,
    findings: &mut Vec<Finding>,
) -> AuthenticationGroup {
    let group = written(document, layers, consumers, policies, findings);
    if group.all {
        signed_bodies_stay(policies, findings);
    }
    group
}

/// A body that is signed must not be changed before that is verified.
fn signed_bodies_stay(policies: &[PlannedPolicy], findings: &mut Vec<Finding>) {
    let ways = || {
        policies.iter().filter_map(|planned| match &planned.policy {
            PolicyPlan::Authentication(way) => Some((way, planned)),
            _ => None,
        })
    };
    let signs = |way: &AuthenticationPlan| {
        matches!(way, AuthenticationPlan::HmacAuth(_) | AuthenticationPlan::SigV4(_))
    };
    let changes = |way: &AuthenticationPlan| match way {
        AuthenticationPlan::KeyAuth(keys) => keys.config.hide_credentials && !keys.config.body.is_empty(),
        _ => false,
    };
    let Some((_, signed)) = ways().find(|(way, _)| signs(way)) else { return };
    for (_, planned) in ways().filter(|(way, _)| changes(way)) {
        let message = "a key is taken out of the body before its signature is verified";
        let finding = Finding::error("contradiction", message).at(Some(planned.span.clone()));
        let finding = finding.related("verifies the signature", Some(signed.span.clone()));
        let finding = finding.help("write `hide_credentials: false` in `key_auth`, or leave `body` out");
        // A scope that many routes share says it once.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn written(
    document: &Document,
    layers: &[Layer<'_>],
    consumers: &Consumers,
    policies: &mut Vec<PlannedPolicy>,
    findings: &mut Vec<Finding>,
) -> AuthenticationGroup {
    let said = layers.iter().rev().find_map(|layer| Some((layer, layer.config.auth.as_ref()?)));
    let Some((layer, switch)) = said else { return AuthenticationGroup::default() };
    let Some(form) = switch.on() else {
        let is_way = |planned: &PlannedPolicy| matches!(planned.policy, PolicyPlan::Authentication(_));
        policies.retain(|planned| !is_way(planned) || planned.scope >= layer.scope);
        for planned in policies.iter().filter(|planned| is_way(planned) && planned.scope == layer.scope) {
            let message = format!("`auth: off` beside `{}`: one of them is not meant", planned.policy.name());
            let finding =
                Finding::error("contradiction", message).at(document.span_at(&layer.path.key("auth")));
            let finding = finding.related("asks who calls", Some(planned.span.clone()));
            // A scope that many routes share says it once.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        return AuthenticationGroup::default();
    };
    let group = authentication::group(form, consumers);
    let place = || document.span_at(&layer.path.key("auth"));
    if form.config().anonymous.is_some() && group.anonymous.is_none() {
        let finding = Finding::error("unknown-consumer", "no consumer has this identifier or user name");
        findings.push(finding.at(place()).help("add it to `consumers`"));
    }
    let ways = || {
        policies.iter().filter_map(|planned| match &planned.policy {
            PolicyPlan::Authentication(way) => Some(way.name()),
            _ => None,
        })
    };
    if let Some(caller) = group.caller {
        let finding = if !group.all {
            let message = "the way that accepts a caller says who calls, so `caller` would mean nothing";
            Some(Finding::error("contradiction", message).help("leave it out, or write `require: all`"))
        } else if ways().count() > 1 && !ways().any(|way| way == caller) {
            let message = format!("`{caller}` is not among the ways to say who calls here: {}", list(ways()));
            Some(Finding::error("unknown-caller", message).help("name one of them"))
        } else {
            None
        };
        let finding =
            finding.map(|finding| finding.at(document.span_at(&layer.path.key("auth").key("caller"))));
        // A scope that many routes share says it once.
        findings.extend(finding.filter(|finding| !findings.contains(finding)));
    }
    // With one way both words mean the same, and `all` was not asked for where nothing is written.
    let is_asked_for = document.has(&layer.path.key("auth").key("require"));
    let several = ways().count() > 1;
    if group.all && group.anonymous.is_some() && (several || is_asked_for && ways().next().is_some()) {
        let message = "with `anonymous` nobody is refused, so `require: all` would mean nothing";
        let kind = if several { Finding::error } else { Finding::warning };
        let finding = kind("anonymous-of-all", message).at(place()).help("write `require: any`");
        // A scope that many routes share says it once.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    group
}
