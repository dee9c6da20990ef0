//! The memory of an idle process, and of each idle connection of a client, plain and in TLS.

mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::certificate::Certificate;
use crate::pinned::MEASURED;
use crate::server::{Server, free_address};
use crate::workspace::build;

/// What is promised.
const IDLE_MIB: f64 = 20.0;
/// What comes and goes with each request that is asked meanwhile.
const FLICKER_KIB: u64 = 128;
const PLAIN_KIB: f64 = 6.0;
const TLS_KIB: f64 = 40.0;
/// Memory that stays the same for this long stays the same.
const STILL: Duration = Duration::from_secs(4);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Idle connections at once
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Leave out connections in TLS
    #[arg(long)]
    plain_only: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    raise_limit(arguments.connections as u64 + 200)?;
    let program = build(&["-p", "torana"])?.join("torana");
    let plain = measure(&program, arguments.connections, None)?;
    println!("idle process: {:.1} MiB (promised: under {IDLE_MIB})", plain.idle_mib);
    let mut kept = plain.say("HTTP/1", PLAIN_KIB) && plain.idle_mib < IDLE_MIB;
    if !arguments.plain_only {
        let folder = tempfile::tempdir()?;
        let certificate = Certificate::make(folder.path())?;
        let within = measure(&program, arguments.connections, Some(&certificate))?;
        kept &= within.say("TLS", TLS_KIB);
    }
    ensure!(kept, "more than promised");
    Ok(())
}

struct Measured {
    connections: usize,
    idle_mib: f64,
    each_kib: f64,
}

impl Measured {
    fn say(&self, what: &str, promised: f64) -> bool {
        let Self { connections, each_kib, .. } = self;
        println!(
            "each of {connections} idle {what} connections: {each_kib:.2} KiB (promised: at most {promised})"
        );
        *each_kib <= promised
    }
}

fn raise_limit(wanted: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let limit =
        Rlimit { current: limit.maximum.map_or(Some(wanted), |maximum| Some(wanted.min(maximum))), ..limit };
    setrlimit(Resource::Nofile, limit).context("raising the limit of open files")
}

/// Opens connections that each ask once and then stay idle.
fn measure(program: &Path, connections: usize, certificate: Option<&Certificate>) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("torana.yaml");
    let address = free_address()?;
    let listen = match certificate {
        None => address.to_string(),
        Some(certificate) => certificate.listener(address),
    };
    let routes = "routes: [{ path: /, respond: { body: hello } }]";
    std::fs::write(
        &file,
        format!(
            "listen: {listen}\naccess_log: off\nlimits: {{ connections_per_address: off }}\ntimeouts: {{ keep_alive: 10m }}\n{routes}\n"
        ),
    )?;
    let file = file.to_string_lossy().into_owned();
    let server = Server::start(MEASURED, address, program, &["run", &file, "--workers", "1"])?;
    let idle = server.memory_kib("VmRSS")?;
    let client = tls::Client::new()?;
    let mut open = Vec::with_capacity(connections);
    let ask = || match certificate {
        None => ask(address),
        Some(_) => client.ask(address),
    };
    for number in 0..connections {
        open.push(ask().with_context(|| format!("connection {number}"))?);
    }
    let busy = settled(&server, || ask().map(drop))?;
    let each_kib = busy.saturating_sub(idle) as f64 / connections as f64;
    Ok(Measured { connections: open.len(), idle_mib: idle as f64 / 1024.0, each_kib })
}

/// The memory once nothing is given back any more: a connection is idle only a while after its request, and the
/// allocator gives back what is free when it is asked for something, which somebody else's requests see to.
fn settled(server: &Server, ask: impl Fn() -> Result<()>) -> Result<u64> {
    let (mut last, mut since) = (server.memory_kib("VmRSS")?, Instant::now());
    while since.elapsed() < STILL {
        std::thread::sleep(Duration::from_millis(100));
        ask()?;
        let now = server.memory_kib("VmRSS")?;
        if now.abs_diff(last) > FLICKER_KIB {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

fn ask(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    exchange(&mut stream)?;
    Ok(stream)
}

fn exchange(stream: &mut (impl Read + Write)) -> Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"hello") {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "the connection has ended");
        answer.extend_from_slice(&piece[..count]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "an answer is not 200");
    Ok(())
}
