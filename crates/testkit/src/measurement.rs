//! What `cargo xtask limits` and the tests that measure for it share: for how long, what disturbs, how it is counted, and
//! in which table it stands.

mod disturbance;
mod seconds;

pub use disturbance::Disturbance;
pub use seconds::{Seconds, utc};

use std::fmt::Debug;
use std::io::Write;
use std::time::Duration;

/// How long each measurement takes, and whether it is the long one that was asked for; else it is `short`.
#[must_use]
pub fn length(short: Duration) -> (Duration, bool) {
    let asked = std::env::var("TORANA_LIMITS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    asked.map_or((short, false), |seconds| (Duration::from_secs(seconds), true))
}

/// Tells what was measured, cells between tabs, and last whether it holds: for people and for the table. `faults` are
/// what would be wrong, and whether it is so.
///
/// # Panics
/// Something is wrong; or the table cannot be written to.
#[track_caller]
pub fn report(row: &str, faults: &[(bool, &str)], measured: &impl Debug) {
    let wrong: Vec<&str> = faults.iter().filter_map(|(is_so, what)| is_so.then_some(*what)).collect();
    let verdict = if wrong.is_empty() { "holds".to_owned() } else { wrong.join("; ") };
    tell(&format!("{row}\t{verdict}"));
    assert!(wrong.is_empty(), "{verdict}: {measured:?}");
}

fn tell(row: &str) {
    #[expect(clippy::print_stdout, reason = "measurements are read by people")]
    {
        println!("{row}");
    }
    if let Some(table) = std::env::var_os("TORANA_LIMITS_TABLE") {
        let mut table = std::fs::OpenOptions::new().append(true).create(true).open(table).expect("a table");
        writeln!(table, "{row}").expect("room in the table");
    }
}
