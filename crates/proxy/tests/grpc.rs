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
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use torana_testkit::http2::{
    FrameClient, Http2Client, Http2Origin, Http2Reply, OK, block, flag, kind, request as fields, serve_frames,
};
use torana_testkit::{Client, DEADLINE, Gate, HeldPort, eventually, request, tool};
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

fn in_front_of(peer: &Peer, gone: &HeldPort) -> Running {
    Running::start(&format!(
        "access_log: off
services:
  echo: {{ endpoints: [h2://127.0.0.1:{0}] }}
  gone: {{ endpoints: [h2://{1}] }}
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
        peer.port,
        gone.addr()
    ))
}

fn passes(case: &str) {
    let peer = Peer::start();
    let gone = HeldPort::free();
    let gateway = in_front_of(&peer, &gone);
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
    let fields = [("content-type", "application/grpc+proto"), ("grpc-timeout", "1500m"), ("te", "trailers")];
    let answer = Http2Client::connect(gateway.address).request("POST", "/a.B/C", &fields, b"\0\0\0\0\0");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("4")));
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert_eq!(
        answer.header("grpc-message"),
        Some("client_deadline: The answer did not come within the time that the client set.")
    );
    assert!(answer.body.is_empty() && answer.trailers.is_none(), "one head is all: {answer:?}");
    eventually(DEADLINE, || !origin.requests().is_empty());
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

/// What is written for callers of every kind: a maintenance, an answer of a route, the way to HTTPS.
#[test]
fn refusals_that_the_file_writes_are_statuses_to_calls() {
    let gateway = Running::start(
        "access_log: off
policies: { security_headers: on }
routes:
- { path: /closed.S/*, respond: {}, policies: { terminate: { status: 503, message: Back at ten } } }
- { path: /gone.S/*, respond: { status: 410, body: gone, headers: { Retry-After: \"5\" } } }
- { path: /own.S/*, respond: { status: 503, headers: { Content-Type: application/grpc, grpc-status: \"5\" } } }
- { path: /well.S/*, respond: { body: hello } }
",
    );
    let ask = |path: &str, fields: &[(&str, &str)]| {
        Http2Client::connect(gateway.address).request("POST", path, fields, b"\0\0\0\0\0")
    };
    for (path, status, message) in [("/closed.S/M", "14", "Back at ten"), ("/gone.S/M", "13", "gone")] {
        let answer = ask(path, &CALL);
        assert_eq!((answer.status, answer.header("grpc-status")), (200, Some(status)), "{path}");
        assert_eq!(answer.header("grpc-message"), Some(message));
        assert_eq!(answer.header("content-type"), Some("application/grpc"));
        assert!(answer.body.is_empty() && answer.trailers.is_none(), "one head is all: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "what is in force stays so");
    }
    assert_eq!(ask("/gone.S/M", &CALL).header("retry-after"), Some("5"));
    let (own, well) = (ask("/own.S/M", &CALL), ask("/well.S/M", &CALL));
    assert_eq!((own.status, own.header("grpc-status")), (503, Some("5")), "to the letter");
    assert_eq!((well.status, well.header("grpc-status"), &*well.text()), (200, None, "hello"));
    let plain = ask("/closed.S/M", &[]);
    assert_eq!((plain.status, &*plain.text()), (503, "{\"message\":\"Back at ten\"}"));
    let redirecting = Running::start(
        "access_log: off
listen: { address: \":8000\", redirect_https: 8443 }
routes: [{ path: /*, respond: {} }]
",
    );
    let answer = Http2Client::connect(redirecting.address).request("POST", "/a.B/C", &CALL, b"");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("9")));
    assert!(answer.header("grpc-message").unwrap().starts_with("moved to https://"), "{answer:?}");
}

fn in_front_of_all(url: &str, keys: &str) -> Running {
    Running::start(&format!(
        "access_log: off
services: {{ a: {{ endpoints: [\"{url}\"], {keys} }} }}
routes: [{{ path: /*, service: a }}]
"
    ))
}

#[test]
fn a_deadline_within_a_stream_of_answers_is_a_status() {
    let origin = Http2Origin::respond(|_| Http2Reply::echo().header("content-type", "application/grpc"));
    for (keys, fields, reason) in [
        ("", &[("grpc-timeout", "1500m")][..], "client_deadline"),
        ("timeouts: { total: 1500ms }", &[], "total_timeout"),
        ("timeouts: { idle: 1500ms }", &[], "upstream_idle_timeout"),
    ] {
        let gateway = in_front_of_all(&origin.url(), keys);
        let mut client = Http2Client::connect(gateway.address);
        let fields = [&CALL[..], fields].concat();
        let (response, mut body) = client.begin("POST", "/a.B/C", &fields, false).unwrap();
        body.send_data("\0\0\0\0\x03one".into(), false).unwrap();
        let answer = client.read(response).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, &b"\0\0\0\0\x03one"[..]), "{reason}");
        assert_eq!(answer.trailers.as_ref().unwrap()["grpc-status"], "4", "{reason}");
        assert!(answer.header("grpc-message").unwrap().starts_with(reason), "{answer:?}");
        assert!(answer.trailers.unwrap().get("content-type").is_none());
        // The connection goes on.
        drop(body);
        assert_eq!(client.request("POST", "/a.B/C", &CALL, b"two").text(), "two");
    }
}

/// Begins an answer of this type and breaks off in the middle of a message once the gate is open: resets its stream, or
/// closes.
fn breaking(content_type: &'static str, resets: bool, gate: &Gate) -> String {
    let gate = gate.clone();
    let (address, _) = serve_frames(move |_, peer| {
        while let Some(stream) = peer.next_request() {
            let head = block(&[(":status", "200"), ("content-type", content_type)]);
            peer.frame(kind::HEADERS, flag::END_HEADERS, stream, &head);
            peer.frame(kind::DATA, 0, stream, b"\0\0\0\0\x03on");
            eventually(DEADLINE, || gate.is_open());
            if !resets {
                return;
            }
            peer.frame(kind::RST_STREAM, 0, stream, &2_u32.to_be_bytes());
        }
    });
    format!("h2://{address}")
}

#[test]
fn a_service_that_breaks_off_within_a_stream_of_answers_is_a_status() {
    for (resets, content_type) in
        [(true, "application/grpc"), (false, "application/grpc"), (true, "text/plain"), (false, "text/plain")]
    {
        let gate = Gate::new();
        let gateway = in_front_of_all(&breaking(content_type, resets, &gate), "");
        let mut client = FrameClient::connect(gateway.address);
        client.headers(1, &[&fields("POST", "/a.B/C")[..], &CALL].concat(), true);
        let head = std::iter::from_fn(|| client.read()).find(|frame| frame.kind == kind::HEADERS).unwrap();
        assert_eq!(head.status(), Some(200));
        gate.open();
        let outcome = client.outcome(1);
        assert_eq!(outcome.body, b"\0\0\0\0\x03on", "resets: {resets}");
        // What is no call is cut off as ever.
        let is_call = content_type == "application/grpc";
        assert_eq!((outcome.complete, outcome.reset), (is_call, (!is_call).then_some(2)), "resets: {resets}");
        if is_call {
            let answer = Http2Client::connect(gateway.address).request("POST", "/a.B/C", &CALL, b"x");
            let told =
                answer.trailers.as_ref().filter(|_| !answer.body.is_empty()).unwrap_or(&answer.headers);
            assert_eq!(told["grpc-status"], "14", "resets: {resets}");
        }
    }
}

#[test]
fn a_call_without_a_message_ends_with_data_as_servers_may_wait_for() {
    let (saw, seen) = std::sync::mpsc::channel();
    let (address, _) = serve_frames(move |_, peer| {
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            let is_message = matches!(frame.kind, kind::HEADERS | kind::DATA);
            if is_message && frame.flags & flag::END_STREAM != 0 {
                saw.send(frame.kind).unwrap();
                let head =
                    block(&[(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "0")]);
                peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, frame.stream, &head);
            }
        }
    });
    let gateway = in_front_of_all(&format!("h2://{address}"), "");
    for pause in [Duration::ZERO, Duration::from_millis(50)] {
        let mut client = FrameClient::connect(gateway.address);
        client.headers(1, &[&fields("POST", "/a.B/C")[..], &CALL].concat(), false);
        std::thread::sleep(pause);
        client.data(1, b"", true);
        assert!(client.outcome(1).complete);
        assert_eq!(seen.recv().unwrap(), kind::DATA, "{pause:?}");
    }
}

/// Longer than a body may pause.
const PAUSE: Duration = Duration::from_millis(700);

/// Bodies may pause for much shorter.
fn impatient(address: SocketAddr) -> Running {
    impatient_within(address, "idle: 10m")
}

/// With these bounds of the service.
fn impatient_within(address: SocketAddr, timeouts: &str) -> Running {
    Running::start(&format!(
        "access_log: off
timeouts: {{ body: 200ms }}
limits: {{ body_bytes: 64 }}
services: {{ talks: {{ endpoints: [\"h2://{address}\"], timeouts: {{ {timeouts} }} }} }}
routes: [{{ path: /*, service: talks }}]
"
    ))
}

#[test]
fn either_side_of_a_conversation_may_pause_for_longer_than_a_body_may() {
    let origin = Http2Origin::respond(|_| Http2Reply::echo().trailer("x-end", "1"));
    let gateway = impatient(origin.addr());
    let mut client = Http2Client::connect(gateway.address);
    for fields in [&[("content-type", "application/grpc")][..], &[]] {
        let (response, mut up) = client.begin("POST", "/a.B/C", fields, false).unwrap();
        let (parts, mut down) = client.run(response).unwrap().into_parts();
        assert_eq!(parts.status, 200);
        for message in ["one", "two", "three"] {
            client.pause(PAUSE);
            up.send_data(message.into(), false).unwrap();
            assert_eq!(client.run(down.data()).unwrap().unwrap(), message, "{fields:?}");
        }
        up.send_data("".into(), true).unwrap();
        assert!(client.run(down.data()).is_none());
        assert_eq!(client.run(down.trailers()).unwrap().unwrap().get("x-end").unwrap(), "1");
    }
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.read_response_to_head().status, 200);
    for _ in 0..2 {
        std::thread::sleep(PAUSE);
        let piece = "5\r\nhello\r\n";
        client.send(piece);
        assert_eq!(client.read_exactly(piece.len()), piece.as_bytes());
    }
}

/// Answers once a request has ended.
fn answers_at_the_end() -> SocketAddr {
    let (address, _) = serve_frames(|_, peer| {
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            if frame.kind == kind::DATA && frame.flags & flag::END_STREAM != 0 {
                peer.frame(kind::HEADERS, flag::END_HEADERS, frame.stream, OK);
                peer.data(frame.stream, b"done", true);
            }
        }
    });
    address
}

#[test]
fn a_call_may_pause_before_its_answer_and_any_other_upload_may_not() {
    let gateway = impatient(answers_at_the_end());
    let mut client = FrameClient::connect(gateway.address);
    for (stream, kind, bears) in [(1, "application/grpc", true), (3, "application/json", false)] {
        let fields = [fields("POST", "/a.B/C"), vec![("content-type", kind)]].concat();
        client.headers(stream, &fields, false).data(stream, b"one", false);
        if bears {
            std::thread::sleep(PAUSE);
            client.data(stream, b"two", true);
        }
        let outcome = client.outcome(stream);
        assert_eq!((outcome.status == 408, outcome.body == b"done"), (!bears, bears), "{kind}: {outcome:?}");
    }
}

#[test]
fn a_call_may_not_pause_for_longer_than_the_service_may() {
    let gateway = impatient_within(answers_at_the_end(), "idle: 1s, total: 25s");
    let mut client = Http2Client::connect(gateway.address);
    let begun = Instant::now();
    let (response, mut body) = client.begin("POST", "/a.B/C", &CALL, false).unwrap();
    // The rest never comes.
    body.send_data("one".into(), false).unwrap();
    let answer = client.read(response).unwrap();
    let message = answer.header("grpc-message").unwrap();
    assert!(message.starts_with("client_body_timeout"), "{message}");
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
}

#[test]
fn an_upload_that_fails_within_a_conversation_ends_it() {
    let origin = Http2Origin::respond(|_| Http2Reply::echo());
    let gateway = impatient(origin.addr());
    let mut client = FrameClient::connect(gateway.address);
    client.headers(1, &fields("POST", "/a.B/C"), false);
    let head = std::iter::from_fn(|| client.read()).find(|frame| frame.stream == 1).unwrap();
    assert_eq!(head.status(), Some(200));
    client.data(1, &[b'x'; 60], false).data(1, &[b'x'; 60], false);
    let outcome = client.outcome(1);
    assert!(!outcome.complete && outcome.reset.is_some(), "{outcome:?}");
}
