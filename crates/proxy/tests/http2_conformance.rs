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
use torana_testkit::{Authority, Origin, Reply, tool};
use yaml::{Running, resolver};

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

/// What h2spec says of a port, its stricter cases included.
fn h2spec(gateway: &Running, more: &[&str]) -> String {
    let port = gateway.address.port().to_string();
    run(Command::new(tool("h2spec")).args(["-S", "-o", "20", "-h", "127.0.0.1", "-p", &port]).args(more))
}

/// Some cases follow a request with a frame that breaks the rules of its stream: an answer that is complete by
/// then leaves no stream to break. Services take a while, so does this one.
fn slow_origin() -> Origin {
    Origin::always(Reply::ok("hello").delay(Duration::from_millis(150)))
}

#[test]
fn h2spec_finds_nothing_but_that_a_port_speaks_both_versions() {
    let origin = slow_origin();
    let report = h2spec(&in_front_of(&origin.url()), &[]);
    assert!(report.contains("146 tests, 145 passed, 0 skipped, 1 failed"), "{report}");
    // What is no preface is a request of HTTP/1.1, and answered as one before the connection is closed.
    assert_eq!(failures(&report), ["2: Sends invalid connection preface"], "{report}");
}

#[test]
fn h2spec_finds_nothing_where_a_handshake_has_chosen_http_2() {
    let (authority, origin) = (Authority::default(), slow_origin());
    let own = authority.issue(&["127.0.0.1"]);
    let files = resolver().with_file("a.pem", &own.cert).with_file("a.key", &own.key);
    let text = format!(
        "access_log: off
listen: {{ address: \":8443\", tls: {{ certificates: {{ cert: a.pem, key: a.key }} }} }}
services: {{ origin: {{ endpoints: [\"{}\"] }} }}
routes: [{{ path: /*, service: origin }}]
",
        origin.url()
    );
    let report = h2spec(&Running::with_resolver(&text, 1, files), &["-t", "-k"]);
    assert!(report.contains("146 tests, 146 passed, 0 skipped, 0 failed"), "{report}");
    assert_eq!(failures(&report), [""; 0], "{report}");
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
