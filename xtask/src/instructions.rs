//! Instructions a request, and where they go: callgrind around a worker that serves one plain route.
//!
//! Only what the process itself executes is counted, not the kernel. The figure is the same from run to run within a per
//! cent, whatever else the machine does, so that it shows what a change has cost where times do not.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::pinned::{AROUND, MEASURED, on_core};
use crate::server::{Server, free_address};
use crate::workspace::build;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Requests that are counted
    #[arg(long, default_value_t = 20_000)]
    requests: u32,
    /// Connections at once, each with one request at a time
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Functions that are shown, the most expensive first
    #[arg(long, default_value_t = 40)]
    top: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let programs = build(&["-p", "torana", "-p", "torana-bench"])?;
    let folder = tempfile::tempdir()?;
    let origin = free_address()?;
    let _origin =
        Server::start(AROUND, origin, &programs.join("bench-origin"), &[&origin.port().to_string()])?;
    let (address, file) = (free_address()?, folder.path().join("torana.yaml"));
    std::fs::write(
        &file,
        format!(
            "listen: {address}\naccess_log: off\nservices: {{ origin: {{ endpoints: [http://{origin}] }} }}\n\
             routes: [{{ path: /*, service: origin }}]\n"
        ),
    )?;
    let counted = folder.path().join("counted");
    let out = format!("--callgrind-out-file={}", counted.display());
    let (program, file) = (programs.join("torana"), file.to_string_lossy().into_owned());
    let program = program.to_string_lossy();
    // Not from the start, and not by counters that are set back: that confuses who has called whom by then.
    let valgrind = ["--tool=callgrind", "--instr-atstart=no", &out];
    let around = [&valgrind[..], &[&program, "run", &file, "--workers", "1"]].concat();
    let server = Server::start(MEASURED, address, Path::new("valgrind"), &around)
        .context("`scripts/bench-tools` installs valgrind")?;
    // Connections to the origin are open, pools and buffers have their sizes.
    load(arguments, arguments.requests.div_ceil(4), &server)?;
    control("--instr=on", &server)?;
    load(arguments, arguments.requests, &server)?;
    control("--dump", &server)?;
    drop(server);
    let dump = counted.with_extension("1");
    let annotated =
        Command::new("callgrind_annotate").args(["--threshold=100", "--auto=no"]).arg(&dump).output()?;
    ensure!(annotated.status.success(), "callgrind_annotate: {}", String::from_utf8_lossy(&annotated.stderr));
    print(&read(&String::from_utf8_lossy(&annotated.stdout))?, arguments);
    Ok(())
}

fn load(arguments: &Arguments, requests: u32, server: &Server) -> Result<()> {
    let output = on_core(AROUND, "h2load")
        .args(["--h1", "-t1", &format!("-c{}", arguments.connections)])
        .args([&format!("-n{requests}"), &format!("http://{}/", server.address)])
        .output()
        .context("is h2load installed? `scripts/bench-tools` installs what this needs")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.contains(&format!(" {requests} succeeded,")), "not every request has succeeded:\n{said}");
    Ok(())
}

/// Tells callgrind to begin to count, or to write down what it has counted.
fn control(what: &str, server: &Server) -> Result<()> {
    let output = Command::new("callgrind_control").arg(what).arg(server.measured.to_string()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "callgrind_control {what}: {said}");
    Ok(())
}

/// What was executed, and by which functions themselves, the most expensive first.
#[derive(Debug, PartialEq)]
struct Counted<'a> {
    all: u64,
    functions: Vec<(u64, &'a str)>,
}

/// Reads lines such as `1,234 (5.6%)  file:function [program]`.
fn read(annotated: &str) -> Result<Counted<'_>> {
    let mut counted = Counted { all: 0, functions: Vec::new() };
    for line in annotated.lines() {
        let mut words = line.trim_start().splitn(2, ' ');
        let number = words.next().and_then(|number| number.replace(',', "").parse().ok());
        let (Some(number), Some(rest)) = (number, words.next()) else { continue };
        let Some((_, name)) = rest.split_once("%)") else { continue };
        match name.trim() {
            "PROGRAM TOTALS" => counted.all = number,
            name => counted.functions.push((number, function(name))),
        }
    }
    if counted.all == 0 {
        bail!("callgrind_annotate gives no total:\n{annotated}");
    }
    Ok(counted)
}

/// The function without its file and program.
fn function(name: &str) -> &str {
    let name = name.rsplit_once(" [").map_or(name, |(name, _)| name);
    // A path of Rust has two colons where a file is parted from its function by one.
    let colon = name.match_indices(':').find(|(place, _)| {
        let around = (name.get(..*place), name.get(place + 1..));
        matches!(around, (Some(before), Some(after)) if !before.ends_with(':') && !after.starts_with(':'))
    });
    colon.and_then(|(place, _)| name.get(place + 1..)).unwrap_or(name)
}

fn print(counted: &Counted<'_>, arguments: &Arguments) {
    let each = |count: u64| count as f64 / f64::from(arguments.requests);
    let Arguments { requests, connections, .. } = arguments;
    println!(
        "{:.0} instructions a request: {requests} requests on {connections} connections\n",
        each(counted.all)
    );
    for (count, name) in counted.functions.iter().take(arguments.top) {
        println!("{:>8.0}  {name}", each(*count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_functions_are_read_from_what_is_annotated() {
        let annotated = "--------\nIr                \n--------\n30,000 (100.0%)  PROGRAM TOTALS\n\n\
            Ir               file:function\n--------\n\
            20,000 (66.67%)  crates/http/src/h1/request.rs:torana_http::h1::parse<A>::{{closure}} [/t/torana]\n \
            9,000 (30.0%)  ???:malloc [/usr/lib/libc.so.6]\n";
        let functions = vec![(20_000, "torana_http::h1::parse<A>::{{closure}}"), (9_000, "malloc")];
        assert_eq!(read(annotated).unwrap(), Counted { all: 30_000, functions });
        assert!(read("nothing").is_err());
    }
}
