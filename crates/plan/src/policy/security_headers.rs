//! `security_headers` in the plan.

use std::sync::Arc;

use torana_config::written::{Defaulted, SecurityHeadersConfig};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use crate::text;

/// Fields that make browsers careful.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecurityHeadersPlan {
    /// The value of `Strict-Transport-Security`, sent over TLS alone.
    pub transport: Option<String>,
    /// All others, by name.
    pub fields: Vec<(String, String)>,
    /// Fields that are removed.
    pub remove: Vec<String>,
    /// Whether they replace what the service has set.
    pub overwrite: bool,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<SecurityHeadersConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let named = [
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
    ];
    let mut fields = Vec::new();
    for (key, name, value) in named {
        if let Some(value) = value.on() {
            text::field_value(document, &path.key(key), value, findings);
            fields.push((name.to_owned(), value.clone()));
        }
    }
    for (name, value) in &config.others {
        let place = path.key("others").key(name);
        text::field_name(document, &place, name, findings);
        text::field_value(document, &place, value, findings);
        fields.push((name.clone(), value.clone()));
    }
    for (index, name) in config.remove.iter().enumerate() {
        text::field_name(document, &path.key("remove").index(index), name, findings);
    }
    let transport = config.strict_transport_security.on().cloned();
    if let Some(value) = &transport {
        let place = path.key("strict_transport_security");
        text::field_value(document, &place, value, findings);
        if !value.to_ascii_lowercase().contains("max-age=") {
            let finding = Finding::error("bad-value", "without `max-age` browsers ignore it (RFC 6797)");
            findings.push(finding.at(document.span_at(&place)));
        }
    }
    PolicyPlan::SecurityHeaders(Arc::new(SecurityHeadersPlan {
        transport,
        fields,
        remove: config.remove,
        overwrite: config.overwrite,
    }))
}
