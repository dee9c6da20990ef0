//! The PROXY protocol on both sides of a whole gateway.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use torana_http::proxy_protocol::{Introduction, ProxyVersion, read_introduction, write_introduction};
use torana_testkit::{Authority, Client, Origin, Reply, TlsFront, TlsOptions, eventually};
use yaml::{Running, resolver};

const PATIENCE: Duration = Duration::from_secs(30);
const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn header(version: ProxyVersion) -> Vec<u8> {
    let client = Introduction::of("203.0.113.9:4711".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
    let mut bytes = Vec::new();
    write_introduction(&client, version, &mut bytes);
    bytes
}

fn trusting(networks: &str, origin: &Origin) -> String {
    format!(
        "access_log: off\ntimeouts: {{ handshake: 3s }}\nlisten: {{ address: \":1\", proxy_protocol: [{networks}] }}\n\
         services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        origin.url()
    )
}

#[test]
fn a_trusted_balancer_introduces_clients_in_both_versions() {
    let origin = Origin::always(Reply::ok("ok"));
    let gateway = Running::start(&trusting("127.0.0.0/8", &origin));
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let header = header(version);
        for pieces in [1, header.len()] {
            let mut client = Client::connect(gateway.address);
            for piece in header.chunks(header.len() / pieces) {
                client.send(piece);
            }
            // Both requests of the connection are the client's.
            assert_eq!(client.exchange(GET).text(), "ok");
            assert_eq!(client.exchange(GET).text(), "ok");
            for request in origin.requests().iter().rev().take(2) {
                assert_eq!(request.header("X-Forwarded-For"), Some("203.0.113.9"));
                assert_eq!(request.header("X-Forwarded-Port"), Some("443"));
            }
        }
        let mut at_once = Client::connect(gateway.address);
        assert_eq!(at_once.exchange([&header[..], GET.as_bytes()].concat()).text(), "ok");
    }
    let mut own = Client::connect(gateway.address);
    assert_eq!(own.exchange(format!("PROXY UNKNOWN\r\n{GET}")).text(), "ok");
    assert_eq!(origin.requests().pop().unwrap().header("X-Forwarded-For"), Some("127.0.0.1"));
}

#[test]
fn nobody_else_is_believed_and_a_wrong_or_late_header_ends_the_connection() {
    let origin = Origin::always(Reply::ok("ok"));
    let gateway = Running::start(&trusting("192.0.2.0/24", &origin));
    let mut stranger = Client::connect(gateway.address);
    assert_eq!(stranger.exchange(GET).text(), "ok", "a client that comes by itself is served");
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut liar = Client::connect(gateway.address);
        let refused = liar.exchange([&header(version)[..], GET.as_bytes()].concat());
        assert_eq!(refused.status, 400);
        liar.expect_closed();
    }
    assert_eq!(origin.count(), 1);
    let gateway = Running::start(&trusting("127.0.0.1", &origin));
    for wrong in [GET.as_bytes(), b"PROXY TCP4 a b 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c"] {
        let mut client = Client::connect(gateway.address);
        client.send(wrong);
        client.expect_closed();
    }
    let mut slow = Client::connect(gateway.address);
    slow.send("PROXY TCP4 ");
    slow.expect_closed();
    assert_eq!(origin.count(), 1);
    for line in [
        r#"torana_tls_handshake_errors_total{reason="proxy_header"} 3.0"#,
        r#"torana_tls_handshake_errors_total{reason="timeout"} 1.0"#,
    ] {
        eventually(PATIENCE, || gateway.metrics.render().contains(line));
    }
}

