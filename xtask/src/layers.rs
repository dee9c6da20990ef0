//! Dependencies point downward only, pure crates stay pure, and no crate grows into half the workspace.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use self::table::{HIGHEST_PURE_LAYER, IMPURE, PLACES, Place};
use crate::lines;
use crate::workspace::{Graph, Metadata};

/// A crate above this share of the workspace's lines without tests is named.
const LARGE_PERCENT: usize = 15;

/// A crate above this share is an error.
const TOO_LARGE_PERCENT: usize = 20;

/// Below this many lines in all, shares say nothing: the first crates of a young workspace are large parts.
const SHARES_COUNT_FROM: usize = 10_000;

pub(crate) fn run() -> Result<()> {
    let metadata = Metadata::load()?;
    let members: Vec<&str> = metadata.members().map(|package| package.name.as_str()).collect();
    let mut errors = check(&members, &metadata.graph());
    errors.extend(absent(&members));

    let mut counts = BTreeMap::new();
    for package in metadata.members() {
        let Some(directory) = package.manifest_path.parent() else { continue };
        let lines = lines::sources(directory)?.iter().map(|source| source.lines).sum();
        counts.insert(package.name.clone(), lines);
    }
    for Share { package, lines, percent } in large(&counts) {
        let text = format!("{package} has {lines} lines without tests, {percent} % of the workspace");
        if percent > TOO_LARGE_PERCENT {
            errors.push(format!("{text}; more than {TOO_LARGE_PERCENT} % is too much, take a part out"));
        } else {
            println!("warning: {text}; aim below {LARGE_PERCENT} %");
        }
    }

    for error in &errors {
        println!("error: {error}");
    }
    if !errors.is_empty() {
        bail!("{} rules of the layers are broken", errors.len());
    }
    let total: usize = counts.values().sum();
    println!("{} crates with {total} lines without tests, all dependencies point downward", members.len());
    Ok(())
}

/// The rules that `members` break in `graph`, in words.
fn check(members: &[&str], graph: &Graph) -> Vec<String> {
    let mut errors = Vec::new();
    for &member in members {
        let Some(&Place { layer, reason, .. }) = place_of(member) else {
            errors.push(format!(
                "{member} has no layer; give it one, with a reason, in xtask/src/layers/table.rs"
            ));
            continue;
        };
        for dependency in graph.get(member).into_iter().flatten() {
            match place_of(dependency).map(|place| place.layer) {
                Some(lower) if lower < layer => {}
                Some(same) if same == layer => {
                    errors.push(format!(
                        "{member} depends on its sibling {dependency} (layer {layer}); {member}: {reason}"
                    ));
                }
                Some(higher) => {
                    errors.push(format!(
                        "{member} (layer {layer}) depends upward on {dependency} (layer {higher}); {member}: {reason}"
                    ));
                }
                None => {} // not ours; an own crate without a layer is named above
            }
        }
        if layer <= HIGHEST_PURE_LAYER {
            errors.extend(impure_paths(member, graph));
        }
    }
    errors
}

fn place_of(package: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.package == package)
}

/// The rows of the table that no member has.
fn absent(members: &[&str]) -> Vec<String> {
    let rows = PLACES.iter().filter(|place| !members.contains(&place.package));
    rows.map(|place| format!("{} stands in xtask/src/layers/table.rs, but is not there", place.package))
        .collect()
}

/// How `member` reaches each impure crate, one way each.
fn impure_paths(member: &str, graph: &Graph) -> Vec<String> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::from([member.to_owned()]);
    let mut waiting = vec![vec![member.to_owned()]];
    while let Some(path) = waiting.pop() {
        let Some(last) = path.last() else { continue };
        for dependency in graph.get(last).into_iter().flatten() {
            if !seen.insert(dependency.clone()) {
                continue;
            }
            let longer: Vec<String> = path.iter().chain([dependency]).cloned().collect();
            if IMPURE.contains(&dependency.as_str()) {
                errors.push(format!("{member} must do no input or output, but has {}", longer.join(" -> ")));
            } else {
                waiting.push(longer);
            }
        }
    }
    errors
}

struct Share {
    package: String,
    lines: usize,
    percent: usize,
}

/// The crates above [`LARGE_PERCENT`], largest first.
fn large(counts: &BTreeMap<String, usize>) -> Vec<Share> {
    let total: usize = counts.values().sum();
    if total < SHARES_COUNT_FROM {
        return Vec::new();
    }
    let share = |(package, &lines): (&String, &usize)| Share {
        package: package.clone(),
        lines,
        percent: lines * 100 / total,
    };
    let mut shares: Vec<Share> =
        counts.iter().map(share).filter(|share| share.lines * 100 > LARGE_PERCENT * total).collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.lines));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(from, to)| ((*from).to_owned(), owned(to))).collect()
    }

    #[test]
    fn downward_dependencies_pass() {
        let graph = graph(&[
            ("torana-types", &["serde"]),
            ("torana-http", &["torana-types", "torana-fault"]),
            ("torana-transport", &["torana-http", "tokio"]),
            ("torana", &["torana-proxy", "torana-types"]),
        ]);
        assert_eq!(check(&["torana-types", "torana-http", "torana-transport", "torana"], &graph), [""; 0]);
    }

    #[test]
    fn upward_sibling_and_unknown_are_errors() {
        let graph = graph(&[
            ("torana-route", &["torana-plan"]),
            ("torana-limit", &["torana-balance"]),
            ("torana-new", &[]),
        ]);
        let errors = check(&["torana-route", "torana-limit", "torana-new"], &graph);
        let expected = ["depends upward on torana-plan (layer 2)", "its sibling torana-balance", "no layer"];
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_pure_crate_must_not_reach_a_runtime_even_through_others() {
        let graph = graph(&[("torana-http", &["one"]), ("one", &["two"]), ("two", &["tokio", "one"])]);
        let errors = check(&["torana-http"], &graph);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains("torana-http -> one -> two -> tokio"), "{}", errors[0]);
    }

    #[test]
    fn every_crate_stands_in_the_table_once() {
        let names: BTreeSet<&str> = PLACES.iter().map(|place| place.package).collect();
        assert_eq!(names.len(), PLACES.len());
        assert!(PLACES.iter().all(|place| !place.reason.is_empty()));
    }

    #[test]
    fn a_row_without_a_crate_is_an_error() {
        let mut members: Vec<&str> = PLACES.iter().map(|place| place.package).collect();
        assert_eq!(absent(&members), [""; 0]);
        members.retain(|member| *member != "torana-route");
        assert_eq!(absent(&members).len(), 1);
    }

    #[test]
    fn large_shares_are_named_once_the_workspace_is_grown() {
        let counts = |sizes: &[usize]| -> BTreeMap<String, usize> {
            sizes.iter().enumerate().map(|(index, &size)| (format!("crate-{index}"), size)).collect()
        };
        assert!(large(&counts(&[5_000, 100])).is_empty());
        let shares = large(&counts(&[1_500, 8_499, 1]));
        assert_eq!(shares.iter().map(|share| share.percent).collect::<Vec<_>>(), [84]);
        let shares = large(&counts(&[2_000, 4_000, 4_000]));
        assert_eq!(shares.iter().map(|share| share.percent).collect::<Vec<_>>(), [40, 40, 20]);
    }
}
