//! All tests, several programs of them at once: most of their time is waiting, and cargo runs one after the other.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::workspace::{cargo, root};

/// What the harness of tests takes the number of its threads from.
const THREADS: &str = "RUST_TEST_THREADS";

/// Programs that take all of the machine and say how long others wait meanwhile: nothing else runs beside them.
const ALONE: [&str; 1] = ["crates/torana/tests/burst.rs"];

/// What cargo says about one thing that it has built.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A program of tests.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    /// Its main file, below the root.
    source: PathBuf,
    /// Where tests expect to be: the folder of their package.
    folder: PathBuf,
    executable: PathBuf,
}

pub(crate) fn run() -> Result<()> {
    let is_alone = |program: &Program| ALONE.iter().any(|alone| program.source == Path::new(alone));
    let (alone, together): (VecDeque<_>, VecDeque<_>) = build()?.into_iter().partition(is_alone);
    ensure!(alone.len() == ALONE.len(), "not all programs of tests that run alone are there");
    let failed = alone.into_iter().filter(|program| !passes(program, "1".as_ref()));
    let failed = Mutex::new(failed.map(|program| program.source).collect::<Vec<_>>());
    let programs = Mutex::new(together);
    let at_once = thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    let threads = threads(std::env::var_os(THREADS));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(program) = next(&programs) {
                    if !passes(&program, &threads) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(program.source);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let names: Vec<_> = failed.iter().map(|source| source.display().to_string()).collect();
    ensure!(names.is_empty(), "tests have failed in {}", names.join(", "));
    let status = cargo().args(["test", "--workspace", "--doc", "--quiet"]).status()?;
    ensure!(status.success(), "examples in the documentation of the code have failed");
    Ok(())
}

/// How many tests of one program run at once: more than there are cores, as they wait most of the time.
fn threads(chosen: Option<OsString>) -> OsString {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    chosen.unwrap_or_else(|| cores().saturating_mul(2).max(4).to_string().into())
}

fn next(programs: &Mutex<VecDeque<Program>>) -> Option<Program> {
    programs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Builds all of them.
fn build() -> Result<VecDeque<Program>> {
    let output = cargo()
        .args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "the tests do not compile");
    let programs = programs(&String::from_utf8_lossy(&output.stdout), root());
    ensure!(!programs.is_empty(), "cargo names no program of tests");
    Ok(programs)
}

/// The programs among cargo's messages, one a line.
fn programs(messages: &str, root: &Path) -> VecDeque<Program> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages
        .filter_map(|message| {
            message.profile.filter(|profile| profile.test)?;
            let source = message.target?.src_path;
            Some(Program {
                source: source.strip_prefix(root).map(Path::to_path_buf).unwrap_or(source),
                folder: message.manifest_path?.parent()?.to_path_buf(),
                executable: message.executable?,
            })
        })
        .collect()
}

/// Runs one. What it prints is shown in one piece when it has ended: all of it where a test has failed.
fn passes(program: &Program, threads: &OsStr) -> bool {
    let began = Instant::now();
    // Both streams are one, so that lines stand in their order.
    let output = Command::new("sh")
        .args(["-c", "exec \"$0\" 2>&1"])
        .arg(&program.executable)
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder)
        .env(THREADS, threads)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let (passed, said) = match output {
        Ok(output) => (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => (false, error.to_string()),
    };
    let (seconds, source) = (began.elapsed().as_secs_f64(), program.source.display());
    let mut out = std::io::stdout().lock();
    let _ = if passed {
        let result = said.lines().rev().find_map(|line| line.strip_prefix("test result: "));
        let counts = result.map_or("", |result| result.split("; 0 measured").next().unwrap_or(result));
        writeln!(out, "{source}: {counts}, {seconds:.1} s")
    } else {
        writeln!(out, "{said}\n{source}: FAILED after {seconds:.1} s")
    };
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_tests_are_told_from_all_else_that_cargo_builds() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"src_path":"/w/a/src/lib.rs"},"profile":{"test":true},"executable":"/w/target/a-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"src_path":"/w/a/src/main.rs"},"profile":{"test":false},"executable":"/w/target/a"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/r/b/Cargo.toml","target":{"src_path":"/r/b/lib.rs"},"profile":{"test":false},"executable":null}"#,
            "\nno message\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let program = Program {
            source: "a/src/lib.rs".into(),
            folder: "/w/a".into(),
            executable: "/w/target/a-1".into(),
        };
        assert_eq!(programs(messages, Path::new("/w")), [program]);
    }
}
