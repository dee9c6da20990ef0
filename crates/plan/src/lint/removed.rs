//! What is asked of fields that are removed before anybody looks at them.

use std::collections::HashSet;

use torana_config::{Document, Finding, Path, Span};
use torana_route::ValueTest;

use crate::balance::HashKeyPlan;
use crate::plan::{Plan, RoutePlan};
use crate::policy::{AuthenticationPlan, PolicyPlan, RequiredValue};
use crate::reserved::{CONSUMER_FIELDS, is_alike, is_of_proxies, is_reserved};

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    let settings = &plan.settings;
    let written: Vec<&str> = plan.written_fields().map(|(name, _)| name).collect();
    let is_written = |name: &str| written.iter().any(|one| is_alike(one, name));
    // A listener may set one itself, and trusted proxies may send some.
    let may_come = |name: &str| {
        let trusted = settings.trusted_headers.iter().map(String::as_str).filter(|one| !is_written(one));
        plan.certificate_fields().chain(trusted).any(|one| one.eq_ignore_ascii_case(name))
    };
    let asked = plan.routes.iter().flat_map(|route| asked(document, route)).chain(hashed(document, plan));
    let mut seen = HashSet::new();
    for (name, place) in asked.filter(|(name, _)| !may_come(name)) {
        let (why, help) = if is_written(name) {
            (
                "since the gateway writes it itself, where callers are known",
                "ask for it after that, or for another field",
            )
        } else if is_reserved(settings, name) {
            (
                "since services take it for verified",
                "name it in `trusted_headers`, and in `trusted_proxies` who may send it, or ask for another field",
            )
        } else if settings.trusted_proxies.is_empty() && is_of_proxies(settings, name) {
            (
                "since services take it for the word of a proxy",
                "name in `trusted_proxies` who may send it, or ask for another field",
            )
        } else {
            continue;
        };
        let message = format!("no request has `{name}` here: it is removed, {why}");
        let finding = Finding::warning("removed-field", message).at(place).help(help);
        // Policies that many routes share say it once.
        if seen.insert(format!("{finding:?}")) {
            findings.push(finding);
        }
    }
}

/// The fields that a route and its policies look for in requests and that no policy has written by then, each with
/// where that is said.
fn asked<'p>(document: &Document, route: &'p RoutePlan) -> Vec<(&'p str, Span)> {
    let absent = ValueTest::Present(false);
    let conditions = route.matching.headers.iter().filter(|condition| condition.test != absent);
    let mut asked: Vec<(&str, Span)> =
        conditions.map(|condition| (&*condition.name, route.span.clone())).collect();
    let mut written: Vec<&str> = Vec::new();
    for planned in &route.policies {
        let names = looked_for(&planned.policy).into_iter().filter(|name| !has(&written, name));
        asked.extend(names.map(|name| (name, planned.span.clone())));
        written.extend(writes(&planned.policy));
        if route.authentication.anonymous.is_some() && matches!(planned.policy, PolicyPlan::Authentication(_))
        {
            written.extend(CONSUMER_FIELDS);
        }
    }
    let at = Path::root().key("routes").index(route.index);
    let split = route.traffic.split.iter().flat_map(|split| headers(&split.by));
    let split = split.map(|name| (name, document.span_at(&at.key("split").key("by"))));
    let faults = route.traffic.faults.as_ref().and_then(|faults| faults.header.as_deref());
    let faults = faults.map(|name| (name, document.span_at(&at.key("faults").key("header"))));
    asked.extend(split.chain(faults).filter(|(name, _)| !has(&written, name)));
    asked
}

/// The fields by which endpoints are chosen, unless a policy of some route writes them.
fn hashed<'p>(document: &Document, plan: &'p Plan) -> Vec<(&'p str, Span)> {
    let written: Vec<&str> = plan.written_fields().map(|(name, _)| name).collect();
    let keys = plan.services.iter().flat_map(|service| {
        let path = Path::root().key("services").key(&service.name).key("balance").key("hash");
        headers(&service.balance.keys).map(move |name| (name, document.span_at(&path)))
    });
    keys.filter(|(name, _)| !has(&written, name)).collect()
}

fn headers(keys: &[HashKeyPlan]) -> impl Iterator<Item = &str> {
    keys.iter().filter_map(|key| if let HashKeyPlan::Header(name) = key { Some(&**name) } else { None })
}

fn has(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

fn looked_for(policy: &PolicyPlan) -> Vec<&str> {
    match policy {
        // A service that is asked may be told of what is not there.
        PolicyPlan::Authentication(AuthenticationPlan::ForwardAuth(_)) => Vec::new(),
        PolicyPlan::Authentication(way) => way.credential_fields().collect(),
        PolicyPlan::RequiredHeaders(plan) => {
            let wanted = plan.fields.iter().filter(|(_, value)| *value != RequiredValue::Absent);
            wanted.map(|(name, _)| &**name).collect()
        }
        other => other.judged_fields(),
    }
}

/// The fields that are there once a policy has let a request pass.
fn writes(policy: &PolicyPlan) -> Vec<&str> {
    match policy {
        PolicyPlan::Authentication(AuthenticationPlan::ForwardAuth(plan)) => {
            let answered = plan.response_headers.iter().map(String::as_str);
            policy.identity_fields().into_iter().chain(answered).collect()
        }
        other => other.identity_fields(),
    }
}
