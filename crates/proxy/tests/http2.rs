//! HTTP/2 from clients on a whole gateway in process, to HTTP/1 origins.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use bytes::Bytes;
use std::time::Duration;
use torana_testkit::http2::{FrameClient, Http2Client, Outcome, kind, request};
use torana_testkit::{Client, Gate, Origin, Reply, UponHead, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
const CANCEL: u32 = 8;
const PROTOCOL_ERROR: u32 = 1;
const INTERNAL_ERROR: u32 = 2;

fn in_front_of(origin: &Origin) -> Running {
    Running::start(&format!(
        "access_log: off
limits: {{ body_bytes: 1MiB }}
services: {{ origin: {{ endpoints: [{}] }} }}
routes:
- {{ path: /*, service: origin }}
- {{ path: /hello, respond: {{ body: hello }} }}
",
        origin.url()
    ))
}

#[test]
fn a_request_reaches_an_http_1_origin_as_one_and_its_answer_comes_back() {
    let origin = Origin::always(
        Reply::ok("made").header("X-Made", "yes").header("Connection", "X-Hop").header("X-Hop", "1"),
    );
    let gateway = in_front_of(&origin);
    let mut client = Http2Client::connect(gateway.address);
    let fields = [("cookie", "a=1"), ("x-thing", "one"), ("cookie", "b=2"), ("te", "trailers")];
    let answer = client.request("POST", "/a//b/../c?x=%20y", &fields, b"body");
    assert_eq!((answer.status, answer.text(), answer.header("x-made")), (200, "made".into(), Some("yes")));
    assert_eq!((answer.header("connection"), answer.header("x-hop")), (None, None));
    let received = origin.only_request();
    assert_eq!(
        (&*received.method, &*received.target, &*received.version),
        ("POST", "/a/c?x=%20y", "HTTP/1.1")
    );
    assert_eq!(received.header("host"), Some(gateway.address.to_string().as_str()));
    assert_eq!(received.header_all("cookie"), ["a=1; b=2"]);
    assert_eq!((received.header("x-thing"), received.header("te")), (Some("one"), None));
    assert_eq!(received.body_text(), "body");
}

#[test]
fn a_body_in_tiny_chunks_does_not_become_a_flood_of_tiny_frames() {
    let body: Vec<u8> = (0..30_000_u32).map(|number| (number % 251) as u8).collect();
    let origin = Origin::always(Reply::ok("").chunked(body.chunks(1)));
    let gateway = in_front_of(&origin);
    // The client ends connections over such a flood.
    let mut client = Http2Client::connect(gateway.address);
    for _ in 0..3 {
        assert_eq!(client.get("/").body, body);
    }
}

#[test]
fn the_largest_head_that_may_be_configured_fits_into_frames_and_a_larger_one_is_told_so() {
    let gateway = Running::start(
        "access_log: off\nlimits: { head_bytes: 64KiB, header_count: 256 }\nroutes: [{ respond: { body: hello } }]\n",
    );
    let mut client = Http2Client::connect(gateway.address);
    let values: Vec<String> = (0..70).map(|number| format!("{number:X>1000}")).collect();
    let fields: Vec<(&str, &str)> = values.iter().map(|value| ("x-a", value.as_str())).collect();
    assert_eq!(client.request("GET", "/", &fields[..64], b"").status, 200);
    assert_eq!(client.request("GET", "/", &fields, b"").status, 431);
    assert_eq!(client.request("GET", "/", &fields[..1], b"").status, 200, "the connection goes on");
}

#[test]
fn heads_without_bodies_and_bodies_with_trailers_keep_their_shape() {
    let origin = Origin::respond(|request| match (&*request.method, &*request.target) {
        ("HEAD", _) => Reply::ok("twelve bytes"),
        (_, "/204") => Reply::status(204),
        (_, "/304") => Reply::status(304).header("ETag", "\"a\""),
        (_, "/trailers") => Reply::status(200).chunked(["one", "two"]).trailer("X-Sum", "5"),
        _ => Reply::ok(
            request.trailers.iter().map(|(name, value)| format!("{name}={value}")).collect::<String>(),
        ),
    });
    let gateway = in_front_of(&origin);
    let mut client = Http2Client::connect(gateway.address);
    let head = client.request("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.header("content-length"), &*head.body), (200, Some("12"), &b""[..]));
    assert_eq!(client.get("/204").status, 204);
    assert_eq!((client.get("/304").status, client.get("/304").header("etag")), (304, Some("\"a\"")));
    let chunked = client.get("/trailers");
    assert_eq!((chunked.text(), chunked.header("x-sum")), ("onetwo".into(), Some("5")));
    let (response, mut body) = client.begin("POST", "/", &[], false).unwrap();
    body.send_data(Bytes::from_static(b"data"), false).unwrap();
    body.send_trailers([("x-sum".parse().unwrap(), "7".parse().unwrap())].into_iter().collect()).unwrap();
    assert_eq!(client.read(response).unwrap().text(), "x-sum=7");
    assert_eq!(origin.requests().last().unwrap().body_text(), "data");
}

#[test]
fn http_1_and_http_2_share_a_port_and_only_the_first_bytes_decide() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = in_front_of(&origin);
    assert_eq!(Http2Client::connect(gateway.address).get("/hello").text(), "hello");
    let mut pieces = FrameClient::silent(gateway.address);
    for piece in [&b"PRI * HTTP/"[..], b"2.0\r\n\r", b"\nSM\r\n", b"\r\n\0\0\0\x04\0\0\0\0\0"] {
        pieces.bytes(piece);
        std::thread::yield_now();
    }
    assert_eq!(pieces.get(1, "/hello").outcome(1).body, b"hello");
    let mut plain = Client::connect(gateway.address);
    assert_eq!(plain.exchange("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").text(), "hello");
    // Another proxy's connection, on which a client's bytes must not become another protocol.
    let late = plain.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert_eq!(late.status, 505);
    plain.expect_closed();
}

#[test]
fn what_http_1_could_misread_is_refused_and_never_forwarded() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = in_front_of(&origin);
    let base = request("GET", "/");
    let with = |extra: &[(&'static str, &'static str)]| [base.clone(), extra.to_vec()].concat();
    let pseudo = |method, path, authority| {
        vec![(":method", method), (":scheme", "http"), (":authority", authority), (":path", path)]
    };
    for fields in [
        with(&[("transfer-encoding", "chunked")]),
        with(&[("connection", "keep-alive")]),
        with(&[("te", "gzip")]),
        with(&[("x-a", "b\r\nx-evil: c")]),
        with(&[("x-a", "b\nx-evil: c")]),
        with(&[("x-a", "b\0c")]),
        with(&[("x-a\r\nx-evil", "b")]),
        with(&[("x a", "b")]),
        with(&[("X-A", "b")]),
        with(&[("x-a", " b")]),
        with(&[("host", "b.test")]),
        with(&[("host", "a.test"), ("host", "a.test")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "0"), ("content-length", "0")]),
        with(&[(":path", "/other")]),
        pseudo("GET / HTTP/1.1\r\nX-Evil: a\r\n", "/", "a.test"),
        pseudo("G ET", "/", "a.test"),
        pseudo("GET", "/ HTTP/1.1\r\nX-Evil: a", "a.test"),
        pseudo("GET", "/a b", "a.test"),
        pseudo("GET", "b", "a.test"),
        pseudo("GET", "http://b.test/", "a.test"),
        pseudo("GET", "/", "a.test\r\nX-Evil: a"),
        pseudo("GET", "/", "user@a.test"),
        pseudo("GET", "/", ""),
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/")],
        vec![(":method", "GET"), (":path", "/"), (":authority", "a.test")],
    ] {
        let outcome = FrameClient::connect(gateway.address).headers(1, &fields, true).outcome(1);
        let refused =
            outcome.status == 400 || outcome.reset == Some(PROTOCOL_ERROR) || outcome.goaway.is_some();
        assert!(refused, "{fields:?}: {outcome:?}");
    }
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_fragment_which_no_path_has_is_cut_off_by_the_library_before_anything_reads_it() {
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let gateway = in_front_of(&origin);
    for (path, seen) in [("/a#b", "/a"), ("/a?b#/hello", "/a?b"), ("/hello#/../a", "hello")] {
        let outcome = FrameClient::connect(gateway.address).get(1, path).outcome(1);
        assert_eq!((outcome.status, &*outcome.body), (200, seen.as_bytes()), "{path}");
    }
}

/// What the origin must never take for whole: nothing, or a request that was given up.
fn never_whole(origin: &Origin) {
    eventually(PATIENCE, || origin.connections_open() == 0);
    assert!(origin.requests().iter().all(|request| !request.complete), "{:#?}", origin.requests());
}

#[test]
fn a_lying_length_never_makes_a_whole_request() {
    for (announced, pieces) in [
        ("3", &[&b"abc"[..], b"d"][..]),
        ("3", &[b"ab"]),
        ("3", &[b"abcd"]),
        ("3", &[b"abc", b"GET / HTTP/1.1\r\n\r\n"]),
    ] {
        let origin = Origin::always(Reply::ok("x"));
        let gateway = in_front_of(&origin);
        let mut client = FrameClient::connect(gateway.address);
        let fields = [request("POST", "/"), vec![("content-length", announced)]].concat();
        client.headers(1, &fields, false);
        // The whole announced length is there before the lie shows.
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                eventually(PATIENCE, || origin.count() == 1);
            }
            client.data(1, piece, number + 1 == pieces.len());
        }
        let outcome = client.outcome(1);
        assert!(outcome.reset.is_some() || outcome.status == 400, "{outcome:?}");
        never_whole(&origin);
    }
}

#[test]
fn a_request_that_announces_no_body_is_sent_on_when_none_has_come() {
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let gateway = in_front_of(&origin);
    let mut client = FrameClient::connect(gateway.address);
    let fields = [request("POST", "/lie"), vec![("content-length", "0")]].concat();
    for (number, piece) in [&b""[..], b"x"].into_iter().enumerate() {
        let stream = u32::try_from(number).unwrap() * 4 + 1;
        client.headers(stream, &fields, false);
        // Behind this answer the head was read long ago.
        assert_eq!(client.get(stream + 2, "/other").outcome(stream + 2).status, 200);
        assert_eq!(origin.requests().iter().filter(|request| request.target == "/lie").count(), number);
        let outcome = client.data(stream, piece, true).outcome(stream);
        if piece.is_empty() {
            assert_eq!(outcome.status, 200, "{outcome:?}");
        } else {
            assert!(outcome.reset.is_some() || outcome.status == 400, "{outcome:?}");
        }
    }
    assert_eq!(origin.requests().iter().filter(|request| request.target == "/lie").count(), 1);
}

#[test]
fn a_cancelled_upload_is_given_up_towards_the_origin() {
    for fields in [vec![], vec![("content-length", "10")]] {
        let origin = Origin::always(Reply::ok("x"));
        let gateway = in_front_of(&origin);
        let mut client = FrameClient::connect(gateway.address);
        client.headers(1, &[request("POST", "/"), fields].concat(), false).data(1, b"12345", false);
        eventually(PATIENCE, || origin.count() == 1);
        client.reset(1);
        never_whole(&origin);
        assert_eq!(client.get(3, "/hello").outcome(3).status, 200, "the connection goes on");
    }
}

#[test]
fn a_request_is_cancelled_upstream_when_its_client_cancels_it_or_goes() {
    let origin = Origin::always(Reply::hang());
    let gateway = in_front_of(&origin);
    let mut client = FrameClient::connect(gateway.address);
    client.get(1, "/");
    eventually(PATIENCE, || origin.count() == 1);
    client.reset(1);
    eventually(PATIENCE, || origin.connections_open() == 0);
    client.get(3, "/");
    eventually(PATIENCE, || origin.count() == 2);
    drop(client);
    eventually(PATIENCE, || origin.connections_open() == 0);
}

#[test]
fn a_response_that_breaks_off_is_not_taken_for_whole() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n";
    for begun in [length, chunks] {
        let origin = Origin::always(Reply::raw(begun).then_hang());
        let gateway = in_front_of(&origin);
        let mut client = FrameClient::connect(gateway.address);
        client.get(1, "/");
        let data = std::iter::from_fn(|| client.read()).find(|frame| frame.kind == kind::DATA).unwrap();
        assert_eq!(data.payload, b"01234");
        drop(origin);
        let outcome = client.outcome(1);
        assert!(outcome.reset == Some(INTERNAL_ERROR) && !outcome.complete, "{begun}: {outcome:?}");
    }
}

#[test]
fn an_early_answer_is_whole_and_stops_the_upload_without_an_error() {
    let origin =
        Origin::respond_upon_head(|_| UponHead::Reply(Reply::status(413).then_close()), |_| Reply::ok(""));
    let gateway = in_front_of(&origin);
    let mut client = FrameClient::connect(gateway.address);
    client.headers(1, &request("POST", "/"), false).data(1, b"some", false);
    let answered = client.outcome(1);
    assert!(answered.complete && answered.status == 413, "{answered:?}");
    assert_eq!(client.outcome(1).reset, Some(0), "NO_ERROR: the rest is not needed");
    assert_eq!(client.get(3, "/hello").outcome(3).status, 200);
}

#[test]
fn expectations_are_met_when_the_body_is_wanted() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = in_front_of(&origin);
    let mut client = FrameClient::connect(gateway.address);
    let fields = [request("POST", "/"), vec![("expect", "100-continue"), ("content-length", "2")]].concat();
    client.headers(1, &fields, false);
    let interim = std::iter::from_fn(|| client.read()).find(|frame| frame.stream == 1).unwrap();
    assert_eq!((interim.kind, interim.flags & 1), (1, 0), "an interim response: {interim:?}");
    assert_eq!(client.data(1, b"ab", true).outcome(1).status, 200);
    assert_eq!(origin.only_request().body_text(), "ab");
}

#[test]
fn bounds_are_answered_with_their_status() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = in_front_of(&origin);
    let long = "v".repeat(33 * 1024);
    let path = format!("/{}", "p".repeat(9 * 1024));
    let status = |fields: &[(&str, &str)], ends| {
        let mut client = FrameClient::connect(gateway.address);
        client.bytes(&split(fields, ends));
        client.outcome(1).status
    };
    assert_eq!(status(&[request("GET", "/"), vec![("x-a", &long)]].concat(), true), 431);
    assert_eq!(status(&[request("GET", "/"), vec![("x-a", "b"); 101]].concat(), true), 431);
    assert_eq!(status(&request("GET", &path), true), 414);
    assert_eq!(status(&[request("POST", "/"), vec![("content-length", "2000000")]].concat(), false), 413);
    assert_eq!(status(&request("TRACE", "/"), true), 501);
    let mut client = Http2Client::connect(gateway.address);
    assert_eq!(client.request("POST", "/", &[], &vec![b'x'; 1_500_000]).status, 413);
    assert!(origin.requests().iter().all(|request| !request.complete));
}

/// HEADERS and as many CONTINUATION as the frame size asks for.
fn split(fields: &[(&str, &str)], ends: bool) -> Vec<u8> {
    let block = torana_testkit::http2::block(fields);
    let pieces: Vec<&[u8]> = block.chunks(16 * 1024).collect();
    let mut bytes = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let mut flags = if number + 1 == pieces.len() { 4 } else { 0 };
        if number == 0 && ends {
            flags |= 1;
        }
        bytes.extend_from_slice(&u32::try_from(piece.len()).unwrap().to_be_bytes()[1..]);
        bytes.extend_from_slice(&[if number == 0 { 1 } else { 9 }, flags, 0, 0, 0, 1]);
        bytes.extend_from_slice(piece);
    }
    bytes
}

#[test]
fn many_requests_run_side_by_side_on_one_connection() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |request| Reply::ok(request.target.clone()).after(&held));
    let gateway = in_front_of(&origin);
    let mut client = Http2Client::connect(gateway.address);
    let begun: Vec<_> =
        (0..50).map(|number| client.begin("GET", &format!("/{number}"), &[], true).unwrap().0).collect();
    client.pause(Duration::ZERO);
    eventually(PATIENCE, || {
        client.pause(Duration::ZERO);
        origin.count() == 50
    });
    gate.open();
    for (number, response) in begun.into_iter().enumerate() {
        assert_eq!(client.read(response).unwrap().text(), format!("/{number}"));
    }
}

#[test]
fn a_client_that_takes_nothing_of_one_response_still_gets_the_others() {
    let origin = Origin::respond(|request| match &*request.target {
        "/large" => Reply::ok(vec![b'x'; 8 * 1024 * 1024]),
        _ => Reply::ok("small"),
    });
    let gateway = in_front_of(&origin);
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(64 * 1024).initial_connection_window_size(1024 * 1024);
    let mut client = Http2Client::with(gateway.address, &builder);
    let (large, _) = client.begin("GET", "/large", &[], true).unwrap();
    let (_, mut body) = client.run(large).unwrap().into_parts();
    for _ in 0..20 {
        assert_eq!(client.get("/small").text(), "small");
    }
    let sent = origin.bytes_sent();
    assert!(sent < 8 * 1024 * 1024, "the origin could send {sent} bytes to nobody");
    let total = client.run(async {
        let mut total = 0;
        while let Some(piece) = body.data().await {
            let length = piece.unwrap().len();
            body.flow_control().release_capacity(length).unwrap();
            total += length;
        }
        total
    });
    assert_eq!(total, 8 * 1024 * 1024);
}

#[test]
fn an_upload_that_the_service_does_not_take_stops_and_leaves_the_others_alone() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond_upon_head(
        move |request| match &*request.target {
            "/upload" => UponHead::ReadBodyAfter(held.clone()),
            _ => UponHead::ReadBody,
        },
        |request| Reply::ok(request.body.len().to_string()),
    );
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ origin: {{ endpoints: [{}] }} }}
routes: [{{ path: /*, service: origin }}]
http2: {{ stream_window: 128KiB, connection_window: 1MiB }}
",
        origin.url()
    ));
    const SIZE: usize = 64 * 1024 * 1024;
    const WINDOW: usize = 128 * 1024;
    let mut client = Http2Client::connect(gateway.address);
    let (response, mut body) = client.begin("POST", "/upload", &[], false).unwrap();
    // All that it may send, as much at a time as it may.
    let mut rest = Bytes::from(vec![b'x'; SIZE]);
    body.reserve_capacity(SIZE);
    let mut send = |client: &mut Http2Client, body: &mut h2::SendStream<Bytes>| {
        client.run(std::future::ready(()));
        let room = body.capacity().min(rest.len());
        assert!(room <= WINDOW, "a stream may have {room} bytes under way");
        let piece = rest.split_to(room);
        // Frames of nothing in great number end a connection.
        if room > 0 {
            body.send_data(piece, rest.is_empty()).unwrap();
        }
        (room, SIZE - rest.len())
    };
    // What the sockets between gateway and service take too; then it stands still, and others do not.
    let mut still = 0;
    let mut sent = 0;
    while still < 50 {
        assert_eq!(client.request("POST", "/other", &[], b"12345").text(), "5");
        let (now, all) = send(&mut client, &mut body);
        still = if now == 0 { still + 1 } else { 0 };
        sent = all;
    }
    assert!(sent < SIZE / 2, "{sent} bytes were taken of a client whose service takes none");
    gate.open();
    while sent < SIZE {
        client.pause(Duration::from_millis(1));
        (_, sent) = send(&mut client, &mut body);
    }
    assert_eq!(client.read(response).unwrap().text(), SIZE.to_string());
}

#[test]
fn resets_in_storms_end_the_connection_and_nothing_else() {
    let origin = Origin::always(Reply::hang());
    let gateway = in_front_of(&origin);
    let mut client = FrameClient::connect(gateway.address);
    for number in 0..2_000_u32 {
        let stream = number * 2 + 1;
        let block = torana_testkit::http2::block(&request("GET", "/"));
        if !client.try_frame(1, 5, stream, &block) || !client.try_frame(3, 0, stream, &CANCEL.to_be_bytes()) {
            break;
        }
    }
    let end = client.read_to_end();
    assert!(matches!(end, Some(11) | None), "ENHANCE_YOUR_CALM, unless the close was faster: {end:?}");
    let counted = "torana_http2_connections_ended_total{cause=\"rapid_reset\"}";
    eventually(PATIENCE, || gateway.metrics.render().contains(counted));
    eventually(PATIENCE, || origin.connections_open() == 0);
    assert_eq!(Http2Client::connect(gateway.address).get("/hello").text(), "hello");
}

#[test]
fn more_streams_than_allowed_are_refused_and_can_be_sent_again() {
    let origin = Origin::always(Reply::hang());
    let gateway = in_front_of(&origin);
    let mut client = FrameClient::connect(gateway.address);
    for number in 0..129 {
        client.get(number * 2 + 1, "/");
    }
    let refused = Outcome { reset: Some(7), ..Outcome::default() };
    assert_eq!(client.outcome(128 * 2 + 1), refused, "REFUSED_STREAM");
    client.reset(1);
    assert_eq!(client.get(1001, "/hello").outcome(1001).status, 200);
}

#[test]
fn a_drain_says_goodbye_and_lets_what_is_under_way_end() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |_| Reply::ok("late").after(&held));
    let gateway = in_front_of(&origin);
    let mut idle = FrameClient::connect(gateway.address);
    assert_eq!(idle.get(1, "/hello").outcome(1).status, 200);
    let mut busy = FrameClient::connect(gateway.address);
    busy.get(1, "/");
    eventually(PATIENCE, || origin.count() == 1);
    gateway.drain_within(PATIENCE);
    assert_eq!(answer_to_end(&mut idle), Some(0), "NO_ERROR");
    let goodbye = std::iter::from_fn(|| busy.read()).find(|frame| frame.kind == 7).unwrap();
    assert_eq!(goodbye.code(), 0);
    gate.open();
    let outcome = busy.outcome(1);
    assert!(outcome.complete && outcome.body == b"late", "{outcome:?}");
    answer_to_end(&mut busy);
}

/// Reads to the end of the connection and answers what has to be answered.
fn answer_to_end(client: &mut FrameClient) -> Option<u32> {
    let mut code = None;
    while let Some(frame) = client.read() {
        client.answer(&frame);
        if frame.kind == 7 {
            code = Some(frame.code());
        }
    }
    code
}

#[test]
fn every_flood_ends_its_connection_and_is_counted_by_its_name() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = in_front_of(&origin);
    let block = torana_testkit::http2::block(&request("GET", "/hello"));
    for (cause, kind, flags, stream, payload) in [
        ("ping_flood", 6, 0, 0, &[0; 8][..]),
        ("settings_flood", 4, 0, 0, &[0, 3, 0, 0, 0, 1]),
        ("empty_frames", 0, 0, 1, b""),
        ("control_flood", 8, 0, 0, &[0, 0, 0, 1]),
        ("control_flood", 99, 0, 0, b"?"),
        ("continuation_flood", 9, 0, 1, b""),
    ] {
        let mut client = FrameClient::connect(gateway.address);
        match cause {
            "empty_frames" => drop(client.headers(1, &request("POST", "/"), false)),
            "continuation_flood" => drop(client.frame(1, 1, 1, &block)),
            _ => {}
        }
        let mut sent = 0;
        while sent < 10_000 && client.try_frame(kind, flags, stream, payload) {
            sent += 1;
        }
        let end = client.read_to_end();
        assert!(matches!(end, Some(11) | None), "{cause}: {end:?}");
        let counted = format!("torana_http2_connections_ended_total{{cause=\"{cause}\"}}");
        eventually(PATIENCE, || gateway.metrics.render().contains(&counted));
    }
    assert_eq!(Http2Client::connect(gateway.address).get("/hello").text(), "hello");
}
