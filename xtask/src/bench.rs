//! Compares what a request costs in Torana, in other proxies, and in a program that only copies bytes, side
//! by side in one run.
//!
//! Each proxy has one worker on core 0; the origin and the load generator share core 1. Rounds are
//! interleaved, so that a change of the machine's mood meets all. CPU time per request is the figure that
//! counts: it does not depend on whether the load generator keeps up.

mod cases;
mod configuration;
mod details;
mod late;
mod load;
mod peers;
mod table;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::pinned::AROUND;
use crate::release;
use crate::server::{Server, free_address};
use crate::workspace::build;
use cases::{CASES, Case, Extras};
use configuration::Surroundings;
use details::{Details, Examined};
use load::{Answered, Load};
use peers::{PEERS, Peer, Proxy};
use table::{Row, Table};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Rounds of which the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only the cases whose names contain one of these, separated by commas
    #[arg(long, default_value = "", value_delimiter = ',')]
    case: Vec<String>,
    /// Only these of floor, nginx, haproxy, envoy and torana, separated by commas
    #[arg(long, default_value = "", value_delimiter = ',')]
    only: Vec<String>,
    /// Connections at once, one table row for each number
    #[arg(long, default_value = "1,64", value_delimiter = ',')]
    connections: Vec<u32>,
    /// Leave out system calls and allocations, which need runs of their own and a second build
    #[arg(long)]
    quick: bool,
    /// Measure what `cargo build --release` gives instead of what `cargo xtask release` gives
    #[arg(long)]
    plain_build: bool,
    /// Measure this binary and build none
    #[arg(long, conflicts_with = "plain_build")]
    program: Option<PathBuf>,
}

/// What one run has cost, beside what the load generator says.
#[derive(Clone, Copy, Debug)]
struct Measured {
    answered: Answered,
    user: Duration,
    system: Duration,
}

impl Measured {
    /// Microseconds of CPU time for each request.
    fn micros(&self) -> f64 {
        (self.user + self.system).as_secs_f64() * 1e6 / self.answered.requests as f64
    }
}

/// A path of the routes that the cases with policies have.
const ROUTED: &str = "/api/v1/group42/item420";

/// Everything that runs during the comparison.
struct Stage {
    proxies: Vec<Proxy>,
    examined: Examined,
    token: String,
    _origin: Server,
    folder: tempfile::TempDir,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let has = |wanted: &[String], name: &str| wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    let cases: Vec<&Case> = CASES.iter().filter(|case| has(&arguments.case, case.name)).collect();
    let peers: Vec<Peer> = PEERS.into_iter().filter(|peer| has(&arguments.only, peer.name())).collect();
    ensure!(!cases.is_empty() && !peers.is_empty(), "nothing is left to compare");
    let runs: usize = cases.iter().map(|case| peers.iter().filter(|peer| peer.takes(case)).count()).sum();
    let seconds = runs * arguments.connections.len() * (arguments.rounds * arguments.seconds) as usize;
    println!("{runs} pairs of case and proxy: about {} minutes of load", seconds.div_ceil(60));
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None if arguments.plain_build || !peers.contains(&Peer::Torana) => {
            build(&["-p", "torana"])?.join("torana")
        }
        None => release::build()?,
    };
    let stage = Stage::set(&cases, &peers, &program, arguments.quick)?;
    let mut table = Table::default();
    for case in cases {
        for connections in &arguments.connections {
            compare(&stage, case, *connections, arguments, &mut table)?;
        }
    }
    stage.print_memory()?;
    table.check_bars()
}

/// Puts one program of Torana under the load of every case, for so many seconds each.
pub(crate) fn exercise(program: &Path, seconds: u32) -> Result<()> {
    let cases: Vec<&Case> = CASES.iter().collect();
    let stage = Stage::set(&cases, &[Peer::Torana], program, true)?;
    for case in cases {
        for proxy in stage.proxies.iter().filter(|proxy| proxy.serves(case)) {
            stage.load(proxy, case, 16, seconds).run()?;
        }
    }
    Ok(())
}

/// Rounds over all proxies, in turns.
fn compare(
    stage: &Stage,
    case: &Case,
    connections: u32,
    arguments: &Arguments,
    table: &mut Table,
) -> Result<()> {
    let proxies: Vec<&Proxy> = stage.proxies.iter().filter(|proxy| proxy.serves(case)).collect();
    let mut runs: Vec<Vec<Measured>> = vec![Vec::new(); proxies.len()];
    for round in 0..arguments.rounds as usize {
        for turn in 0..proxies.len() {
            // Each round begins with another one, so that none always follows the same.
            let number = (turn + round) % proxies.len();
            let load = stage.load(proxies[number], case, connections, arguments.seconds);
            let measured = measure(&proxies[number].server, &load)?;
            stage.check_log(proxies[number], case, measured.answered.requests)?;
            runs[number].push(measured);
        }
    }
    let late = late::late(stage, case, connections, &proxies, arguments)?;
    for ((proxy, runs), late) in proxies.into_iter().zip(runs).zip(late) {
        let load = stage.load(proxy, case, connections, 1);
        let details = match arguments.quick {
            true => Details::default(),
            false => stage.examined.details(proxy, &load)?,
        };
        table.add(Row::new(case.name, connections, proxy.peer, runs, late, details));
    }
    Ok(())
}

