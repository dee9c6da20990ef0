//! `cargo xtask limits`: how exact shared limits are, and what they take of the throughput.

mod throughput;

use anyhow::{Result, ensure};
use std::path::PathBuf;

use crate::workspace::cargo;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds of each measurement of accuracy
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Only the throughput without and with limits, for this many seconds each
    #[arg(long)]
    throughput: Option<u64>,
    /// A folder with `torana` and `bench-origin` whose throughput is measured, instead of building them
    #[arg(long)]
    programs: Option<PathBuf>,
}

/// Runs the measurements of `crates/store/tests/accuracy.rs`, optimised: thirty of them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(seconds) = arguments.throughput {
        return throughput::run(seconds, arguments.programs.as_deref());
    }
    let mut test = cargo();
    test.args(["test", "--release", "-p", "torana-store", "--test", "accuracy", "--"]);
    test.args(["--nocapture", "--test-threads", "1"]);
    test.env("TORANA_LIMITS_SECONDS", arguments.seconds.to_string());
    ensure!(test.status()?.success(), "a limit was not exact, or not enough of it could be used");
    Ok(())
}
