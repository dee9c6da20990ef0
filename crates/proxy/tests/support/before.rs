//! A gateway before one service `a`, what it answers, and what its page of services says.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared by test binaries that use parts of it"
)]

use crate::yaml::Running;
use torana_proxy::services;
use torana_testkit::http2::FrameOrigin;
use torana_testkit::{Client, Origin};

/// Where a service may run.
pub trait Place {
    fn url(&self) -> String;
}

impl Place for String {
    fn url(&self) -> String {
        self.clone()
    }
}

impl Place for &Origin {
    fn url(&self) -> String {
        Origin::url(self)
    }
}

impl Place for &FrameOrigin {
    fn url(&self) -> String {
        FrameOrigin::url(self)
    }
}

/// A file with the service at these places, with these keys, and two routes to it.
pub fn text(places: &[impl Place], keys: &str) -> String {
    let urls: Vec<String> = places.iter().map(|place| format!("\"{}\"", place.url())).collect();
    format!(
        "access_log: off
services: {{ a: {{ endpoints: [{}], {keys} }} }}
routes:
- {{ path: /*, service: a }}
- {{ path: /other, service: a }}
",
        urls.join(", ")
    )
}

pub fn before(places: &[impl Place], keys: &str) -> Running {
    Running::start(&text(places, keys))
}

/// The status, 0 for an answer that broke off; and the text.
pub fn get(gateway: &Running) -> (u16, String) {
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.try_read_response().map_or((0, String::new()), |answer| (answer.status, answer.text()))
}

/// How many endpoints the page of services shows in service.
pub fn in_service(gateway: &Running) -> usize {
    let shown = services(&gateway.shared);
    let endpoints = shown["a"]["endpoints"].as_array().unwrap().clone();
    endpoints.iter().filter(|endpoint| endpoint["in_service"] == true).count()
}
