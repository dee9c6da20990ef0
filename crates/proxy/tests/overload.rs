//! What keeps a gateway within what it can bear, on a whole gateway.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use torana_testkit::http2::{Http2Client, Http2Origin, Http2Reply};
use torana_testkit::{Client, Gate, Origin, Reply, UponHead, eventually, eventually_some};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(60);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn hello(limits: &str) -> Running {
    Running::start(&format!(
        "access_log: off\nlimits: {{ {limits} }}\nroutes: [{{ path: /, respond: {{ body: hello }} }}]\n"
    ))
}

fn served(client: &mut Client) -> bool {
    client.try_send(GET).is_ok() && client.try_read_response().is_ok_and(|response| response.status == 200)
}

fn metric(gateway: &Running, line: &str) -> f64 {
    let page = gateway.metrics.render();
    let found = page.lines().find_map(|shown| shown.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{line} is not in\n{page}"))
}

#[test]
fn connections_beyond_the_bound_are_closed_and_counted_and_places_come_back() {
    let gateway = hello("connections: 3, connections_per_address: off");
    let mut open: Vec<_> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    assert!(open.iter_mut().all(served));
    assert!(!served(&mut Client::connect(gateway.address)));
    assert!(metric(&gateway, "torana_connections_refused_total{bound=\"all\"}") >= 1.0);
    assert!(open.iter_mut().all(served), "those that are open stay");
    open.pop();
    eventually(PATIENCE, || served(&mut Client::connect(gateway.address)));
}

#[test]
fn one_address_has_only_so_many_and_others_are_not_concerned() {
    let mut gateway = hello("connections_per_address: 2");
    let from = |last| Client::connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 1, last)), gateway.address);
    let mut open = [from(1), from(1)];
    assert!(open.iter_mut().all(served));
    assert!(!served(&mut from(1)));
    assert!(served(&mut from(2)));
    assert!(metric(&gateway, "torana_connections_refused_total{bound=\"address\"}") >= 1.0);
    drop(open);
    let address = gateway.address;
    let from = |last| Client::connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 1, last)), address);
    eventually(PATIENCE, || served(&mut from(1)));
    // A proxy that is trusted has connections for many.
    gateway.reload(
        "access_log: off\ntrusted_proxies: [127.0.1.1]\nlimits: { connections_per_address: 1 }\n\
         routes: [{ path: /, respond: { body: hello } }]\n",
    );
    let mut many = [from(1), from(1), from(1)];
    eventually(PATIENCE, || {
        let all = many.iter_mut().all(served);
        if !all {
            many = [from(1), from(1), from(1)];
        }
        all
    });
}

#[test]
fn with_a_proxy_header_the_address_that_it_names_counts() {
    let gateway = Running::start(
        "access_log: off\nlisten: { address: \":1\", proxy_protocol: [127.0.0.0/8] }\n\
         limits: { connections_per_address: 1 }\nroutes: [{ path: /, respond: { body: hello } }]\n",
    );
    let introduced = |last: u8| {
        let mut client = Client::connect(gateway.address);
        let header = format!("PROXY TCP4 203.0.113.{last} 198.51.100.1 4711 443\r\n");
        client.try_send(header).is_ok().then_some(client)
    };
    let mut first = introduced(1).unwrap();
    assert!(served(&mut first));
    assert!(!introduced(1).is_some_and(|mut second| served(&mut second)));
    assert!(introduced(2).is_some_and(|mut other| served(&mut other)));
    // The client may learn of it before the gateway has counted it.
    let crowded = "torana_tls_handshake_errors_total{reason=\"crowded\"}";
    eventually(PATIENCE, || gateway.metrics.render().contains(crowded));
    drop(first);
    eventually(PATIENCE, || introduced(1).is_some_and(|mut again| served(&mut again)));
}

