//! How `cargo xtask limits` and the tests that measure for it agree: for how long, and in which table.

use std::io::Write;
use std::time::Duration;

/// How long each measurement takes, and whether it is the long one that was asked for; else it is `short`.
#[must_use]
pub fn length(short: Duration) -> (Duration, bool) {
    let asked = std::env::var("TORANA_LIMITS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    asked.map_or((short, false), |seconds| (Duration::from_secs(seconds), true))
}

/// What was measured, cells between tabs, for people and for the table.
///
/// # Panics
/// The table cannot be written to.
pub fn tell(row: &str) {
    #[expect(clippy::print_stdout, reason = "measurements are read by people")]
    {
        println!("{row}");
    }
    if let Some(table) = std::env::var_os("TORANA_LIMITS_TABLE") {
        let mut table = std::fs::OpenOptions::new().append(true).create(true).open(table).expect("a table");
        writeln!(table, "{row}").expect("room in the table");
    }
}
