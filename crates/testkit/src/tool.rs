//! Programs that tests run against the gateway and that are no system packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program in `target/tools`, by its path there. Whatever is missing is installed by `scripts/tools` first, which is
/// asked once: it starts an interpreter for each of several tools to see whether they are whole.
///
/// # Panics
/// When it cannot be installed.
#[must_use]
#[track_caller]
pub fn tool(path: &str) -> PathBuf {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let install = || Command::new(root.join("scripts/tools")).status().is_ok_and(|status| status.success());
    assert!(INSTALLED.get_or_init(install), "scripts/tools could not install {path}");
    root.join("target/tools").join(path)
}
