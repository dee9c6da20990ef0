//! No misbehaviour of an origin wedges a pool: a table of what origins do, and what must hold afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use torana_testkit::{Client, Origin, Reply, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(60);

fn text(url: &str) -> String {
    format!(
        "access_log: off
services:
  a:
    endpoints: [{url}]
    pool: {{ max_connections: 2, max_queue: 6, queue_timeout: 30s }}
    timeouts: {{ connect: 1500ms, first_byte: 1500ms, idle: 1500ms }}
    retries: {{ attempts: 1 }}
routes: [{{ service: a }}]
"
    )
}

/// Asks six times at once through two connections; gives the statuses, 0 for an answer that broke off.
fn storm(gateway: &Running) -> Vec<u16> {
    let address = gateway.address;
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    client.try_read_response().map_or(0, |answer| answer.status)
                })
            })
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn gauge(gateway: &Running, name: &str) -> f64 {
    let page = gateway.metrics.render();
    let line =
        page.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap_or_else(|| panic!("{page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn settles(gateway: &Running) {
    eventually(PATIENCE, || {
        gauge(gateway, "torana_pool_waiting") == 0.0
            && gauge(gateway, "torana_endpoint_in_flight") == 0.0
            && gauge(gateway, "torana_pool_connections_open")
                == gauge(gateway, "torana_pool_connections_idle")
    });
}

#[test]
fn whatever_an_origin_does_its_pool_serves_on_when_it_is_well_again() {
    let body = "0123456789".repeat(10);
    let whole = Reply::ok(body.clone());
    // What breaks off in its body is a fault as long as nothing of it has left, and no answer (0) from then on.
    let cases: Vec<(&str, Reply, &[u16])> = vec![
        ("resets before the head", Reply::reset(), &[502]),
        ("closes before the head", Reply::close(), &[502]),
        ("resets in the head", whole.clone().reset_after_bytes(10), &[502]),
        ("closes in the body", whole.clone().close_after_bytes(90), &[0, 502]),
        ("resets in the body", whole.clone().reset_after_bytes(90), &[0, 502]),
        ("hangs before the head", Reply::hang(), &[504]),
        ("hangs in the head", whole.clone().hang_after_bytes(10), &[504]),
        ("hangs in the body", whole.clone().hang_after_bytes(90), &[0]),
        ("drips", whole.clone().drip(20, Duration::from_millis(10)), &[200]),
        ("sends more than it said", Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcd"), &[200]),
        (
            "sends less than it said",
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").then_close(),
            &[0, 502],
        ),
        ("sends nonsense", Reply::raw("nonsense\r\n\r\n").then_close(), &[502]),
        ("answers 500", Reply::status(500), &[500]),
        ("closes after the answer", whole.then_close(), &[200]),
        ("goes silent after the answer", Reply::ok("").then_hang(), &[200, 504]),
    ];
    std::thread::scope(|scope| {
        for (name, misbehaviour, expected) in cases {
            scope.spawn(move || {
                let well = Arc::new(AtomicBool::new(false));
                let told = Arc::clone(&well);
                let origin = Origin::respond(move |_| {
                    if told.load(Ordering::Relaxed) { Reply::ok("well") } else { misbehaviour.clone() }
                });
                let gateway = Running::start(&text(&origin.url()));
                let statuses = storm(&gateway);
                assert!(statuses.iter().all(|status| expected.contains(status)), "{name}: {statuses:?}");
                settles(&gateway);
                well.store(true, Ordering::Relaxed);
                // A connection that went silent may be in the pool; it is found out once each.
                eventually(PATIENCE, || storm(&gateway) == [200; 6]);
                settles(&gateway);
                assert!(gauge(&gateway, "torana_pool_connections_open") <= 2.0, "{name}");
            });
        }
    });
}

#[test]
fn an_endpoint_that_takes_connections_and_says_nothing_or_refuses_them_costs_its_time_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = Origin::always(Reply::ok(""));
    refusing.kill();
    for (url, status) in [(format!("http://{}", silent.local_addr().unwrap()), 504), (refusing.url(), 502)] {
        let gateway = Running::start(&text(&url));
        for _ in 0..2 {
            assert_eq!(storm(&gateway), [status; 6]);
            settles(&gateway);
        }
    }
}
