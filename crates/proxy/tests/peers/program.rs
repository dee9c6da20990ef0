//! The programs: services that say where they listen, and clients that fail by themselves.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use torana_testkit::tool;

/// The peer made with Go.
pub(crate) fn go(words: &[&str]) -> Command {
    let mut command = Command::new(tool("go-peer"));
    command.args(words);
    command
}

/// One of the peers made with Node.
pub(crate) fn node(script: &str, words: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(format!("{}/tests/peers/node/{script}", env!("CARGO_MANIFEST_DIR"))).args(words);
    command
}

/// A service that runs; ends with its standard input, at the latest with the test's process.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts one that prints its address.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap_or_else(|_| panic!("{command:?} says {line:?}"));
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a client to its end. It bounds by itself what it waits for.
#[track_caller]
pub(crate) fn succeeds(mut command: Command) {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(ended.status.success(), "{command:?} {}:\n{}", ended.status, said.concat());
}
