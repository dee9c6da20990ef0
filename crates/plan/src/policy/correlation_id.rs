//! `correlation_id` in the plan.

use std::sync::Arc;

use torana_config::written::{CorrelationIdConfig, Defaulted};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use crate::{reserved, text};

/// Fields that log and client must not repeat, by which messages are read, or by which clients go with an answer.
const TAKEN: [&str; 37] = [
    "Accept",
    "Accept-Ranges",
    "Age",
    "Allow",
    "Alt-Svc",
    "Authentication-Info",
    "Authorization",
    "Cache-Control",
    "Clear-Site-Data",
    "Connection",
    "Cookie",
    "Date",
    "ETag",
    "Expect",
    "Expires",
    "Host",
    "Last-Modified",
    "Link",
    "Location",
    "Origin",
    "Permissions-Policy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Referrer-Policy",
    "Refresh",
    "Retry-After",
    "Set-Cookie",
    "Signature",
    "Signature-Input",
    "Strict-Transport-Security",
    "User-Agent",
    "Vary",
    "Via",
    "WWW-Authenticate",
    "X-Frame-Options",
];

/// What the names of more of them begin with, in lower case.
const TAKEN_BEGINNINGS: [&str; 8] =
    ["accept-", "access-control-", "content-", "cross-origin-", "if-", "ratelimit", "sec-", "x-ratelimit-"];

fn is_taken(name: &str) -> bool {
    let begins = |beginning: &str| {
        name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    TAKEN.iter().any(|one| name.eq_ignore_ascii_case(one))
        || TAKEN_BEGINNINGS.iter().any(|one| begins(one))
        || reserved::is_believed(name)
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<CorrelationIdConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    text::field_name(document, &path.key("header"), &config.header, findings);
    if is_taken(&config.header) {
        let message =
            "this field has a meaning of its own: a secret, who calls, or how a message is to be read";
        let finding = Finding::error("bad-value", message).at(document.span_at(&path.key("header")));
        findings.push(finding.help("take a field of its own, such as `X-Correlation-Id`"));
    }
    PolicyPlan::CorrelationId(Arc::new(config))
}
