//! How long a lookup and a build take with 10, 1,000 and 100,000 routes: `cargo bench -p torana-route`.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};
use torana_route::{Outcome, PathPattern, RequestView, RouteSpec, Router};

struct Get(String);

impl RequestView for Get {
    fn host(&self) -> &[u8] {
        b"api.example.com"
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        None
    }

    fn header(&self, _: &str) -> (usize, Option<&[u8]>) {
        (0, None)
    }
}

/// Three kinds of routes, as they stand in real files.
fn path(number: usize) -> (String, String) {
    let group = number / 10;
    match number % 3 {
        0 => (format!("/api/v1/group{group}/item{number}"), format!("/api/v1/group{group}/item{number}")),
        1 => (
            format!("/api/v1/group{group}/{{id}}/part{number}"),
            format!("/api/v1/group{group}/42/part{number}"),
        ),
        _ => (
            format!("/static/group{group}/set{number}/*"),
            format!("/static/group{group}/set{number}/a/b.js"),
        ),
    }
}

fn measure(count: usize) -> Duration {
    let specs: Vec<RouteSpec> = (0..count)
        .map(|number| RouteSpec::new(PathPattern::parse(&path(number).0).expect("valid")))
        .collect();
    let start = Instant::now();
    let router = Router::build(specs).expect("no conflicts");
    let built = start.elapsed();
    // A few hundred distinct requests spread over all routes, as traffic is: caches are warm for none.
    let requests: Vec<Get> = (0..512).map(|turn| Get(path(turn * 7_919 % count).1)).collect();
    let mut samples = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        for request in &requests {
            assert!(matches!(black_box(router.find(black_box(request))), Outcome::Matched { .. }));
        }
        samples.push(start.elapsed() / 512);
    }
    samples.sort_unstable();
    let median = samples[samples.len() / 2];
    println!("{count:>7} routes: built in {built:>9.1?}, median lookup {median:>7.1?}");
    median
}

fn main() {
    let medians: Vec<Duration> = [10, 1_000, 100_000].into_iter().map(measure).collect();
    println!("lookup at 100,000 / at 10: {:.2}", medians[2].as_secs_f64() / medians[0].as_secs_f64());
}
