//! One request through the real driver to a real origin and back, to the byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{Gateway, Options};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use torana_testkit::http2::Http2Client;
use torana_testkit::{Client, Origin, Reply, UponHead, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_get_reaches_the_origin_byte_for_byte() {
    let origin = Origin::always(Reply::ok("hello"));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    let port = gateway.address.port();
    let response = client.exchange(
        "GET /a/b?x=%20y HTTP/1.1\r\nHost: api.test\r\nAccept:  */*  \r\nX-One: 1\r\nX-one: 2\r\n\r\n",
    );
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(
        origin.only_request().head_text(),
        format!(
            "GET /a/b?x=%20y HTTP/1.1\r\nHost: api.test\r\nAccept: */*\r\nX-One: 1\r\nX-one: 2\r\n\
             X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: {port}\r\n\
             Via: 1.1 torana\r\nX-Forwarded-Host: api.test\r\n\r\n"
        )
    );
}

#[test]
fn connections_are_kept_on_both_sides() {
    let origin = Origin::always(Reply::ok("x"));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    for _ in 0..20 {
        assert_eq!(client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    }
    assert_eq!(origin.connections_accepted(), 1);
    assert_eq!(gateway.endpoints[0].usage.reused(), 19);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send(format!("{}{}{}", one("/1"), one("/2"), one("/3")));
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.read_response().text(), path);
    }
}

#[test]
fn bodies_of_every_framing_go_both_ways() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/chunked" => Reply::status(200).chunked([request.body.clone(), b"-end".to_vec()]),
        "/close" => Reply::status(200).until_close(request.body.clone()),
        _ => Reply::ok(request.body.clone()),
    });
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let big = "z".repeat(300_000);
    for path in ["/length", "/chunked", "/close"] {
        let mut client = Client::connect(gateway.address);
        let length = big.len();
        let response = client
            .exchange(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{big}"));
        let expected = if path == "/chunked" { format!("{big}-end") } else { big.clone() };
        assert!(response.text() == expected, "{path}: {} bytes", response.body.len());
        let response = client.exchange(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        ));
        assert!(response.text().starts_with("abcde"), "{path}: {}", response.text());
    }
}

#[test]
fn what_has_no_body_has_none() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/204" => Reply::status(204).without_length(),
        "/204-with-length" => Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
        "/304" => Reply::status(304).without_length().header("ETag", "\"a\""),
        _ => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
    });
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    let cases =
        [("GET", "/204", 204), ("GET", "/204-with-length", 204), ("GET", "/304", 304), ("HEAD", "/", 200)];
    for (method, path, status) in cases {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.read_response_to_head();
        assert_eq!(response.status, status, "{path}");
        let length = (method == "HEAD").then_some("1234");
        assert_eq!(response.header("Content-Length"), length, "{path}");
    }
}

#[test]
fn a_client_of_http_1_0_gets_what_it_understands() {
    let origin = Origin::always(Reply::status(200).chunked(["ab", "cd"]));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = String::from_utf8(client.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nabcd"), "{answer}");
    assert!(!answer.to_lowercase().contains("transfer-encoding"), "{answer}");
}

#[test]
fn the_body_is_asked_for_when_the_client_waits() {
    let origin = Origin::respond(|request| Reply::ok(request.body.clone()));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.read_any_response().status, 100);
    client.send("ping");
    assert_eq!(client.read_response().text(), "ping");
    assert_eq!(origin.only_request().header("Expect"), None);
}

#[test]
fn hostile_framing_never_reaches_the_origin() {
    let origin = Origin::always(Reply::ok(""));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    for (fields, body, status) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 6", "hello!", 400),
        ("Transfer-Encoding: gzip, chunked", "0\r\n\r\n", 501),
        ("Transfer-Encoding: chunked\r\nHost: b", "0\r\n\r\n", 400),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}GET /x HTTP/1.1\r\n\r\n"));
        let response = client.read_response();
        assert_eq!(response.status, status, "{fields}");
        assert_eq!(response.header("Connection"), Some("close"));
        client.expect_closed();
    }
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_broken_chunked_body_is_never_completed_upstream() {
    let origin = Origin::always(Reply::ok(""));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    eventually(PATIENCE, || origin.bytes_received() > 0);
    client.send("zz\r\n");
    assert_eq!(client.read_response().status, 400);
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
    eventually(PATIENCE, || origin.requests()[0].abandoned);
    assert!(!origin.only_request().complete);
}

#[test]
fn another_endpoint_is_tried_when_one_refuses() {
    let dead = Origin::always(Reply::ok("dead"));
    let alive = Origin::respond(|request| Reply::ok(request.body.clone()));
    dead.kill();
    let gateway = Gateway::in_front_of(&[dead.addr(), alive.addr()]);
    let mut client = Client::connect(gateway.address);
    for _ in 0..10 {
        let response = client.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    }
    alive.kill();
    let response = client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(response.status, 502, "{}", response.text());
}

