//! `basic_auth` in the plan.

use std::sync::Arc;

use torana_config::written::BasicAuthConfig;
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;

use super::{AuthenticationPlan, PolicyPlan};
use crate::text;

/// Callers show a user name and a password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BasicAuthPlan {
    /// What becomes of them.
    pub config: BasicAuthConfig,
    /// Whose passwords there are.
    pub consumers: Arc<Consumers>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &BasicAuthConfig,
    consumers: &Arc<Consumers>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    text::quotable(document, &path.key("realm"), &config.realm, "a realm", findings);
    super::authentication::needs_consumers(document, path, consumers, findings);
    let plan = BasicAuthPlan { config: config.clone(), consumers: Arc::clone(consumers) };
    PolicyPlan::Authentication(AuthenticationPlan::BasicAuth(Arc::new(plan)))
}
