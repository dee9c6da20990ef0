//! `sigv4` in the plan.

use std::sync::Arc;

use torana_config::written::SigV4Config;
use torana_config::{Document, Finding, Path};
use torana_credential::directory::Consumers;
use torana_types::TimeSpan;

use super::{AuthenticationPlan, PolicyPlan};

/// Callers sign their requests as AWS clients do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SigV4Plan {
    /// What is accepted, and what becomes of it.
    pub config: SigV4Config,
    /// Whose access keys there are.
    pub consumers: Arc<Consumers>,
}

/// The longest life that a presigned request may give itself.
const LONGEST: TimeSpan = TimeSpan::from_secs(604_800);

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    config: &SigV4Config,
    consumers: &Arc<Consumers>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    super::hmac_auth::remembers(document, path, config.replay, config.remember, findings);
    if config.presigned && config.max_expires.as_millis() < 1000 {
        let finding = Finding::error("no-time", "no presigned request could be good for so short");
        let finding = finding.at(document.span_at(&path.key("max_expires")));
        findings.push(finding.help("write a length of time such as `1h`, or `presigned: false`"));
    }
    if config.presigned && config.max_expires > LONGEST {
        let message = "a presigned request that is good for more than seven days is refused, as AWS does";
        let finding = Finding::warning("never-happens", message);
        findings.push(finding.at(document.span_at(&path.key("max_expires"))).help("write `7d` or less"));
    }
    super::authentication::needs_consumers(document, path, consumers, findings);
    let plan = SigV4Plan { config: config.clone(), consumers: Arc::clone(consumers) };
    PolicyPlan::Authentication(AuthenticationPlan::SigV4(Arc::new(plan)))
}
