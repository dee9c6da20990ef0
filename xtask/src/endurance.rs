//! The long forms of two tests: huge bodies, and minutes of mixed traffic with faults. Both start the built
//! binary and share their code with the short forms (`torana-testkit`).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use torana_testkit::large::{LargeOrigin, Way};
use torana_testkit::soak::{self, Site, Soak};

use crate::server::{Server, free_address};
use crate::workspace::build;

/// What a gateway may grow by, whatever the size of a body.
const GROWTH_MIB: f64 = 8.0;
/// What writers may be ahead of a reader that has stopped: the kernel's buffers on both sides of the gateway.
const AHEAD_MIB: f64 = 48.0;
const MIB: f64 = 1024.0 * 1024.0;

#[derive(clap::Args)]
pub(crate) struct LargeArguments {
    /// Size of the body in each direction, in GiB
    #[arg(long, default_value_t = 4.0)]
    gib: f64,
}

#[derive(clap::Args)]
pub(crate) struct SoakArguments {
    /// How long
    #[arg(long, default_value_t = 180)]
    seconds: u64,
    /// Clients at once
    #[arg(long, default_value_t = 32)]
    clients: u64,
    /// What decides everything that is random; the time when it is not given
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn large(arguments: &LargeArguments) -> Result<()> {
    ensure!(arguments.gib > 0.0 && arguments.gib < 1024.0, "between 0 and 1024 GiB");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held by the line above")]
    let bytes = (arguments.gib * 1024.0 * MIB) as u64;
    let (origin, folder) = (LargeOrigin::start()?, tempfile::tempdir()?);
    let (plain, secure, admin) = (free_address()?, free_address()?, free_address()?);
    let file = origin.write(folder.path(), plain, secure)?.to_string_lossy().into_owned();
    let server = Server::start_anywhere(plain, &program()?, &["run", &file, "--admin", &admin.to_string()])?;
    let mut kept = true;
    for (way, address) in [(Way::Plain, plain), (Way::Tls, secure), (Way::Http2, secure)] {
        let found = origin.check(address, way, server.measured, bytes);
        let rate = |time: Duration| bytes as f64 / MIB / time.as_secs_f64();
        println!(
            "{way:?}: {:.2} GiB down at {:.0} MiB/s, up at {:.0} MiB/s, every byte compared",
            arguments.gib,
            rate(found.download),
            rate(found.upload)
        );
        let (grown, ahead) = (found.grown_kib as f64 / 1024.0, found.ahead.map(|bytes| bytes as f64 / MIB));
        println!("  memory grew by {grown:.2} MiB (promised: under {GROWTH_MIB})");
        println!(
            "  a reader that stopped stopped its writer after {:.1} MiB down and {:.1} MiB up (promised: under {AHEAD_MIB})",
            ahead[0], ahead[1]
        );
        kept &= grown < GROWTH_MIB && ahead.iter().all(|ahead| *ahead < AHEAD_MIB);
    }
    ensure!(kept, "more than promised");
    Ok(())
}

pub(crate) fn soak(arguments: &SoakArguments) -> Result<()> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let seed = arguments.seed.unwrap_or(now.as_secs());
    println!("{} s of mixed traffic from {} clients, seed {seed}", arguments.seconds, arguments.clients);
    let started = Instant::now();
    let what = Soak { duration: Duration::from_secs(arguments.seconds), clients: arguments.clients, seed };
    match soak_with(&program()?, what)? {
        Ok(found) => {
            let (early, late) = (found.memory_kib.0 as f64 / 1024.0, found.memory_kib.1 as f64 / 1024.0);
            println!("{} exchanges, {} whole answers, all right", found.exchanges, found.answers);
            println!("memory {early:.1} MiB after a third of the time, {late:.1} MiB at the end");
            println!("nothing is left, {:.0} s after the start", started.elapsed().as_secs_f64());
            ensure!(late < early + 32.0, "memory has grown");
            Ok(())
        }
        Err(problems) => anyhow::bail!("seed {seed}:\n{}", problems.join("\n")),
    }
}

/// Puts a program under the same traffic; what it finds is not looked at.
pub(crate) fn exercise(program: &Path, seconds: u64) -> Result<()> {
    let what = Soak { duration: Duration::from_secs(seconds), clients: 16, seed: 1 };
    soak_with(program, what)?.map_or_else(|problems| println!("{}", problems.join("\n")), |_| ());
    Ok(())
}

fn soak_with(program: &Path, what: Soak) -> Result<Result<soak::Soaked, Vec<String>>> {
    let (site, folder) = (Site::start(), tempfile::tempdir()?);
    let (plain, secure, admin) = (free_address()?, free_address()?, free_address()?);
    let file = site.write(folder.path(), plain, secure)?.to_string_lossy().into_owned();
    let server = Server::start_anywhere(plain, program, &["run", &file, "--admin", &admin.to_string()])?;
    Ok(soak::soak(what, site, soak::Gateway { plain, secure, admin, pid: server.measured }))
}

/// The binary as anybody builds it.
fn program() -> Result<PathBuf> {
    Ok(build(&["-p", "torana"])?.join("torana"))
}
