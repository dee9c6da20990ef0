//! `key_auth` in the plan.

use std::sync::Arc;

use torana_config::written::KeyAuthConfig;
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;

use super::{AuthenticationPlan, PolicyPlan};
use crate::text;

/// Callers show a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyAuthPlan {
    /// Where it is looked for and what becomes of it. At least one place.
    pub config: KeyAuthConfig,
    /// Whose keys there are.
    pub consumers: Arc<Consumers>,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &KeyAuthConfig,
    consumers: &Arc<Consumers>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    for (index, name) in config.headers.iter().enumerate() {
        text::field_name(document, &path.key("headers").index(index), name, findings);
    }
    text::quotable(document, &path.key("realm"), &config.realm, "a realm", findings);
    let places = [&config.headers, &config.query, &config.cookies, &config.body];
    if places.iter().all(|names| names.is_empty()) {
        let finding = Finding::error("no-source", "a key could be nowhere").at(document.span_at(path));
        findings.push(finding.help("name a header field, a cookie, a parameter or a member of the body"));
    }
    super::authentication::needs_consumers(document, path, consumers, findings);
    let plan = KeyAuthPlan { config: config.clone(), consumers: Arc::clone(consumers) };
    PolicyPlan::Authentication(AuthenticationPlan::KeyAuth(Arc::new(plan)))
}
