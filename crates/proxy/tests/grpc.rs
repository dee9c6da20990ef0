//! gRPC through the gateway: a real server and a real client, HTTP/2 on both sides.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use torana_testkit::http2::{Http2Client, Http2Origin, Http2Reply, block, flag, kind, serve_frames};
use torana_testkit::{Gate, request, tool};
use yaml::Running;

fn python() -> Command {
    let mut command = Command::new(tool("python/bin/python"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc_peer.py"));
    command
}

/// The server; ends with its standard input.
struct Peer {
    process: Child,
    port: String,
}

impl Peer {
    fn start() -> Self {
        let mut process =
            python().arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server");
        let mut port = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn in_front_of(peer: &Peer) -> Running {
    // Taken and let go, so that nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Running::start(&format!(
        "access_log: off
services:
  echo: {{ endpoints: [h2://127.0.0.1:{0}] }}
  gone: {{ endpoints: [h2://{gone}] }}
  slow: {{ endpoints: [h2://127.0.0.1:{0}], timeouts: {{ first_byte: 100ms }} }}
routes:
- {{ path: /test.Echo/*, service: echo, policies: {{ access: public }} }}
- {{ path: /gone.Service/*, service: gone, policies: {{ access: public }} }}
- {{ path: /slow.Service/*, service: slow, policies: {{ access: public }} }}
- path: /closed.Service/*
  service: echo
  policies: {{ jwt: {{ secret: \"${{env:KEY}}\", algorithms: [HS256] }} }}
- path: /limited.Service/*
  service: gone
  policies: {{ access: public, rate_limit: {{ limit: 1/hour }} }}
",
        peer.port
    ))
}

fn passes(case: &str) {
    let peer = Peer::start();
    let gateway = in_front_of(&peer);
    let called = python().args(["call", &gateway.address.to_string(), case]).output().expect("a client");
    assert!(called.status.success(), "{case}: {}", String::from_utf8_lossy(&called.stderr));
}

#[test]
fn a_call_with_metadata_and_large_messages_comes_through() {
    passes("unary");
}

#[test]
fn streams_of_either_side_and_of_both_come_through() {
    passes("streams");
}

#[test]
fn errors_of_the_service_keep_their_status_and_details() {
    passes("error");
}

#[test]
fn deadlines_reach_the_service_and_hold() {
    passes("deadline");
}

#[test]
fn faults_of_the_gateway_are_statuses() {
    passes("faults");
}

#[test]
fn a_deadline_that_the_client_only_announces_is_held_by_the_gateway() {
    let origin = Http2Origin::respond(|_| Http2Reply::ok("").after(&Gate::new()));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ slow: {{ endpoints: [{}] }} }}
routes: [{{ path: /*, service: slow }}]
",
        origin.url()
    ));
    let fields = [("content-type", "application/grpc+proto"), ("grpc-timeout", "100m"), ("te", "trailers")];
    let answer = Http2Client::connect(gateway.address).request("POST", "/a.B/C", &fields, b"\0\0\0\0\0");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("4")));
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert_eq!(
        answer.header("grpc-message"),
        Some("client_deadline: The answer did not come within the time that the client set.")
    );
    assert!(answer.body.is_empty() && answer.trailers.is_none(), "one head is all: {answer:?}");
    let received = &origin.requests()[0];
    assert_eq!(received.headers.get("te").unwrap(), "trailers", "servers ask for it");
}

#[test]
fn only_calls_are_answered_as_calls() {
    let gateway = Running::start("access_log: off\nroutes: [{ path: /a, respond: { body: x } }]\n");
    let plain = Http2Client::connect(gateway.address).request("POST", "/b", &[], b"");
    assert_eq!((plain.status, plain.header("grpc-status")), (404, None));
    let over_http_1 =
        request(gateway.address, "POST", "/b", &[("Content-Type", "application/grpc-web")], b"x");
    assert_eq!((over_http_1.status, over_http_1.header("grpc-status")), (200, Some("12")));
}

const CALL: [(&str, &str); 2] = [("content-type", "application/grpc+proto"), ("te", "trailers")];

#[test]
fn calls_whose_head_is_not_accepted_are_answered_as_calls() {
    let gateway = Running::start("access_log: off\nroutes: [{ path: /*, respond: { body: x } }]\n");
    let long = "v".repeat(33 * 1024);
    let path = format!("/{}", "p".repeat(9 * 1024));
    for (path, fields) in [
        ("/a.B/C", [&CALL[..], &[("x-metadata", "b"); 101]].concat()),
        ("/a.B/C", [&CALL[..], &[("x-metadata", &*long)]].concat()),
        (&*path, CALL.to_vec()),
    ] {
        let answer = Http2Client::connect(gateway.address).request("POST", path, &fields, b"");
        assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("8")), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/grpc"));
    }
    let plain = Http2Client::connect(gateway.address).request("POST", &path, &[], b"");
    assert_eq!((plain.status, plain.header("grpc-status")), (414, None));
}
