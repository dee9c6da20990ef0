//! `correlation_id` in the plan.

use std::sync::Arc;

use torana_config::written::{CorrelationIdConfig, Defaulted};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;
use crate::text;

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<CorrelationIdConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    text::field_name(document, &path.key("header"), &config.header, findings);
    PolicyPlan::CorrelationId(Arc::new(config))
}
