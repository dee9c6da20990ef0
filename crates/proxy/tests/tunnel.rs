//! Connections that leave HTTP: only when both sides want to, and then every byte, both ways.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

#[path = "yaml.rs"]
mod yaml;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use torana_testkit::{Client, DEADLINE, Origin, Reply, eventually};
use yaml::Running;

const ASK: &str = "GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Key: abc\r\n\r\n";
const AGREE: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Own: 1\r\n\r\n";

/// An upstream that serves one connection by a script.
struct Upstream {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Upstream {
    fn serving(script: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.set_write_timeout(Some(DEADLINE)).unwrap();
            script(stream);
        });
        Self { address, thread }
    }

    fn done(self) {
        self.thread.join().unwrap();
    }
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn gateway(upstream: SocketAddr, service: &str) -> Running {
    Running::start(&format!(
        "access_log: off\nrequest_id: {{ header: off }}\nservices:\n  s:\n    endpoints: [\"http://{upstream}\"]\n\
         {service}\nroutes: [{{ path: /*, service: s }}]\n"
    ))
}

#[test]
fn bytes_go_both_ways_and_those_that_came_with_the_heads_are_not_lost() {
    let upstream = Upstream::serving(|mut stream| {
        let head = read_head(&mut stream);
        assert!(
            head.starts_with("GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: abc\r\n"),
            "{head}"
        );
        assert!(head.ends_with("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), "{head}");
        stream.write_all(format!("{AGREE}server first").as_bytes()).unwrap();
        let mut early = [0; 12];
        stream.read_exact(&mut early).unwrap();
        assert_eq!(&early, b"client first");
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() > 0 {
            stream.write_all(&byte).unwrap();
        }
        stream.write_all(b"last words").unwrap();
    });
    let gateway = gateway(upstream.address, "");
    let mut client = Client::connect(gateway.address);
    client.send(format!("{ASK}client first"));
    let head = "HTTP/1.1 101 Switching Protocols\r\nX-Own: 1\r\nVia: 1.1 torana\r\nConnection: Upgrade\r\n\
                Upgrade: websocket\r\n\r\n";
    let received = client.read_exactly(head.len());
    assert_eq!(String::from_utf8(received).unwrap(), head);
    assert_eq!(client.read_exactly(12), b"server first");
    for text in ["a", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\0\u{ff}"] {
        client.send(text);
        assert_eq!(client.read_exactly(text.len()), text.as_bytes());
    }
    let page = gateway.metrics.render();
    assert!(page.contains("torana_tunnels_open 1"), "{page}");
    assert!(page.contains("torana_tunnels_total 1"), "{page}");
    client.finish_sending();
    assert_eq!(client.read_to_end(), b"last words");
    upstream.done();
    eventually(DEADLINE, || gateway.metrics.connections().tunnels_open() == 0);
    eventually(DEADLINE, || gateway.metrics.render().contains("status=\"101\""));
}

#[test]
fn last_words_before_a_reset_arrive() {
    for _ in 0..20 {
        let upstream = Upstream::serving(|mut stream| {
            read_head(&mut stream);
            stream.write_all(AGREE.as_bytes()).unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            // Closed with a byte unread, which the kernel makes a reset behind what was written.
            stream.write_all(b"last words").unwrap();
        });
        let gateway = gateway(upstream.address, "");
        let mut client = Client::connect(gateway.address);
        client.send(format!("{ASK}some more words"));
        let received = client.read_to_end();
        assert!(received.ends_with(b"last words"), "{}", String::from_utf8_lossy(&received));
        upstream.done();
    }
}

#[test]
fn a_switch_goes_on_without_fields_that_frame_a_body() {
    for framing in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 0\r\n"] {
        let upstream = Upstream::serving(move |mut stream| {
            read_head(&mut stream);
            let head = AGREE.replace("X-Own", &format!("{framing}X-Own"));
            stream.write_all(format!("{head}bytes").as_bytes()).unwrap();
        });
        let gateway = gateway(upstream.address, "");
        let mut client = Client::connect(gateway.address);
        client.send(ASK);
        let all = "HTTP/1.1 101 Switching Protocols\r\nX-Own: 1\r\nVia: 1.1 torana\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\n\r\nbytes";
        assert_eq!(String::from_utf8(client.read_to_end()).unwrap(), all, "{framing}");
        upstream.done();
    }
}

#[test]
fn a_slow_reader_stops_a_fast_writer() {
    const SENT: usize = 32 << 20;
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let upstream = Upstream::serving(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(AGREE.as_bytes()).unwrap();
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..SENT / piece.len() {
            stream.write_all(&piece).unwrap();
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    });
    let gateway = gateway(upstream.address, "");
    let mut client = Client::connect(gateway.address);
    client.send(ASK);
    // What fits into the kernel's buffers on the way, and no more: then it stands still.
    let mut last = (0, Instant::now());
    eventually(DEADLINE, || {
        let now = written.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        now > 0 && last.1.elapsed() > Duration::from_millis(200)
    });
    assert!(last.0 < SENT as u64, "all {} bytes went somewhere", last.0);
    let received = client.read_to_end();
    assert_eq!(received.iter().filter(|byte| **byte == b'x').count(), SENT);
    upstream.done();
}

#[test]
fn a_switch_that_nobody_asked_for_is_a_502() {
    let other = AGREE.replace("websocket", "chat");
    let unnamed = AGREE.replace("Upgrade: websocket\r\n", "");
    let both = AGREE.replace("Upgrade: websocket\r\n", "Upgrade: websocket\r\nUpgrade: chat\r\n");
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", AGREE),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", AGREE),
        ("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", AGREE),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", AGREE),
        (ASK, &other),
        (ASK, &unnamed),
        (ASK, &both),
    ] {
        let answer = answer.to_owned();
        let asked = request == ASK;
        let upstream = Upstream::serving(move |mut stream| {
            let head = read_head(&mut stream);
            assert_eq!(head.to_lowercase().contains("upgrade"), asked, "{head}");
            stream.write_all(answer.as_bytes()).unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.is_empty(), "{rest:?}");
        });
        let gateway = gateway(upstream.address, "    retries: { attempts: 1 }");
        let response = Client::connect(gateway.address).exchange(request);
        assert_eq!(response.status, 502, "{request:?}: {}", response.text());
        upstream.done();
    }
}

