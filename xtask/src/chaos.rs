//! Runs the chaos test for longer than the tests do.

use anyhow::{Result, ensure};

use crate::workspace::cargo;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long
    #[arg(long, default_value_t = 180)]
    seconds: u32,
    /// The seed of an earlier run, to kill in the same order
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--workspace", "--test", "chaos", "--", "--nocapture"]);
    test.env("TORANA_CHAOS_SECONDS", arguments.seconds.to_string());
    if let Some(seed) = arguments.seed {
        test.env("TORANA_CHAOS_SEED", seed.to_string());
    }
    ensure!(test.status()?.success(), "the chaos test has failed");
    Ok(())
}
