//! Everything that CI checks, in the order of how fast it fails.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::generated::Arguments;
use crate::workspace::cargo;
use crate::{dependencies, files, layers, reference, schema, suite};

enum Work {
    Cargo { arguments: &'static [&'static str], environment: &'static [(&'static str, &'static str)] },
    Task(fn() -> Result<()>),
}

struct Step {
    name: &'static str,
    work: Work,
    /// What to do when it fails.
    remedy: &'static str,
}

const fn cargo_step(name: &'static str, arguments: &'static [&'static str], remedy: &'static str) -> Step {
    Step { name, work: Work::Cargo { arguments, environment: &[] }, remedy }
}

const STEPS: &[Step] = &[
    cargo_step("format", &["fmt", "--all", "--", "--check"], "run `cargo fmt --all`"),
    Step {
        name: "layers",
        work: Work::Task(layers::run),
        remedy: "move the dependency down, or change the table in xtask/src/layers/table.rs with its reason",
    },
    Step {
        name: "dependencies",
        work: Work::Task(dependencies::run),
        remedy: "take another dependency, or change deny.toml with its reason",
    },
    Step { name: "files", work: Work::Task(files::run), remedy: "split the files named above" },
    Step {
        name: "schema",
        work: Work::Task(|| schema::run(&Arguments::default())),
        remedy: "run `cargo xtask schema --write` and commit the file",
    },
    cargo_step(
        "clippy",
        &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        "fix what clippy names; the reason of each lint stands in Cargo.toml",
    ),
    Step {
        name: "test",
        work: Work::Task(suite::run),
        remedy: "run the test that failed alone with `cargo test -p CRATE NAME`",
    },
    Step {
        name: "reference",
        work: Work::Task(|| reference::run(&Arguments::default())),
        remedy: "run `cargo xtask reference --write` and commit the files",
    },
    Step {
        name: "documentation",
        work: Work::Cargo {
            arguments: &["doc", "--workspace", "--no-deps"],
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
        },
        remedy: "fix the links and comments that rustdoc names",
    },
];

pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    for step in STEPS {
        println!("==> {}", step.name);
        let began = Instant::now();
        if let Err(error) = perform(&step.work) {
            println!("<== {} failed after {:.1} s", step.name, began.elapsed().as_secs_f64());
            bail!("{error:#}\nWhat to do: {}", step.remedy);
        }
        println!("<== {} passed in {:.1} s", step.name, began.elapsed().as_secs_f64());
    }
    println!("all {} steps passed in {:.1} s", STEPS.len(), start.elapsed().as_secs_f64());
    Ok(())
}

fn perform(work: &Work) -> Result<()> {
    match work {
        Work::Task(task) => task(),
        Work::Cargo { arguments, environment } => {
            let mut command = cargo();
            command.args(*arguments).envs(environment.iter().copied());
            let status = command.status().context("running cargo")?;
            ensure!(status.success(), "cargo {} failed", arguments.join(" "));
            Ok(())
        }
    }
}
