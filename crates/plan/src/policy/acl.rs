//! `acl` in the plan.

use std::sync::Arc;

use torana_config::written::{AclForm, AclGroups};
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;

/// Callers belong to a group. At least one of the lists is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AclPlan {
    /// Callers in one of these pass; every known caller when empty.
    pub allow: Vec<String>,
    /// Callers in one of these do not.
    pub deny: Vec<String>,
    /// Which groups count.
    pub groups: AclGroups,
    /// Whether services receive the groups.
    pub send_groups: bool,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &AclForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let nothing = config.allow.is_empty() && config.deny.is_empty();
    if nothing || config.allow.iter().chain(&config.deny).any(String::is_empty) {
        let message = if nothing { "no group is named" } else { "a group has an empty name" };
        let finding = Finding::error("empty-groups", message).at(document.span_at(path));
        findings.push(finding.help("name a group, or write `acl: off`"));
    }
    if let Some(both) = config.allow.iter().find(|group| config.deny.contains(group)) {
        let message = format!("the group `{both}` is allowed and denied: it is denied");
        findings.push(Finding::warning("contradiction", message).at(document.span_at(path)));
    }
    PolicyPlan::Acl(Arc::new(AclPlan {
        allow: config.allow,
        deny: config.deny,
        groups: config.groups,
        send_groups: config.send_groups,
    }))
}