#[test]
fn what_lives_on_a_worker_is_counted_until_it_has_ended() {
    let gateway = Running::start("access_log: off\nroutes: [{ path: /, respond: { body: hello } }]\n");
    let tasks = || metric(&gateway, "torana_worker_tasks{worker=\"0\"}");
    let mut first = Client::connect(gateway.address);
    assert!(served(&mut first));
    let with_one = tasks();
    assert!(with_one >= 2.0, "the connection, and what accepts others: {with_one}");
    let mut second = Client::connect(gateway.address);
    assert!(served(&mut second));
    assert_eq!(tasks(), with_one + 1.0);
    drop((first, second));
    eventually(PATIENCE, || tasks() == with_one - 1.0);
}

/// `torana_buffered_bytes`
fn buffered(gateway: &Running) -> f64 {
    metric(gateway, "torana_buffered_bytes ")
}

#[test]
fn an_upload_that_waits_in_an_http_2_connection_counts_and_at_the_ceiling_no_body_is_begun() {
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
        "access_log: off\nlimits: {{ buffered_bytes: 128KiB }}\n\
         services: {{ a: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: a }}]\n",
        origin.url()
    ));
    let mut other = Http2Client::connect(gateway.address);
    assert_eq!(other.request("POST", "/other", &[], b"12345").text(), "5");
    // More than what the sockets take for an origin that does not read.
    const SIZE: usize = 64 * 1024 * 1024;
    let mut client = Http2Client::connect(gateway.address);
    let (response, mut body) = client.begin("POST", "/upload", &[], false).unwrap();
    // Its own body must not be what it is refused for.
    eventually(PATIENCE, || {
        client.pause(Duration::ZERO);
        origin.count() == 2
    });
    body.send_data(vec![b'x'; SIZE].into(), true).unwrap();
    // What the sockets still take may make room again for a moment.
    let refused = eventually_some(PATIENCE, || {
        client.pause(Duration::ZERO);
        Some(other.request("POST", "/other", &[], b"12345")).filter(|answer| answer.status != 200)
    });
    assert!(buffered(&gateway) > 0.0);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("memory_full"), "{}", refused.text());
    assert!(metric(&gateway, "torana_buffered_refused_total") >= 1.0);
    assert_eq!(other.request("GET", "/other", &[], b"").status, 200, "what has no body needs no room");
    gate.open();
    assert_eq!(client.read(response).unwrap().text(), SIZE.to_string());
    eventually(PATIENCE, || buffered(&gateway) == 0.0);
    assert_eq!(other.request("POST", "/other", &[], b"12345").text(), "5");
}

#[test]
fn an_answer_over_http_2_that_nobody_takes_counts_until_its_client_is_gone() {
    let origin = Http2Origin::respond(|_| Http2Reply::ok(vec![b'x'; 4 * 1024 * 1024]));
    let gateway = Running::start(&format!(
        "access_log: off\nservices: {{ a: {{ endpoints: [\"h2://{}\"] }} }}\nroutes: [{{ path: /*, service: a }}]\n",
        origin.addr()
    ));
    let mut client = Http2Client::connect(gateway.address);
    let answer = client.begin("GET", "/", &[], true).unwrap();
    eventually(PATIENCE, || {
        client.pause(Duration::ZERO);
        buffered(&gateway) >= 128.0 * 1024.0
    });
    assert!(buffered(&gateway) <= 512.0 * 1024.0, "{}", buffered(&gateway));
    drop((answer, client));
    eventually(PATIENCE, || buffered(&gateway) == 0.0);
}