#[test]
fn a_stale_connection_is_replaced_once() {
    let origin = Origin::always(Reply::ok("x").then_close_after(Duration::from_millis(30)));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    for _ in 0..10 {
        assert_eq!(client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
        eventually(PATIENCE, || origin.connections_open() == 0);
    }
}

#[test]
fn an_invalid_answer_is_a_502_and_an_incomplete_one_is_not_passed_for_whole() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/two-lengths" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        "/status" => Reply::raw("HTTP/1.1 2x0 OK\r\n\r\n"),
        "/nothing" => Reply::close(),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").then_close(),
        _ => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").then_close(),
    });
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    for path in ["/two-lengths", "/status", "/nothing"] {
        let mut client = Client::connect(gateway.address);
        let response = client.exchange(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.status, 502, "{path}");
        assert_eq!(response.header("Content-Type"), Some("application/problem+json"));
    }
    // Whether anything of the answer has left when it breaks off is a matter of moments. If not, the client is told;
    // never does it get nothing at all, which it would take for a connection that was closed before it asked.
    for path in ["/cut", "/cut-chunked"].into_iter().cycle().take(60) {
        let (received, whole) = received(gateway.address, path);
        let told = received.starts_with("HTTP/1.1 502") && whole;
        let part = received.starts_with("HTTP/1.1 200 OK\r\n") && !whole;
        assert!(told || part, "{path}: {received:?}");
    }
}

/// What comes until the connection ends, and whether it ends in order.
fn received(address: SocketAddr, path: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let (mut received, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return (String::from_utf8(received).unwrap(), true),
            Ok(count) => received.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return (String::from_utf8(received).unwrap(), false);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_answer_of_which_nothing_has_left_gives_way_to_a_fault() {
    // In one piece with its head, so that it is seen before anything can leave.
    let head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n";
    let origin = Origin::respond(move |request| match request.target.as_str() {
        "/at-once" => Reply::raw(format!("{head}zz\r\n")).then_hang(),
        _ => Reply::raw(format!("{head}3\r\nabc\r\nzz\r\n")).then_hang(),
    });
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    for method in ["GET", "POST", "GET"] {
        let answer = client.exchange(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!((answer.status, answer.header("Set-Cookie")), (502, None), "{}", answer.text());
        assert!(answer.text().contains("upstream_malformed"), "{}", answer.text());
    }
    let mut client = Http2Client::connect(gateway.address);
    for path in ["/at-once", "/"] {
        let response = client.begin("GET", path, &[], true).unwrap().0;
        assert_eq!(client.read(response).unwrap().status, 502, "{path}");
    }
}

#[test]
fn a_body_that_is_wrong_from_its_first_byte_costs_no_connection() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(Client::connect(gateway.address).exchange(get).status, 200);
    for _ in 0..20 {
        let mut client = Client::connect(gateway.address);
        let wrong = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        assert_eq!(client.exchange(wrong).status, 400);
    }
    assert_eq!(Client::connect(gateway.address).exchange(get).text(), "in");
    assert_eq!((gateway.endpoints[0].usage.created(), origin.count()), (1, 2));
}

#[test]
fn what_a_service_wants_to_be_spoken_with_is_told() {
    let wants = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::always(Reply::raw(wants));
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let answer = Client::connect(gateway.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.header("Upgrade")), (426, Some("websocket")));
    assert_eq!(answer.header("Connection"), Some("Upgrade"));
    let mut client = Http2Client::connect(gateway.address);
    let response = client.begin("GET", "/", &[], true).unwrap().0;
    assert_eq!(client.read(response).unwrap().status, 426);
}

#[test]
fn a_silent_upstream_is_a_504() {
    let origin = Origin::always(Reply::hang());
    let mut options = Options::default();
    options.timeouts.first_byte = Duration::from_millis(100);
    let gateway = Gateway::with(&[origin.addr()], options);
    let response = Client::connect(gateway.address).exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(response.status, 504);
    assert!(response.text().contains("upstream_first_byte_timeout"), "{}", response.text());
}

#[test]
fn a_client_that_leaves_cancels_the_request_upstream() {
    let origin = Origin::always(Reply::hang());
    let mut options = Options::default();
    options.server.half_close_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1, PATIENCE);
    drop(client);
    eventually(PATIENCE, || gateway.endpoints[0].usage.open() == 0);
}

#[test]
fn slow_heads_and_bodies_end() {
    let origin = Origin::always(Reply::ok(""));
    let mut options = Options::default();
    options.server.head_timeout = Duration::from_millis(100);
    options.server.body_idle_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut client = Client::connect(gateway.address);
    client.send("GET / HTTP/1.1\r\nHo");
    assert_eq!(client.read_response().status, 408);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.read_response().status, 408);
}

#[test]
fn the_cap_on_connections_holds_and_the_queue_has_a_deadline() {
    let origin = Origin::always(Reply::hang());
    let mut options = Options::default();
    options.endpoint.max_connections = 2;
    options.endpoint.queue_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients[..2] {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    origin.wait_for(2, PATIENCE);
    let response = clients[2].exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(response.status, 503);
    assert!(response.text().contains("pool_timeout"), "{}", response.text());
    assert_eq!(origin.connections_accepted(), 2);
}

#[test]
fn a_waiting_request_gets_the_connection_that_becomes_free() {
    let origin = Origin::always(Reply::ok("x").delay(Duration::from_millis(20)));
    let mut options = Options::default();
    options.endpoint.max_connections = 1;
    let gateway = Gateway::with(&[origin.addr()], options);
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.read_response().status, 200);
    }
    assert_eq!(origin.connections_accepted(), 1);
}

#[test]
fn an_early_answer_ends_the_connection_and_still_arrives() {
    let origin = Origin::respond_upon_head(
        |_| UponHead::Reply(Reply::status(413).body("too much").then_close()),
        |_| Reply::ok(""),
    );
    let gateway = Gateway::in_front_of(&[origin.addr()]);
    let mut client = Client::connect(gateway.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin");
    let response = client.read_response();
    assert_eq!((response.status, response.text().as_str()), (413, "too much"));
    assert_eq!(response.header("Connection"), Some("close"));
}
