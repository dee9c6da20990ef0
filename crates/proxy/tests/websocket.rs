//! A WebSocket between a client and a server that share no code with us.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "yaml.rs"]
mod yaml;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use torana_testkit::{DEADLINE, eventually};
use yaml::Running;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The interpreter that has the library; installed when it is not there.
fn python() -> PathBuf {
    let python = root().join("target/tools/python/bin/python");
    let has_it = || Command::new(&python).args(["-c", "import websockets"]).stderr(Stdio::null()).status();
    if !has_it().is_ok_and(|status| status.success()) {
        let installed = Command::new(root().join("scripts/tools")).status().unwrap();
        assert!(installed.success(), "scripts/tools failed");
    }
    python
}

/// A process that does not outlive the test.
struct Peer(Child);

impl Peer {
    fn start(arguments: &[&str]) -> Self {
        let script = root().join("crates/proxy/tests/websocket/peer.py");
        let mut command = Command::new(python());
        command.arg(script).args(arguments).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_client_and_a_real_server_talk_through_the_gateway() {
    let mut server = Peer::start(&["server"]);
    let port = server.line();
    let gateway = Running::start(&format!(
        "access_log: off\nservices: {{ chat: {{ endpoints: [\"http://127.0.0.1:{port}\"] }} }}\n\
         routes: [{{ path: /chat/*, service: chat, strip_prefix: /chat }}]\n"
    ));
    let mut client = Peer::start(&["client", &format!("ws://{}/chat/room?id=7", gateway.address)]);
    assert_eq!(client.line(), "done");
    eventually(DEADLINE, || gateway.metrics.connections().tunnels_open() == 0);
    // It is counted a moment after its tunnel is gone.
    eventually(DEADLINE, || gateway.metrics.render().contains("status=\"101\""));
}
