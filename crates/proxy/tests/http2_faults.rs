//! What is wrong with HTTP/2 messages, on either side: how far the fault goes, what is left of the message, and who
//! is told.
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
use torana_testkit::http2::{FrameClient, kind, request, serve_frames};
use torana_testkit::{Client, Origin, ReceivedRequest, Reply, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

fn in_front_of(url: &str, keys: &str) -> Running {
    Running::start(&format!(
        "{keys}
services: {{ a: {{ endpoints: [\"{url}\"], retries: {{ attempts: 1, on: [] }} }} }}
routes: [{{ service: a }}]
"
    ))
}

fn post(length: Option<&'static str>) -> Vec<(&'static str, &'static str)> {
    let length = length.map(|length| ("content-length", length));
    request("POST", "/").into_iter().chain(length).collect()
}

#[test]
fn trailers_with_white_space_around_a_value_never_make_a_request_whole() {
    for (length, body) in [(None, "abc"), (Some("3"), "abc"), (Some("0"), "")] {
        let origin = Origin::always(Reply::ok("x"));
        let gateway = in_front_of(&origin.url(), "access_log: off");
        let mut client = FrameClient::connect(gateway.address);
        client.headers(1, &post(length), false);
        if !body.is_empty() {
            client.data(1, body.as_bytes(), false);
        }
        let outcome = client.headers(1, &[("x-sum", " 1")], true).outcome(1);
        assert!(outcome.reset.is_some() || outcome.status == 400, "{length:?}: {outcome:?}");
        eventually(PATIENCE, || origin.connections_open() == 0);
        assert!(origin.requests().iter().all(|request| !request.complete), "{length:?}");
    }
}

const SMALL_HEADS: &str =
    "access_log: off\nlimits: { head_bytes: 4KiB, target_bytes: 2KiB, header_count: 20 }";

/// What a service got of a request whose trailers are these, as text.
fn received(origin: &Origin, trailers: &[(&str, &str)], length: Option<&'static str>) -> ReceivedRequest {
    let gateway = in_front_of(&origin.url(), "access_log: off");
    let mut client = FrameClient::connect(gateway.address);
    let outcome =
        client.headers(1, &post(length), false).data(1, b"abc", false).headers(1, trailers, true).outcome(1);
    assert_eq!(outcome.status, 200, "{trailers:?}: {outcome:?}");
    origin.only_request()
}

/// RFC 9113 section 8.1 calls such a message malformed, and the library gives its trailers without them. This holds what
/// is promised of that in docs/http2.md, and fails where the library refuses: then the promise can be stronger.
#[test]
fn of_pseudo_fields_in_trailers_nothing_goes_on_to_a_service() {
    for name in [":path", ":method", ":status", ":authority", ":scheme"] {
        let value = if name == ":status" { "200" } else { "/evil" };
        let value = if name == ":method" { "EVIL" } else { value };
        for length in [None, Some("3")] {
            let origin = Origin::always(Reply::ok("x"));
            let seen = received(&origin, &[(name, value), ("x-sum", "1")], length);
            assert_eq!(
                (&*seen.method, &*seen.target, seen.body_text().as_str()),
                ("POST", "/", "abc"),
                "{name}"
            );
            let trailers = if length.is_none() { vec![("x-sum".into(), "1".into())] } else { vec![] };
            assert_eq!(seen.trailers, trailers, "{name}");
            let text = format!("{}{}", seen.head_text(), String::from_utf8_lossy(&seen.raw_body));
            assert!(!text.to_ascii_lowercase().contains("evil") && !text.contains(name), "{name}: {text}");
        }
    }
}

/// The same of answers: a field of requests beside the status, and any in trailers.
#[test]
fn of_pseudo_fields_that_are_none_of_an_answer_nothing_goes_on_to_a_client() {
    let heads = [
        vec![(":status", "200"), (":path", "/evil")],
        vec![(":status", "200"), (":method", "EVIL"), (":authority", "evil")],
        vec![(":status", "200")],
    ];
    for head in heads {
        let said = head.clone();
        let (address, _) = serve_frames(move |_, peer| {
            while let Ok(Some(frame)) = peer.read_within(PATIENCE) {
                peer.answer(&frame);
                if frame.kind == kind::HEADERS {
                    peer.headers(frame.stream, &said, false).data(frame.stream, b"abc", false);
                    peer.headers(
                        frame.stream,
                        &[(":status", "404"), (":path", "/evil"), ("x-sum", "1")],
                        true,
                    );
                }
            }
        });
        let gateway = in_front_of(&format!("h2://{address}"), "access_log: off");
        let answer = Client::connect(gateway.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let text = answer.raw_text();
        assert_eq!((answer.status, answer.text().as_str()), (200, "abc"), "{head:?}: {text}");
        assert!(text.contains("x-sum: 1"), "{head:?}: {text}");
        assert!(!text.to_ascii_lowercase().contains("evil") && !text.contains(":status"), "{head:?}: {text}");
    }
}

/// The same of what is beyond the size of a head.
#[test]
fn trailers_beyond_the_size_of_a_head_lose_what_is_beyond() {
    let origin = Origin::always(Reply::ok("x"));
    let far = "x".repeat(10_000);
    let gateway = in_front_of(&origin.url(), SMALL_HEADS);
    let mut client = FrameClient::connect(gateway.address);
    client.headers(1, &post(None), false).data(1, b"abc", false);
    let outcome = client.headers(1, &[("x-sum", "1"), ("x-far", &far), ("x-behind", "2")], true).outcome(1);
    assert_eq!(outcome.status, 200, "{outcome:?}");
    assert_eq!(origin.only_request().trailers, [("x-sum".to_owned(), "1".to_owned())]);
}
