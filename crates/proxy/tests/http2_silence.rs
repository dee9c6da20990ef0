//! HTTP/2 connections to services that say nothing any more: given up, asked, left to those who wait.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "common.rs"]
mod common;

use common::{Gateway, Options};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use torana_testkit::http2::{Http2Client, Http2Origin, Http2Reply, OK, flag, kind, serve_frames};
use torana_testkit::{Client, Gate, eventually, get, request};
use torana_transport::Protocol;

const PATIENCE: Duration = Duration::from_secs(30);

fn options() -> Options {
    let mut options = Options::default();
    options.endpoint.protocol = Protocol::Http2;
    options
}

#[test]
fn a_connection_that_says_nothing_any_more_is_given_up_and_replaced() {
    let (address, connections) = serve_frames(|number, peer| {
        if number > 1 {
            return peer.answer_all();
        }
        let stream = peer.next_request().unwrap();
        peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
        // From here on it reads and says nothing, not even to PING.
        while peer.read().is_some() {}
    });
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(500);
    options.endpoint.http2.ping_timeout = Duration::from_secs(1);
    options.timeouts.first_byte = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    assert_eq!(get(gateway.address, "/").status, 200);
    // Not one of these waits for its own deadline: the method may be sent again, on a new connection.
    assert_eq!(get(gateway.address, "/").status, 200);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_slow_answer_outlives_any_number_of_silences() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Http2Origin::respond(move |_| Http2Reply::ok("late").after(&held));
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(10);
    options.endpoint.http2.ping_timeout = PATIENCE;
    options.timeouts.first_byte = PATIENCE;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || origin.running() == 1);
    let mut other = Http2Client::connect(gateway.address);
    let (response, _) = other.begin("GET", "/", &[], true).unwrap();
    other.pause(Duration::from_millis(200));
    gate.open();
    assert_eq!(
        (client.read_response().text(), other.read(response).unwrap().text()),
        ("late".into(), "late".into())
    );
}

/// Answers the first request of each connection and then says nothing any more, not even to PING, and closes
/// nothing: a peer whose packets are lost. Later connections answer all. Counts the PINGs of the first one.
fn mute_after_one() -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    let (address, connections) = serve_frames(move |number, peer| {
        if number > 1 {
            return peer.answer_all();
        }
        let stream = peer.next_request().unwrap();
        peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
        while let Some(frame) = peer.read() {
            counted.fetch_add(usize::from(frame.kind == kind::PING), Ordering::SeqCst);
        }
    });
    (address, connections, pings)
}

#[test]
fn an_idle_connection_whose_peer_has_vanished_is_found_and_retired_without_a_request() {
    let (address, connections, pings) = mute_after_one();
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(500);
    options.endpoint.http2.ping_timeout = Duration::from_secs(1);
    let gateway = Gateway::with(&[address], options);
    assert_eq!(get(gateway.address, "/").status, 200);
    let usage = &gateway.endpoints[0].usage;
    eventually(PATIENCE, || usage.open() == 0);
    eventually(PATIENCE, || (usage.lost(), pings.load(Ordering::SeqCst)) == (1, 1));
    // A request that may not be sent twice finds nothing of it.
    assert_eq!(request(gateway.address, "POST", "/", &[], b"body").status, 200);
    assert_eq!((connections.load(Ordering::SeqCst), usage.lost()), (2, 1));
}

#[test]
fn an_idle_connection_that_answers_is_asked_again_and_kept_and_a_grpc_server_is_asked_once() {
    for (content_type, asked_often) in [("text/plain", true), ("application/grpc", false)] {
        let pings = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pings);
        let (address, connections) = serve_frames(move |_, peer| {
            while let Some(frame) = peer.read() {
                peer.answer(&frame);
                counted
                    .fetch_add(usize::from(frame.kind == kind::PING && frame.flags == 0), Ordering::SeqCst);
                if frame.kind == kind::HEADERS {
                    peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, frame.stream, OK);
                }
            }
        });
        let mut options = options();
        options.endpoint.http2.ping_after = Duration::from_millis(20);
        let gateway = Gateway::with(&[address], options);
        let ask = || request(gateway.address, "POST", "/", &[("Content-Type", content_type)], b"").status;
        assert_eq!(ask(), 200);
        if asked_often {
            eventually(PATIENCE, || pings.load(Ordering::SeqCst) >= 5);
        } else {
            eventually(PATIENCE, || pings.load(Ordering::SeqCst) == 1);
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(pings.load(Ordering::SeqCst), 1, "a server of gRPC counts them");
        }
        assert_eq!(ask(), 200);
        assert_eq!((connections.load(Ordering::SeqCst), gateway.endpoints[0].usage.lost()), (1, 0));
    }
}

#[test]
fn requests_on_a_connection_whose_peer_vanishes_fail_as_ones_that_may_be_sent_again() {
    let (address, _, _) = mute_after_one();
    let mut options = options();
    // Longer than both requests take to be sent.
    options.endpoint.http2.ping_after = Duration::from_secs(3);
    options.endpoint.http2.ping_timeout = Duration::from_millis(500);
    options.timeouts.first_byte = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    assert_eq!(get(gateway.address, "/").status, 200);
    // Both are on the dead connection. What may be sent twice is, what may not is told what has happened.
    let (status, text) = std::thread::scope(|scope| {
        let post = scope.spawn(|| request(gateway.address, "POST", "/", &[], b"body"));
        assert_eq!(get(gateway.address, "/").status, 200);
        let post = post.join().unwrap();
        (post.status, post.text())
    });
    assert_eq!((status, text.contains("upstream_closed")), (502, true), "{text}");
    assert_eq!(gateway.endpoints[0].usage.lost(), 1);
}