#[test]
fn the_header_comes_before_tls() {
    let authority = Authority::default();
    let issued = authority.issue(&["a.test"]);
    let origin = Origin::always(Reply::ok("ok"));
    let text = trusting("127.0.0.1", &origin)
        .replace("proxy_protocol", "tls: { certificates: { cert: a.pem, key: a.key } }, proxy_protocol");
    let all = resolver().with_file("a.pem", &issued.cert).with_file("a.key", &issued.key);
    let gateway = Running::with_resolver(&text, 1, all);
    let mut client = Client::connect(gateway.address);
    client.send(header(ProxyVersion::V2));
    let mut client = client.try_secure(&TlsOptions::trusting(&authority), "a.test").unwrap();
    assert_eq!(client.exchange(GET).text(), "ok");
    let request = origin.only_request();
    assert_eq!(request.header("X-Forwarded-For"), Some("203.0.113.9"));
    assert_eq!(request.header("X-Forwarded-Proto"), Some("https"));
}

/// An endpoint that wants the header, and notes it for each connection.
struct Wanting {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Introduction>>>,
}

impl Wanting {
    fn start() -> Self {
        Self::handing_on(None)
    }

    /// What comes after the header is for `behind`, if there is somebody; else it is answered here.
    fn handing_on(behind: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, notes) = (stream.unwrap(), Arc::clone(&notes));
                std::thread::spawn(move || {
                    let mut bytes = Vec::new();
                    let mut byte = [0];
                    let introduction = loop {
                        match read_introduction(&bytes).expect("a header first") {
                            Some((introduction, _)) => break introduction,
                            None if stream.read(&mut byte).unwrap_or(0) == 0 => return,
                            None => bytes.push(byte[0]),
                        }
                    };
                    notes.lock().unwrap().push(introduction);
                    if let Some(behind) = behind {
                        let mut back = TcpStream::connect(behind).unwrap();
                        let (mut from, mut to) = (stream.try_clone().unwrap(), back.try_clone().unwrap());
                        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                        let _ = std::io::copy(&mut back, &mut stream);
                        return;
                    }
                    let mut request = Vec::new();
                    while stream.read(&mut byte).unwrap_or(0) > 0 {
                        request.push(byte[0]);
                        if request.ends_with(b"\r\n\r\n") {
                            request.clear();
                            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }
}

#[test]
fn services_behind_tls_are_told_before_the_handshake() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("hi"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), None);
    for version in ["v1", "v2"] {
        let endpoint = Wanting::handing_on(Some(front.addr()));
        let text = format!(
            "access_log: off\nservices: {{ s: {{ endpoints: [\"https://localhost:{}\"], tls: {{ ca: ca.pem }}, proxy_protocol: {version} }} }}\nroutes: [{{ path: /*, service: s }}]\n",
            endpoint.address.port()
        );
        let gateway = Running::with_resolver(&text, 1, resolver().with_file("ca.pem", &authority.pem));
        let mut client = Client::connect(gateway.address);
        assert_eq!(client.exchange(GET).text(), "hi", "{version}");
        let expected = Introduction::of(client.local_addr(), gateway.address);
        assert_eq!(*endpoint.seen.lock().unwrap(), [expected], "{version}");
    }
    assert_eq!(front.greetings().len(), 2);
}

#[test]
fn services_are_told_of_each_client_on_connections_of_its_own() {
    for version in ["v1", "v2"] {
        let endpoint = Wanting::start();
        let gateway = Running::start(&format!(
            "access_log: off\nservices: {{ s: {{ endpoints: [\"http://{}\"], proxy_protocol: {version} }} }}\nroutes: [{{ path: /*, service: s }}]\n",
            endpoint.address
        ));
        let mut clients = [Client::connect(gateway.address), Client::connect(gateway.address)];
        for client in &mut clients {
            for _ in 0..2 {
                assert_eq!(client.exchange(GET).text(), "hi", "{version}");
            }
        }
        let expected: Vec<_> =
            clients.iter().map(|client| Introduction::of(client.local_addr(), gateway.address)).collect();
        assert_eq!(*endpoint.seen.lock().unwrap(), expected, "{version}: one connection for each client");
    }
}
