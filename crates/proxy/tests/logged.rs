//! What the access log says of requests that did not go well, on a whole gateway in process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use torana_testkit::http2::{FrameClient, Http2Client, kind};
use torana_testkit::{Client, Gate, Origin, Reply, eventually, eventually_some};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

struct Logged {
    gateway: Running,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Logged {
    fn start(rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let text = format!("access_log: {{ to: {} }}\n{rest}\n", path.display());
        Self { gateway: Running::start(&text), path, _folder: folder }
    }

    /// The only line whose member `name` is `value`.
    fn line(&self, name: &str, value: &str) -> Value {
        eventually_some(PATIENCE, || {
            let text = std::fs::read_to_string(&self.path).ok()?;
            let mut lines = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .filter(|line| line[name] == value);
            let line = lines.next()?;
            assert!(lines.next().is_none(), "twice: {line}");
            Some(line)
        })
    }
}

/// `max_length` bounds what is taken over, not what is made.
#[test]
fn an_identifier_is_logged_as_the_client_has_it_whoever_made_it() {
    let logged = Logged::start(
        "policies: { correlation_id: { max_length: 5, accept: any } }\nroutes: [{ path: /*, methods: [GET, PUT], respond: { body: here } }]",
    );
    let ask_by = |method: &str, path: &str, field: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        let mut client = Client::connect(logged.gateway.address).deadline(PATIENCE);
        client.send(head);
        let answer = client.read_response();
        (answer.header("X-Correlation-Id").unwrap_or_default().to_owned(), logged.line("path", path))
    };
    let ask = |path: &str, field: &str| ask_by("GET", path, field);
    let (made, line) = ask("/made", "");
    assert_eq!((made.len(), line["correlation_id"].as_str()), (36, Some(&*made)));
    let (long, line) = ask("/long", "X-Correlation-Id: longer\r\n");
    assert_eq!((long.len(), line["correlation_id"].as_str()), (36, Some(&*long)));
    let (kept, line) = ask("/kept", "X-Correlation-Id: a b\r\n");
    assert_eq!((&*kept, line["correlation_id"].as_str()), ("a b", Some("a b")));
    let mut client = Client::connect(logged.gateway.address).deadline(PATIENCE);
    client.send(b"GET /bytes HTTP/1.1\r\nHost: a\r\nX-Correlation-Id: a\xff\r\n\r\n");
    assert_eq!(client.read_response().status, 200);
    let line = logged.line("path", "/bytes");
    assert!(line["correlation_id"].as_str().is_some_and(|id| id.starts_with('a')), "{line}");
    // Where no route is concerned too.
    let (unrouted, line) = ask_by("POST", "/posted", "");
    assert_eq!((unrouted.len(), line["correlation_id"].as_str()), (36, Some(&*unrouted)));
    assert_eq!(line["status"], 405);
}

