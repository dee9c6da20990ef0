//! `roles` in the plan.

mod rule;
mod spelled;

pub use rule::{Asked, RulePlan};

use std::sync::Arc;

use torana_config::written::{OneOrMany, RolesConfig, RolesForm};
use torana_config::{Document, Finding, Path, did_you_mean};

use super::PolicyPlan;

/// Callers have a role. Something is asked: by the lists, or by a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RolesPlan {
    /// One of these is needed where no rule matches; no condition when empty.
    pub any: Vec<String>,
    /// All of these are needed where no rule matches.
    pub all: Vec<String>,
    /// Where a caller's roles stand; at least one.
    pub from: Vec<RoleSource>,
    /// What paths ask for; no two are equally specific.
    pub rules: Vec<RulePlan>,
}

/// A place where roles stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RoleSource {
    /// What the credential says.
    Roles,
    /// The consumer's groups and those that the credential vouches for.
    Groups,
    /// A claim, by its path: a list of texts, or words between spaces.
    Claim(String),
}

/// Plans the policy that is written at `path`.
pub(crate) fn plan(
    document: &Document,
    path: &Path,
    form: &RolesForm,
    findings: &mut Vec<Finding>,
) -> PolicyPlan {
    let config = form.config();
    let nothing = config.any.is_empty() && config.all.is_empty() && config.rules.is_empty();
    if nothing || config.any.iter().chain(&config.all).any(String::is_empty) {
        let message = if nothing { "no role is named" } else { "a role has an empty name" };
        let finding = Finding::error("empty-roles", message).at(document.span_at(path));
        findings.push(finding.help("name a role, or write `roles: off`"));
    }
    let from = sources(document, path, &config, findings);
    let place = path.key("rules");
    let rules = rule::rules(document, &place, &config.rules, findings);
    let otherwise = Asked { any: config.any.clone(), all: config.all.clone(), ..Asked::default() };
    spelled::check(document, &place, &rules, &otherwise, findings);
    PolicyPlan::Roles(Arc::new(RolesPlan { any: config.any, all: config.all, from, rules }))
}

fn sources(
    document: &Document,
    path: &Path,
    config: &RolesConfig,
    findings: &mut Vec<Finding>,
) -> Vec<RoleSource> {
    let written = config.from.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
    let mut sources = Vec::with_capacity(written.len());
    for text in written {
        match text.as_str() {
            "roles" => sources.push(RoleSource::Roles),
            "groups" => sources.push(RoleSource::Groups),
            other => match other.strip_prefix("claims.").filter(|claim| !claim.is_empty()) {
                Some(claim) => sources.push(RoleSource::Claim(claim.to_owned())),
                None => {
                    let finding = Finding::error("bad-value", "roles do not stand in such a place");
                    let help = if other.contains('.') {
                        format!("a claim is written with its path after `claims.`: `claims.{other}`")
                    } else {
                        let places = "write `roles`, `groups`, or a claim by its path: `claims.scope`";
                        did_you_mean(other, ["roles", "groups"]).unwrap_or_else(|| places.into())
                    };
                    findings.push(finding.at(document.span_at(&path.key("from"))).help(help));
                }
            },
        }
    }
    if sources.is_empty() {
        sources.push(RoleSource::Roles);
    }
    sources
}
