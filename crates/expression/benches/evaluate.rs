//! How long a rule takes: `cargo bench -p torana-expression`.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a program that measures and prints"
)]

#[path = "../tests/support/request.rs"]
mod request;

use request::Request;
use std::hint::black_box;
use std::time::{Duration, Instant};
use torana_expression::Expression;

const ROUNDS: u32 = 20_000;

fn measure(name: &str, source: &str) {
    let compiled = Instant::now();
    let expression = Expression::condition(source).expect("a good expression");
    let compiled = compiled.elapsed();
    let request = Request::default();
    let mut samples: Vec<Duration> = (0..50)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                assert!(black_box(&expression).holds(black_box(&request)).is_ok());
            }
            start.elapsed() / ROUNDS
        })
        .collect();
    samples.sort_unstable();
    println!("{name:<28} {:>9.1?} median, compiled in {compiled:>9.1?}", samples[samples.len() / 2]);
}

fn main() {
    measure("path and claim", r#"request.path.startsWith("/api") && claims.tier == "gold""#);
    measure("method in a list", r#"request.method in ["GET", "PUT", "POST"]"#);
    measure("header", r#"request.headers["x-tenant"] == "Blue""#);
    measure("role by exists", r#"roles.exists(role, role == "editor")"#);
    measure("nested claim", r#""editor" in claims.realm_access.roles"#);
    measure("network", r#"cidr("10.0.0.0/8").containsIP(client.address)"#);
    measure(
        "office hours",
        "now.getHours() >= 8 && now.getHours() < 18 && now.getDayOfWeek() in [1, 2, 3, 4, 5]",
    );
    measure("regular expression", r#"request.path.matches("^/api/orders/[0-9]+$")"#);
}
