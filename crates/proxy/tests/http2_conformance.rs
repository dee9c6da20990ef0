//! HTTP/2 as others speak it: h2spec, curl, nghttp and h2load against the gateway.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::process::Command;
use std::time::Duration;
use torana_testkit::http2::{Http2Origin, Http2Reply};
use torana_testkit::{Origin, Reply, tool};
use yaml::Running;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text + &String::from_utf8_lossy(&output.stderr)
}

fn answering() -> Running {
    Running::start("access_log: off\nroutes: [{ path: /*, respond: { body: hello } }]\n")
}

fn in_front_of(endpoint: &str) -> Running {
    Running::start(&format!(
        "access_log: off
services: {{ origin: {{ endpoints: [\"{endpoint}\"] }} }}
routes: [{{ path: /*, service: origin }}]
"
    ))
}

/// The cases that failed.
fn failures(report: &str) -> Vec<&str> {
    let (_, failures) = report.split_once("Failures:").unwrap_or(("", ""));
    failures.lines().filter_map(|line| line.trim().strip_prefix("× ")).collect()
}

#[test]
fn h2spec_finds_nothing_but_that_a_port_speaks_both_versions() {
    // Some cases follow a request with a frame that breaks the rules of its stream: an answer that is complete
    // by then leaves no stream to break. Services take a while, so does this one.
    let origin = Origin::always(Reply::ok("hello").delay(Duration::from_millis(30)));
    let gateway = in_front_of(&origin.url());
    let port = gateway.address.port().to_string();
    let report = run(Command::new(tool("h2spec")).args(["-h", "127.0.0.1", "-p", &port]));
    assert!(report.contains("145 tests"), "{report}");
    // What is no preface is a request of HTTP/1.1, and answered as one before the connection is closed.
    assert_eq!(failures(&report), ["2: Sends invalid connection preface"], "{report}");
}

#[test]
fn other_clients_get_their_answers() {
    let gateway = answering();
    let url = format!("http://{}/x", gateway.address);
    let curl =
        run(Command::new("curl").args(["-s", "--http2-prior-knowledge", "-w", " %{http_version}", &url]));
    assert_eq!(curl, "hello 2");
    assert_eq!(run(Command::new("nghttp").arg(&url)), "hello");
}

#[test]
fn a_load_over_few_connections_succeeds_to_the_last_request() {
    let origin = Http2Origin::respond(|_| Http2Reply::ok("origin"));
    let gateway = in_front_of(&origin.url());
    let url = format!("http://{}/x", gateway.address);
    let report = run(Command::new("h2load").args(["-n", "2000", "-c", "4", "-m", "20", &url]));
    assert!(report.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{report}");
    assert!(origin.connections() <= 2, "{} connections for 80 requests at once", origin.connections());
}
