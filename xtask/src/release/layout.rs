//! The order of a finished binary's code, by what it was seen doing (BOLT).
//!
//! The compiler lays out each function by its counters; what follows what across functions, and which halves of them are
//! never run, is known only of the linked whole. Moved together, the code of a request takes fewer lines of the
//! processor's cache and fewer pages.

use std::fs::{copy, create_dir_all, read_dir, remove_dir_all, rename};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::exercise;

/// The version of LLVM whose tools these are; others name their options differently.
const VERSION: u32 = 19;
/// What the linker must leave in the binary for it.
pub(super) const FLAGS: &str = "-Clink-arg=-Wl,--emit-relocs";

/// Lays out `program` anew, and says where the result is. `name` belongs to this build and no other.
pub(super) fn arrange(program: &Path, folder: &Path, name: &str) -> Result<PathBuf> {
    let bolt = tool("llvm-bolt")?;
    let profile = folder.join(format!("{name}.fdata"));
    if !profile.exists() {
        let raw = folder.join("paths");
        let _ = remove_dir_all(&raw);
        create_dir_all(&raw)?;
        let counting = folder.join("counting-paths");
        println!("counting paths under load");
        let file = raw.join("run").display().to_string();
        succeed(Command::new(&bolt).arg(program).arg("-o").arg(&counting).args([
            "-instrument",
            "-instrumentation-file-append-pid",
            &format!("-instrumentation-file={file}"),
        ]))?;
        exercise(&counting)?;
        let runs = read_dir(&raw)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        ensure!(!runs.is_empty(), "{} left no counts in {}", counting.display(), raw.display());
        // Written beside and renamed, so that a run that was stopped leaves no half of it.
        let beside = profile.with_extension("part");
        succeed(Command::new(tool("merge-fdata")?).arg("-o").arg(&beside).args(runs))?;
        rename(beside, &profile)?;
    }
    let arranged = folder.join("torana");
    let beside = folder.join("torana.part");
    succeed(Command::new(&bolt).arg(program).arg("-o").arg(&beside).arg("-data").arg(&profile).args([
        "-reorder-blocks=ext-tsp",
        "-reorder-functions=cdsort",
        "-split-functions",
        "-split-all-cold",
        "-split-eh",
    ]))?;
    copy(&beside, &arranged)?;
    Ok(arranged)
}

/// By its full path: it looks beside itself for what it puts into a binary that counts.
fn tool(name: &str) -> Result<PathBuf> {
    let tool = Path::new("/usr/lib").join(format!("llvm-{VERSION}/bin/{name}"));
    ensure!(tool.exists(), "there is no {}: `scripts/bench-tools` installs it", tool.display());
    Ok(tool)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?} has failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