#[test]
fn refused_heads_are_logged_with_method_and_path_as_far_as_they_were_read() {
    let logged = Logged::start(
        "timeouts: { head: 3s }\nlimits: { target_bytes: 200B, head_bytes: 2KiB, body_bytes: 10B }\nroutes: [{ path: /*, respond: { body: here } }]",
    );
    let long = "x".repeat(300);
    let many = format!("X-Long: {}\r\n", "y".repeat(3_000));
    for (head, status, reason, method, path) in [
        ("GET /a?key=hunter2 HTTP/1.1\r\nHost : b\r\n\r\n", 400, "malformed_request", "GET", "/a"),
        ("POST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 11\r\n\r\n", 413, "body_too_large", "POST", "/b"),
        (&format!("PUT /{long} HTTP/1.1\r\n\r\n"), 414, "target_too_long", "PUT", &format!("/{long}")),
        (
            "POST /d HTTP/1.1\r\nHost: b\r\nExpect: x\r\nContent-Length: 1\r\n\r\n",
            417,
            "expectation_failed",
            "POST",
            "/d",
        ),
        (&format!("DELETE /e HTTP/1.1\r\nHost: b\r\n{many}\r\n"), 431, "head_too_large", "DELETE", "/e"),
        ("TRACE /f HTTP/1.1\r\nHost: b\r\n\r\n", 501, "unsupported_method", "TRACE", "/f"),
        ("GET /g HTTP/3.0\r\nHost: b\r\n\r\n", 505, "unsupported_version", "GET", "/g"),
        ("GET /h HTTP/1.1\r\nHost: b:99999\r\n\r\n", 400, "invalid_host", "GET", "/h"),
        ("GET /late HTTP/1.1\r\nHo", 408, "client_head_timeout", "GET", "/late"),
    ] {
        let mut client = Client::connect(logged.gateway.address).deadline(PATIENCE);
        client.send(head);
        assert_eq!(client.read_response().status, status, "{head}");
        let line = logged.line("path", path);
        assert_eq!(
            (&line["status"], &line["reason"], &line["method"]),
            (&status.into(), &reason.into(), &method.into()),
            "{line}"
        );
        assert_eq!(line["protocol"] == "HTTP/?", status == 505, "{line}");
        assert!(line["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
        assert!(!line.to_string().contains("hunter2"), "{line}");
    }
    let mut client = Http2Client::connect(logged.gateway.address);
    let refused = client.request("GET", "/two", &[("x-long", &"y".repeat(3_000))], b"");
    assert_eq!(refused.status, 431);
    let line = logged.line("path", "/two");
    assert_eq!((&line["status"], &line["protocol"]), (&431.into(), &"HTTP/2".into()), "{line}");
}

#[test]
fn the_path_is_the_one_that_the_client_sent() {
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let logged = Logged::start(&format!(
        "services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /api/*, service: s, strip_prefix: /api }}]",
        origin.url()
    ));
    let mut client = Client::connect(logged.gateway.address);
    let answer = client.exchange("GET /x/../api//users?a=1 HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!(answer.text(), "/users?a=1");
    assert_eq!(logged.line("path", "/x/../api//users")["route"], "/api/*");
    let missing = client.exchange("GET /other/./x HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!(missing.status, 404);
    assert_eq!(logged.line("path", "/other/./x")["reason"], "no_route");
}

#[test]
fn an_answer_that_was_delivered_in_part_is_logged_as_such() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/whole" => Reply::ok("whole"),
        "/hangs" => Reply::ok("x".repeat(100_000)).hang_after_bytes(60_000),
        _ => Reply::ok("x".repeat(100_000)).reset_after_bytes(60_000),
    });
    let logged = Logged::start(&format!(
        "services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]",
        origin.url()
    ));
    let address = logged.gateway.address;
    let mut client = Client::connect(address);
    client.send("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_read_response().is_err());
    let mut two = Http2Client::connect(address);
    assert!(two.try_request("GET", "/broken-two", &[], b"").is_err());
    for path in ["/broken", "/broken-two"] {
        let line = logged.line("path", path);
        let said = (&line["status"], &line["reason"], &line["incomplete"]);
        assert_eq!(said, (&200.into(), &"upstream_closed".into(), &true.into()), "{line}");
        assert!(line["sent"].as_u64().unwrap() > 50_000, "{line}");
    }
    let mut client = Client::connect(address);
    client.send("GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_exactly(50_000);
    client.reset();
    let line = logged.line("path", "/hangs");
    let said = (&line["status"], &line["reason"], &line["incomplete"]);
    assert_eq!(said, (&200.into(), &"client_closed".into(), &true.into()), "{line}");
    let mut client = Client::connect(address);
    assert_eq!(client.exchange("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n").text(), "whole");
    assert_eq!(logged.line("path", "/whole")["incomplete"], Value::Null);
}

#[test]
fn an_answer_for_which_a_client_of_http_2_has_no_room_is_cut_off_alone() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |request| match request.target.as_str() {
        "/waits" => Reply::ok("late").after(&held),
        // What follows its first bytes does not come.
        "/begun" => Reply::ok("x".repeat(5_000)).hang_after_bytes(2_000),
        _ => Reply::ok("x".repeat(8_000)),
    });
    let logged = Logged::start(&format!(
        "timeouts: {{ write: 1s }}\nservices: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]",
        origin.url()
    ));
    let mut client = FrameClient::connect(logged.gateway.address);
    // SETTINGS_INITIAL_WINDOW_SIZE
    client.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    client.get(1, "/waits").get(3, "/small").get(5, "/begun").get(7, "/opens");
    client.frame(kind::WINDOW_UPDATE, 0, 7, &3_000_u32.to_be_bytes());
    client.frame(kind::WINDOW_UPDATE, 0, 7, &5_000_u32.to_be_bytes());
    let opens = client.outcome(7);
    assert!(opens.complete && opens.body.len() == 8_000, "{opens:?}");
    assert!(client.outcome(3).reset.is_some());
    for path in ["/small", "/begun"] {
        let line = logged.line("path", path);
        assert_eq!((&line["reason"], &line["incomplete"]), (&"client_write_timeout".into(), &true.into()));
        assert!(line["sent"].as_u64().is_some_and(|sent| sent < 2_000), "{line}");
    }
    client.frame(kind::WINDOW_UPDATE, 0, 1, &100_u32.to_be_bytes());
    gate.open();
    let waits = client.outcome(1);
    assert!(waits.complete && waits.body == b"late", "{waits:?}");
}

#[test]
fn requests_that_are_cut_off_at_the_end_of_the_drain_have_their_line() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/silent" => Reply::hang(),
        _ => Reply::ok("").until_close("x".repeat(100_000)).hang_after_bytes(60_000),
    });
    let logged = Logged::start(&format!(
        "services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]",
        origin.url()
    ));
    let address = logged.gateway.address;
    let (mut silent, mut half) = (Client::connect(address), Client::connect(address));
    silent.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    // To such a client the end of the connection is the end of the answer.
    half.send("GET /half HTTP/1.0\r\nHost: a\r\n\r\n");
    half.read_exactly(50_000);
    let mut two = Http2Client::connect(address);
    let pending = two.begin("GET", "/silent-two", &[], true);
    drop(pending);
    eventually(PATIENCE, || origin.count() >= 2);
    logged.gateway.drain_within(Duration::from_millis(100));
    let line = logged.line("path", "/silent");
    let said = (&line["status"], &line["reason"], &line["incomplete"]);
    assert_eq!(said, (&503.into(), &"draining".into(), &Value::Null), "{line}");
    let line = logged.line("path", "/half");
    let said = (&line["status"], &line["reason"], &line["incomplete"]);
    assert_eq!(said, (&200.into(), &"draining".into(), &true.into()), "{line}");
    assert!(half.try_read_to_end().is_err(), "it must not look whole");
    let metrics = logged.gateway.metrics.render();
    assert!(metrics.contains("draining"), "{metrics}");
}

#[test]
fn what_limits_in_shadow_would_have_refused_is_said_of_the_request() {
    let logged = Logged::start(
        "policies: { rate_limits: { real: 100/hour, trial: { limit: 1/hour, by: everybody, shadow: true }, other: { concurrency: 1, limit: 1/hour, by: everybody, shadow: true } } }\nroutes: [{ path: /*, respond: { status: 204 } }]",
    );
    for path in ["/first", "/second"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: b\r\n\r\n");
        assert_eq!(Client::connect(logged.gateway.address).exchange(&head).status, 204);
    }
    assert_eq!(logged.line("path", "/first").get("would_refuse"), None);
    let line = logged.line("path", "/second");
    let mut limits: Vec<&str> =
        line["would_refuse"].as_array().unwrap().iter().map(|limit| limit.as_str().unwrap()).collect();
    limits.sort_unstable();
    assert_eq!(limits, ["global#other", "global#trial"], "{line}");
    assert_eq!(line.get("reason"), None);
}
