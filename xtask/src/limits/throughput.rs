//! What a limit in a store takes of a gateway's throughput: one worker on core 0; origin, load and a real
//! redis-server on core 1; the same route without a limit, with a local, a leased and an exact one, in turns; and all
//! of these once for one caller, once for a thousand who ask in turns.
//!
//! The pinning is the same for every case, and strict towards the exact one: the server's work comes out of the core
//! that also makes the load, so nothing of it is hidden by an idle core. Each limit is compared with no limit under
//! the same load, because requests of many callers are longer and cost the load more. What gateway and server have
//! worked for a request is shown beside it: that hardly depends on what else the machine does.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::pinned::{AROUND, MEASURED, on_core};
use crate::server::{Server, free_address};
use crate::workspace::build;

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
    let programs =
        programs.map_or_else(|| build(&["--workspace", "--bins"]), |folder| Ok(folder.to_owned()))?;
    let folder = tempfile::tempdir()?;
    let origin = free_address()?;
    let _origin =
        Server::start(AROUND, origin, &programs.join("bench-origin"), &[&origin.port().to_string()])?;
    let store = free_address()?;
    let port = store.port().to_string();
    let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let server = Server::start(AROUND, store, Path::new("redis-server"), &arguments)
        .context("is redis-server installed? `scripts/test` installs it")?;
    let address = free_address()?;
    let file = folder.path().join("torana.yaml");
    std::fs::write(&file, configuration(address, store, origin))?;
    let script = folder.path().join("many.lua");
    std::fs::write(&script, MANY)?;
    let gateway = ["run", &file.display().to_string(), "--workers", "1"].map(str::to_owned);
    let arguments: Vec<&str> = gateway.iter().map(String::as_str).collect();
    let gateway = Server::start(MEASURED, address, &programs.join("torana"), &arguments)?;
    let mut measured = CALLERS.map(|_| CASES.map(|_| Vec::new()));
    let all = CALLERS.len() * CASES.len();
    for round in 0..ROUNDS {
        for turn in 0..all {
            // Each round begins with another one, so that none always follows the same.
            let (callers, case) = ((turn + round) % all / CASES.len(), (turn + round) % CASES.len());
            let script = (callers > 0).then_some(&*script);
            let before = (worked(&gateway)?, worked(&server)?);
            let rate = load(&format!("http://{address}/{callers}/{case}"), seconds, script)?;
            let requests = rate * seconds as f64;
            measured[callers][case].push(Measured {
                rate,
                gateway: (worked(&gateway)? - before.0) / requests,
                server: (worked(&server)? - before.1) / requests,
            });
        }
    }
    let left = show(&measured, seconds);
    ensure!(left >= LEFT, "an exact limit leaves {left:.2} of the throughput, not {LEFT}");
    Ok(())
}

/// A route for each kind of caller and each case.
fn configuration(address: SocketAddr, store: SocketAddr, origin: SocketAddr) -> String {
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
    text
}

/// Prints what came of it. What an exact limit leaves of the throughput of the first kind of callers.
fn show(measured: &[[Vec<Measured>; CASES.len()]; CALLERS.len()], seconds: u64) -> f64 {
    println!(
        "requests a second at {CONNECTIONS} connections, and what gateway and store work for each; medians of {ROUNDS} rounds of {seconds} s"
    );
    let mut left = Vec::new();
    for ((callers, _), measured) in CALLERS.iter().zip(measured) {
        println!("{callers}");
        let of = |case: usize, which: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = measured[case].iter().map(which).collect();
            values.sort_by(f64::total_cmp);
            values[ROUNDS / 2]
        };
        let share = |case: usize| of(case, |one| one.rate) / of(0, |one| one.rate);
        for (case, (name, _)) in CASES.iter().enumerate() {
            println!(
                "  {name:<10} {:>9.0}   {:>5.2} of no limit   {:>5.1} µs {:>5.1} µs",
                of(case, |one| one.rate),
                share(case),
                of(case, |one| one.gateway) * 1e6,
                of(case, |one| one.server) * 1e6,
            );
        }
        left.push(share(CASES.len() - 1));
    }
    left[0]
}

/// What came of one round.
struct Measured {
    /// Requests a second.
    rate: f64,
    /// Seconds of work for each, of the gateway and of the store.
    gateway: f64,
    server: f64,
}

/// Seconds that a process has worked so far.
fn worked(server: &Server) -> Result<f64> {
    let (user, system) = server.cpu()?;
    Ok((user + system).as_secs_f64())
}

/// Requests a second; with a script, those that it makes.
fn load(url: &str, seconds: u64, script: Option<&Path>) -> Result<f64> {
    let mut command = on_core(AROUND, "wrk");
    command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}")]);
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
