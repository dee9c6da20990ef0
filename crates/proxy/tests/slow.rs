//! Clients that are slow on purpose hold nothing for long, and nobody else up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;
#[path = "yaml.rs"]
mod yaml;

use common::{Gateway, Options};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use torana_testkit::http2::{FrameClient, Http2Client, kind};
use torana_testkit::{Client, Origin, Reply, eventually, side_by_side};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a byte every 20 ms until it is answered; what the answer was.
fn drip(address: SocketAddr, begin: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    while begun.elapsed() < PATIENCE {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(_) if answer.is_empty() => {
                // It may have been closed in this moment; then the answer is there to read.
                let _ = stream.write_all(b"x");
            }
            Err(_) => {}
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_head_that_drips_is_a_408() {
    let origin = Origin::always(Reply::ok(""));
    let mut options = Options::default();
    options.server.head_timeout = Duration::from_millis(300);
    let gateway = Gateway::with(&[origin.addr()], options);
    let answer = drip(gateway.address, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("client_head_timeout"), "{answer}");
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_body_that_drips_is_a_408_though_it_never_stops() {
    let origin = Origin::always(Reply::ok(""));
    let mut options = Options::default();
    options.server.body_idle_timeout = Duration::from_millis(300);
    options.server.min_rate = 1_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let answer = drip(gateway.address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("client_body_timeout"), "{answer}");
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn a_body_that_keeps_its_rate_may_take_longer_than_the_timeout() {
    let origin = Origin::respond(|request| Reply::ok(request.body.len().to_string()));
    let mut options = Options::default();
    options.server.body_idle_timeout = Duration::from_secs(3);
    options.server.min_rate = 1_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(200));
        client.send([b'x'; 1_000]);
    }
    assert_eq!(client.read_response().text(), "20000");
}

#[test]
fn an_answer_that_is_read_in_a_drip_is_cut_off() {
    let long = vec![b'y'; 16 << 20];
    let origin = Origin::always(Reply::ok(long));
    let mut options = Options::default();
    options.server.write_timeout = Duration::from_millis(300);
    options.server.min_rate = 100_000_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let begun = Instant::now();
    let mut total = 0;
    let mut piece = vec![0; 16 << 10];
    // Some is always taken, so the socket is never quite still.
    while begun.elapsed() < PATIENCE {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => total += count,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(total < 16 << 20, "all of it was delivered");
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn a_body_that_drips_over_http_2_ends_its_request_and_no_other() {
    let origin = Origin::respond(|request| Reply::ok(request.body.len().to_string()));
    let mut options = Options::default();
    options.server.body_idle_timeout = Duration::from_millis(300);
    options.server.min_rate = 1_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = FrameClient::connect(gateway.address);
    client.headers(
        1,
        &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")],
        false,
    );
    let begun = Instant::now();
    let status = loop {
        assert!(begun.elapsed() < PATIENCE, "it drips on");
        // The gateway ends the stream, and then it may say so of every further frame.
        client.data(1, b"x", false);
        match client.read_within(Duration::from_millis(20)) {
            Ok(Some(frame)) if frame.kind == kind::HEADERS && frame.stream == 1 => break frame,
            Ok(Some(frame)) => client.answer(&frame),
            Ok(None) => panic!("the connection has ended"),
            Err(_) => {}
        }
    };
    assert_eq!(status.status(), Some(408));
    client.get(3, "/");
    assert_eq!(client.outcome(3).status, 200);
    let requests = origin.requests();
    assert!(requests.iter().all(|request| request.method == "GET" || !request.complete), "{requests:#?}");
}

#[test]
fn a_body_over_http_2_that_keeps_its_rate_may_take_longer_than_the_timeout() {
    let origin = Origin::respond(|request| Reply::ok(request.body.len().to_string()));
    let mut options = Options::default();
    options.server.body_idle_timeout = Duration::from_secs(3);
    options.server.min_rate = 1_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Http2Client::connect(gateway.address);
    let (response, mut body) = client.begin("POST", "/", &[], false).unwrap();
    for piece in 0..20 {
        client.pause(Duration::from_millis(200));
        body.send_data(vec![b'x'; 1_000].into(), piece == 19).unwrap();
    }
    assert_eq!(client.read(response).unwrap().text(), "20000");
}

#[test]
fn an_answer_over_http_2_that_is_taken_in_a_drip_is_cut_off() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/long" => Reply::ok(vec![b'y'; 1 << 20]),
        _ => Reply::ok("short"),
    });
    let mut options = Options::default();
    options.server.write_timeout = Duration::from_millis(300);
    options.server.min_rate = 1_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = FrameClient::connect(gateway.address);
    client.get(1, "/long");
    let begun = Instant::now();
    let code = loop {
        assert!(begun.elapsed() < PATIENCE, "it is delivered on");
        // Room for a byte more, again and again: the window is never quite still.
        client.frame(kind::WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes());
        match client.read_within(Duration::from_millis(20)) {
            Ok(Some(frame)) if frame.kind == kind::RST_STREAM && frame.stream == 1 => break frame.code(),
            Ok(Some(frame)) => client.answer(&frame),
            Ok(None) => panic!("the connection has ended"),
            Err(_) => {}
        }
    };
    assert_ne!(code, 0);
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
    // What was sent has used up the window of the connection; now there is room again.
    client.frame(kind::WINDOW_UPDATE, 0, 0, &(1_u32 << 20).to_be_bytes());
    client.get(3, "/short");
    assert_eq!(client.outcome(3).status, 200, "the connection goes on");
}

#[test]
fn an_http_2_connection_whose_socket_is_read_in_a_drip_is_cut_off() {
    let origin = Origin::always(Reply::ok(vec![b'z'; 8 << 20]));
    let mut options = Options::default();
    options.server.write_timeout = Duration::from_millis(300);
    options.server.min_rate = 100_000_000;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = FrameClient::connect(gateway.address);
    // Windows for all of it, so that only the socket holds it back.
    client.frame(kind::SETTINGS, 0, 0, &[&4_u16.to_be_bytes()[..], &(32_u32 << 20).to_be_bytes()].concat());
    client.frame(kind::WINDOW_UPDATE, 0, 0, &(32_u32 << 20).to_be_bytes());
    client.get(1, "/");
    let begun = Instant::now();
    let mut total = 0;
    while begun.elapsed() < PATIENCE {
        match client.read_within(Duration::from_secs(1)) {
            Ok(Some(frame)) => total += frame.payload.len(),
            Ok(None) | Err(_) => break,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(total < 8 << 20, "all of it was delivered");
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn the_service_stays_available_under_slow_heads_bodies_and_reads() {
    // With all that is there when nothing is said; no deadline is short enough to end the attacks.
    let attacks = [
        (&["-H"][..], "/"),
        (&["-B", "-s", "100000", "-t", "POST"], "/"),
        (&["-X", "-w", "5", "-y", "20", "-n", "1", "-z", "4", "-k", "2"], "/big"),
    ];
    side_by_side(attacks, |(mode, target)| {
        let origin = Origin::respond(|request| match request.target.as_str() {
            "/big" => Reply::ok(vec![b'z'; 1 << 20]),
            _ => Reply::ok("x"),
        });
        let gateway = Running::start(&format!(
            "access_log: off\nservices: {{ s: {{ endpoints: [\"{}\"] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
            origin.url()
        ));
        let url = format!("http://{}{target}", gateway.address);
        let mut command = Command::new("slowhttptest");
        command.args(["-c", "50", "-r", "50", "-i", "1", "-l", "5", "-p", "5", "-u", &url]).args(mode);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut attack = command.spawn().expect("slowhttptest is installed");
        let (mut within, mut most) = (0, 0);
        loop {
            let besieged = || gateway.metrics.connections().open() > 40;
            let before = besieged();
            let response = gateway.get("/");
            assert_eq!((response.status, response.text().as_str()), (200, "x"));
            most = most.max(gateway.metrics.connections().open());
            if attack.try_wait().unwrap().is_some() {
                break;
            }
            within += usize::from(before && besieged());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(most > 40, "{mode:?}: at most {most} connections at once: the attack did not take place");
        assert!(within >= 3, "{mode:?}: {within} requests were served while forty slow ones were not");
        eventually(PATIENCE, || gateway.metrics.connections().open() <= 1);
    });
}
