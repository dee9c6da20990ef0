//! What a limit in a store takes of a gateway's throughput: one worker on core 0; origin, load and a real
//! redis-server on core 1; the same route without a limit, with a local, a leased and an exact one, in turns; and all
//! of these once for one caller, once for a thousand who ask in turns.
//!
//! The pinning is the same for every case, and strict towards the exact one: the server's work comes out of the core
//! that also makes the load, so nothing of it is hidden by an idle core. Each limit is compared with no limit under
//! the same load, because requests of many callers are longer and cost the load more.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::server::{Server, free_address};
use crate::workspace::{Metadata, cargo};

const CONNECTIONS: u32 = 64;
const ROUNDS: usize = 3;
/// What must be left of the throughput under an exact limit for one caller.
const LEFT: f64 = 0.60;

/// Who asks, and by what the limits count.
const CALLERS: [(&str, &str); 2] =
    [("one caller", "everybody"), ("a thousand callers", "{ header: X-Caller }")];
/// What is measured, and the policies of its route.
const CASES: [(&str, &str); 4] = [
    ("no limit", ""),
    ("local", "rate_limit: { limit: 1000000/s, mode: local, by: BY }"),
    ("leased", "rate_limit: { limit: 1000000/s, mode: leased, when_store_fails: closed, by: BY }"),
    ("exact", "rate_limit: { limit: 1000000/s, mode: exact, when_store_fails: closed, by: BY }"),
];
/// Requests that are made beforehand, so that the load costs little more than one that is always the same.
const MANY: &str = "local all, turn = {}, 0
init = function()
  for caller = 1, 1000 do
    all[caller] = wrk.format('GET', nil, { ['X-Caller'] = string.format('caller-%04d', caller) })
  end
end
request = function()
  turn = turn % #all + 1
  return all[turn]
end
";

/// Measures; with `programs` those of that folder, else they are built.
pub(super) fn run(seconds: u64, programs: Option<&Path>) -> Result<()> {
    let programs = programs.map_or_else(build, |folder| Ok(folder.to_owned()))?;
    let folder = tempfile::tempdir()?;
    let origin = free_address()?;
    let _origin = Server::start(1, origin, &programs.join("bench-origin"), &[&origin.port().to_string()])?;
    let store = free_address()?;
    let port = store.port().to_string();
    let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let _store = Server::start(1, store, Path::new("redis-server"), &arguments)
        .context("is redis-server installed? `scripts/test` installs it")?;
    let address = free_address()?;
    let mut text = format!(
        "access_log: off\nlisten: {address}\nstore: {{ url: \"redis://{store}\", timeout: 1s }}\nservices: {{ origin: {{ endpoints: [http://{origin}] }} }}\nroutes:\n"
    );
    for (callers, (_, by)) in CALLERS.iter().enumerate() {
        for (case, (_, policy)) in CASES.iter().enumerate() {
            let policy = policy.replace("BY", by);
            text.push_str(&format!(
                "- {{ path: /{callers}/{case}, service: origin, policies: {{ {policy} }} }}\n"
            ));
        }
    }
    let file = folder.path().join("torana.yaml");
    std::fs::write(&file, text)?;
    let script = folder.path().join("many.lua");
    std::fs::write(&script, MANY)?;
    let gateway = ["run", &file.display().to_string(), "--workers", "1"].map(str::to_owned);
    let gateway: Vec<&str> = gateway.iter().map(String::as_str).collect();
    let _gateway = Server::start(0, address, &programs.join("torana"), &gateway)?;
    let mut rates = CALLERS.map(|_| CASES.map(|_| Vec::new()));
    let all = CALLERS.len() * CASES.len();
    for round in 0..ROUNDS {
        for turn in 0..all {
            // Each round begins with another one, so that none always follows the same.
            let (callers, case) = ((turn + round) % all / CASES.len(), (turn + round) % CASES.len());
            let script = (callers > 0).then_some(&*script);
            rates[callers][case].push(load(&format!("http://{address}/{callers}/{case}"), seconds, script)?);
        }
    }
    println!("requests a second at {CONNECTIONS} connections, medians of {ROUNDS} rounds of {seconds} s");
    let mut left = Vec::new();
    for ((callers, _), rates) in CALLERS.iter().zip(rates) {
        let medians = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        println!("{callers}");
        for ((name, _), rate) in CASES.iter().zip(medians) {
            println!("  {name:<10} {rate:>9.0}   {:>5.2} of no limit", rate / medians[0]);
        }
        left.push(medians[CASES.len() - 1] / medians[0]);
    }
    ensure!(left[0] >= LEFT, "an exact limit leaves {:.2} of the throughput, not {LEFT}", left[0]);
    Ok(())
}

fn build() -> Result<PathBuf> {
    let built =
        cargo().args(["build", "--release", "-p", "torana", "-p", "torana-bench", "--bins"]).status()?;
    ensure!(built.success(), "cargo build has failed");
    Ok(Metadata::load()?.target_directory.join("release"))
}

/// Requests a second; with a script, those that it makes.
fn load(url: &str, seconds: u64, script: Option<&Path>) -> Result<f64> {
    let mut command = Command::new("taskset");
    command.args(["-c", "1", "wrk", "-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}")]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().context("is wrk installed? `scripts/bench-tools` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "not every answer was right:\n{text}"
    );
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("wrk said:\n{text}"))
}
