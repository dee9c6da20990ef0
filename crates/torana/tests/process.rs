//! The built binary as a process, for tests.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::panic,
    clippy::unwrap_used,
    reason = "shared by test binaries that use parts of it"
)]

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use torana_testkit::{eventually_some, within};

pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn torana() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torana"));
    command.env("JWT_SECRET", "a secret of at least thirty-two bytes").stdin(Stdio::null());
    command
}

/// A running `torana`; killed when dropped.
pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Process {
    pub fn run(file: &Path) -> Self {
        Self::start(torana().arg("run").arg(file).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]))
    }

    pub fn start(command: &mut Command) -> Self {
        // A program that was just copied counts as being written for as long as another thread of the test
        // is between fork and exec: then it cannot be started yet.
        let mut child = eventually_some(PATIENCE, || match command.stderr(Stdio::piped()).spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => None,
            started => Some(started.expect("torana starts")),
        });
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, sink) = (BufReader::new(child.stderr.take().expect("piped")), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let find = |label: &str| {
            let said = || -> Option<SocketAddr> {
                let log = log.lock().unwrap();
                let after = log.split_once(label)?.1.split_once("://")?.1;
                after.split_ascii_whitespace().next()?.parse().ok()
            };
            let _ = within(PATIENCE, || said().is_some());
            said().unwrap_or_else(|| panic!("it never said {label:?}, but:\n{}", log.lock().unwrap()))
        };
        let address = find("listening on ");
        let admin = find("admin pages on ");
        Self { child, address, admin, log }
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the process lives");
    }

    pub fn wait(&mut self) -> ExitStatus {
        eventually_some(PATIENCE, || self.child.try_wait().expect("a child"))
    }

    /// Memory in use in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS");
        line.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replaces a file as editors do: a new one is written beside it and renamed.
pub fn replace(path: &Path, text: &str) {
    let new: PathBuf = path.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(&new, path).expect("renamed");
}
