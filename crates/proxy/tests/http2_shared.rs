//! What one client does on a connection to an endpoint that it shares with strangers: they lose nothing by it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use torana_testkit::http2::{
    Frame, FrameClient, Http2Origin, Http2Reply, OK, flag, kind, request, serve_frames,
};
use torana_testkit::{Gate, eventually, get};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
/// What fits into the window of a stream: 225 KB, four times as many frames as the library would let wait.
const MESSAGES: u32 = 9_000;
/// Every stream's window is closed from here on.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

/// A message of gRPC with five bytes before its twenty.
fn message(number: u32) -> Vec<u8> {
    format!("\0\0\0\0\x14{number:020}").into_bytes()
}

fn messages() -> Vec<u8> {
    (0..MESSAGES).flat_map(message).collect()
}

fn send_messages(peer: &mut FrameClient, stream: u32) {
    for number in 0..MESSAGES {
        peer.try_frame(kind::DATA, 0, stream, &message(number));
    }
}

fn before(address: SocketAddr) -> Running {
    Running::start(&format!(
        "access_log: off
services: {{ shared: {{ endpoints: [\"h2://{address}\"] }} }}
routes:
- {{ path: /*, service: shared }}
- {{ path: /hello, respond: {{ body: hello }} }}
"
    ))
}

fn answer(peer: &mut FrameClient, stream: u32) {
    peer.try_frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
}

fn window(peer: &mut FrameClient, stream: u32) {
    peer.frame(kind::WINDOW_UPDATE, 0, stream, &(16_u32 << 20).to_be_bytes());
}

#[test]
fn a_stream_of_small_messages_that_its_client_does_not_take_waits() {
    let (address, connections) = serve_frames(|_, peer| {
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            match (frame.kind, frame.stream) {
                (kind::HEADERS, 1) => {
                    peer.frame(kind::HEADERS, flag::END_HEADERS, 1, OK);
                    send_messages(peer, 1);
                    peer.try_frame(kind::DATA, flag::END_STREAM, 1, b"");
                }
                (kind::HEADERS, stream) => answer(peer, stream),
                _ => {}
            }
        }
    });
    let gateway = before(address);
    let mut client = FrameClient::connect(gateway.address);
    client.frame(kind::SETTINGS, 0, 0, NO_WINDOW).get(1, "/messages");
    let head = std::iter::from_fn(|| client.read()).find(|frame| frame.stream == 1).unwrap();
    assert_eq!(head.status(), Some(200));
    // Their answers come behind all of the messages.
    for _ in 0..3 {
        assert_eq!(get(gateway.address, "/").status, 200);
    }
    window(&mut client, 0);
    window(&mut client, 1);
    let outcome = client.outcome(1);
    assert!(outcome.complete, "{:?} {:?}", outcome.reset, outcome.goaway);
    assert!(outcome.body == messages(), "every message in its turn");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn small_messages_of_a_cancelled_stream_cost_nothing() {
    let (address, connections) = serve_frames(|_, peer| {
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            match (frame.kind, frame.stream) {
                (kind::HEADERS, 1) => drop(peer.frame(kind::HEADERS, flag::END_HEADERS, 1, OK)),
                (kind::HEADERS, stream) => answer(peer, stream),
                (kind::RST_STREAM, 1) => send_messages(peer, 1),
                _ => {}
            }
        }
    });
    let gateway = before(address);
    let mut client = FrameClient::connect(gateway.address);
    client.get(1, "/messages");
    let head = std::iter::from_fn(|| client.read()).find(|frame| frame.stream == 1).unwrap();
    assert_eq!(head.status(), Some(200));
    client.reset(1);
    assert_eq!(client.get(3, "/hello").outcome(3).status, 200);
    for _ in 0..3 {
        assert_eq!(get(gateway.address, "/").status, 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn an_upload_of_small_messages_that_its_service_does_not_take_waits() {
    let gate = Gate::new();
    let (held, received) = (gate.clone(), Arc::new(Mutex::new(Vec::new())));
    let record = Arc::clone(&received);
    let (address, _) = serve_frames(move |_, peer| {
        peer.frame(kind::SETTINGS, 0, 0, NO_WINDOW);
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            if frame.kind == kind::HEADERS {
                eventually(PATIENCE, || held.is_open());
                window(peer, 0);
                window(peer, frame.stream);
            }
            if frame.kind == kind::DATA {
                record.lock().unwrap().extend_from_slice(&frame.payload);
                if frame.flags & flag::END_STREAM != 0 {
                    answer(peer, frame.stream);
                }
            }
        }
    });
    let gateway = before(address);
    let mut client = FrameClient::connect(gateway.address);
    // Behind this answer the gateway's windows are in force.
    assert_eq!(client.get(1, "/hello").outcome(1).status, 200);
    client.headers(3, &request("POST", "/messages"), false);
    send_messages(&mut client, 3);
    assert_eq!(client.get(5, "/hello").outcome(5).status, 200, "the connection goes on");
    gate.open();
    let outcome = client.data(3, b"", true).outcome(3);
    assert_eq!((outcome.status, outcome.complete), (200, true), "{outcome:?}");
    assert!(*received.lock().unwrap() == messages(), "every message in its turn");
}

/// The endpoint hears of it late: it goes on with all of them, and again when it is told so of some anew.
#[test]
fn downloads_that_are_abandoned_leave_the_connection_alone() {
    const DOWNLOADS: u32 = 90;
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cancelled);
    let (address, connections) = serve_frames(move |number, peer| {
        let mut streams = Vec::new();
        // Large enough to be worth a frame.
        let go_on = |peer: &mut FrameClient, streams: &[u32]| {
            for stream in streams {
                peer.try_frame(kind::DATA, 0, *stream, &[b'x'; 260]);
            }
        };
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            match frame.kind {
                kind::HEADERS if number == 1 && streams.len() < DOWNLOADS as usize => {
                    streams.push(frame.stream);
                    peer.frame(kind::HEADERS, flag::END_HEADERS, frame.stream, OK);
                }
                kind::HEADERS => answer(peer, frame.stream),
                kind::RST_STREAM => {
                    let resets = count.fetch_add(1, Ordering::SeqCst) + 1;
                    if resets >= DOWNLOADS as usize && resets.is_multiple_of(10) {
                        go_on(peer, &streams);
                    }
                }
                _ => {}
            }
        }
    });
    let gateway = before(address);
    let mut client = FrameClient::connect(gateway.address);
    for number in 0..DOWNLOADS {
        client.get(number * 2 + 1, "/download");
    }
    let mut begun = 0;
    while begun < DOWNLOADS {
        let frame = client.read().unwrap();
        client.answer(&frame);
        begun += u32::from(frame.kind == kind::HEADERS);
    }
    for number in 0..DOWNLOADS {
        client.reset(number * 2 + 1);
    }
    eventually(PATIENCE, || cancelled.load(Ordering::SeqCst) >= DOWNLOADS as usize);
    for _ in 0..50 {
        assert_eq!(get(gateway.address, "/").status, 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

fn buffered(gateway: &Running) -> usize {
    let text = gateway.metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix("torana_buffered_bytes ")).unwrap();
    line.split('.').next().unwrap().parse().unwrap()
}

#[test]
fn answers_that_stand_still_hold_up_no_other_on_the_connection_to_the_endpoint() {
    const LARGE: usize = 300_000;
    let origin = Http2Origin::respond(|_| Http2Reply::ok(vec![b'x'; LARGE]));
    let gateway = before(origin.addr());
    let mut client = FrameClient::connect(gateway.address);
    client.frame(kind::SETTINGS, 0, 0, NO_WINDOW);
    for stream in [1, 3, 5, 7, 9, 11] {
        client.get(stream, "/");
    }
    // The connection's whole window, if what waits were part of it.
    eventually(PATIENCE, || buffered(&gateway) >= 1_000_000);
    for _ in 0..3 {
        let answer = get(gateway.address, "/");
        assert_eq!((answer.status, answer.body.len()), (200, LARGE));
    }
    assert_eq!(origin.connections(), 1);
    for stream in [1, 3, 5, 7, 9] {
        client.reset(stream);
    }
    window(&mut client, 0);
    window(&mut client, 11);
    let outcome = client.outcome(11);
    assert_eq!((outcome.complete, outcome.body.len()), (true, LARGE), "{:?}", outcome.reset);
    eventually(PATIENCE, || buffered(&gateway) == 0);
}

#[test]
fn uploads_that_stand_still_hold_up_no_other_on_the_connection_of_the_client() {
    let (address, _) = serve_frames(|_, peer| {
        peer.frame(kind::SETTINGS, 0, 0, NO_WINDOW);
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
        }
    });
    let gateway = before(address);
    let mut client = FrameClient::connect(gateway.address);
    let mut room = 65_535;
    let next = |client: &mut FrameClient, room: &mut usize| {
        let frame = client.read().expect("the connection goes on");
        client.answer(&frame);
        if (frame.kind, frame.stream) == (kind::WINDOW_UPDATE, 0) {
            *room += u32::from_be_bytes(frame.payload[..].try_into().unwrap()) as usize;
        }
        frame.kind
    };
    while next(&mut client, &mut room) != kind::SETTINGS {}
    for stream in [1, 3, 5, 7, 9, 11] {
        client.headers(stream, &request("POST", "/"), false);
        // As good as all of the stream's window.
        for _ in 0..15 {
            while room < 1 << 14 {
                next(&mut client, &mut room);
            }
            client.data(stream, &[b'x'; 1 << 14], false);
            room -= 1 << 14;
        }
    }
    eventually(PATIENCE, || buffered(&gateway) >= (6 * 14) << 14);
}

/// As peers of gRPC do to measure what a connection carries.
fn measure(peer: &mut FrameClient, data: &Frame) {
    let taken = u32::try_from(data.payload.len()).unwrap();
    peer.try_frame(kind::WINDOW_UPDATE, 0, 0, &taken.to_be_bytes());
    peer.try_frame(kind::PING, 0, 0, b"measured");
}

#[test]
fn a_ping_behind_each_frame_of_data_is_no_flood_of_either_side() {
    let (address, connections) = serve_frames(|_, peer| {
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            match frame.kind {
                kind::HEADERS => drop(peer.frame(kind::HEADERS, flag::END_HEADERS, frame.stream, OK)),
                kind::DATA => {
                    measure(peer, &frame);
                    peer.try_frame(kind::DATA, 0, frame.stream, &frame.payload);
                }
                _ => {}
            }
        }
    });
    let gateway = before(address);
    let mut client = FrameClient::connect(gateway.address);
    client.headers(1, &request("POST", "/"), false);
    for number in 0..2_000 {
        client.data(1, b"round", false);
        loop {
            let frame = client.read().unwrap_or_else(|| panic!("ended in round {number}"));
            client.answer(&frame);
            assert!(!matches!(frame.kind, kind::GOAWAY | kind::RST_STREAM), "round {number}");
            if frame.kind == kind::DATA {
                measure(&mut client, &frame);
                break;
            }
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
