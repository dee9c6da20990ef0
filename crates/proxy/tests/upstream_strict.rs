//! What services send that they must not, over both versions: nobody gets it for whole, and nobody else's answer
//! is made of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

mod common;

use common::{Gateway, Options};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use torana_testkit::http2::{FrameClient, OK, block, flag, kind};
use torana_testkit::{Client, Gate, eventually};
use torana_transport::Protocol;

const PATIENCE: Duration = Duration::from_secs(30);
const CLEAN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean";

/// A server that answers its first request with `first` and, once the gate is open, `later`; every other request
/// cleanly. Counts connections, and notes when `later` is out.
struct Odd {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    gate: Gate,
    said: Arc<AtomicBool>,
}

impl Odd {
    fn saying(first: &[u8], later: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let odd = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            gate: Gate::new(),
            said: Arc::default(),
        };
        let (connections, gate, said) =
            (Arc::clone(&odd.connections), odd.gate.clone(), Arc::clone(&odd.said));
        let (first, later) = (first.to_vec(), later.to_vec());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (first, later, gate, said) =
                    (first.clone(), later.clone(), gate.clone(), Arc::clone(&said));
                std::thread::spawn(move || {
                    serve(stream, move |stream, count| {
                        if number > 0 || count > 0 {
                            return stream.write_all(CLEAN);
                        }
                        stream.write_all(&first)?;
                        eventually(PATIENCE, || gate.is_open());
                        // A gateway that has had enough does not listen.
                        let _gone = stream.write_all(&later);
                        said.store(true, Ordering::SeqCst);
                        Ok(())
                    })
                });
            }
        });
        odd
    }
}

fn serve(
    mut stream: TcpStream,
    mut answer: impl FnMut(&mut TcpStream, usize) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let (mut head, mut byte, mut count) = (Vec::new(), [0], 0);
    while stream.read(&mut byte)? > 0 {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            answer(&mut stream, count)?;
            count += 1;
        }
    }
    Ok(())
}

#[test]
fn what_follows_an_answer_never_becomes_another_one() {
    const EVIL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for (what, method, first, status) in [
        ("304 with a body", "GET", &b"HTTP/1.1 304 Not Modified\r\nContent-Length: 41\r\n\r\n"[..], 304),
        ("204 with a body", "GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HEAD with a body", "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n", 200),
        ("more than its length", "GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        (
            "more than its chunks",
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            200,
        ),
        ("a second answer", "GET", CLEAN, 200),
    ] {
        for at_once in [true, false] {
            let both = [first, EVIL].concat();
            let odd = if at_once { Odd::saying(&both, b"") } else { Odd::saying(first, EVIL) };
            let gateway = Gateway::in_front_of(&[odd.address]);
            let mut client = Client::connect(gateway.address);
            client.send(format!("{method} /first HTTP/1.1\r\nHost: a\r\n\r\n"));
            let answer =
                if method == "HEAD" { client.read_response_to_head() } else { client.read_response() };
            assert_eq!(answer.status, status, "{what}");
            assert!(!answer.text().contains("evil"), "{what}: {}", answer.raw_text());
            odd.gate.open();
            eventually(PATIENCE, || odd.said.load(Ordering::SeqCst));
            for path in ["/second", "/third"] {
                let mut other = Client::connect(gateway.address);
                let answer = other.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                assert_eq!(answer.text(), "clean", "{what}, {path}, at once: {at_once}");
            }
            assert_eq!(
                odd.connections.load(Ordering::SeqCst),
                2,
                "{what}: the odd connection was used again"
            );
        }
    }
}

