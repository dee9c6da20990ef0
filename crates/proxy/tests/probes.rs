//! Probes of every kind against real servers, and endpoints that take connections and shake no hands.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::float_cmp,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use torana_proxy::{restore, services};
use torana_testkit::http2::{Http2Origin, Http2Reply};
use torana_testkit::{Authority, Client, Gate, Origin, Reply, TlsFront, eventually, side_by_side, tool};
use yaml::{Running, resolver};

const PATIENCE: Duration = Duration::from_secs(30);
const OFTEN: &str = "interval: 50ms, timeout: 10s, healthy_after: 1, unhealthy_after: 1";

/// A gateway before one endpoint with these probes; `keys` are further keys of the service.
fn probing(url: &str, probes: &str, keys: &str, authority: Option<&Authority>) -> Running {
    let text = format!(
        "access_log: off
services: {{ a: {{ endpoints: [\"{url}\"], health: {{ probes: {{ {probes}, {OFTEN} }} }}, {keys} }} }}
routes: [{{ service: a }}]
"
    );
    let files = authority.map(|authority| resolver().with_file("ca.pem", &authority.pem));
    Running::with_resolver(&text, 1, files.unwrap_or_else(resolver))
}

/// What the page of services says of the only endpoint.
fn endpoint(gateway: &Running) -> serde_json::Value {
    services(&gateway.shared)["a"]["endpoints"][0].clone()
}

fn succeeds(gateway: &Running) {
    eventually(PATIENCE, || {
        let shown = endpoint(gateway);
        shown["in_service"] == true && shown["probes"]["succeeded"].as_u64().unwrap() > 0
    });
}

fn fails(gateway: &Running, why: &str) {
    eventually(PATIENCE, || {
        let shown = endpoint(gateway);
        shown["in_service"] == false
            && shown["probes"]["last_failure"].as_str().is_some_and(|said| said.contains(why))
    });
}

/// A server with gRPC's own implementation of its health protocol.
struct HealthServer {
    process: Child,
    said: BufReader<ChildStdout>,
    port: String,
}

impl HealthServer {
    fn start(mode: &str) -> Self {
        let mut command = Command::new(tool("python/bin/python"));
        command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc_peer.py"), mode]);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server of gRPC");
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        Self { process, said, port: port.trim().to_owned() }
    }

    fn set(&mut self, service: &str, status: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{service} {status}").unwrap();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line, "set\n");
    }

    fn url(&self) -> String {
        format!("h2://127.0.0.1:{}", self.port)
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn grpc_servers_are_asked_by_their_own_protocol_of_health() {
    let mut server = HealthServer::start("health");
    server.set("shop.Cart", "SERVING");
    server.set("-", "NOT_SERVING");
    let cart = probing(&server.url(), "kind: grpc, service: shop.Cart", "host: rewrite", None);
    let whole = probing(&server.url(), "kind: grpc", "host: rewrite", None);
    let unknown = probing(&server.url(), "kind: grpc, service: shop.Nobody", "host: rewrite", None);
    succeeds(&cart);
    fails(&whole, "NOT_SERVING");
    fails(&unknown, "does not know the service");
    server.set("shop.Cart", "NOT_SERVING");
    server.set("-", "SERVING");
    fails(&cart, "NOT_SERVING");
    succeeds(&whole);
    server.set("shop.Cart", "SERVING");
    succeeds(&cart);
    let without = HealthServer::start("serve");
    fails(&probing(&without.url(), "kind: grpc", "host: rewrite", None), "no grpc.health.v1.Health");
    drop(server);
    fails(&cart, "upstream_connect_failed");
}

#[test]
fn http_probes_speak_the_protocol_of_the_endpoint() {
    let origin = Http2Origin::respond(|request| match request.uri.path() {
        "/health" => Http2Reply::ok("well"),
        _ => Http2Reply::ok("other"),
    });
    succeeds(&probing(&origin.url(), "path: /health, body: well", "host: rewrite", None));
    fails(
        &probing(&origin.url(), "path: /x, body: well", "host: rewrite", None),
        "does not contain the text",
    );
    assert!(origin.connections() >= 2, "each probe asks on a connection of its own");
    eventually(PATIENCE, || origin.connections_open() == 0);
}

#[test]
fn probes_know_every_status_that_a_service_can_send() {
    let origin = Origin::respond(|_| Reply::status(799));
    let newer = Http2Origin::respond(|_| Http2Reply::ok("").status(799));
    for url in [origin.url(), newer.url()] {
        for good in ["799", "7xx", "600-999"] {
            let gateway = probing(&url, &format!("path: /, good: [{good}]"), "host: rewrite", None);
            succeeds(&gateway);
            assert_eq!(torana_testkit::get(gateway.address, "/").status, 799);
        }
        for speaks_against in
            ["good: [2xx]", "good: [2xx, 798, 8xx], bad: [799]", "good: [100-599], bad: [600-999]"]
        {
            fails(&probing(&url, &format!("path: /, {speaks_against}"), "host: rewrite", None), "status 799");
        }
    }
}

#[test]
fn a_long_page_is_judged_by_its_status_and_by_its_first_64_kib() {
    let text = |place: usize| {
        let mut page = vec![b'-'; 1 << 20];
        page[place..place + 4].copy_from_slice(b"well");
        page
    };
    let last = (64 << 10) - 4;
    for chunked in [false, true] {
        let origin = Origin::respond(move |request| {
            let page = text(if request.target == "/early" { last } else { last + 1 });
            if chunked { Reply::status(200).chunked([page]) } else { Reply::ok(page) }
        });
        succeeds(&probing(&origin.url(), "path: /", "host: rewrite", None));
        succeeds(&probing(&origin.url(), "path: /early, body: well", "host: rewrite", None));
        let why = "does not contain the text in its first 64 KiB";
        fails(&probing(&origin.url(), "path: /late, body: well", "host: rewrite", None), why);
        fails(&probing(&origin.url(), "path: /, good: [204]", "host: rewrite", None), "status 200");
    }
}

#[test]
fn probes_by_tls_verify_whom_they_ask() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
    let url = format!("https://localhost:{}", front.addr().port());
    for kind in ["kind: http, path: /", "kind: tcp"] {
        succeeds(&probing(&url, kind, "tls: { ca: ca.pem }", Some(&authority)));
        let refused = probing(&url, kind, "tls: { ca: ca.pem }", Some(&stranger));
        fails(&refused, "certificate_unknown_issuer");
        let other = "tls: { ca: ca.pem, server_name: other.internal }";
        fails(&probing(&url, kind, other, Some(&authority)), "certificate_wrong_name");
        succeeds(&probing(&url, kind, "tls: { verify: off }", None));
    }
    let expired = TlsFront::new(origin.addr(), &authority.issue_expired(&["localhost"]), None);
    let url = format!("https://localhost:{}", expired.addr().port());
    fails(&probing(&url, "kind: http", "tls: { ca: ca.pem }", Some(&authority)), "certificate_expired");
}

#[test]
fn probes_go_by_tls_of_their_own_whatever_the_url_says() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["health.internal"]), None);
    let url = format!("http://{}", front.addr());
    for kind in ["kind: http, path: /", "kind: tcp"] {
        let own = |tls: &str| format!("{kind}, tls: {{ {tls} }}");
        let named = own("ca: ca.pem, server_name: health.internal");
        succeeds(&probing(&url, &named, "host: rewrite", Some(&authority)));
        fails(&probing(&url, &named, "host: rewrite", Some(&stranger)), "certificate_unknown_issuer");
        fails(
            &probing(&url, &own("ca: ca.pem"), "host: rewrite", Some(&authority)),
            "certificate_wrong_name",
        );
        succeeds(&probing(&url, &own("verify: off"), "host: rewrite", None));
    }
    // The other way round: requests by TLS, which the service's own settings are for, probes in plain text.
    let plain = format!("https://{}", origin.addr());
    succeeds(&probing(&plain, "path: /, tls: off", "tls: { verify: off }", None));
    let grpc = HealthServer::start("health");
    let refused =
        probing(&format!("http://127.0.0.1:{}", grpc.port), "kind: grpc, tls: {}", "host: rewrite", None);
    fails(&refused, "upstream_tls_failed");
}

#[test]
fn a_field_of_probes_has_as_many_values_as_it_is_given() {
    let origin = Origin::always(Reply::ok("inside"));
    let fields = "path: /, headers: { X-Many: [one, two], X-One: three, User-Agent: [a, b] }";
    succeeds(&probing(&origin.url(), fields, "host: rewrite", None));
    let asked = &origin.requests()[0];
    let values = |name: &str| {
        let named = asked.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect::<Vec<String>>()
    };
    assert_eq!(values("X-Many"), ["one", "two"]);
    assert_eq!((values("X-One"), values("User-Agent")), (vec!["three".into()], vec!["a".into(), "b".into()]));
}

#[test]
fn who_is_out_for_good_is_brought_back_by_an_operator_alone() {
    let probes = "probes: { interval: 50ms, timeout: 10s, healthy_after: 0, unhealthy_after: 1, kind: tcp }";
    let passive = "ejection: { failures: 1, for: off, max_share: 100% }";
    for health in [probes, passive] {
        let origin = Origin::always(Reply::ok("inside"));
        let gateway = Running::start(&format!(
            "access_log: off
admin_token: \"${{env:KEY}}\"
services: {{ a: {{ endpoints: [\"{}\"], retries: {{ attempts: 1 }}, health: {{ {health} }} }} }}
routes: [{{ service: a }}]
",
            origin.url()
        ));
        let ask = || torana_testkit::get(gateway.address, "/").status;
        assert_eq!(ask(), 200);
        origin.kill();
        eventually(PATIENCE, || {
            ask();
            endpoint(&gateway)["in_service"] == false
        });
        origin.restart();
        if health == probes {
            let succeeded = || endpoint(&gateway)["probes"]["succeeded"].as_u64().unwrap();
            let before = succeeded();
            eventually(PATIENCE, || succeeded() > before + 3);
        }
        assert_eq!((ask(), endpoint(&gateway)["in_service"].as_bool()), (503, Some(false)), "{health}");
        assert!(!restore(&gateway.shared, "a", "elsewhere:80") && !restore(&gateway.shared, "b", "x"));
        assert!(restore(&gateway.shared, "a", &origin.addr().to_string()));
        assert_eq!((ask(), endpoint(&gateway)["in_service"].as_bool()), (200, Some(true)), "{health}");
    }
}

#[test]
fn probes_follow_a_change_of_whom_to_trust() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
    let files = resolver().with_file("ca.pem", &authority.pem).with_file("other.pem", &stranger.pem);
    let text = |ca: &str| {
        format!(
            "access_log: off
services:
  a:
    endpoints: [\"https://localhost:{}\"]
    tls: {{ ca: {ca} }}
    health: {{ probes: {{ {OFTEN} }} }}
routes: [{{ service: a }}]
",
            front.addr().port()
        )
    };
    let mut gateway = Running::with_resolver(&text("other.pem"), 1, files);
    fails(&gateway, "certificate_unknown_issuer");
    gateway.reload(&text("ca.pem"));
    succeeds(&gateway);
}

#[test]
fn probes_of_a_configuration_that_is_in_force_no_more_are_neither_asked_nor_heard() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |request| match &*request.target {
        "/new" => Reply::ok("well"),
        "/long" => Reply::ok("at last").after(&held),
        _ => Reply::status(404),
    });
    let text = |path: &str| {
        format!(
            "access_log: off
services:
  a:
    endpoints: [\"{0}\"]
    health: {{ probes: {{ path: {path}, interval: 50ms, timeout: 10s, healthy_after: 3, unhealthy_after: 1 }} }}
  b: {{ endpoints: [\"{0}\"] }}
routes: [{{ path: /long, service: b }}, {{ path: /*, service: a }}]
",
            origin.url()
        )
    };
    let asked = |path: &str| origin.requests().iter().filter(|request| request.target == path).count();
    let mut gateway = Running::start(&text("/old"));
    fails(&gateway, "status 404");
    // What is under way holds the configuration that it began with, and its probers.
    let mut client = Client::connect(gateway.address).deadline(PATIENCE * 4);
    client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || asked("/long") == 1);
    gateway.reload(&text("/new"));
    succeeds(&gateway);
    let (old, new) = (asked("/old"), asked("/new"));
    eventually(PATIENCE, || asked("/new") >= new + 20);
    assert!(asked("/old") <= old + 1, "beside one that was on its way");
    // The same prober again, which has ended meanwhile.
    gateway.reload(&text("/old"));
    eventually(PATIENCE, || endpoint(&gateway)["in_service"] == false && asked("/old") >= old + 5);
    gate.open();
    assert_eq!(client.read_response().text(), "at last");
}

#[test]
fn probes_by_tcp_ask_for_a_connection_and_nothing_else() {
    let origin = Origin::always(Reply::status(500));
    let gateway = probing(&origin.url(), "kind: tcp", "host: rewrite", None);
    succeeds(&gateway);
    origin.kill();
    fails(&gateway, "upstream_connect_failed");
    origin.restart();
    succeeds(&gateway);
    assert_eq!(origin.count(), 0, "nothing was sent");
}

/// Before a server: while it stalls, connections are taken and nothing is said on them.
struct Stall {
    address: SocketAddr,
    stalls: Arc<AtomicBool>,
}

impl Stall {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stalls = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&stalls);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if told.load(Ordering::SeqCst) {
                    held.push(client);
                } else if let Ok(server) = TcpStream::connect(server) {
                    splice(&client, &server);
                    splice(&server, &client);
                }
            }
        });
        Self { address, stalls }
    }

    fn ends(&self) {
        self.stalls.store(false, Ordering::SeqCst);
    }
}

fn splice(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

fn value(gateway: &Running, name: &str) -> f64 {
    let page = gateway.metrics.render();
    let lines = page.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[test]
fn an_endpoint_that_never_finishes_its_handshake_is_found_by_probes_and_comes_back() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
    let stall = Stall::before(front.addr());
    let text = format!(
        "access_log: off
services:
  a:
    endpoints: [\"https://localhost:{}\"]
    tls: {{ ca: ca.pem }}
    health: {{ probes: {{ interval: 50ms, timeout: 1500ms, healthy_after: 1, unhealthy_after: 1 }} }}
routes: [{{ service: a }}]
",
        stall.address.port()
    );
    let gateway = Running::with_resolver(&text, 1, resolver().with_file("ca.pem", &authority.pem));
    fails(&gateway, "upstream_connect_timeout");
    stall.ends();
    succeeds(&gateway);
}

#[test]
fn a_stalled_handshake_never_wedges_a_pool() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
    side_by_side(["http1", "auto"], |protocol| {
        let stall = Stall::before(front.addr());
        let text = format!(
            "access_log: off
services:
  a:
    endpoints: [\"https://localhost:{}\"]
    protocol: {protocol}
    tls: {{ ca: ca.pem }}
    pool: {{ max_connections: 2, max_queue: 6, queue_timeout: 30s }}
    timeouts: {{ connect: 1s }}
    retries: {{ attempts: 1 }}
routes: [{{ service: a }}]
",
            stall.address.port()
        );
        let gateway = Running::with_resolver(&text, 1, resolver().with_file("ca.pem", &authority.pem));
        let storm = || {
            let ask = || {
                let answer = gateway.get("/");
                (answer.status, answer.text())
            };
            std::thread::scope(|scope| {
                let asking: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
                asking.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
            })
        };
        for _ in 0..2 {
            for (status, text) in storm() {
                assert!([503, 504].contains(&status), "{protocol}: {status} {text}");
            }
            eventually(PATIENCE, || {
                value(&gateway, "torana_pool_waiting") == 0.0
                    && value(&gateway, "torana_pool_connections_open") == 0.0
                    && value(&gateway, "torana_endpoint_in_flight") == 0.0
            });
        }
        stall.ends();
        assert!(
            storm().iter().all(|(status, text)| (*status, text.as_str()) == (200, "inside")),
            "{protocol}"
        );
    });
}

#[test]
fn no_more_endpoints_are_asked_at_once_than_was_said() {
    for at_once in [1, 2] {
        let under_way = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let origins: Vec<Origin> = (0..4)
            .map(|_| {
                let (under_way, most) = (Arc::clone(&under_way), Arc::clone(&most));
                Origin::respond(move |_| {
                    most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // The time that an answer takes is what is tested.
                    std::thread::sleep(Duration::from_millis(20));
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    Reply::ok("")
                })
            })
            .collect();
        let urls: Vec<String> = origins.iter().map(Origin::url).collect();
        let text = |at_once: &str| {
            format!(
                "access_log: off
services: {{ a: {{ endpoints: [{}], health: {{ probes: {{ interval: 1ms, timeout: 10s{at_once} }} }} }} }}
routes: [{{ service: a }}]
",
                urls.join(", ")
            )
        };
        let mut gateway = Running::start(&text(&format!(", at_once: {at_once}")));
        eventually(PATIENCE, || origins.iter().all(|origin| origin.count() > 5));
        assert_eq!(most.load(Ordering::SeqCst), at_once);
        gateway.reload(&text(""));
        eventually(PATIENCE, || most.load(Ordering::SeqCst) > at_once);
    }
}
