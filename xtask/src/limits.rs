//! `cargo xtask limits`: how exact shared limits are, measured for 30 seconds each.

use anyhow::{Context, Result, ensure};
use std::process::Command;

/// How long to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// Runs the measurements of `crates/store/tests/accuracy.rs`, optimised.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let done = Command::new("cargo")
        .args(["test", "--release", "-p", "torana-store", "--test", "accuracy", "--"])
        .args(["--nocapture", "--test-threads", "1"])
        .env("TORANA_LIMITS_SECONDS", arguments.seconds.to_string())
        .status()
        .context("cargo cannot be started")?;
    ensure!(done.success(), "a limit was not exact, or not enough of it could be used");
    Ok(())
}
