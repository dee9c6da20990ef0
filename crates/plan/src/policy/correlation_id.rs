//! `correlation_id` in the plan.

use std::sync::Arc;

use torana_config::written::{CorrelationIdConfig, Defaulted};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use crate::text;

/// Fields that log and client must not repeat, or that no identifier may replace.
const SECRET: [&str; 10] = [
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "Host",
    "Content-Length",
    "Content-Type",
    "Transfer-Encoding",
    "Connection",
    "Date",
];

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<CorrelationIdConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    text::field_name(document, &path.key("header"), &config.header, findings);
    if SECRET.iter().any(|name| config.header.eq_ignore_ascii_case(name)) {
        let message = "what this field carries is a secret, or says how a request is to be read";
        let finding = Finding::error("bad-value", message).at(document.span_at(&path.key("header")));
        findings.push(finding.help("take a field of its own, such as `X-Correlation-Id`"));
    }
    PolicyPlan::CorrelationId(Arc::new(config))
}
