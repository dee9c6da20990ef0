//! Trailers of HTTP/2 messages: those that the library would alter are refused, all others go on as they came.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::time::Duration;
use torana_testkit::http2::{
    FrameClient, Http2Origin, Http2Reply, OK, Outcome, block, flag, kind, request, serve_frames,
};
use torana_testkit::{Client, Origin, Reply, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
const PROTOCOL_ERROR: u32 = 1;
const ENDS: u8 = flag::END_HEADERS | flag::END_STREAM;
const SMALL_HEADS: &str = "limits: { head_bytes: 4KiB, target_bytes: 2KiB, header_count: 20 }";

fn in_front_of(url: &str, keys: &str) -> Running {
    Running::start(&format!(
        "access_log: off
{keys}
services: {{ a: {{ endpoints: [\"{url}\"], retries: {{ attempts: 1, on: [] }} }} }}
routes: [{{ service: a }}]
"
    ))
}

/// Services of both versions, and what has come to them whole.
struct Services {
    old: Origin,
    new: Http2Origin,
}

impl Services {
    fn start() -> Self {
        let new = Http2Origin::respond(|_| Http2Reply::ok("x"));
        Self { old: Origin::always(Reply::ok("x")), new }
    }

    fn urls(&self) -> [String; 2] {
        [self.old.url(), self.new.url()]
    }

    /// The trailers of each POST that came whole.
    fn whole(&self) -> Vec<Vec<(String, String)>> {
        let old =
            self.old.requests().into_iter().filter(|request| request.complete && request.method == "POST");
        let new =
            self.new.requests().into_iter().filter(|request| request.complete && request.method == "POST");
        let new = new.map(|request| {
            let trailers = request.trailers.unwrap_or_default();
            trailers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect()
        });
        old.map(|request| request.trailers).chain(new).collect()
    }
}

/// A section of trailers as frames: their types, flags and payloads.
type Section = Vec<(u8, u8, Vec<u8>)>;

/// The ways to send this block.
fn ways(block: &[u8]) -> Vec<Section> {
    let padded = [&[4][..], block, &[0; 4]].concat();
    let both = [&[4, 0, 0, 0, 0, 16][..], block, &[0; 4]].concat();
    let mut ways = vec![
        vec![(kind::HEADERS, ENDS, block.to_vec())],
        vec![(kind::HEADERS, ENDS | flag::PADDED, padded)],
        vec![(kind::HEADERS, ENDS | flag::PADDED | flag::PRIORITY, both)],
    ];
    for cut in [0, 1, block.len() / 2, block.len() - 1, block.len()] {
        ways.push(vec![
            (kind::HEADERS, flag::END_STREAM, block[..cut].to_vec()),
            (kind::CONTINUATION, 0, vec![]),
            (kind::CONTINUATION, flag::END_HEADERS, block[cut..].to_vec()),
        ]);
    }
    ways
}

fn raw(section: &Section, stream: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, flags, payload) in section {
        bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]);
        bytes.extend_from_slice(&[*kind, *flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// The beginning of a request whose body is `abc`, or of length zero.
fn begin(client: &mut FrameClient, stream: u32, length: Option<&'static str>) {
    let length = length.map(|length| ("content-length", length));
    let fields: Vec<_> = request("POST", "/").into_iter().chain(length).collect();
    client.headers(stream, &fields, false);
    if length.is_none_or(|(_, length)| length != "0") {
        client.data(stream, b"abc", false);
    }
}

fn remembers(client: &mut FrameClient) {
    // The table's newest entry is `:path: /evil` from here on.
    let head =
        [b"\x44\x05/evil".to_vec(), block(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")])];
    client.frame(kind::HEADERS, ENDS, 1, &head.concat());
    assert_eq!(client.outcome(1).status, 200);
}

#[test]
fn a_request_whose_trailers_have_a_pseudo_field_is_reset_and_reaches_no_service_whole() {
    let services = Services::start();
    let evil = [
        block(&[(":path", "/evil"), ("x-sum", "1")]),
        block(&[("x-sum", "1"), (":path", "/evil")]),
        block(&[(":status", "200")]),
        block(&[(":method", "EVIL"), ("x-sum", "1")]),
        block(&[(":authority", "evil"), (":scheme", "http"), ("x-sum", "1")]),
        // From the tables, and behind a change of its size.
        vec![0x84],
        vec![0xbe],
        [&b"\x3f\xe1\x1f\xbe"[..], &block(&[("x-sum", "1")])].concat(),
    ];
    for url in services.urls() {
        let gateway = in_front_of(&url, "");
        let mut client = FrameClient::connect(gateway.address);
        remembers(&mut client);
        let mut stream = 1;
        for block in &evil {
            for (number, way) in ways(block).iter().enumerate() {
                stream += 2;
                let length = [None, Some("3"), Some("0")][number % 3];
                begin(&mut client, stream, length);
                let outcome = client.bytes(&raw(way, stream)).outcome(stream);
                let expected = Outcome { reset: Some(PROTOCOL_ERROR), ..Outcome::default() };
                assert_eq!(outcome, expected, "{block:x?} {way:x?}");
            }
            stream += 2;
            begin(&mut client, stream, None);
            for byte in raw(&vec![(kind::HEADERS, ENDS, block.clone())], stream) {
                client.bytes(&[byte]);
            }
            assert_eq!(client.outcome(stream).reset, Some(PROTOCOL_ERROR), "{block:x?}");
            // Others on the connection live on.
            stream += 2;
            assert_eq!(client.get(stream, "/").outcome(stream).status, 200);
        }
        drop((client, gateway));
    }
    eventually(PATIENCE, || services.old.connections_open() + services.new.connections_open() == 0);
    assert_eq!(services.whole(), Vec::<Vec<_>>::new());
}

#[test]
fn what_is_wrong_in_a_piece_that_ends_within_a_field_is_not_forgotten() {
    let services = Services::start();
    for url in services.urls() {
        let gateway = in_front_of(&url, "");
        let mut client = FrameClient::connect(gateway.address);
        let rest = block(&[("x-sum", "1")]);
        for (number, wrong) in
            [(":path", "/evil"), ("connection", "close"), ("te", "gzip")].into_iter().enumerate()
        {
            let stream = u32::try_from(number).unwrap() * 2 + 1;
            let first = [&block(&[wrong])[..], &rest[..4]].concat();
            begin(&mut client, stream, None);
            client.frame(kind::HEADERS, flag::END_STREAM, stream, &first);
            client.frame(kind::CONTINUATION, flag::END_HEADERS, stream, &rest[4..]);
            let outcome = client.outcome(stream);
            assert_eq!((outcome.reset, outcome.goaway), (Some(PROTOCOL_ERROR), None), "{wrong:?}");
        }
        drop((client, gateway));
    }
    eventually(PATIENCE, || services.old.connections_open() + services.new.connections_open() == 0);
    assert_eq!(services.whole(), Vec::<Vec<_>>::new());
}

#[test]
fn trailers_that_are_larger_than_a_head_may_be_never_make_a_request_whole() {
    let services = Services::start();
    let far = "x".repeat(10_000);
    for url in services.urls() {
        let gateway = in_front_of(&url, SMALL_HEADS);
        let mut client = FrameClient::connect(gateway.address);
        for (stream, length) in [(1, None), (5, Some("3")), (9, Some("0"))] {
            begin(&mut client, stream, length);
            let trailers = [("x-sum", "1"), ("x-far", &*far), ("x-behind", "2")];
            let outcome = client.headers(stream, &trailers, true).outcome(stream);
            assert!(outcome.reset.is_some() || outcome.status == 400, "{length:?}: {outcome:?}");
            assert_eq!(client.get(stream + 2, "/").outcome(stream + 2).status, 200);
        }
        drop((client, gateway));
    }
    eventually(PATIENCE, || services.old.connections_open() + services.new.connections_open() == 0);
    assert_eq!(services.whole(), Vec::<Vec<_>>::new());
}

#[test]
fn trailers_go_on_as_they_came_however_they_are_sent() {
    // `x-sum: 1` by every means, of which some are remembered: it is the newest entry of the table then.
    let sums = [
        block(&[("x-sum", "1")]),
        b"\x40\x05x-sum\x011".to_vec(),
        vec![0xbe],
        b"\x20\x3f\xe1\x1f\x40\x05x-sum\x011".to_vec(),
        // The value in the code of Huffman.
        b"\x3f\xe1\x1f\x0f\x2f\x81\x0f".to_vec(),
        b"\x10\x05x-sum\x81\x0f".to_vec(),
        vec![0xbe],
    ];
    for number in 0..2 {
        let services = Services::start();
        let gateway = in_front_of(&services.urls()[number], "");
        let mut client = FrameClient::connect(gateway.address);
        let (mut stream, mut sent) = (1, 0);
        for sum in &sums {
            for way in ways(sum) {
                begin(&mut client, stream, None);
                assert_eq!(client.bytes(&raw(&way, stream)).outcome(stream).status, 200, "{way:x?}");
                (stream, sent) = (stream + 2, sent + 1);
            }
            begin(&mut client, stream, None);
            for byte in raw(&vec![(kind::HEADERS, ENDS, sum.clone())], stream) {
                client.bytes(&[byte]);
            }
            assert_eq!(client.outcome(stream).status, 200);
            (stream, sent) = (stream + 2, sent + 1);
        }
        let seen = services.whole();
        assert_eq!(seen, vec![vec![("x-sum".to_owned(), "1".to_owned())]; sent]);
    }
}

#[test]
fn large_trailers_go_on_as_they_came() {
    // Two that share no frame, and one that takes more than one.
    for sizes in [&[9_000, 9_000, 9_000][..], &[200, 20_000, 200]] {
        let names = ["x-a", "x-b", "x-c"];
        let values: Vec<String> = sizes.iter().map(|size| "v".repeat(*size)).collect();
        let fields: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
        let block = block(&fields);
        let (first, rest) = block.split_at(16_384);
        let services = Services::start();
        for url in services.urls() {
            // What a service allows is its own; those of the tests allow as much.
            let gateway = in_front_of(&url, "");
            let mut client = FrameClient::connect(gateway.address);
            begin(&mut client, 1, None);
            client.frame(kind::HEADERS, flag::END_STREAM, 1, first);
            client.frame(kind::CONTINUATION, flag::END_HEADERS, 1, rest);
            assert_eq!(client.outcome(1).status, 200, "{sizes:?}");
        }
        let expected: Vec<_> = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(services.whole(), [expected.clone(), expected], "{sizes:?}");
    }
}

/// What clients of both versions get where a service answers the first request of a connection so: the whole text of the
/// one's answer, if it is whole, and what the other's stream became.
fn answered(answer: impl Fn(&mut FrameClient, u32) + Send + Sync + 'static) -> (Option<String>, Outcome) {
    let (address, _) = serve_frames(move |_, peer| {
        while let Ok(Some(frame)) = peer.read_within(PATIENCE) {
            peer.answer(&frame);
            if frame.kind == kind::HEADERS && frame.stream == 1 {
                answer(peer, 1);
            } else if frame.kind == kind::HEADERS {
                peer.try_frame(kind::HEADERS, ENDS, frame.stream, OK);
            }
        }
    });
    let ask = || in_front_of(&format!("h2://{address}"), "");
    let gateway = ask();
    let mut client = Client::connect(gateway.address).deadline(PATIENCE);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    let old =
        client.try_read_response().ok().filter(|answer| answer.status == 200).map(|answer| answer.raw_text());
    let gateway = ask();
    let mut client = FrameClient::connect(gateway.address);
    let new = client.headers(1, &request("POST", "/"), false).data(1, b"", true).outcome(1);
    assert_eq!(client.get(3, "/").outcome(3).status, 200);
    (old, new)
}

fn say(peer: &mut FrameClient, stream: u32, block: &[u8], ends: bool) {
    let ends = if ends { flag::END_STREAM } else { 0 };
    // A gateway that has had enough does not listen.
    peer.try_frame(kind::HEADERS, flag::END_HEADERS | ends, stream, block);
}

#[test]
fn an_answer_whose_trailers_have_a_pseudo_field_is_never_whole() {
    let evil = [
        block(&[(":path", "/evil"), ("x-sum", "1")]),
        block(&[("grpc-status", "0"), (":status", "404")]),
        vec![0x8d],
    ];
    for trailers in evil {
        for (length, body) in [(None, "abc"), (None, ""), (Some("3"), "abc"), (Some("0"), "")] {
            let section = trailers.clone();
            let (old, new) = answered(move |peer, stream| {
                let length = length.map(|length| ("content-length", length));
                let fields: Vec<_> = length.into_iter().collect();
                say(peer, stream, &[OK, &block(&fields)].concat(), false);
                if !body.is_empty() {
                    peer.try_frame(kind::DATA, 0, stream, body.as_bytes());
                }
                say(peer, stream, &section, true);
            });
            assert_eq!(old, None, "{trailers:x?} {length:?}");
            assert!(new.reset.is_some() || new.status == 502, "{trailers:x?} {length:?}: {new:?}");
        }
    }
}

#[test]
fn an_answer_whose_trailers_are_larger_than_a_head_may_be_is_never_whole() {
    for body in ["abc", ""] {
        let (old, new) = answered(move |peer, stream| {
            say(peer, stream, OK, false);
            if !body.is_empty() {
                peer.try_frame(kind::DATA, 0, stream, body.as_bytes());
            }
            let far = "x".repeat(40_000);
            let block = block(&[("x-sum", "1"), ("x-far", &far)]);
            for (number, piece) in block.chunks(16_384).enumerate() {
                let (kind, flags) =
                    if number == 0 { (kind::HEADERS, flag::END_STREAM) } else { (kind::CONTINUATION, 0) };
                let flags = if number == 2 { flags | flag::END_HEADERS } else { flags };
                peer.try_frame(kind, flags, stream, piece);
            }
        });
        assert_eq!(old, None);
        assert!(new.reset.is_some() || new.status == 502, "{new:?}");
    }
}

#[test]
fn trailers_of_answers_go_on_and_nothing_beside_them() {
    let created = || block(&[(":status", "201")]);
    let heads: [(Vec<Vec<u8>>, bool); 6] = [
        (vec![OK.to_vec()], true),
        (vec![OK.to_vec()], false),
        (vec![block(&[(":status", "103")]), OK.to_vec()], true),
        (vec![b"\x48\x03103".to_vec(), b"\x20\x48\x03200".to_vec()], false),
        // Of whose status nothing is seen.
        (vec![created()], true),
        (vec![created()], false),
    ];
    for (heads, has_data) in heads {
        let said = heads.clone();
        let (old, new) = answered(move |peer, stream| {
            for head in &said {
                say(peer, stream, head, false);
            }
            if has_data {
                peer.try_frame(kind::DATA, 0, stream, b"abc");
            }
            say(peer, stream, &block(&[("x-sum", "1"), ("grpc-status", "0")]), true);
        });
        assert!(new.complete && [200, 201].contains(&new.status), "{heads:x?}: {new:?}");
        if heads.last() == Some(&created()) {
            continue;
        }
        let text = old.unwrap().to_ascii_lowercase();
        assert!(text.ends_with("\r\n0\r\nx-sum: 1\r\ngrpc-status: 0\r\n\r\n"), "{heads:x?}: {text}");
        assert!(!text.contains("expect"), "{text}");
    }
}
