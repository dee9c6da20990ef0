//! What is left of a document when everything that has a wrong form is taken out, so that the rest can be
//! looked at as well: a person mends a file once, not once for every kind of check.
//!
//! The places of what is left stay those of the file. What is left is never served.

use crate::check::{self, Checked};
use crate::finding::Finding;
use crate::node::{Kind, Node};
use crate::shape::Shape;
use crate::source::Source;
use std::collections::BTreeSet;
use std::ops::Range;

/// Taking something out can make what holds it incomplete, and so on upwards; a file is not this deep.
const ROUNDS: usize = 32;

/// What is left.
pub(crate) struct Salvaged {
    pub(crate) root: Node,
    pub(crate) checked: Checked,
    /// Where what held something that was taken out begins, and its key: it may lack that now.
    pub(crate) gaps: BTreeSet<usize>,
}

/// Takes out of `root` what `findings` name, until what is left has the right shape.
/// `None`: nothing is left.
pub(crate) fn salvage(root: &Node, shape: &Shape, source: &Source, findings: &[Finding]) -> Option<Salvaged> {
    let (mut root, mut gaps) = (root.clone(), BTreeSet::new());
    let mut wrong = places(findings);
    for _ in 0..ROUNDS {
        if wrong.is_empty() || is_lost(&mut root, &wrong, &mut gaps) {
            return None;
        }
        let mut more = Vec::new();
        let checked = check::check(&root, shape, source, &mut more);
        if checked.value.is_some() {
            return Some(Salvaged { root, checked, gaps });
        }
        wrong = places(&more);
    }
    None
}

fn places(findings: &[Finding]) -> Vec<Range<usize>> {
    findings.iter().filter_map(|finding| finding.span.as_ref()).map(|span| span.start..span.end).collect()
}

/// Takes out what is below; tells whether the node itself is wrong. A scalar is as soon as a part of it is.
fn is_lost(node: &mut Node, wrong: &[Range<usize>], gaps: &mut BTreeSet<usize>) -> bool {
    if wrong.contains(&node.span) {
        return true;
    }
    let before = node.length();
    match &mut node.kind {
        Kind::Scalar(_) => {
            return wrong.iter().any(|range| range.start < node.span.end && node.span.start < range.end);
        }
        Kind::Sequence(items) => items.retain_mut(|item| !is_lost(item, wrong, gaps)),
        Kind::Mapping(entries) => entries.retain_mut(|entry| {
            let lost = wrong.contains(&entry.key_span) || is_lost(&mut entry.value, wrong, gaps);
            if gaps.contains(&entry.value.span.start) {
                gaps.insert(entry.key_span.start);
            }
            !lost
        }),
    }
    if node.length() < before {
        gaps.insert(node.span.start);
    }
    false
}