/// A server that answers its first request, so long after its head, and takes nothing of its body before. Everything
/// else that it is sent on that connection is read to the end; tells whether another request was among it.
fn answering_early(after: Duration) -> (SocketAddr, std::sync::mpsc::Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    // Ends with the test's process.
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let tell = tell.clone();
            std::thread::spawn(move || {
                serve(stream, move |stream, _| {
                    if number > 0 {
                        return stream.write_all(CLEAN);
                    }
                    std::thread::sleep(after);
                    stream.write_all(CLEAN)?;
                    let (mut piece, mut kept, mut another) = ([0; 64 * 1024], Vec::new(), false);
                    // Ended in whatever way.
                    while let Ok(count @ 1..) = stream.read(&mut piece) {
                        kept.extend_from_slice(&piece[..count]);
                        another |= kept.windows(7).any(|bytes| bytes == b"/second");
                        kept.drain(..kept.len().saturating_sub(6));
                    }
                    let _nobody_asks = tell.send(another);
                    Ok(())
                })
            });
        }
    });
    (address, told)
}

#[test]
fn the_rest_of_a_body_that_was_answered_early_is_never_another_request() {
    // At once while the body is on its way; and when the gateway no longer tries to send it.
    for after in [Duration::ZERO, Duration::from_millis(1_500)] {
        let (service, told) = answering_early(after);
        let mut options = Options::default();
        options.timeouts.idle = Duration::from_millis(300);
        options.timeouts.first_byte = PATIENCE;
        let gateway = Gateway::with(&[service], options);
        let mut client = TcpStream::connect(gateway.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        // More than sockets hold.
        let length = 64 * 1024 * 1024;
        let head = format!("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        client.write_all(head.as_bytes()).unwrap();
        let mut sending = client.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            let piece = vec![b'x'; 64 * 1024];
            // The gateway may have had enough.
            (0..length / piece.len()).try_for_each(|_| sending.write_all(&piece))
        });
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\nclean") && client.read(&mut byte).unwrap() > 0 {
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        let other = Client::connect(gateway.address).exchange("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(other.text(), "clean", "after {after:?}");
        assert!(!told.recv_timeout(PATIENCE).unwrap(), "after {after:?}: read as the rest of the body");
        client.shutdown(std::net::Shutdown::Both).unwrap();
        let _ended = sender.join().unwrap();
    }
}

#[test]
fn heads_that_cannot_be_read_in_one_way_are_a_502() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "220 mail.test ESMTP\r\n",
    ] {
        let odd = Odd::saying(head.as_bytes(), b"");
        let gateway = Gateway::in_front_of(&[odd.address]);
        let answer = Client::connect(gateway.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answer.status, 502, "{head:?}");
        assert!(answer.text().contains("upstream_malformed"), "{head:?}: {}", answer.text());
        odd.gate.open();
    }
}

/// An HTTP/2 server that answers the first request by `answer` and every other one with 200.
fn odd_http2(answer: impl Fn(&mut FrameClient, u32) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, first) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answer, first) = (Arc::clone(&answer), Arc::clone(&first));
            std::thread::spawn(move || {
                let mut peer = FrameClient::accept(stream);
                while let Some(frame) = peer.read() {
                    peer.answer(&frame);
                    if frame.kind != kind::HEADERS {
                        continue;
                    }
                    if first.fetch_add(1, Ordering::SeqCst) == 0 {
                        answer(&mut peer, frame.stream);
                    } else {
                        let ends = flag::END_HEADERS | flag::END_STREAM;
                        peer.try_frame(kind::HEADERS, ends, frame.stream, OK);
                    }
                }
            });
        }
    });
    address
}

fn say(peer: &mut FrameClient, stream: u32, fields: &[(&str, &str)], ends: bool) {
    let flags = flag::END_HEADERS | if ends { flag::END_STREAM } else { 0 };
    // A gateway that has had enough does not listen.
    peer.try_frame(kind::HEADERS, flags, stream, &block(fields));
}

