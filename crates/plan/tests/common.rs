//! Findings of a text.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::panic, reason = "shared by test binaries")]

use torana_config::{Finding, FixedResolver};
use torana_plan::{Loaded, load};

pub fn loaded(text: &str) -> Loaded {
    let secret = "a secret of at least thirty-two bytes";
    load("test.yaml", text, &FixedResolver::default().with_environment("KEY", secret))
}

pub fn findings(text: &str) -> Vec<Finding> {
    loaded(text).findings
}

/// How many findings have the code.
pub fn codes(text: &str, code: &str) -> usize {
    findings(text).iter().filter(|finding| finding.code == code).count()
}

/// The first finding with the code.
pub fn finding(text: &str, code: &str) -> Finding {
    let all = findings(text);
    let found = all.iter().find(|finding| finding.code == code).cloned();
    found.unwrap_or_else(|| panic!("no {code} in {all:?}"))
}
