//! `ip_restriction` in the plan.

use std::sync::Arc;

use torana_config::written::IpRestrictionConfig;
use torana_config::{Document, Finding, Path};
use torana_types::Network;

use super::PolicyPlan;

/// Which addresses may call. At least one of the lists is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpRestrictionPlan {
    /// Networks that may; any when empty.
    pub allow: Vec<Network>,
    /// Networks that may not.
    pub deny: Vec<Network>,
    /// The status of a refusal.
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
    if !(400..=599).contains(&config.status) {
        let finding = Finding::error("bad-value", "a refusal has a status from 400 to 599");
        findings.push(finding.at(document.span_at(&path.key("status"))));
    }
    PolicyPlan::IpRestriction(Arc::new(IpRestrictionPlan {
        allow: config.allow.clone(),
        deny: config.deny.clone(),
        status: config.status,
        message: config.message.as_deref().map(Into::into),
    }))
}
