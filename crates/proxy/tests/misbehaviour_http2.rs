//! What origins of HTTP/2 do wrong, one kind after another: breaker and ejection notice each, and only what is
//! the service's doing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "support/before.rs"]
mod support;
#[path = "yaml.rs"]
mod yaml;

use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{before, get, in_service};
use torana_testkit::http2::{Deed, FrameClient, FrameOrigin, OK, flag, kind, serve_frames};
use torana_testkit::{eventually, eventually_some};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);
const QUICK: &str = "timeouts: { connect: 10s, first_byte: 2s, idle: 2s }, retries: { attempts: 1, on: [] }";
const PROTOCOL_ERROR: u32 = 1;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

const BEFORE_THE_ANSWER: [Deed; 7] = [
    Deed::Reset(INTERNAL_ERROR),
    Deed::Reset(PROTOCOL_ERROR),
    Deed::Reset(CANCEL),
    Deed::Goodbye(INTERNAL_ERROR),
    // A connection that ends before it has carried anything, whatever it says, is as good as none.
    Deed::Goodbye(0),
    Deed::Broken(INTERNAL_ERROR),
    Deed::Hang,
];

const IN_THE_ANSWER: [Deed; 3] =
    [Deed::ResetInBody(INTERNAL_ERROR), Deed::ResetInBody(CANCEL), Deed::HangInBody];

#[test]
fn three_failures_of_any_kind_before_the_answer_open_the_breaker() {
    let breaker = format!("{QUICK}, breaker: {{ failures: 3, open_for: 1h }}");
    std::thread::scope(|scope| {
        for deed in BEFORE_THE_ANSWER {
            let breaker = &breaker;
            scope.spawn(move || {
                let origin = FrameOrigin::doing(deed);
                let gateway = before(&[&origin], breaker);
                for number in 0..3 {
                    let (status, text) = get(&gateway);
                    assert!(status >= 502 && !text.contains("breaker_open"), "{deed:?}, {number}: {text}");
                }
                assert!(get(&gateway).1.contains("breaker_open"), "{deed:?}");
                assert_eq!(origin.count(), 3, "{deed:?}");
            });
        }
    });
}

#[test]
fn an_endpoint_that_fails_in_any_way_is_ejected_also_when_only_its_bodies_break_off() {
    let ejection = format!("{QUICK}, health: {{ ejection: {{ failures: 3, for: 1h }} }}");
    std::thread::scope(|scope| {
        for deed in BEFORE_THE_ANSWER.into_iter().chain(IN_THE_ANSWER) {
            let ejection = &ejection;
            scope.spawn(move || {
                let (bad, good) = (FrameOrigin::doing(deed), FrameOrigin::doing(Deed::Answer));
                let gateway = before(&[&bad, &good], ejection);
                for _ in 0..8 {
                    get(&gateway);
                }
                assert_eq!((bad.count(), in_service(&gateway)), (3, 1), "{deed:?}");
                assert!((0..4).all(|_| get(&gateway) == (200, "well".into())), "{deed:?}");
            });
        }
    });
}

#[test]
fn what_was_not_acted_on_counts_for_nothing() {
    let keys = format!(
        "{QUICK}, breaker: {{ failures: 1, open_for: 1h }}, \
         health: {{ ejection: {{ failures: 1, for: 1h, max_share: 100% }} }}"
    );
    for (deed, reason) in
        [(Deed::Reset(REFUSED_STREAM), Some("upstream_reset")), (Deed::GoodbyeToTheSecond(0), None)]
    {
        let (one, other) = (FrameOrigin::doing(deed), FrameOrigin::doing(deed));
        let gateway = before(&[&one, &other], &keys);
        let answers: Vec<_> = (0..8).map(|_| get(&gateway)).collect();
        let told = |(status, text): &(u16, String)| reason.map_or(*status == 200, |told| text.contains(told));
        assert!(answers.iter().all(told), "{deed:?}: {answers:?}");
        assert_eq!(in_service(&gateway), 2, "{deed:?}");
        // Who was refused was told so, and who was left out has come again, though there is one try.
        assert_eq!(one.count() + other.count() > 8, reason.is_none(), "{deed:?}");
    }
}

