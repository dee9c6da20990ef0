//! `request_size` in the plan.

use std::sync::Arc;

use torana_config::written::{DeclaredLength, RequestSizeForm};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;

/// How long a body may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestSizePlan {
    /// In bytes.
    pub limit: u64,
    /// Which requests must declare their length.
    pub require_content_length: DeclaredLength,
    /// Whether who waits for `100 Continue` is answered 417 rather than 413.
    pub expectation_failed: bool,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &RequestSizeForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let gateway = document.config().limits.body_bytes.on().map(|limit| limit.as_u64());
    if gateway.is_some_and(|gateway| gateway < config.limit.as_u64()) {
        let message = "no body can be this long: `limits.body_bytes` is below it";
        findings.push(Finding::warning("limit-out-of-reach", message).at(document.span_at(path)));
    }
    PolicyPlan::RequestSize(Arc::new(RequestSizePlan {
        limit: config.limit.as_u64(),
        require_content_length: config.require_content_length,
        expectation_failed: config.expectation_failed,
    }))
}