/// The answer to a client of HTTP/1.1, or `None` where it broke off.
fn through_http2(address: SocketAddr) -> Option<(u16, String)> {
    let mut options = Options::default();
    options.endpoint.protocol = Protocol::Http2;
    let gateway = Gateway::with(&[address], options);
    let mut client = Client::connect(gateway.address).deadline(PATIENCE);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    let answer = client.try_read_response().ok().map(|answer| (answer.status, answer.text()));
    let mut other = Client::connect(gateway.address).deadline(PATIENCE);
    let next = other.exchange("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((next.status, next.text().as_str()), (200, ""), "the next request has its own answer");
    answer
}

#[test]
fn what_http_1_could_misread_of_an_http_2_answer_is_a_502() {
    for fields in [
        &[(":status", "200"), ("transfer-encoding", "chunked")][..],
        &[(":status", "200"), ("connection", "close")],
        &[(":status", "200"), ("upgrade", "h2c")],
        &[(":status", "200"), ("X-Upper", "a")],
        &[(":status", "200"), ("x-a", " b")],
        &[(":status", "200"), ("x-a", "b\t")],
        &[(":status", "200"), ("x-a", "b\r\nx-evil: c")],
        &[(":status", "200"), ("x-a", "b\nc")],
        &[(":status", "200"), ("x-a", "b\0c")],
        &[(":status", "200"), ("content-length", "1"), ("content-length", "2")],
        &[(":status", "200"), ("content-length", "+1")],
        &[(":status", "2x0")],
        &[(":status", "200"), (":status", "204")],
        &[("x-a", "b")],
        &[(":status", "101")],
    ] {
        let fields = fields.to_vec();
        let shown = format!("{fields:?}");
        let address = odd_http2(move |peer, stream| say(peer, stream, &fields, true));
        let (status, text) = through_http2(address).unwrap_or_else(|| panic!("{shown}: no answer"));
        assert_eq!(status, 502, "{shown}: {text}");
    }
}

#[test]
fn a_length_that_lies_over_http_2_never_looks_whole() {
    for (announced, pieces) in
        [("10", &["short"][..]), ("3", &["longer"]), ("5", &["right", "more"]), ("0", &["", "more"])]
    {
        let address = odd_http2(move |peer, stream| {
            say(peer, stream, &[(":status", "200"), ("content-length", announced)], false);
            for (number, piece) in pieces.iter().enumerate() {
                if number > 0 {
                    // As an upstream that has more to say a moment later.
                    std::thread::sleep(Duration::from_millis(50));
                }
                let flags = if number + 1 == pieces.len() { flag::END_STREAM } else { 0 };
                peer.try_frame(kind::DATA, flags, stream, piece.as_bytes());
            }
        });
        let answer = through_http2(address);
        let whole = answer.as_ref().is_some_and(|(status, _)| *status == 200);
        assert!(!whole, "{announced} of {pieces:?}: {answer:?}");
    }
}

#[test]
fn trailers_that_are_malformed_over_http_2_never_make_an_answer_whole() {
    for (length, body) in [(None, "abc"), (Some("3"), "abc"), (Some("0"), "")] {
        let address = odd_http2(move |peer, stream| {
            let length = length.map(|length| ("content-length", length));
            let fields: Vec<_> = [(":status", "200")].into_iter().chain(length).collect();
            say(peer, stream, &fields, false);
            if !body.is_empty() {
                peer.try_frame(kind::DATA, 0, stream, body.as_bytes());
            }
            say(peer, stream, &[("x-sum", " 1")], true);
        });
        let answer = through_http2(address);
        let whole = answer.as_ref().is_some_and(|(status, _)| *status == 200);
        assert!(!whole, "{length:?}: {answer:?}");
    }
}

#[test]
fn a_flood_of_interim_answers_over_http_2_is_a_502() {
    let address = odd_http2(|peer, stream| {
        for _ in 0..1_000 {
            say(peer, stream, &[(":status", "103")], false);
        }
        say(peer, stream, &[(":status", "200")], true);
    });
    let (status, text) = through_http2(address).expect("an answer");
    assert_eq!(status, 502, "{text}");
}
