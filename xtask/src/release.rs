//! The binary that is published: compiled for what it was seen doing (profile-guided optimisation).
//!
//! Built with counters first, then put under the load of the benchmark and of the soak test, then built again by
//! what was counted: what runs for every request is inlined, what never ran lies apart. It is about a quarter fewer
//! instructions a request than `cargo build --release`, which anybody can do without tools. At last the whole is laid
//! out by the paths that were taken through it ([`layout`]).

mod layout;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};

use crate::workspace::{Metadata, cargo};
use crate::{bench, endurance};

/// The oldest LLVM whose tools read what the compiler's own version writes.
const OLDEST_TOOLS: u32 = 19;
const NEWEST_TOOLS: u32 = 30;
/// For how long each kind of load is counted.
const SECONDS: u32 = 2;
const MIXED_SECONDS: u64 = 6;

pub(crate) fn run() -> Result<()> {
    println!("{}", build()?.display());
    Ok(())
}

/// Builds it, unless nothing has changed, and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    let tool = merger()?;
    let (folder, host) = (Metadata::load()?.target_directory.join("guided"), host()?);
    let raw = folder.join("raw");
    let counting =
        compile(&folder.join("counting"), &host, &format!("-Cprofile-generate={}", raw.display()))?;
    // A profile belongs to one build: named by its time, a newer build asks for a newer profile, and cargo, which
    // does not look into the file, for a newer binary.
    let built = counting.metadata()?.modified()?.duration_since(UNIX_EPOCH)?.as_secs();
    let profile = folder.join(format!("{built}.profdata"));
    if !profile.exists() {
        let _ = std::fs::remove_dir_all(&raw);
        println!("counting under load");
        exercise(&counting)?;
        merge(&tool, &raw, &profile)?;
    }
    let flags = format!("-Cprofile-use={} {}", profile.display(), layout::FLAGS);
    let built = compile(&folder.join("optimised"), &host, &flags)?;
    let name = built.metadata()?.modified()?.duration_since(UNIX_EPOCH)?.as_secs().to_string();
    layout::arrange(&built, &folder, &name)
}

/// Puts a program that counts under the load that it is to be good at.
fn exercise(counting: &Path) -> Result<()> {
    bench::exercise(counting, SECONDS)?;
    endurance::exercise(counting, MIXED_SECONDS)
}

fn compile(target: &Path, host: &str, flags: &str) -> Result<PathBuf> {
    println!("building with {flags}");
    // With a named target the flags are for the program alone, not for what runs while it is built.
    let status = cargo()
        .args(["build", "--release", "--quiet", "-p", "torana", "--target", host])
        .env("RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", target)
        .status()?;
    ensure!(status.success(), "cargo build has failed");
    Ok(target.join(host).join("release/torana"))
}

fn merge(tool: &Path, raw: &Path, profile: &Path) -> Result<()> {
    // Written beside and renamed, so that a run that was stopped leaves no half of it.
    let beside = profile.with_extension("part");
    let output = Command::new(tool).args(["merge", "-o"]).args([&beside, raw]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} merge has failed: {said}", tool.display());
    std::fs::rename(beside, profile)?;
    Ok(())
}

/// What rustup installs with `llvm-tools`, or the system's, the newest first.
fn merger() -> Result<PathBuf> {
    let own = output("rustc", &["--print", "target-libdir"])?;
    let own = Path::new(own.trim()).with_file_name("bin").join("llvm-profdata");
    let named = (OLDEST_TOOLS..NEWEST_TOOLS).rev().map(|version| format!("llvm-profdata-{version}").into());
    let works =
        |tool: &PathBuf| Command::new(tool).arg("--version").output().is_ok_and(|it| it.status.success());
    std::iter::once(own).chain(named).find(works).with_context(|| {
        format!(
            "there is no llvm-profdata of version {OLDEST_TOOLS} or later: `scripts/bench-tools` installs one, \
             `rustup component add llvm-tools` too"
        )
    })
}

fn host() -> Result<String> {
    let said = output("rustc", &["-vV"])?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("starting {program}"))?;
    Ok(String::from_utf8(output.stdout)?)
}
