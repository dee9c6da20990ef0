//! The memory of an idle process, and of each idle connection of a client.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::server::{Server, free_address};
use crate::workspace::{Metadata, cargo};

/// What is promised.
const IDLE_MIB: f64 = 20.0;
const CONNECTION_KIB: f64 = 12.0;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Idle connections
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let wanted = arguments.connections as u64 + 200;
    let limit = getrlimit(Resource::Nofile);
    let limit =
        Rlimit { current: limit.maximum.map_or(Some(wanted), |maximum| Some(wanted.min(maximum))), ..limit };
    setrlimit(Resource::Nofile, limit).context("raising the limit of open files")?;
    ensure!(
        cargo().args(["build", "--release", "-p", "torana"]).status()?.success(),
        "cargo build has failed"
    );
    let program = Metadata::load()?.target_directory.join("release/torana");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("torana.yaml");
    std::fs::write(&file, "access_log: off\nroutes: [{ path: /, respond: { body: hello } }]\n")?;
    let address = free_address()?;
    let (file, listen) = (file.to_string_lossy().into_owned(), address.to_string());
    let server = Server::start(0, address, &program, &["run", &file, "--listen", &listen, "--workers", "1"])?;
    let idle = server.memory_kib("VmRSS")?;
    let mut open = Vec::with_capacity(arguments.connections);
    for number in 0..arguments.connections {
        let mut stream = TcpStream::connect(address).with_context(|| format!("connection {number}"))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer)?;
        ensure!(answer[..count].starts_with(b"HTTP/1.1 200"), "an answer is not 200");
        open.push(stream);
    }
    let busy = server.memory_kib("VmRSS")?;
    let each = busy.saturating_sub(idle) as f64 / arguments.connections as f64;
    let idle = idle as f64 / 1024.0;
    println!("idle process: {idle:.1} MiB (promised: under {IDLE_MIB})");
    println!("each of {} idle connections: {each:.2} KiB (promised: under {CONNECTION_KIB})", open.len());
    ensure!(idle < IDLE_MIB && each < CONNECTION_KIB, "more than promised");
    Ok(())
}
