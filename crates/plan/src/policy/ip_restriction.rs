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
    PolicyPlan::IpRestriction(Arc::new(IpRestrictionPlan {
        allow: config.allow.clone(),
        deny: config.deny.clone(),
    }))
}