#[test]
fn a_refused_switch_is_an_ordinary_answer_on_an_ordinary_connection() {
    let origin = Origin::respond(|request| match request.header("Upgrade") {
        Some(_) => Reply::status(426).body("no"),
        None => Reply::ok("yes"),
    });
    let gateway = gateway(origin.addr(), "");
    let mut client = Client::connect(gateway.address);
    let response = client.exchange(ASK);
    assert_eq!((response.status, response.text().as_str()), (426, "no"));
    assert_eq!(client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").text(), "yes");
    assert_eq!(origin.connections_accepted(), 1);
}

#[test]
fn only_protocols_that_are_allowed_are_asked_for() {
    let ask = |protocols: &str| ASK.replace("WebSocket\r\n", &format!("{protocols}\r\n"));
    for (allowed, asked, seen) in [
        ("", "h2c, foo/2, WEBSOCKET", Some("websocket")),
        ("    upgrades: [Foo/2, websocket]", "websocket, foo/2", Some("websocket")),
        ("    upgrades: [Foo/2]", "websocket, foo/2", Some("foo/2")),
        ("    upgrades: [foo]", "foo/2", None),
        ("    upgrades: []", "websocket", None),
        ("", "h2c", None),
    ] {
        let origin = Origin::always(Reply::ok("x"));
        let gateway = gateway(origin.addr(), allowed);
        assert_eq!(Client::connect(gateway.address).exchange(ask(asked)).status, 200);
        let request = origin.only_request();
        assert_eq!(request.header("Upgrade"), seen, "{allowed} {asked}");
        assert_eq!(request.header("Connection"), seen.map(|_| "Upgrade"), "{allowed} {asked}");
        assert_eq!(request.header("HTTP2-Settings"), None);
    }
}

#[test]
fn a_silent_tunnel_ends() {
    let upstream = Upstream::serving(|mut stream| {
        read_head(&mut stream);
        stream.write_all(format!("{AGREE}hello").as_bytes()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"still here");
    });
    let gateway = gateway(upstream.address, "    timeouts: { tunnel: 3s, idle: 1500ms, total: 1500ms }");
    let mut client = Client::connect(gateway.address);
    client.send(ASK);
    assert_eq!(client.read_any_response().status, 101);
    assert_eq!(client.read_exactly(5), b"hello");
    // Longer than every deadline of an ordinary exchange, in steps that each keep the tunnel's.
    for byte in b"still here" {
        std::thread::sleep(Duration::from_millis(350));
        client.send([*byte]);
    }
    client.expect_closed();
    upstream.done();
    let page = || gateway.metrics.render();
    eventually(DEADLINE, || page().contains("status=\"101\",reason=\"tunnel_idle\""));
}

#[test]
fn an_upstream_that_resets_a_tunnel_ends_it() {
    let upstream = Upstream::serving(|mut stream| {
        read_head(&mut stream);
        stream.write_all(AGREE.as_bytes()).unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        // Closing with bytes unread is a reset.
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let gateway = gateway(upstream.address, "");
    let mut client = Client::connect(gateway.address);
    client.send(ASK);
    assert_eq!(client.read_any_response().status, 101);
    client.send("xyz");
    client.expect_closed();
    upstream.done();
    drop(client);
    eventually(DEADLINE, || gateway.metrics.connections().tunnels_open() == 0);
}

#[test]
fn a_drain_cuts_tunnels_off_at_its_deadline() {
    let upstream = Upstream::serving(|mut stream| {
        read_head(&mut stream);
        stream.write_all(AGREE.as_bytes()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"during the drain");
    });
    let gateway = gateway(upstream.address, "");
    let mut client = Client::connect(gateway.address);
    client.send(ASK);
    assert_eq!(client.read_any_response().status, 101);
    gateway.drain_within(Duration::from_secs(2));
    client.send("during the drain");
    let begun = Instant::now();
    client.expect_closed();
    assert!(begun.elapsed() < DEADLINE);
    upstream.done();
    eventually(DEADLINE, || gateway.metrics.connections().tunnels_open() == 0);
}

#[test]
fn a_tunnel_holds_no_buffer_in_the_pause_behind_a_large_message() {
    const LARGE: usize = 1024 * 1024;
    let upstream = Upstream::serving(|mut stream| {
        read_head(&mut stream);
        stream.write_all(AGREE.as_bytes()).unwrap();
        let mut message = vec![0; LARGE];
        stream.read_exact(&mut message).unwrap();
        stream.write_all(&message).unwrap();
        let _ended = stream.read(&mut [0]);
    });
    let gateway = gateway(upstream.address, "");
    let mut client = Client::connect(gateway.address);
    client.send(ASK);
    assert_eq!(client.read_response_to_head().status, 101);
    client.send(vec![b'x'; LARGE]);
    assert_eq!(client.read_exactly(LARGE).len(), LARGE);
    // Other tests of this process hold some for a time.
    eventually(Duration::from_secs(60), || gateway.metrics.render().contains("torana_buffers_lent 0.0\n"));
    assert_eq!(gateway.metrics.connections().tunnels_open(), 1);
    drop(client);
    upstream.done();
}
