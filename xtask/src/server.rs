//! Processes that are started for a measurement, pinned to a core, and ended with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::pinned::on_core;

const PATIENCE: Duration = Duration::from_secs(10);

/// A process; ended when dropped.
pub(crate) struct Server {
    child: Child,
    /// The process whose cost counts: the worker where there is a master.
    pub(crate) measured: u32,
    pub(crate) address: SocketAddr,
    /// What it says, for when it does not start.
    said: tempfile::NamedTempFile,
}

impl Server {
    /// Starts a program on a core and waits until it listens.
    pub(crate) fn start(
        core: usize,
        address: SocketAddr,
        program: &Path,
        arguments: &[&str],
    ) -> Result<Self> {
        let mut command = on_core(core, program);
        command.args(arguments);
        Self::spawn(command, address)
    }

    /// The same on all cores.
    pub(crate) fn start_anywhere(address: SocketAddr, program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(command, address)
    }

    fn spawn(mut command: Command, address: SocketAddr) -> Result<Self> {
        let said = tempfile::NamedTempFile::new()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.reopen()?)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let measured = child.id();
        let mut server = Self { child, measured, address, said };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                let said = std::fs::read_to_string(server.said.path())?;
                bail!("{command:?} has ended with {status}: {said}");
            }
            if Instant::now() > until {
                bail!("{command:?} does not listen on {address}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Measures the only child of the process instead of the process itself.
    pub(crate) fn measure_child(&mut self) -> Result<()> {
        let parent = self.child.id();
        let path = format!("/proc/{parent}/task/{parent}/children");
        let children = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let child = children.split_ascii_whitespace().next().context("the server has no worker process")?;
        self.measured = child.parse()?;
        Ok(())
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Result<(Duration, Duration)> {
        let path = format!("/proc/{}/stat", self.measured);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let (_, fields) = text.rsplit_once(')').context("an unexpected form of stat")?;
        let mut fields = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
        // The kernel counts a hundred ticks a second on every platform that Rust supports here.
        let mut time =
            || -> Result<Duration> { Ok(Duration::from_millis(fields.next().context("too short")?? * 10)) };
        Ok((time()?, time()?))
    }

    /// A line of the process's status in KiB, such as `VmRSS` or `VmHWM`.
    pub(crate) fn memory_kib(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.measured);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .with_context(|| format!("no {name} in {path}"))?;
        line.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).context("no number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A master ends its workers when it is asked to, and not when it is killed.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of the loopback that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