#[test]
fn bodies_are_kept_for_another_try_only_while_there_is_room_for_them() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |request| match &*request.target {
        "/held" => Reply::ok(request.body.len().to_string()).after(&held),
        _ => Reply::ok(request.body.len().to_string()),
    });
    let gateway = Running::start(&format!(
        "access_log: off\nlimits: {{ buffered_bytes: 1MiB }}\n\
         services: {{ a: {{ endpoints: [{}], retries: {{ keep_body: 2MiB }} }} }}\n\
         routes: [{{ path: /*, service: a }}]\n",
        origin.url()
    ));
    let put = |client: &mut Client, target: &str| {
        client.send(format!("PUT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n"));
        client.send(vec![b'x'; 700_000]);
    };
    let mut first = Client::connect(gateway.address);
    put(&mut first, "/held");
    eventually(PATIENCE, || metric(&gateway, "torana_buffered_bytes") >= 700_000.0);
    // What is kept only to be sent once more is streamed instead.
    let mut second = Client::connect(gateway.address);
    put(&mut second, "/");
    assert_eq!(second.read_response().text(), "700000");
    assert!(metric(&gateway, "torana_buffered_refused_total") >= 1.0);
    gate.open();
    assert_eq!(first.read_response().text(), "700000");
    eventually(PATIENCE, || metric(&gateway, "torana_buffered_bytes") == 0.0);
    let before = metric(&gateway, "torana_buffered_refused_total");
    put(&mut second, "/");
    assert_eq!(second.read_response().text(), "700000");
    assert!((metric(&gateway, "torana_buffered_refused_total") - before).abs() < 0.5);
}

#[test]
fn what_is_announced_and_does_not_come_fills_no_memory() {
    let origin = Origin::respond(|request| Reply::ok(request.body.len().to_string()));
    let gateway = Running::start(&format!(
        "access_log: off\nlimits: {{ buffered_bytes: 1MiB }}\ntimeouts: {{ body: 10m }}\n\
         services: {{ a: {{ endpoints: [{}], retries: {{ keep_body: 64KiB }} }} }}\n\
         routes: [{{ path: /echo, respond: {{ echo: this came }} }}, {{ path: /*, service: a }}]\n",
        origin.url()
    ));
    // Heads alone, and a byte each for what reads bodies before it answers.
    let silent: Vec<_> = ["PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n"; 20]
        .into_iter()
        .chain(["POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\nx"; 20])
        .map(|beginning| {
            let mut client = Client::connect(gateway.address);
            client.send(beginning);
            client
        })
        .collect();
    let mut crowd = Http2Client::connect(gateway.address);
    let length = [("content-length", "65536")];
    let mut streams: Vec<_> = (0..40)
        .map(|number| crowd.begin("PUT", if number < 20 { "/" } else { "/echo" }, &length, false).unwrap())
        .collect();
    for (_, body) in streams.iter_mut().skip(20) {
        body.send_data("x".into(), false).unwrap();
    }
    eventually(PATIENCE, || {
        crowd.pause(Duration::ZERO);
        metric(&gateway, "torana_requests_in_flight ") >= 80.0 && buffered(&gateway) >= 40.0
    });
    assert!(buffered(&gateway) <= 16.0 * 1024.0, "{}", buffered(&gateway));
    let mut other = Http2Client::connect(gateway.address);
    assert_eq!(other.request("PUT", "/", &[("content-length", "5")], b"12345").text(), "5");
    assert_eq!(other.request("POST", "/echo", &[], b"12345").status, 200);
    let echo = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345";
    assert_eq!(Client::connect(gateway.address).exchange(echo).status, 200);
    drop((silent, streams, crowd));
    eventually(PATIENCE, || buffered(&gateway) == 0.0);
}

#[test]
fn a_service_is_asked_for_no_more_than_its_bound_at_once() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |_| Reply::ok("done").after(&held));
    let text = format!(
        "access_log: off\nservices:\n  a: {{ endpoints: [{}], adaptive_concurrency: {{ min: 2, start: 2, max: 2 }} }}\n\
         routes: [{{ path: /*, service: a }}]\n",
        origin.url()
    );
    let mut gateway = Running::start(&text);
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(GET);
    }
    eventually(PATIENCE, || origin.count() == 2);
    let refused = gateway.get("/");
    assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
    assert!(refused.text().contains("service_saturated"), "{}", refused.text());
    gateway.reload(&format!("{text}\n# the bound and what is under way are kept\n"));
    assert_eq!(gateway.get("/").status, 503);
    gate.open();
    assert!(clients.iter_mut().all(|client| client.read_response().text() == "done"));
    assert_eq!(gateway.get("/").status, 200);
    assert!(metric(&gateway, "torana_adaptive_refused_total{service=\"a\"}") >= 2.0);
    assert!((metric(&gateway, "torana_adaptive_limit{service=\"a\"}") - 2.0).abs() < 0.1);
    eventually(PATIENCE, || metric(&gateway, "torana_adaptive_under_way{service=\"a\"}") == 0.0);
}

