//! `security_headers` in the plan.

use std::sync::Arc;

use torana_config::written::{Defaulted, SecurityHeadersConfig, Switch};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use crate::text;

/// Fields that make browsers careful.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecurityHeadersPlan {
    /// The value of `Strict-Transport-Security`, sent over TLS alone.
    pub transport: Option<String>,
    /// All others, by name; each name once.
    pub fields: Vec<(String, String)>,
    /// Fields that are removed.
    pub remove: Vec<String>,
    /// Whether they replace what the service has set.
    pub overwrite: bool,
}

/// The field that is sent over TLS alone.
const TRANSPORT: &str = "Strict-Transport-Security";

/// The fields that have a key of their own.
fn named(config: &SecurityHeadersConfig) -> [(&'static str, &'static str, &Switch<String>); 8] {
    [
        ("strict_transport_security", TRANSPORT, &config.strict_transport_security),
        ("content_type_options", "X-Content-Type-Options", &config.content_type_options),
        ("frame_options", "X-Frame-Options", &config.frame_options),
        ("referrer_policy", "Referrer-Policy", &config.referrer_policy),
        ("content_security_policy", "Content-Security-Policy", &config.content_security_policy),
        ("permissions_policy", "Permissions-Policy", &config.permissions_policy),
        ("cross_origin_opener_policy", "Cross-Origin-Opener-Policy", &config.cross_origin_opener_policy),
        (
            "cross_origin_resource_policy",
            "Cross-Origin-Resource-Policy",
            &config.cross_origin_resource_policy,
        ),
    ]
}

/// The names of those fields.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    named(&SecurityHeadersConfig::default()).map(|(_, name, _)| name).into_iter()
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<SecurityHeadersConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let removed = |name: &str| config.remove.iter().any(|one| one.eq_ignore_ascii_case(name));
    let other = |name: &str| config.others.keys().find(|one| one.eq_ignore_ascii_case(name));
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut places = Vec::new();
    for (key, name, value) in named(&config) {
        let Some(value) = value.on() else { continue };
        // What was written takes the place of a default, not of what was written too.
        let is_written = document.has(&path.key(key));
        if let Some(other) = other(name) {
            if is_written {
                said_twice(document, &path.key("others").key(other), &path.key(key), name, findings);
            }
        } else if is_written || !removed(name) {
            // Beside `remove` it is sent once the service's is gone.
            fields.push((name.to_owned(), value.clone()));
            places.push(path.key(key));
        }
    }
    for (name, value) in &config.others {
        let place = path.key("others").key(name);
        text::field_name(document, &place, name, findings);
        let before = fields.iter().position(|(one, _)| one.eq_ignore_ascii_case(name));
        if let Some(before) = before.and_then(|before| places.get(before)) {
            said_twice(document, &place, before, name, findings);
        }
        fields.push((name.clone(), value.clone()));
        places.push(place);
    }
    for (index, name) in config.remove.iter().enumerate() {
        text::field_name(document, &path.key("remove").index(index), name, findings);
    }
    for ((name, value), place) in fields.iter().zip(&places) {
        text::field_value(document, place, value, findings);
        if name.eq_ignore_ascii_case(TRANSPORT) && !value.to_ascii_lowercase().contains("max-age=") {
            let finding = Finding::error("bad-value", "without `max-age` browsers ignore it (RFC 6797)");
            findings.push(finding.at(document.span_at(place)));
        }
    }
    let transport = fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(TRANSPORT));
    let transport = transport.map(|place| fields.remove(place).1);
    PolicyPlan::SecurityHeaders(Arc::new(SecurityHeadersPlan {
        transport,
        fields,
        remove: config.remove,
        overwrite: config.overwrite,
    }))
}

/// Reports a field of which two things were written.
fn said_twice(document: &Document, place: &Path, before: &Path, name: &str, findings: &mut Vec<Finding>) {
    let message = format!("`{name}` is written twice in this policy: one of them is not meant");
    let finding = Finding::error("contradiction", message).at(document.key_span_at(place));
    let finding =
        finding.help("leave one of them out; with `overwrite: true` a value replaces the service's");
    findings.push(finding.related("the other", Some(document.key_span_at(before))));
}
