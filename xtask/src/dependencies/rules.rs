//! The part of cargo-deny's format that this check holds. A key that it does not hold is an error.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Deserialize;

use crate::workspace::Package;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) licenses: Licenses,
    pub(super) bans: Bans,
    pub(super) sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Licenses {
    /// SPDX identifiers, with their exception where one applies (`Apache-2.0 WITH LLVM-exception`).
    pub(super) allow: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Bans {
    pub(super) multiple_versions: Level,
    /// Versions that may stand beside another one.
    pub(super) skip: Vec<CrateRule>,
    /// Crates that must not be there at all.
    pub(super) deny: Vec<CrateRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Sources {
    pub(super) unknown_registry: Level,
    pub(super) unknown_git: Level,
    pub(super) allow_registry: BTreeSet<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    Allow,
    Deny,
}

/// `NAME` or `NAME@VERSION`, where `0.16` means every `0.16.x`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CrateRule {
    #[serde(rename = "crate")]
    pub(super) name: String,
    pub(super) reason: String,
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }
}

impl CrateRule {
    pub(super) fn matches(&self, package: &Package) -> bool {
        match self.name.split_once('@') {
            None => self.name == package.name,
            Some((name, version)) => {
                let rest = package.version.strip_prefix(version);
                name == package.name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}
