//! `roles` in the plan.

use std::sync::Arc;

use torana_config::written::RolesForm;
use torana_config::{Document, Finding, Path};

use super::PolicyPlan;

/// Callers have a role. At least one of the lists is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RolesPlan {
    /// One of these is needed; no condition when empty.
    pub any: Vec<String>,
    /// All of these are needed.
    pub all: Vec<String>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &RolesForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let nothing = config.any.is_empty() && config.all.is_empty();
    if nothing || config.any.iter().chain(&config.all).any(String::is_empty) {
        let message = if nothing { "no role is named" } else { "a role has an empty name" };
        let finding = Finding::error("empty-roles", message).at(document.span_at(path));
        findings.push(finding.help("name a role, or write `roles: off`"));
    }
    PolicyPlan::Roles(Arc::new(RolesPlan { any: config.any, all: config.all }))
}
