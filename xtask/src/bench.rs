//! Compares what a request costs in Torana and in nginx, side by side in one run.
//!
//! Each proxy has one worker on core 0; the origin and the load generator share core 1. Rounds are
//! interleaved, so that a change of the machine's mood meets both. CPU time per request is the figure that
//! counts: it does not depend on whether the load generator keeps up.

mod cases;
mod configuration;
mod wrk;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::server::{Server, free_address};
use crate::workspace::{Metadata, cargo};
use cases::{CASES, Case};
use wrk::Measured;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Rounds of which the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only the cases whose name contains this
    #[arg(long, default_value = "")]
    case: String,
}

/// Everything that runs during the comparison.
struct Stage {
    nginx: Server,
    plain: Server,
    policies: Server,
    _origin: Server,
    _folder: tempfile::TempDir,
    token: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let stage = Stage::set()?;
    println!(
        "{:<22} {:>22} {:>22} {:>14} {:>20}",
        "", "CPU µs/request", "requests/s", "p50/p99 ms", "ratio of CPU"
    );
    for case in CASES.iter().filter(|case| case.name.contains(&arguments.case)) {
        let mut rounds = (Vec::new(), Vec::new());
        for round in 0..arguments.rounds {
            let mut both =
                [(&stage.nginx, false), (if case.policies { &stage.policies } else { &stage.plain }, true)];
            if round % 2 == 1 {
                both.reverse();
            }
            for (server, ours) in both {
                let measured = measure(server, case, &stage, arguments.seconds, ours)?;
                if ours { rounds.1.push(measured) } else { rounds.0.push(measured) }
            }
        }
        let (nginx, torana) = (Measured::median(rounds.0), Measured::median(rounds.1));
        println!("{}", row(&format!("{} nginx", case.name), &nginx, ""));
        println!(
            "{}",
            row(&format!("{} torana", case.name), &torana, &format!("{:.2}", torana.micros / nginx.micros))
        );
    }
    for (name, server) in
        [("nginx", &stage.nginx), ("torana", &stage.plain), ("torana, policies", &stage.policies)]
    {
        println!("peak memory of {name}: {:.1} MiB", server.memory_kib("VmHWM")? as f64 / 1024.0);
    }
    Ok(())
}

fn row(name: &str, measured: &Measured, ratio: &str) -> String {
    let spread = format!("{:.2} ({:.2}-{:.2})", measured.micros, measured.lowest, measured.highest);
    let latency = format!("{:.2}/{:.2}", measured.p50, measured.p99);
    format!("{name:<22} {spread:>22} {:>22.0} {latency:>14} {ratio:>20}", measured.rate)
}

fn measure(server: &Server, case: &Case, stage: &Stage, seconds: u32, ours: bool) -> Result<Measured> {
    let before = server.cpu()?;
    // nginx asks nobody for a token; it is sent to both so that both read the same request.
    let token = case.policies.then_some(stage.token.as_str());
    let path = if case.policies && ours { "/api/v1/group42/item420" } else { case.path };
    let mut measured = wrk::run(server.address, path, case, token, seconds)?;
    let used = server.cpu()? - before;
    measured.micros = used.as_secs_f64() * 1e6 / measured.requests as f64;
    measured.lowest = measured.micros;
    measured.highest = measured.micros;
    Ok(measured)
}

impl Stage {
    fn set() -> Result<Self> {
        let metadata = Metadata::load()?;
        let build = ["build", "--release", "-p", "torana", "-p", "torana-testkit", "--bins"];
        ensure!(cargo().args(build).status()?.success(), "cargo build has failed");
        let programs = metadata.target_directory.join("release");
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let origin =
            Server::start(1, address, &programs.join("bench-origin"), &[&address.port().to_string()])?;
        let nginx = start_nginx(folder.path(), address)?;
        let torana = |name: &str, text: String| -> Result<Server> {
            let own = free_address()?;
            let file = folder.path().join(name);
            std::fs::write(&file, text)?;
            let file = file.to_string_lossy().into_owned();
            let listen = own.to_string();
            Server::start(
                0,
                own,
                &programs.join("torana"),
                &["run", &file, "--listen", &listen, "--workers", "1"],
            )
        };
        let plain = torana("plain.yaml", configuration::plain(address))?;
        let policies = torana("policies.yaml", configuration::policies(address))?;
        let token = token(&programs.join("torana"))?;
        Ok(Self { nginx, plain, policies, _origin: origin, _folder: folder, token })
    }
}

fn start_nginx(folder: &Path, origin: SocketAddr) -> Result<Server> {
    let address = free_address()?;
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration::nginx(folder, address, origin))?;
    let file = file.to_string_lossy().into_owned();
    let mut nginx = Server::start(0, address, Path::new("nginx"), &["-c", &file])
        .context("is nginx installed? `scripts/bench-tools` installs what this needs")?;
    nginx.measure_child()?;
    Ok(nginx)
}

fn token(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .args(["token", "--sub", "bench", "--role", "user", "--expires", "1d"])
        .env("JWT_SECRET", configuration::SECRET)
        .output()?;
    ensure!(output.status.success(), "torana token has failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
