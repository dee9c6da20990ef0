//! `ip_restriction` in the plan.

use std::sync::Arc;

use torana_config::written::IpRestrictionConfig;
use torana_config::{Document, Finding, Path};
use torana_types::Network;

use super::PolicyPlan;
use crate::text;

/// Which addresses may call. At least one of the lists is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpRestrictionPlan {
    /// Networks that may; any when empty.
    pub allow: Vec<Network>,
    /// Networks that may not.
    pub deny: Vec<Network>,
    /// The status of a refusal, from 200 to 599.
    pub status: u16,
    /// What a caller who is refused reads, in place of the gateway's own sentence; `{address}` stands for its address.
    pub message: Option<Arc<str>>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &IpRestrictionConfig,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    if config.allow.is_empty() && config.deny.is_empty() {
        let finding = Finding::error("no-network", "no network is named").at(document.span_at(path));
        findings.push(finding.help("name one under `allow` or `deny`, or write `ip_restriction: off`"));
    }
    check_status(document, path, config, findings);
    PolicyPlan::IpRestriction(Arc::new(IpRestrictionPlan {
        allow: config.allow.clone(),
        deny: config.deny.clone(),
        status: config.status,
        message: config.message.as_deref().map(Into::into),
    }))
}

fn check_status(document: &Document, path: &Path, config: &IpRestrictionConfig, findings: &mut Vec<Finding>) {
    if config.status < 400 {
        let message = "who is refused takes this status for the service's answer";
        let finding = Finding::warning("refusal-status", message).at(document.span_at(&path.key("status")));
        findings.push(finding.help("a refusal is known by a status from 400 on; by default it is 403"));
    }
    if config.message.is_some() {
        text::no_body(document, &path.key("message"), config.status, findings);
    }
}
