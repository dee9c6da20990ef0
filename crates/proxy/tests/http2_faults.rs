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
use torana_testkit::http2::{FrameClient, request};
use torana_testkit::{Origin, Reply, eventually};
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
