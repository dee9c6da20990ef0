//! `cargo xtask limits`: how exact shared limits are, and what they take of the throughput.

mod table;
mod throughput;

use anyhow::{Result, ensure};
use std::path::PathBuf;

use crate::workspace::cargo;

/// In two modes: three limits with five disturbances, a steady pace three times, shares counted alone twice, and whole
/// gateways at three limits with five disturbances.
const MEASUREMENTS: usize = 2 * (3 * 5 + 3 + 2 + 3 * 5);

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds of each measurement of accuracy
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Without optimisation: for a look at the table, not for its figures
    #[arg(long)]
    debug: bool,
    /// Only the throughput without and with limits, for this many seconds each
    #[arg(long)]
    throughput: Option<u64>,
    /// A folder with `torana` and `bench-origin` whose throughput is measured, instead of building them
    #[arg(long)]
    programs: Option<PathBuf>,
}

/// Runs the measurements of `crates/store/tests/accuracy.rs` and `crates/torana/tests/limits_measured.rs`, optimised, and
/// prints them as one table.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(seconds) = arguments.throughput {
        return throughput::run(seconds, arguments.programs.as_deref());
    }
    let folder = tempfile::tempdir()?;
    let rows = folder.path().join("rows");
    let mut test = cargo();
    test.arg("test");
    if !arguments.debug {
        test.arg("--release");
    }
    test.args(["--workspace", "--no-fail-fast", "--test", "accuracy", "--test", "limits_measured"]);
    test.args(["--", "--nocapture", "--test-threads", "1"]);
    test.env("TORANA_LIMITS_SECONDS", arguments.seconds.to_string()).env("TORANA_LIMITS_TABLE", &rows);
    let held = test.status()?.success();
    let rows = std::fs::read_to_string(&rows).unwrap_or_default();
    println!("{}", table::render(&rows));
    let measured = rows.lines().count();
    ensure!(held, "a limit was not exact, or not enough of it could be used");
    ensure!(measured == MEASUREMENTS, "{measured} of {MEASUREMENTS} measurements were made");
    Ok(())
}
