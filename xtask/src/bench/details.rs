//! What a request makes a proxy do: system calls, counted by strace, and allocations, counted by Torana's own
//! allocator in a build of its own. Both slow the proxy down and so have runs of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::build;
use super::cases::Case;
use super::configuration::Surroundings;
use super::load::Load;
use super::peers::{Peer, Proxy, start_torana};
use crate::server::free_address;

const PATIENCE: Duration = Duration::from_secs(5);

/// For each request.
#[derive(Clone, Debug, Default)]
pub(super) struct Details {
    pub(super) calls: Option<f64>,
    pub(super) allocations: Option<f64>,
    /// The system calls by name, the most frequent first.
    pub(super) by_name: String,
}

/// The processes whose allocations are counted.
#[derive(Default)]
pub(super) struct Examined {
    proxies: Vec<(Proxy, SocketAddr)>,
}

impl Examined {
    /// Builds Torana with the counting allocator, beside the one that is measured.
    pub(super) fn start(cases: &[&Case], around: &Surroundings) -> Result<Self> {
        let programs = build(&["-p", "torana", "--features", "count-allocations"])?;
        // The next build puts the usual one back in its place.
        let program = around.folder.join("torana-counting");
        std::fs::copy(programs.join("torana"), &program)?;
        let mut proxies = Vec::new();
        for case in cases {
            if proxies.iter().any(|(proxy, _): &(Proxy, _)| proxy.serves(case)) {
                continue;
            }
            let admin = free_address()?;
            let at = admin.to_string();
            let started = start_torana(&[case], around, &program, &["--admin", &at])?;
            proxies.extend(started.into_iter().map(|proxy| (proxy, admin)));
        }
        Ok(Self { proxies })
    }

    pub(super) fn details(&self, proxy: &Proxy, load: &Load<'_>) -> Result<Details> {
        let (calls, by_name) = calls(proxy, load)?;
        let own = self.proxies.iter().find(|(own, _)| proxy.peer == Peer::Torana && own.serves(load.case));
        let allocations = match own {
            Some((own, admin)) => Some(allocations(own, *admin, load)?),
            None => None,
        };
        Ok(Details { calls: Some(calls), allocations, by_name })
    }
}

/// Runs the load while strace counts.
fn calls(proxy: &Proxy, load: &Load<'_>) -> Result<(f64, String)> {
    let pid = proxy.server.measured.to_string();
    let mut strace = Command::new("strace")
        .args(["-c", "-f", "-p", &pid])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("is strace installed? `scripts/bench-tools` installs what this needs")?;
    let until = Instant::now() + PATIENCE;
    while !traced(&pid)? {
        if Instant::now() > until || strace.try_wait()?.is_some() {
            bail!("strace cannot look at process {pid}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let answered = load.run();
    let tracer = i32::try_from(strace.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(tracer.context("a process has a number")?, rustix::process::Signal::INT)?;
    let mut said = String::new();
    strace.stderr.take().context("it is piped")?.read_to_string(&mut said)?;
    strace.wait()?;
    let counts = count(&said);
    ensure!(!counts.is_empty(), "strace said:\n{said}");
    let requests = answered?.requests as f64;
    let mut sorted: Vec<_> = counts.iter().map(|(name, count)| (name, *count as f64 / requests)).collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut by_name = String::new();
    for (name, each) in sorted.iter().filter(|(_, each)| *each >= 0.05) {
        let _ = write!(by_name, " {name} {each:.2}");
    }
    Ok((sorted.iter().map(|(_, each)| each).sum(), by_name))
}

/// Whether somebody traces every thread of the process.
fn traced(pid: &str) -> Result<bool> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        if status.lines().any(|line| line.starts_with("TracerPid:") && line.ends_with("\t0")) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The table that `strace -c` prints: share, seconds, microseconds a call, calls, perhaps errors, name.
fn count(said: &str) -> BTreeMap<String, u64> {
    let rows = said.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let name = *fields.last()?;
        let calls = fields.get(3)?.parse().ok()?;
        (fields.first()?.parse::<f64>().is_ok() && name != "total").then(|| (name.to_owned(), calls))
    });
    rows.collect()
}

fn allocations(proxy: &Proxy, admin: SocketAddr, load: &Load<'_>) -> Result<f64> {
    let load = Load { address: proxy.server.address, ..*load };
    // Buffers and connections are made in the first run.
    load.run()?;
    let before = allocated(admin)?;
    let answered = load.run()?;
    Ok(allocated(admin)?.saturating_sub(before) as f64 / answered.requests as f64)
}

fn allocated(admin: SocketAddr) -> Result<u64> {
    let mut stream = TcpStream::connect(admin)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let line = page.lines().find_map(|line| line.strip_prefix("torana_allocations_total "));
    line.and_then(|number| number.parse().ok()).context("no count of allocations on the metrics page")
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_table_of_strace_is_read() {
        let said = "strace: Process 1 attached\n% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    \x2060.00    0.001000           4       250           recvfrom\n\
                    \x2040.00    0.000500           4       125         3 epoll_wait\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.001500           4       375         3 total\n";
        let counts = count(said);
        assert_eq!((counts.len(), counts["recvfrom"], counts["epoll_wait"]), (2, 250, 125));
    }
}
