//! How connections of clients of HTTP/2 end: each cause, and what is not cut off.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use torana_testkit::http2::{Frame, FrameClient, block, flag, kind, request};
use torana_testkit::{Origin, Reply, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

fn in_front_of(origin: &Origin, keys: &str) -> Running {
    Running::start(&format!(
        "access_log: off
services: {{ origin: {{ endpoints: [{}] }} }}
routes:
- {{ path: /*, service: origin }}
- {{ path: /hello, respond: {{ body: hello }} }}
{keys}
",
        origin.url()
    ))
}

fn answering(keys: &str) -> Running {
    Running::start(&format!(
        "access_log: off\nroutes: [{{ path: /hello, respond: {{ body: hello }} }}]\n{keys}\n"
    ))
}

fn has_ended_by(gateway: &Running, cause: &str) {
    let counted = format!("torana_http2_connections_ended_total{{cause=\"{cause}\"}} 1");
    eventually(PATIENCE, || gateway.metrics.render().contains(&counted));
}

/// Reads to the end of the connection and answers what has to be answered; the code of its goodbye.
fn answer_to_end(client: &mut FrameClient) -> Option<u32> {
    let mut code = None;
    while let Some(frame) = client.read() {
        client.answer(&frame);
        if frame.kind == kind::GOAWAY {
            code = Some(frame.code());
        }
    }
    code
}

/// Sends byte after byte, none before the last was read, until the connection ends.
fn drip_to_end(client: &mut FrameClient, bytes: &[u8]) {
    let begun = Instant::now();
    for byte in bytes {
        client.bytes(std::slice::from_ref(byte));
        loop {
            match client.read_within(Duration::from_millis(20)) {
                Ok(Some(frame)) => client.answer(&frame),
                Ok(None) => return,
                Err(_) => break,
            }
        }
        assert!(begun.elapsed() < PATIENCE / 3, "a drip keeps the connection");
    }
    panic!("the whole drip was taken");
}

/// HEADERS, and the rest in a CONTINUATION; the part that is dripped begins with its first payload.
fn headers(stream: u32, split: bool) -> (Vec<u8>, Vec<u8>) {
    let long = "v".repeat(10_000);
    let block = block(&[request("GET", "/hello"), vec![("x-long", &long)]].concat());
    let head = |kind: u8, flags: u8, length: usize| {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes
    };
    if split {
        let first = [&head(kind::HEADERS, flag::END_STREAM, 20), &block[..20]].concat();
        let second = head(kind::CONTINUATION, flag::END_HEADERS, block.len() - 20);
        ([first, second].concat(), block[20..].to_vec())
    } else {
        (head(kind::HEADERS, flag::END_STREAM | flag::END_HEADERS, block.len()), block)
    }
}

#[test]
fn a_head_that_is_dripped_ends_by_its_deadline_in_whatever_frames_it_comes() {
    for split in [false, true] {
        let gateway = answering("timeouts: { head: 400ms, keep_alive: 1h }");
        let mut client = FrameClient::connect(gateway.address);
        assert_eq!(client.get(1, "/hello").outcome(1).status, 200);
        let (begin, rest) = headers(3, split);
        client.bytes(&begin);
        drip_to_end(&mut client, &rest);
        has_ended_by(&gateway, "head_timeout");
    }
}

#[test]
fn a_first_request_that_does_not_come_ends_its_connection_by_the_deadline_of_heads() {
    let gateway = answering("timeouts: { head: 200ms, keep_alive: 1h }");
    let mut client = FrameClient::connect(gateway.address);
    assert_eq!(answer_to_end(&mut client), Some(0), "NO_ERROR");
    has_ended_by(&gateway, "idle");
}

#[test]
fn without_a_request_a_connection_ends_after_keep_alive_and_with_one_it_does_not() {
    let origin = Origin::always(Reply::ok("late").delay(Duration::from_millis(2_500)));
    let gateway = in_front_of(&origin, "timeouts: { keep_alive: 2s }");
    let mut client = FrameClient::connect(gateway.address);
    assert_eq!(client.get(1, "/").outcome(1).body, b"late", "longer than keep_alive");
    assert_eq!(client.get(3, "/hello").outcome(3).status, 200);
    assert_eq!(answer_to_end(&mut client), Some(0), "NO_ERROR");
    has_ended_by(&gateway, "idle");
}

#[test]
fn a_client_that_takes_nothing_ends_by_the_deadline_of_writes() {
    let origin = Origin::always(Reply::ok(vec![b'x'; 32 << 20]));
    let gateway = in_front_of(&origin, "timeouts: { write: 300ms }");
    let mut client = FrameClient::connect(gateway.address);
    wide_windows(&mut client);
    client.get(1, "/");
    has_ended_by(&gateway, "write_timeout");
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_and_ends() {
    let gateway = answering("");
    let mut client = FrameClient::connect(gateway.address);
    client.data(0, b"x", false);
    assert_eq!(client.read_to_end(), Some(1), "PROTOCOL_ERROR");
    has_ended_by(&gateway, "protocol_error");
}

#[test]
fn a_client_that_leaves_and_one_that_is_told_to_are_counted_as_such() {
    let gateway = answering("");
    let mut leaves = FrameClient::connect(gateway.address);
    assert_eq!(leaves.get(1, "/hello").outcome(1).status, 200);
    drop(leaves);
    has_ended_by(&gateway, "client");
    let mut stays = FrameClient::connect(gateway.address);
    assert_eq!(stays.get(1, "/hello").outcome(1).status, 200);
    gateway.drain();
    assert_eq!(answer_to_end(&mut stays), Some(0), "NO_ERROR");
    has_ended_by(&gateway, "drained");
}

/// Reads to the next PING of the gateway's.
fn next_ping(client: &mut FrameClient) -> Frame {
    loop {
        let frame = client.read().expect("the connection goes on");
        if frame.kind == kind::PING && frame.flags & flag::ACK == 0 {
            return frame;
        }
        client.answer(&frame);
    }
}

#[test]
fn a_client_that_answers_late_is_asked_again_and_kept() {
    let origin = Origin::always(Reply::hang());
    let gateway = in_front_of(&origin, "http2: { ping_after: 150ms, ping_timeout: 3s }");
    let mut client = FrameClient::connect(gateway.address);
    client.get(1, "/");
    for number in 1..4 {
        let ping = next_ping(&mut client);
        // Another sign of life, and a whole answer to it, before the answer to the PING.
        let stream = number * 2 + 1;
        assert_eq!(client.get(stream, "/hello").outcome(stream).status, 200);
        client.answer(&ping);
    }
    // One that is answered when no request is under way any more.
    let ping = next_ping(&mut client);
    client.reset(1);
    assert_eq!(client.get(9, "/hello").outcome(9).status, 200);
    client.answer(&ping);
    assert_eq!(client.get(11, "/hello").outcome(11).status, 200);
    client.get(13, "/");
    for _ in 0..2 {
        let ping = next_ping(&mut client);
        client.answer(&ping);
    }
    assert_eq!(client.get(15, "/hello").outcome(15).status, 200);
}

#[test]
fn a_client_that_answers_no_ping_is_given_up() {
    let origin = Origin::always(Reply::hang());
    let gateway = in_front_of(&origin, "http2: { ping_after: 100ms, ping_timeout: 200ms }");
    let mut client = FrameClient::connect(gateway.address);
    client.get(1, "/");
    while client.read().is_some() {}
    has_ended_by(&gateway, "ping_timeout");
    eventually(PATIENCE, || origin.connections_open() == 0);
}

/// Lets the gateway send all it has at once.
fn wide_windows(client: &mut FrameClient) {
    client.frame(kind::SETTINGS, 0, 0, &[0, 4, 0x10, 0, 0, 0]);
    client.frame(kind::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
}

#[test]
fn a_client_that_takes_its_answer_steadily_without_a_word_is_kept() {
    const SIZE: usize = 16 << 20;
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/waits" => Reply::hang(),
        _ => Reply::ok(vec![b'x'; SIZE]),
    });
    let gateway = in_front_of(&origin, "http2: { ping_after: 150ms, ping_timeout: 300ms }");
    let mut client = FrameClient::connect(gateway.address);
    wide_windows(&mut client);
    client.get(1, "/waits").get(3, "/");
    let (mut size, mut paused_at) = (0, 0);
    while size < SIZE {
        let frame = client.read().unwrap_or_else(|| panic!("cut off after {size} bytes"));
        if frame.kind == kind::DATA {
            size += frame.payload.len();
        }
        if size - paused_at >= 64 * 1024 {
            paused_at = size;
            // Its pace is what is tested: the whole takes it much longer than PINGs wait for an answer.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    client.get(5, "/hello");
    assert_eq!(client.outcome(5).status, 200);
}

/// Of answers whose tasks have all ended much waits in the gateway, while a client pauses for longer than any farewell.
fn takes_all_after_a_pause(keys: &str, meanwhile: impl Fn(&Running)) {
    const ANSWERS: u32 = 120;
    const SIZE: usize = 120 * 1024;
    let origin = Origin::always(Reply::ok(vec![b'x'; SIZE]));
    let gateway = in_front_of(&origin, keys);
    let mut client = FrameClient::connect(gateway.address);
    wide_windows(&mut client);
    for number in 0..ANSWERS {
        client.get(number * 2 + 1, "/");
    }
    let answered = format!("service=\"origin\",status=\"200\",reason=\"\"}} {ANSWERS}\n");
    eventually(PATIENCE, || gateway.metrics.render().contains(&answered));
    meanwhile(&gateway);
    // The pause is what is tested.
    std::thread::sleep(Duration::from_millis(3_500));
    let (mut sizes, mut whole, mut goodbye) = (BTreeMap::new(), 0, None);
    while whole < ANSWERS {
        let frame = client.read().unwrap_or_else(|| panic!("cut off after {whole} answers"));
        client.answer(&frame);
        if frame.kind == kind::DATA {
            *sizes.entry(frame.stream).or_insert(0) += frame.payload.len();
            whole += u32::from(frame.flags & flag::END_STREAM != 0);
        } else if frame.kind == kind::GOAWAY {
            goodbye = Some(frame.code());
        }
    }
    assert!(sizes.len() == ANSWERS as usize && sizes.values().all(|size| *size == SIZE), "{sizes:?}");
    // It may come among the last data.
    assert_eq!(answer_to_end(&mut client).or(goodbye), Some(0), "NO_ERROR");
}

#[test]
fn a_slow_client_takes_all_of_its_answers_over_a_drain() {
    takes_all_after_a_pause("", |gateway| gateway.drain_within(PATIENCE));
}

#[test]
fn a_slow_client_takes_all_of_its_answers_however_short_keep_alive_is() {
    takes_all_after_a_pause("timeouts: { keep_alive: 2s }", |_| {});
}

/// All of an answer lies in the sockets' buffers, and nothing in the gateway, while its client pauses.
#[test]
fn a_slow_client_takes_what_the_kernel_holds_of_its_answer_over_a_drain() {
    const SIZE: usize = 300 * 1024;
    let origin = Origin::always(Reply::ok(vec![b'x'; SIZE]));
    let gateway = in_front_of(&origin, "");
    let mut client = FrameClient::connect(gateway.address);
    wide_windows(&mut client);
    client.get(1, "/");
    let answered = "service=\"origin\",status=\"200\",reason=\"\"} 1\n";
    eventually(PATIENCE, || gateway.metrics.render().contains(answered));
    eventually(PATIENCE, || gateway.metrics.render().contains("torana_buffered_bytes 0"));
    gateway.drain_within(PATIENCE);
    has_ended_by(&gateway, "drained");
    let (mut size, mut goodbye) = (0, None);
    loop {
        // As it reads it opens its window, which must not meet a closed socket.
        client.try_frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
        let frame = client.read().unwrap_or_else(|| panic!("cut off after {size} bytes"));
        client.answer(&frame);
        if frame.kind == kind::GOAWAY {
            goodbye = Some(frame.code());
        }
        if frame.kind == kind::DATA {
            size += frame.payload.len();
            if frame.flags & flag::END_STREAM != 0 {
                break;
            }
        }
    }
    assert_eq!(size, SIZE);
    assert_eq!(answer_to_end(&mut client).or(goodbye), Some(0), "NO_ERROR");
}
