//! HTTP/2 towards services, from clients of both versions.
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
use torana_testkit::http2::{
    FrameClient, Http2Client, Http2Origin, Http2Reply, OK, flag, kind, request as fields_of, serve_frames,
};
use torana_testkit::{Client, Gate, HeldPort, Origin, Reply, eventually, get, request};
use torana_transport::Protocol;

const PATIENCE: Duration = Duration::from_secs(30);

fn options() -> Options {
    let mut options = Options::default();
    options.endpoint.protocol = Protocol::Http2;
    options
}

fn in_front_of(address: SocketAddr) -> Gateway {
    Gateway::with(&[address], options())
}

#[test]
fn what_no_uri_holds_is_encoded_for_http_2_and_an_empty_host_is_the_endpoint_s() {
    let origin = Http2Origin::respond(|request| Http2Reply::ok(request.uri.to_string()));
    let gateway = in_front_of(origin.addr());
    let answer = |target: &str, host: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost:{host}\r\n\r\n");
        let response = Client::connect(gateway.address).exchange(request);
        assert_eq!(response.status, 200, "{target} {host}: {}", response.text());
        response.text()
    };
    assert_eq!(answer("/a?q=\"b\"&c=<d>", "e"), "http://e/a?q=%22b%22&c=%3Cd%3E");
    assert_eq!(answer("/a`?b^{|}\\", "e"), "http://e/a%60?b%5E%7B%7C%7D%5C");
    assert_eq!(answer("/a?b={c|d}^`%22", "e"), "http://e/a?b={c|d}^`%22", "no more than must be");
    assert_eq!(answer("/", ""), format!("http://{}/", origin.addr()));
}

#[test]
fn a_request_keeps_its_meaning_from_either_version() {
    let origin = Http2Origin::respond(|request| {
        let count = request.trailers.as_ref().map_or(0, http::HeaderMap::len);
        Http2Reply::ok(format!("{} {count}", request.body.len()))
            .header("x-made", "yes")
            .trailer("x-sum", "5")
    });
    let gateway = in_front_of(origin.addr());
    let answer = request(gateway.address, "POST", "/a/b?x=1", &[("Host", "api.test"), ("X-A", "1")], b"body");
    assert_eq!((answer.status, answer.text(), answer.header("x-made")), (200, "4 0".into(), Some("yes")));
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "5".to_owned())]);
    let received = &origin.requests()[0];
    assert_eq!((&*received.method, received.uri.to_string()), ("POST", "http://api.test/a/b?x=1".to_owned()));
    assert_eq!(received.headers.get("x-a").unwrap(), "1");
    for name in ["host", "connection", "te"] {
        assert!(!received.headers.contains_key(name), "{name}");
    }

    let mut client = Http2Client::connect(gateway.address);
    let (response, mut body) = client.begin("POST", "/", &[], false).unwrap();
    body.send_data(bytes::Bytes::from_static(b"data"), false).unwrap();
    body.send_trailers([("x-sum".parse().unwrap(), "7".parse().unwrap())].into_iter().collect()).unwrap();
    let answer = client.read(response).unwrap();
    assert_eq!((answer.text(), answer.header("x-sum")), ("4 1".into(), Some("5")));
    let head = client.request("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn many_requests_share_one_connection() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Http2Origin::respond(move |request| Http2Reply::ok(request.uri.path()).after(&held));
    let gateway = in_front_of(origin.addr());
    let mut client = Http2Client::connect(gateway.address);
    let begun: Vec<_> =
        (0..80).map(|number| client.begin("GET", &format!("/{number}"), &[], true).unwrap().0).collect();
    eventually(PATIENCE, || {
        client.pause(Duration::ZERO);
        origin.running() == 80
    });
    gate.open();
    for (number, response) in begun.into_iter().enumerate() {
        assert_eq!(client.read(response).unwrap().text(), format!("/{number}"));
    }
    assert_eq!(origin.connections(), 1);
    // The last stream is given back a moment after its answer.
    let usage = &gateway.endpoints[0].usage;
    eventually(PATIENCE, || (usage.open(), usage.idle()) == (1, 1));
}

