//! Fields that trusted proxies may send and that yet never arrive.

use torana_config::written::MethodOverrides;
use torana_config::{Document, Finding, Path, Span};

use crate::plan::Plan;
use crate::reserved::{METHOD_OVERRIDES, is_alike};

/// Fields of one connection (RFC 9110 section 7.6.1), beside those that say where a message ends.
const HOP_BY_HOP: [&str; 3] = ["Expect", "HTTP2-Settings", "Proxy-Authorization"];

pub(super) fn lint(document: &Document, plan: &Plan, findings: &mut Vec<Finding>) {
    for (index, name) in plan.settings.trusted_headers.iter().enumerate() {
        let Some((why, help, written)) = never(plan, name) else { continue };
        let message = format!("`{name}` never arrives, whoever sends it: {why}");
        let place = document.span_at(&Path::root().key("trusted_headers").index(index));
        let finding = Finding::warning("removed-field", message).at(place).help(help);
        findings.push(finding.related("has it written", written.cloned()));
    }
}

/// Why a field never arrives, what to do about it, and what has it written.
fn never<'p>(plan: &'p Plan, name: &str) -> Option<(&'static str, &'static str, Option<&'p Span>)> {
    if let Some((_, written)) = plan.written_fields().find(|(one, _)| is_alike(one, name)) {
        let why = "the gateway itself writes it";
        return Some((why, "leave it out, or have what writes it choose another field", written));
    }
    let is_one_of = |names: &[&str]| names.iter().any(|one| is_alike(one, name));
    if plan.settings.method_overrides == MethodOverrides::Remove && is_one_of(&METHOD_OVERRIDES) {
        let why = "requests are routed and authorised by the method that they have";
        return Some((why, "leave it out, or write `method_overrides: forward`", None));
    }
    is_one_of(&HOP_BY_HOP).then_some(("it is of one connection alone", "leave it out", None))
}
