//! Dependencies keep what `deny.toml` says: licences, one version of each crate, known sources. Ours are all used.
//!
//! The file has cargo-deny's format, so that either tool holds the same rules; this one needs nothing to be
//! installed. It is no search for advisories: those need the network and belong to a scheduled run, because a
//! build must not fail for what was published overnight.

mod rules;
mod unused;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use self::rules::{CrateRule, Level, Rules};
use crate::workspace::{Metadata, Package, root};

const PATH: &str = "deny.toml";

pub(crate) fn run() -> Result<()> {
    let text = std::fs::read_to_string(root().join(PATH)).with_context(|| format!("reading {PATH}"))?;
    let rules = Rules::parse(&text).with_context(|| format!("reading {PATH}"))?;
    let metadata = Metadata::load()?;

    let mut errors = licences(&rules, &metadata.packages);
    errors.extend(bans(&rules, &metadata.packages));
    errors.extend(sources(&rules, &metadata.packages));
    for package in metadata.members() {
        errors.extend(unused::named_by_no_source(package)?);
    }
    for error in &errors {
        println!("error: {error}");
    }
    if !errors.is_empty() {
        bail!("{} dependencies break {PATH} or are not used", errors.len());
    }
    let external = metadata.packages.iter().filter(|package| package.source.is_some()).count();
    println!("{external} dependencies keep {PATH}");
    Ok(())
}

/// Every package, ours included, can be had under an allowed licence.
fn licences(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut errors = Vec::new();
    let mut used = BTreeSet::new();
    for Package { name, version, license, .. } in packages {
        let Some(license) = license else {
            errors.push(format!("{name} {version} names no licence"));
            continue;
        };
        let expression = match spdx::Expression::parse_mode(license, spdx::ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => {
                errors.push(format!(
                    "{name} {version}: the licence {license:?} cannot be read: {}",
                    error.reason
                ));
                continue;
            }
        };
        let allowed = expression.evaluate(|requirement| {
            let found = rules.licenses.allow.get(requirement.to_string().as_str());
            used.extend(found);
            found.is_some()
        });
        if !allowed {
            errors.push(format!("{name} {version} has the licence {license}, which is not allowed"));
        }
    }
    let unused = rules.licenses.allow.iter().filter(|licence| !used.contains(licence));
    errors.extend(unused.map(|licence| format!("the licence {licence} is allowed, but nothing has it")));
    errors
}

/// No crate is there twice without a reason, and none that is banned.
fn bans(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut errors = Vec::new();
    for rule in &rules.bans.deny {
        let matching = packages.iter().filter(|package| rule.matches(package));
        errors.extend(
            matching
                .map(|package| format!("{} {} is banned: {}", package.name, package.version, rule.reason)),
        );
    }

    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(package);
    }
    let mut used = BTreeSet::new();
    for (name, packages) in versions.into_iter().filter(|(_, packages)| packages.len() > 1) {
        let mut left = Vec::new();
        for package in packages {
            match rules.bans.skip.iter().position(|rule| rule.matches(package)) {
                Some(rule) => _ = used.insert(rule),
                None => left.push(package.version.as_str()),
            }
        }
        if left.len() > 1 && rules.bans.multiple_versions == Level::Deny {
            errors.push(format!("{name} is there in versions {}", left.join(", ")));
        }
    }
    let unused = |rule: &CrateRule| format!("the exception for {} is not needed any more", rule.name);
    let skip = rules.bans.skip.iter().enumerate();
    errors.extend(skip.filter(|(index, _)| !used.contains(index)).map(|(_, rule)| unused(rule)));
    errors
}

/// Every package comes from this workspace or from an allowed registry.
fn sources(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut errors = Vec::new();
    for package in packages {
        let Some(source) = &package.source else { continue };
        let allowed = match (source.strip_prefix("registry+"), source.starts_with("git+")) {
            (Some(registry), _) => {
                rules.sources.allow_registry.contains(registry)
                    || rules.sources.unknown_registry == Level::Allow
            }
            (None, true) => rules.sources.unknown_git == Level::Allow,
            (None, false) => false,
        };
        if !allowed {
            errors.push(format!("{} {} comes from {source}", package.name, package.version));
        }
    }
    errors
}

#[cfg(test)]
mod tests;