#[test]
fn a_bound_on_streams_is_kept_and_requests_wait_for_room() {
    let origin = Http2Origin::with(h2::server::Builder::new().max_concurrent_streams(2), |request| {
        Http2Reply::ok(request.uri.path())
    });
    let mut options = options();
    options.endpoint.max_connections = 1;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Http2Client::connect(gateway.address);
    let begun: Vec<_> =
        (0..40).map(|number| client.begin("GET", &format!("/{number}"), &[], true).unwrap().0).collect();
    for (number, response) in begun.into_iter().enumerate() {
        assert_eq!(client.read(response).unwrap().text(), format!("/{number}"));
    }
    assert!(origin.connections() == 1 && origin.most_running() <= 2, "{}", origin.most_running());
}

#[test]
fn who_waits_for_a_stream_is_told_when_the_peer_allows_more() {
    let gate = Gate::new();
    let held = gate.clone();
    let (address, connections) = serve_frames(move |_, peer| {
        // SETTINGS_MAX_CONCURRENT_STREAMS
        peer.frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]);
        let first = peer.next_request();
        eventually(PATIENCE, || held.is_open());
        peer.frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 2]);
        let second = peer.next_request();
        for stream in [first, second].into_iter().flatten() {
            peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
        }
    });
    let mut options = options();
    options.endpoint.max_connections = 1;
    options.endpoint.queue_timeout = PATIENCE;
    options.timeouts.first_byte = PATIENCE;
    let gateway = Gateway::with(&[address], options);
    let mut client = Http2Client::connect(gateway.address);
    let begun: Vec<_> = (0..2).map(|_| client.begin("GET", "/", &[], true).unwrap().0).collect();
    eventually(PATIENCE, || {
        client.pause(Duration::ZERO);
        gateway.endpoints[0].usage.waiting() == 1
    });
    gate.open();
    for response in begun {
        assert_eq!(client.read(response).unwrap().status, 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_full_connection_is_joined_by_another_one() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Http2Origin::with(h2::server::Builder::new().max_concurrent_streams(2), move |request| {
        Http2Reply::ok(request.uri.path()).after(&held)
    });
    let gateway = in_front_of(origin.addr());
    let mut client = Http2Client::connect(gateway.address);
    let begun: Vec<_> = (0..6).map(|_| client.begin("GET", "/", &[], true).unwrap().0).collect();
    eventually(PATIENCE, || {
        client.pause(Duration::ZERO);
        origin.running() == 6
    });
    gate.open();
    for response in begun {
        assert_eq!(client.read(response).unwrap().status, 200);
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_goodbye_loses_no_request() {
    // Without a body, with one of a known length, and a call of gRPC, which says none.
    for (fields, body) in [
        (&[][..], &b""[..]),
        (&[("content-length", "4")], b"body"),
        (&[("content-type", "application/grpc"), ("te", "trailers")], b"\0\0\0\0\x01x"),
    ] {
        let (address, connections) = serve_frames(|number, peer| {
            if number == 1 {
                let first = peer.next_request().unwrap();
                let second = peer.next_request().unwrap();
                // The second was not looked at.
                let goodbye = [first.to_be_bytes(), 0_u32.to_be_bytes()].concat();
                peer.frame(kind::GOAWAY, 0, 0, &goodbye);
                peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, first, OK);
                assert_ne!(first, second);
            }
            peer.answer_all();
        });
        let gateway = in_front_of(address);
        let mut clients: Vec<FrameClient> = (0..2).map(|_| FrameClient::connect(gateway.address)).collect();
        let fields = [&fields_of("POST", "/")[..], fields].concat();
        for client in &mut clients {
            client.whole(1, &fields, body);
        }
        for client in &mut clients {
            let outcome = client.outcome(1);
            assert_eq!((outcome.status, outcome.complete), (200, true), "{fields:?}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 2, "{fields:?}");
    }
}

/// Leaves out of a connection what came after this stream, which is answered.
fn say_goodbye_after(peer: &mut FrameClient, stream: u32) {
    let goodbye = [stream.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    peer.frame(kind::GOAWAY, 0, 0, &goodbye);
    peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
}

#[test]
fn goodbyes_that_leave_a_request_out_are_no_tries_of_it() {
    const CLIENTS: usize = 8;
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let (address, connections) = serve_frames(move |_, peer| {
        // All that are left come, and one of them is served.
        let left = CLIENTS - count.load(Ordering::SeqCst);
        let streams: Vec<u32> = (0..left).map_while(|_| peer.next_request()).collect();
        count.fetch_add(1, Ordering::SeqCst);
        say_goodbye_after(peer, streams[0]);
        while peer.read().is_some() {}
    });
    let mut options = options();
    options.endpoint.max_connections = 1;
    let gateway = Gateway::with(&[address], options);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    }
    for client in &mut clients {
        assert_eq!(client.read_response().status, 200);
    }
    assert_eq!((connections.load(Ordering::SeqCst), served.load(Ordering::SeqCst)), (CLIENTS, CLIENTS));
}

#[test]
fn a_goodbye_loses_no_request_whose_body_still_comes() {
    for length in [&[][..], &[("content-length", "4")]] {
        let (address, connections) = serve_frames(|number, peer| {
            if number == 1 {
                let (mut begun, mut some) = (Vec::new(), Vec::new());
                while begun.len() < 2 || begun.iter().any(|stream| !some.contains(stream)) {
                    let frame = peer.read().unwrap();
                    peer.answer(&frame);
                    match frame.kind {
                        kind::HEADERS => begun.push(frame.stream),
                        kind::DATA if !frame.payload.is_empty() => some.push(frame.stream),
                        _ => {}
                    }
                }
                let goodbye = [begun[0].to_be_bytes(), 0_u32.to_be_bytes()].concat();
                peer.frame(kind::GOAWAY, 0, 0, &goodbye);
                peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, begun[0], OK);
            }
            let (mut body, mut sections) = (Vec::new(), 0);
            while let Some(frame) = peer.read() {
                peer.answer(&frame);
                sections += usize::from(frame.kind == kind::HEADERS);
                if frame.kind == kind::DATA {
                    body.extend_from_slice(&frame.payload);
                }
                if matches!(frame.kind, kind::DATA | kind::HEADERS) && frame.flags & flag::END_STREAM != 0 {
                    body.extend_from_slice(sections.to_string().as_bytes());
                    peer.frame(kind::HEADERS, flag::END_HEADERS, frame.stream, OK);
                    peer.data(frame.stream, &body, true);
                }
            }
        });
        let gateway = in_front_of(address);
        let mut clients: Vec<FrameClient> = (0..2).map(|_| FrameClient::connect(gateway.address)).collect();
        for client in &mut clients {
            client.headers(1, &[&fields_of("POST", "/")[..], length].concat(), false).data(1, b"bo", false);
        }
        eventually(PATIENCE, || connections.load(Ordering::SeqCst) == 2);
        let mut bodies = Vec::new();
        for client in &mut clients {
            client.data(1, b"dy", false).headers(1, &[("x-sum", "5")], true);
            let outcome = client.outcome(1);
            assert_eq!((outcome.status, outcome.complete), (200, true), "{length:?}");
            bodies.push(outcome.body);
        }
        bodies.sort();
        assert_eq!(bodies, [&b""[..], b"body2"], "whole, once, and with its trailers: {length:?}");
    }
}

#[test]
fn a_goodbye_loses_no_trailers_of_a_request_without_data() {
    let (address, connections) = serve_frames(|number, peer| {
        if number == 1 {
            let mut ended = Vec::new();
            while ended.len() < 2 {
                let frame = peer.read().unwrap();
                peer.answer(&frame);
                if frame.kind == kind::HEADERS && frame.flags & flag::END_STREAM != 0 {
                    ended.push(frame.stream);
                }
            }
            ended.sort_unstable();
            peer.frame(kind::GOAWAY, 0, 0, &[ended[0].to_be_bytes(), 0_u32.to_be_bytes()].concat());
            peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, ended[0], OK);
        }
        while let Some(stream) = peer.next_request() {
            let trailers = peer.next_request();
            assert_eq!(trailers, Some(stream), "a second section of the same");
            peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
        }
    });
    let gateway = in_front_of(address);
    let mut clients: Vec<FrameClient> = (0..2).map(|_| FrameClient::connect(gateway.address)).collect();
    for client in &mut clients {
        client.headers(1, &fields_of("POST", "/"), false).headers(1, &[("x-sum", "5")], true);
    }
    for client in &mut clients {
        let outcome = client.outcome(1);
        assert_eq!((outcome.status, outcome.complete), (200, true));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn whoever_cannot_be_reached_costs_no_request_whose_end_is_to_come() {
    let (address, _) = serve_frames(|_, peer| peer.answer_all());
    let nowhere = HeldPort::free();
    let gateway = Gateway::with(&[nowhere.addr(), address], options());
    let fields = [&fields_of("POST", "/")[..], &[("content-length", "3")]].concat();
    for _ in 0..4 {
        let mut client = FrameClient::connect(gateway.address);
        client.headers(1, &fields, false).data(1, b"abc", false);
        assert_eq!(client.outcome(1).status, 200);
    }
}

#[test]
fn nobody_waits_for_the_body_of_a_request_that_is_answered_by_its_head() {
    let (address, _) = serve_frames(|_, peer| {
        // An answer to the head alone.
        while let Some(stream) = peer.next_request() {
            peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, OK);
        }
    });
    let gateway = in_front_of(address);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal");
    assert_eq!(client.read_response().status, 200);
    let nowhere = HeldPort::free();
    let gateway = in_front_of(nowhere.addr());
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_response().status, 502, "nobody is invited to send it");
}

#[test]
fn an_answer_that_is_all_there_may_end_by_a_reset_without_an_error() {
    const CANCEL: u32 = 8;
    for (length, code, status) in [("3", 0_u32, 200), ("4", 0, 502), ("3", CANCEL, 502)] {
        let (address, _) = serve_frames(move |_, peer| {
            while let Some(stream) = peer.next_request() {
                peer.headers(stream, &[(":status", "200"), ("content-length", length)], false);
                peer.frame(kind::DATA, 0, stream, b"abc");
                peer.frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes());
            }
        });
        let gateway = in_front_of(address);
        let mut client = Client::connect(gateway.address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        match client.try_read_response() {
            Ok(answer) => assert_eq!(answer.status, status, "{length} {code}"),
            Err(broken) => assert_eq!(status, 502, "{length} {code}: {broken}"),
        }
    }
}

#[test]
fn announced_trailers_are_announced_to_the_service() {
    // Servers of Go take no others.
    let origin = Http2Origin::respond(|request| {
        let announced = request.headers.get("trailer").map(|value| value.to_str().unwrap().to_owned());
        Http2Reply::ok(announced.unwrap_or_default())
    });
    let gateway = in_front_of(origin.addr());
    let mut client = Client::connect(gateway.address);
    let answer = client.exchange(
        "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    assert_eq!(answer.text(), "X-Sum");
}

#[test]
fn a_refused_stream_is_sent_again_whatever_the_method() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let origin = Http2Origin::respond(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        // Each request asks the script twice: on its head and when it is whole.
        0 | 1 => Http2Reply::reset(h2::Reason::REFUSED_STREAM),
        _ => Http2Reply::ok("taken"),
    });
    let gateway = in_front_of(origin.addr());
    assert_eq!(Http2Client::connect(gateway.address).request("POST", "/", &[], b"").text(), "taken");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_reset_that_may_have_been_acted_on_is_not_sent_again() {
    let origin = Http2Origin::respond(|_| Http2Reply::reset(h2::Reason::INTERNAL_ERROR));
    let gateway = in_front_of(origin.addr());
    let answer = request(gateway.address, "POST", "/", &[], b"body");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("upstream_reset"), "{}", answer.text());
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_connection_that_dies_in_an_answer_breaks_that_answer_and_no_other() {
    let (address, connections) = serve_frames(|number, peer| {
        if number > 1 {
            return peer.answer_all();
        }
        let stream = peer.next_request().unwrap();
        peer.frame(kind::HEADERS, flag::END_HEADERS, stream, OK);
        peer.frame(kind::DATA, 0, stream, b"half");
    });
    let gateway = in_front_of(address);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // It may break off before any of it has left.
    let told = client.try_read_response();
    assert!(told.is_err() || told.is_ok_and(|answer| answer.status == 502), "half an answer is none");
    assert_eq!(get(gateway.address, "/").status, 200);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn whoever_speaks_no_http_2_is_a_failed_connection() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = in_front_of(origin.addr());
    let answer = get(gateway.address, "/");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("upstream_connect_failed"), "{}", answer.text());
    let _ = origin.take_complaints();
}

#[test]
fn a_cancelled_request_is_cancelled_there_and_the_connection_goes_on() {
    let origin = Http2Origin::respond(|request| match request.uri.path() {
        "/hang" => Http2Reply::ok("").after(&Gate::new()),
        _ => Http2Reply::ok("next"),
    });
    let gateway = in_front_of(origin.addr());
    let mut client = FrameClient::connect(gateway.address);
    client.get(1, "/hang");
    eventually(PATIENCE, || origin.running() == 1);
    client.reset(1);
    eventually(PATIENCE, || origin.cancelled() == 1);
    assert_eq!(client.get(3, "/").outcome(3).body, b"next");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn both_directions_stream_at_once() {
    let origin = Http2Origin::respond(|_| Http2Reply::echo().trailer("x-end", "1"));
    let gateway = in_front_of(origin.addr());
    let mut client = Http2Client::connect(gateway.address);
    let (response, mut up) = client.begin("POST", "/", &[], false).unwrap();
    let (parts, mut down) = client.run(response).unwrap().into_parts();
    assert_eq!(parts.status, 200);
    for number in 0..20 {
        let sent = format!("message {number}");
        up.send_data(sent.clone().into(), false).unwrap();
        let got = client.run(down.data()).unwrap().unwrap();
        assert_eq!(got, sent, "each comes back before the next is sent");
        down.flow_control().release_capacity(got.len()).unwrap();
    }
    up.send_data(bytes::Bytes::new(), true).unwrap();
    assert!(client.run(down.data()).is_none());
    assert_eq!(client.run(down.trailers()).unwrap().unwrap().get("x-end").unwrap(), "1");
}

#[test]
fn large_bodies_move_by_the_slower_side() {
    const SIZE: usize = 8 * 1024 * 1024;
    let origin = Http2Origin::respond(|request| {
        let length = request.body.len();
        Http2Reply::ok(vec![b'y'; length])
    });
    let gateway = in_front_of(origin.addr());
    let answer = request(gateway.address, "POST", "/", &[], &vec![b'x'; SIZE]);
    assert_eq!((answer.status, answer.body.len()), (200, SIZE));
}

#[test]
fn an_upload_in_tiny_chunks_does_not_become_a_flood_of_tiny_frames() {
    let frames_of_data = Arc::new(AtomicUsize::new(0));
    let (counted, bytes) = (Arc::clone(&frames_of_data), Arc::new(AtomicUsize::new(0)));
    let received = Arc::clone(&bytes);
    let (address, _) = serve_frames(move |_, peer| {
        while let Some(frame) = peer.read() {
            peer.answer(&frame);
            if frame.kind != kind::DATA {
                continue;
            }
            counted.fetch_add(1, Ordering::SeqCst);
            received.fetch_add(frame.payload.len(), Ordering::SeqCst);
            if frame.flags & flag::END_STREAM != 0 {
                peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, frame.stream, OK);
            }
        }
    });
    let gateway = in_front_of(address);
    let chunks = "1\r\nx\r\n".repeat(30_000);
    let text = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.exchange(text).status, 200);
    assert_eq!(bytes.load(Ordering::SeqCst), 30_000);
    // As many as there were reads of the socket, and not as there were chunks.
    let frames = frames_of_data.load(Ordering::SeqCst);
    assert!(frames < 3_000, "{frames} frames");
}
