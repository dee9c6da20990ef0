//! Programs that tests run against the gateway and that are no system packages.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program in `target/tools`, by its path there. Whatever is missing is installed by `scripts/tools` first.
///
/// # Panics
/// When it cannot be installed.
#[must_use]
#[track_caller]
pub fn tool(path: &str) -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    // The script looks at each tool itself; it is asked each time, because a folder may be half filled.
    let installed = Command::new(root.join("scripts/tools")).status().expect("scripts/tools can be run");
    assert!(installed.success(), "scripts/tools could not install {path}");
    root.join("target/tools").join(path)
}