/// The one in the middle.
fn middle<T: Copy>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_by(order);
    values[values.len() / 2]
}

fn measure(server: &Server, load: &Load<'_>) -> Result<Measured> {
    let before = server.cpu()?;
    let answered = load.run()?;
    let after = server.cpu()?;
    ensure!(answered.requests > 0, "no request was answered");
    Ok(Measured { answered, user: after.0 - before.0, system: after.1 - before.1 })
}

impl Stage {
    fn set(cases: &[&Case], peers: &[Peer], program: &Path, quick: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let programs = programs(folder.path(), program)?;
        let address = free_address()?;
        let origin =
            Server::start(AROUND, address, &programs.join("bench-origin"), &[&address.port().to_string()])?;
        let around = Surroundings::new(folder.path(), address)?;
        around.write(configuration::SECRET_FILE, configuration::SECRET)?;
        let mut proxies = Vec::new();
        for peer in peers {
            proxies.extend(peers::start(*peer, cases, &around, &programs)?);
        }
        let token = token(&programs.join("torana"))?;
        let examined = match quick || !peers.contains(&Peer::Torana) {
            true => Examined::default(),
            false => Examined::start(cases, &around)?,
        };
        let stage = Self { proxies, examined, token, _origin: origin, folder };
        stage.check_policies(cases)?;
        Ok(stage)
    }

    fn load<'a>(&'a self, proxy: &Proxy, case: &'a Case, connections: u32, seconds: u32) -> Load<'a> {
        let policies = case.extras != Extras::None;
        Load {
            address: proxy.address(case),
            path: if policies && proxy.peer.has_policies() { ROUTED } else { case.path },
            case,
            // It is sent to those too that ask for none, so that all read the same request.
            token: policies.then_some(self.token.as_str()),
            connections,
            seconds,
        }
    }

    /// What would be compared otherwise is a proxy that lets everybody through.
    fn check_policies(&self, cases: &[&Case]) -> Result<()> {
        for case in cases.iter().filter(|case| case.extras != Extras::None) {
            for proxy in self.proxies.iter().filter(|proxy| proxy.peer.has_policies() && proxy.serves(case)) {
                let ask = |path: &str, token: &str| {
                    let fields = [("Host", "bench.test"), ("Authorization", token)];
                    torana_testkit::request(proxy.address(case), "GET", path, &fields, b"").status
                };
                let right = format!("Bearer {}", self.token);
                let (signed, signature) = right.rsplit_once('.').unwrap_or_default();
                let flipped = if signature.starts_with('A') { "B" } else { "A" };
                let wrong = format!("{signed}.{flipped}{}", signature.get(1..).unwrap_or_default());
                let asked = [ask(ROUTED, &right), ask(ROUTED, &wrong), ask("/api/v1/none", &right)];
                let name = proxy.peer.name();
                ensure!(asked == [200, 401, 404], "{name} is to answer 200, 401 and 404: {asked:?}");
            }
        }
        Ok(())
    }

    /// A log that leaves out lines would be cheap. Begins it anew for the next round.
    fn check_log(&self, proxy: &Proxy, case: &Case, requests: u64) -> Result<()> {
        if case.extras != Extras::PoliciesAndLog || proxy.peer != Peer::Torana {
            return Ok(());
        }
        let log = self.folder.path().join(configuration::TORANA_LOG);
        let lines = || -> Result<u64> {
            let mut reader = BufReader::with_capacity(1 << 20, File::open(&log)?);
            let mut lines = 0;
            loop {
                let piece = reader.fill_buf()?;
                if piece.is_empty() {
                    return Ok(lines);
                }
                lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
                let length = piece.len();
                reader.consume(length);
            }
        };
        let until = Instant::now() + Duration::from_secs(5);
        let mut written = lines()?;
        while written < requests && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
            written = lines()?;
        }
        ensure!(written >= requests, "{requests} requests have left {written} lines in the access log");
        OpenOptions::new().write(true).open(&log)?.set_len(0)?;
        Ok(())
    }

    fn print_memory(&self) -> Result<()> {
        println!();
        for proxy in &self.proxies {
            let peak = proxy.server.memory_kib("VmHWM")? as f64 / 1024.0;
            println!("peak memory of {:<8} {peak:>7.1} MiB", proxy.peer.name());
        }
        Ok(())
    }
}

/// Copies of the programs: another build does not change them while they run.
fn programs(folder: &Path, torana: &Path) -> Result<PathBuf> {
    let built = build(&["-p", "torana-bench", "--bins"])?;
    std::fs::copy(torana, folder.join("torana"))?;
    for program in ["bench-origin", "bench-copy"] {
        std::fs::copy(built.join(program), folder.join(program))?;
    }
    Ok(folder.to_owned())
}

fn token(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .args(["token", "--sub", "bench", "--role", "user", "--expires", "1d"])
        .env("JWT_SECRET", configuration::SECRET)
        .output()
        .context("starting torana")?;
    ensure!(output.status.success(), "torana token has failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