#[test]
fn while_a_peer_owes_an_answer_to_a_ping_new_requests_go_elsewhere() {
    let (address, connections, pings) = mute_after_one();
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(50);
    options.endpoint.http2.ping_timeout = Duration::from_secs(60);
    options.timeouts.first_byte = Duration::from_secs(2);
    let gateway = Gateway::with(&[address], options);
    assert_eq!(get(gateway.address, "/").status, 200);
    eventually(PATIENCE, || pings.load(Ordering::SeqCst) == 1);
    // Far from the end of `ping_timeout`.
    eventually(PATIENCE, || request(gateway.address, "POST", "/", &[], b"body").status == 200);
    let usage = &gateway.endpoints[0].usage;
    assert_eq!((connections.load(Ordering::SeqCst), usage.open(), usage.lost()), (2, 2, 0));
}

#[test]
fn while_a_peer_takes_nothing_new_requests_go_elsewhere() {
    let (address, connections) = serve_frames(|number, peer| {
        if number > 1 {
            return peer.answer_all();
        }
        peer.frame(kind::SETTINGS, 0, 0, &[0, 4, 0x10, 0, 0, 0]);
        peer.frame(kind::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        let _ = peer.next_request();
        std::thread::sleep(PATIENCE);
    });
    let mut options = options();
    options.timeouts.first_byte = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    const SIZE: usize = 64 << 20;
    let mut upload = Client::connect(gateway.address).deadline(Duration::from_secs(2));
    upload.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
    assert!(upload.try_send(vec![b'x'; SIZE]).is_err(), "the peer takes nothing");
    eventually(PATIENCE / 2, || {
        let mut client = Client::connect(gateway.address).deadline(Duration::from_millis(500));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_read_response().is_ok_and(|answer| answer.status == 200)
    });
    assert_eq!((connections.load(Ordering::SeqCst), gateway.endpoints[0].usage.lost()), (2, 0));
}

#[test]
fn a_peer_that_takes_an_upload_steadily_without_a_word_is_kept() {
    const SIZE: usize = 16 << 20;
    let (address, connections) = serve_frames(|_, peer| {
        peer.frame(kind::SETTINGS, 0, 0, &[0, 4, 0x10, 0, 0, 0]);
        peer.frame(kind::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        let (mut size, mut paused_at) = (0, 0);
        while let Some(frame) = peer.read() {
            if frame.kind != kind::DATA {
                continue;
            }
            size += frame.payload.len();
            if size - paused_at >= 64 * 1024 {
                paused_at = size;
                // Its pace is what is tested: the whole takes it much longer than a PING waits for an answer.
                std::thread::sleep(Duration::from_millis(20));
            }
            if frame.flags & flag::END_STREAM != 0 {
                peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, frame.stream, OK);
            }
        }
    });
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(150);
    options.endpoint.http2.ping_timeout = Duration::from_millis(300);
    options.timeouts.first_byte = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    assert_eq!(request(gateway.address, "POST", "/", &[], &vec![b'x'; SIZE]).status, 200);
    assert_eq!((connections.load(Ordering::SeqCst), gateway.endpoints[0].usage.lost()), (1, 0));
}

/// A server of gRPC whose first call stays open without a word. It answers so many PINGs and then nothing any more.
fn quiet(answers: usize) -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    let (address, connections) = serve_frames(move |number, peer| {
        if number > 1 {
            return peer.answer_all();
        }
        let stream = peer.next_request().unwrap();
        peer.frame(kind::HEADERS, flag::END_HEADERS, stream, OK);
        while let Some(frame) = peer.read() {
            let is_ping = frame.kind == kind::PING && frame.flags == 0;
            if !is_ping || counted.fetch_add(1, Ordering::SeqCst) < answers {
                peer.answer(&frame);
            }
        }
    });
    (address, connections, pings)
}

/// A call of gRPC that nobody waits for yet.
fn call(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n");
    client
}

#[test]
fn a_peer_that_vanishes_beside_a_quiet_stream_is_found_by_the_next_call() {
    let (address, connections, pings) = quiet(1);
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(300);
    options.endpoint.http2.ping_timeout = Duration::from_secs(2);
    options.timeouts.first_byte = PATIENCE;
    options.timeouts.idle = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    let mut stays = call(gateway.address);
    assert_eq!(stays.read_response_to_head().status, 200);
    eventually(PATIENCE, || pings.load(Ordering::SeqCst) == 1);
    let mut swallowed = call(gateway.address);
    assert_eq!(swallowed.read_response().status, 502);
    assert_eq!(call(gateway.address).read_response().status, 200);
    assert_eq!((connections.load(Ordering::SeqCst), gateway.endpoints[0].usage.lost()), (2, 1));
}

#[test]
fn a_quiet_server_of_grpc_is_not_asked_for_each_call_without_end() {
    let (address, connections, pings) = quiet(usize::MAX);
    let mut options = options();
    options.endpoint.http2.ping_after = Duration::from_millis(20);
    options.timeouts.first_byte = PATIENCE;
    options.timeouts.idle = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    let mut calls = vec![call(gateway.address)];
    assert_eq!(calls[0].read_response_to_head().status, 200);
    for _ in 0..2 {
        let before = pings.load(Ordering::SeqCst);
        calls.push(call(gateway.address));
        eventually(PATIENCE, || pings.load(Ordering::SeqCst) > before);
    }
    for _ in 0..5 {
        calls.push(call(gateway.address));
        std::thread::sleep(Duration::from_millis(60));
    }
    assert!(pings.load(Ordering::SeqCst) <= 3, "the fourth would end the connection");
    assert_eq!((connections.load(Ordering::SeqCst), gateway.endpoints[0].usage.lost()), (1, 0));
}