#[test]
fn requests_that_clients_cancel_count_for_nothing() {
    let origin = FrameOrigin::doing(Deed::Hang);
    let keys = "breaker: { failures: 1, open_for: 1h }, timeouts: { first_byte: 1h }";
    let gateway = before(&[&origin], keys);
    let mut client = FrameClient::connect(gateway.address);
    for number in 0..3_u32 {
        client.get(number * 2 + 1, "/");
        eventually(PATIENCE, || origin.count() == number as usize + 1);
        client.reset(number * 2 + 1);
        eventually(PATIENCE, || origin.cancelled() == number as usize + 1);
    }
    origin.now_does(Deed::Answer);
    assert_eq!(get(&gateway), (200, "well".into()));
}

#[test]
fn a_refused_stream_asks_for_room_to_be_sent_again_and_a_goodbye_does_not() {
    for (deed, minimum, refused) in [
        (Deed::Reset(REFUSED_STREAM), 0, 4),
        (Deed::Reset(REFUSED_STREAM), 1, 0),
        (Deed::GoodbyeToTheSecond(0), 0, 0),
    ] {
        let (one, good) = (FrameOrigin::doing(deed), FrameOrigin::doing(Deed::Answer));
        let keys = format!("retries: {{ attempts: 2, on: [], budget: {{ share: 0%, minimum: {minimum} }} }}");
        let gateway = before(&[&one, &good], &keys);
        let answers: Vec<_> = (0..8).map(|_| get(&gateway)).collect();
        let bad = answers.iter().filter(|(status, _)| *status == 502).count();
        assert_eq!((bad, one.count()), (refused, 4), "{deed:?} {minimum}: {answers:?}");
    }
}

#[test]
fn every_flood_by_an_endpoint_ends_its_connection_and_is_counted_and_logged_by_its_name() {
    for (cause, kind, stream, payload) in [
        ("ping_flood", kind::PING, 0, &[0; 8][..]),
        ("settings_flood", kind::SETTINGS, 0, &[0, 3, 0, 0, 0, 1]),
        ("empty_frames", kind::DATA, 1, b""),
        ("control_flood", kind::WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
        ("control_flood", 99, 0, b"?"),
        ("continuation_flood", kind::CONTINUATION, 1, b""),
        ("protocol_error", kind::DATA, 0, b"x"),
    ] {
        let (address, connections) = serve_frames(move |number, peer| {
            while let Ok(Some(frame)) = peer.read_within(PATIENCE) {
                peer.answer(&frame);
                if frame.kind == kind::HEADERS && number > 1 {
                    peer.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, frame.stream, OK);
                } else if frame.kind == kind::HEADERS {
                    match cause {
                        "empty_frames" => drop(peer.frame(kind::HEADERS, flag::END_HEADERS, 1, OK)),
                        "continuation_flood" => drop(peer.frame(kind::HEADERS, 0, 1, OK)),
                        _ => {}
                    }
                    let mut left = 10_000;
                    while left > 0 && peer.try_frame(kind, 0, stream, payload) {
                        left -= 1;
                    }
                }
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.log");
        let gateway = Running::start(&format!(
            "access_log: {{ to: {} }}
services: {{ a: {{ endpoints: [\"h2://{address}\"], retries: {{ attempts: 1, on: [] }} }} }}
routes: [{{ service: a }}]
",
            log.display()
        ));
        let (status, text) = get(&gateway);
        assert!(
            status == 0 || text.contains("upstream_closed") || text.contains("malformed"),
            "{cause}: {text}"
        );
        let labels = format!("service=\"a\",endpoint=\"{address}\",cause=\"{cause}\"");
        let counted = format!("torana_pool_connections_broken_total{{{labels}}} 1.0\n");
        eventually(PATIENCE, || gateway.metrics.render().contains(&counted));
        if cause != "protocol_error" {
            let detail = format!("too many frames of no use: {cause}");
            let line = eventually_some(PATIENCE, || {
                std::fs::read_to_string(&log).ok().filter(|text| !text.is_empty())
            });
            assert!(line.contains(&detail), "{cause}: {line}");
        }
        assert_eq!((get(&gateway).0, connections.load(Ordering::SeqCst)), (200, 2), "{cause}");
    }
}