/// A gateway that learns what `a` can do, from forty on; asked until that has begun.
fn learning(urls: &[String], service: &str) -> Running {
    let gateway = Running::start(&format!(
        "access_log: off\nservices:\n  a:\n    endpoints: [{}]\n    {service}\n\
         \x20   adaptive_concurrency: {{ min: 2, start: 40, max: 40, window: 20ms, headroom: 100%, remeasure: 1h }}\n\
         routes: [{{ path: /*, service: a }}]\n",
        urls.join(", ")
    ));
    let mut client = Client::connect(gateway.address);
    let begun = Instant::now();
    let mut asked = 0;
    while asked < 50 || begun.elapsed() < Duration::from_millis(100) {
        assert_eq!(client.exchange(GET).status, 200);
        asked += 1;
    }
    gateway
}

/// An answer that is not there at once.
fn unhurried(millis: u64) -> Reply {
    Reply::ok("").delay(Duration::from_millis(millis))
}

fn learnt(gateway: &Running) -> usize {
    metric(gateway, "torana_adaptive_limit{service=\"a\"}") as usize
}

#[test]
fn a_service_that_hangs_until_its_clients_leave_is_asked_for_little() {
    let gate = Gate::new();
    let (hangs, held) = (Arc::new(AtomicBool::new(false)), gate.clone());
    let origin = Origin::respond({
        let hangs = Arc::clone(&hangs);
        move |_| {
            // Long enough that what the machine adds does not matter.
            if hangs.load(Ordering::Relaxed) { Reply::ok("late").after(&held) } else { unhurried(40) }
        }
    });
    let gateway = learning(&[origin.url()], "timeouts: { first_byte: 1h, total: off }");
    hangs.store(true, Ordering::Relaxed);
    let mut clients: Vec<Client> = Vec::new();
    eventually(PATIENCE, || {
        let before = origin.count();
        clients.extend((0..learnt(&gateway)).map(|_| Client::connect(gateway.address)));
        clients.iter_mut().for_each(|client| {
            client.send(GET);
        });
        origin.wait_for(before + clients.len(), PATIENCE);
        // As long as they have patience.
        std::thread::sleep(Duration::from_millis(300));
        clients.clear();
        eventually(PATIENCE, || metric(&gateway, "torana_adaptive_under_way{service=\"a\"}") == 0.0);
        learnt(&gateway) <= 5
    });
    hangs.store(false, Ordering::Relaxed);
    gate.open();
    let mut clients: Vec<_> = (0..5).map(|_| Client::connect(gateway.address).deadline(PATIENCE)).collect();
    eventually(PATIENCE, || {
        clients.iter_mut().for_each(|client| {
            client.send(GET);
        });
        clients.iter_mut().for_each(|client| assert!([200, 503].contains(&client.read_response().status)));
        learnt(&gateway) >= 8
    });
}

#[test]
fn an_endpoint_that_others_always_outrun_makes_its_service_a_slow_one() {
    let hangs = Arc::new(AtomicBool::new(false));
    let slow = Origin::respond({
        let hangs = Arc::clone(&hangs);
        move |_| if hangs.load(Ordering::Relaxed) { Reply::hang() } else { unhurried(10) }
    });
    let quick = Origin::respond(|_| unhurried(10));
    let retries = "retries: { hedge: { after: 500ms }, budget: { share: 100%, minimum: 100 } }";
    let gateway = learning(&[slow.url(), quick.url()], retries);
    hangs.store(true, Ordering::Relaxed);
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(gateway.address)).collect();
    eventually(PATIENCE, || {
        clients.iter_mut().for_each(|client| {
            client.send(GET);
        });
        clients.iter_mut().for_each(|client| assert_eq!(client.read_response().status, 200));
        learnt(&gateway) <= 6
    });
}

