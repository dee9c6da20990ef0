//! `bot_detection` in the plan.

use std::sync::Arc;

use torana_config::written::{BotDetectionConfig, Defaulted};
use torana_config::{Document, Finding, Path};
use torana_route::AnchoredRegex;

use super::PolicyPlan;

/// Refuses programs by what they call themselves. The expressions are well formed; they match anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BotDetectionPlan {
    /// Whoever matches one passes.
    pub allow: Vec<String>,
    /// Whoever matches one is refused.
    pub deny: Vec<String>,
    /// Whether the known ones are refused.
    pub known: bool,
    /// Whether `User-Agent` must be there.
    pub require_user_agent: bool,
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &Defaulted<BotDetectionConfig>,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    for (key, list) in [("allow", &config.allow), ("deny", &config.deny)] {
        for (index, expression) in list.iter().enumerate() {
            if let Err(error) = AnchoredRegex::parse(expression) {
                let place = document.span_at(&path.key(key).index(index));
                let finding = Finding::error("bad-regex", error.problem.to_string()).at(place);
                findings.push(finding.help(error.problem.help()));
            }
        }
    }
    if !config.known && config.deny.is_empty() && !config.require_user_agent {
        let finding = Finding::warning("refuses-nobody", "nobody is refused");
        findings.push(finding.at(document.span_at(path)).help("write `bot_detection: off`"));
    }
    PolicyPlan::BotDetection(Arc::new(BotDetectionPlan {
        allow: config.allow,
        deny: config.deny,
        known: config.known,
        require_user_agent: config.require_user_agent,
    }))
}
