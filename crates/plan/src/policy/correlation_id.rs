//! `correlation_id` in the plan.

use std::sync::Arc;

use torana_config::written::{CorrelationIdConfig, Defaulted};
use torana_config::{Document, Finding, Path};

use super::{PolicyPlan, security_headers};
use crate::{reserved, text};

/// Fields that log and client must not repeat, by which messages are read, or by which clients go with an answer.
const TAKEN: [&str; 62] = [
    "Accept",
    "Accept-Ranges",
    "Age",
    "Allow",
    "Alt-Svc",
    "Authentication-Info",
    "Authorization",
    "Cache-Control",
    "Cache-Status",
    "CDN-Cache-Control",
    "Clear-Site-Data",
    "Connection",
    "Cookie",
    "Date",
    "Depth",
    "Destination",
    "Digest",
    "DNT",
    "Early-Data",
    "ETag",
    "Expect",
    "Expires",
    "From",
    "Host",
    "Idempotency-Key",
    "Keep-Alive",
    "Last-Modified",
    "Link",
    "Location",
    "Max-Forwards",
    "NEL",
    "Origin",
    "Overwrite",
    "Pragma",
    "Prefer",
    "Priority",
    "Range",
    "Referer",
    "Refresh",
    "Report-To",
    "Reporting-Endpoints",
    "Repr-Digest",
    "Retry-After",
    "Server",
    "Server-Timing",
    "Set-Cookie",
    "Set-Cookie2",
    "Signature",
    "Signature-Input",
    "SourceMap",
    "Surrogate-Control",
    "TE",
    "Timing-Allow-Origin",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Vary",
    "Via",
    "Want-Repr-Digest",
    "Warning",
    "WWW-Authenticate",
];

/// What the names of more of them begin with, in lower case.
const TAKEN_BEGINNINGS: [&str; 11] = [
    "accept-",
    "access-control-",
    "content-",
    "cross-origin-",
    "grpc-",
    "if-",
    "proxy-",
    "ratelimit",
    "sec-",
    "x-accel-",
    "x-ratelimit-",
];

fn is_taken(name: &str) -> bool {
    let begins = |beginning: &str| {
        name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    TAKEN.iter().any(|one| name.eq_ignore_ascii_case(one))
        || TAKEN_BEGINNINGS.iter().any(|one| begins(one))
        || security_headers::names().any(|one| name.eq_ignore_ascii_case(one))
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