/// Each asks for fifty answers at once, again and again, and gives how many of them were no good ones.
fn flood(
    gateway: &Running,
    target: &'static str,
    stop: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<usize>> {
    let address = gateway.address;
    let one = move |stop: Arc<AtomicBool>| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(50);
        let mut client = Client::connect(address).deadline(PATIENCE);
        let mut refused = 0;
        while !stop.load(Ordering::Relaxed) {
            client.send(&request);
            refused += (0..50).filter(|_| client.read_response().status != 200).count();
        }
        refused
    };
    (0..60)
        .map(|_| {
            std::thread::spawn({
                let stop = Arc::clone(stop);
                move || one(stop)
            })
        })
        .collect()
}

#[test]
fn when_work_waits_too_long_the_least_important_is_refused_and_served_again_afterwards() {
    let gateway = Running::start(
        "access_log: off\nlimits: { queue_delay: { target: 5ms, interval: 20ms } }\nroutes:\n\
         - { path: /bulk, importance: low, respond: { body: bulk } }\n\
         - { path: /pay, importance: critical, respond: { body: paid } }\n",
    );
    // On a machine with other work a single one may have waited too long as well.
    eventually(PATIENCE, || gateway.get("/bulk").status == 200);
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(&gateway, "/bulk", &stop);
    let mut refused = None;
    let mut client = Client::connect(gateway.address).deadline(PATIENCE);
    eventually(PATIENCE, || {
        let answer = client.exchange("GET /bulk HTTP/1.1\r\nHost: a\r\n\r\n");
        refused = (answer.status == 503).then_some(answer);
        refused.is_some()
    });
    let refused = refused.unwrap();
    assert!(refused.text().contains("\"overloaded\""), "{}", refused.text());
    assert!(refused.header("Retry-After").is_some_and(|wait| (1..=3).contains(&wait.parse().unwrap_or(0))));
    // Some of what is critical always passes.
    eventually(PATIENCE, || client.exchange("GET /pay HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
    assert!(metric(&gateway, "torana_requests_shed_total{importance=\"low\"}") >= 1.0);
    stop.store(true, Ordering::Relaxed);
    for thread in flood {
        thread.join().unwrap();
    }
    eventually(PATIENCE, || {
        metric(&gateway, "torana_queue_pressure{worker=\"0\"}") == 0.0 && gateway.get("/bulk").status == 200
    });
}

#[test]
fn nothing_is_measured_or_refused_unless_it_is_asked_for() {
    let gateway = hello("");
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(&gateway, "/", &stop);
    let mut client = Client::connect(gateway.address).deadline(PATIENCE);
    for _ in 0..10 {
        assert_eq!(client.exchange(GET).status, 200);
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(flood.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 0);
    assert!(metric(&gateway, "torana_queue_delay_seconds{worker=\"0\"}") == 0.0);
}

#[test]
fn the_state_is_shown() {
    let gateway = hello("connections: 10, queue_delay: 20ms, buffered_bytes: 1MiB");
    let mut client = Client::connect(gateway.address);
    assert!(served(&mut client));
    let shown = torana_proxy::overload(&gateway.shared);
    assert_eq!(shown["connections"]["open"], 1);
    assert_eq!(shown["connections"]["most"], 10);
    assert_eq!(shown["connections"]["most_per_address"], 5);
    assert_eq!(shown["queue"]["target_ms"], 20.0);
    assert_eq!(shown["buffered"]["most"], 1024 * 1024);
    assert_eq!(shown["queue"]["shed"]["critical"], 0);
}
