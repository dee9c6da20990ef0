//! The origin and the client against each other.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a failed test panics"
)]

use std::time::{Duration, Instant};

use torana_testkit::{
    Client, ClientError, DEADLINE, Gate, Origin, Reply, UponHead, eventually, get, request,
};

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn requests_are_recorded_byte_for_byte_and_in_order() {
    let origin = Origin::respond(|request| Reply::ok(request.target.clone()));
    let first = "POST /a?b=c HTTP/1.1\r\nHOST:  x \r\nX-a: 1\r\nx-A: 2\r\nContent-Length: 3\r\n\r\nabc";
    let second =
        "PUT /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;e=f\r\nhi\r\n0\r\nT: u\r\n\r\n";
    let mut client = Client::connect(origin.addr());
    client.send([first, second].concat());
    assert_eq!(client.read_response().text(), "/a?b=c");
    assert_eq!(client.read_response().text(), "/d");
    assert_eq!(get(origin.addr(), "/third").status, 200);

    let requests = origin.wait_for(3, DEADLINE);
    let places: Vec<_> = requests.iter().map(|request| (request.connection, request.number)).collect();
    assert_eq!(places, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(requests[0].head_text() + "abc", first);
    assert_eq!(requests[0].header_names(), ["HOST", "X-a", "x-A", "Content-Length"]);
    assert_eq!(requests[0].header_all("X-A"), ["1", "2"]);
    assert_eq!(requests[0].header("host"), Some("x"));
    assert_eq!(requests[0].body_text(), "abc");
    assert_eq!(requests[1].body_text(), "hi");
    assert_eq!(requests[1].raw_body, b"2;e=f\r\nhi\r\n0\r\nT: u\r\n\r\n");
    assert_eq!(requests[1].trailers, [("T".to_owned(), "u".to_owned())]);
    assert_eq!(requests[0].peer, client.local_addr());
    assert!(requests.iter().all(|request| request.complete));
}

#[test]
fn every_framing_arrives_as_written() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/chunks" => Reply::status(201).header("A", "b").chunked(["one", "", "three"]).trailer("Sum", "4"),
        "/close" => Reply::status(200).until_close("the rest"),
        "/empty" => Reply::status(304).header("ETag", "\"a\""),
        "/raw" => Reply::raw("HTTP/1.1 299 \r\ncontent-length: 1\r\n\r\nz"),
        _ => Reply::ok("body").interim("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    });
    let chunks = get(origin.addr(), "/chunks");
    let raw = "HTTP/1.1 201 Created\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n\
               3\r\none\r\n5\r\nthree\r\n0\r\nSum: 4\r\n\r\n";
    assert_eq!((chunks.raw_text().as_str(), chunks.text().as_str()), (raw, "onethree"));
    assert_eq!(chunks.trailers, [("Sum".to_owned(), "4".to_owned())]);
    assert_eq!(get(origin.addr(), "/close").text(), "the rest");
    assert_eq!(get(origin.addr(), "/empty").raw_text(), "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
    assert_eq!(get(origin.addr(), "/raw").status, 299);
    let early = get(origin.addr(), "/");
    assert_eq!((early.interim[0].status, early.interim[0].header("link")), (103, Some("</a>")));
    let head = request(origin.addr(), "HEAD", "/", &[], b"");
    assert_eq!((head.header("content-length"), head.body.len()), (Some("4"), 0));
}

#[test]
fn faults_happen_where_the_script_says() {
    let origin = Origin::respond(|request| match request.target.as_str() {
        "/close" => Reply::close(),
        "/reset" => Reply::reset(),
        "/cut" => Reply::ok("body").close_after_bytes(40),
        "/half" => Reply::ok("body").reset_after_bytes(10),
        "/stale" => Reply::ok("body").then_close(),
        _ => Reply::hang(),
    });
    let outcome = |target: &str| {
        let mut client = Client::connect(origin.addr());
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        (client.try_read_response(), client)
    };
    assert!(matches!(outcome("/close").0, Err(ClientError::Closed)));
    assert!(matches!(outcome("/reset").0, Err(ClientError::Socket(_))));
    let cut = outcome("/cut").0;
    assert!(matches!(&cut, Err(ClientError::Truncated(bytes)) if bytes.ends_with(b"\r\nbo")), "{cut:?}");
    assert!(matches!(outcome("/half").0, Err(ClientError::Socket(_) | ClientError::Truncated(_))));
    let (stale, mut client) = outcome("/stale");
    assert_eq!(stale.unwrap().text(), "body");
    client.expect_closed();
    let mut client = Client::connect(origin.addr()).deadline(Duration::from_millis(30));
    client.send(GET);
    assert!(matches!(client.try_read_response(), Err(ClientError::Late(bytes)) if bytes.is_empty()));
    eventually(DEADLINE, || origin.connections_open() == 1);
    drop(client);
    eventually(DEADLINE, || origin.connections_open() == 0);
}

#[test]
fn continue_is_sent_before_the_body_and_an_early_answer_instead_of_it() {
    let origin = Origin::respond_upon_head(
        |request| match request.target.as_str() {
            "/no" => UponHead::Reply(Reply::status(413).then_close()),
            "/early" => UponHead::Reply(Reply::ok("early")),
            _ => UponHead::ReadBody,
        },
        |request| Reply::ok(request.body.clone()),
    );
    let head = |target: &str| {
        format!("POST {target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    };
    let mut client = Client::connect(origin.addr());
    client.send(head("/yes"));
    assert_eq!(client.read_any_response().raw_text(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert_eq!(client.read_response().text(), "body");
    client.send(head("/early"));
    assert_eq!(client.read_response().text(), "early");
    client.send("late");
    client.send(head("/no"));
    let refused = client.read_response();
    assert_eq!((refused.status, refused.interim.len()), (413, 0));
    client.finish_sending().expect_closed();
    eventually(DEADLINE, || origin.connections_open() == 0);
    let requests = origin.requests();
    assert_eq!((requests[1].body_text().as_str(), requests[1].complete), ("late", true));
    assert!(!requests[2].complete);
}

#[test]
fn a_gate_holds_replies_and_body_reads() {
    let (reply, body) = (Gate::new(), Gate::new());
    let held = (reply.clone(), body.clone());
    let origin = Origin::respond_upon_head(
        move |_| UponHead::ReadBodyAfter(held.1.clone()),
        move |_| Reply::status(204).after(&held.0),
    );
    let size = 32 * 1024 * 1024;
    let mut client = Client::connect(origin.addr()).deadline(Duration::from_millis(200));
    client.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"));
    client.try_send(vec![0; size]).expect_err("nothing reads the body");
    assert!(origin.bytes_received() < 1024 * 1024, "{} bytes", origin.bytes_received());
    body.open();
    drop(client);
    assert!(origin.wait_for(1, DEADLINE)[0].abandoned);

    let mut client = Client::connect(origin.addr());
    client.send(GET);
    origin.wait_for(2, DEADLINE);
    reply.open();
    assert_eq!(client.read_response().status, 204);
}

#[test]
fn a_peer_that_leaves_is_noticed_while_the_reply_waits() {
    let origin = Origin::respond(|_| Reply::ok("late").delay(Duration::from_secs(3600)));
    let mut client = Client::connect(origin.addr());
    client.send(GET);
    origin.wait_for(1, DEADLINE);
    client.reset();
    eventually(DEADLINE, || origin.connections_open() == 0);
    assert_eq!(origin.bytes_sent(), 0);
}

#[test]
fn a_slow_drip_takes_its_time_and_arrives_whole() {
    let origin = Origin::always(Reply::ok("drip").drip(10, Duration::from_millis(5)));
    let start = Instant::now();
    assert_eq!(get(origin.addr(), "/").text(), "drip");
    assert!(start.elapsed() >= Duration::from_millis(20), "{:?}", start.elapsed());
}

#[test]
fn kill_drops_connections_and_restart_listens_on_the_same_port() {
    let origin = Origin::always(Reply::ok("up"));
    let mut client = Client::connect(origin.addr());
    assert_eq!(client.exchange(GET).text(), "up");
    origin.kill();
    client.expect_closed();
    assert_eq!(origin.connections_open(), 0);
    Client::try_connect(origin.addr()).expect_err("nothing listens");
    origin.restart();
    assert_eq!(get(origin.addr(), "/").text(), "up");
    assert_eq!((origin.count(), origin.connections_accepted()), (2, 2));
    origin.forget();
    assert_eq!(origin.count(), 0);
}

#[test]
fn malformed_input_and_a_script_that_panics_are_complained_about() {
    let origin = Origin::respond(|request| {
        assert_ne!(request.target, "/wrong", "the script looks closely");
        Reply::ok("")
    });
    for (bytes, complaint) in [
        ("GET /a HTTP/1.1\r\n\r\n", "0 Host headers"),
        ("GET /a HTTP/1.1\nHost: x\n\n", "bare LF"),
        ("GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", "three words"),
        ("GET /wrong HTTP/1.1\r\nHost: x\r\n\r\n", "looks closely"),
    ] {
        assert_eq!(Client::connect(origin.addr()).exchange(bytes).status, 400);
        let complaints = origin.take_complaints();
        assert!(complaints.len() == 1 && complaints[0].contains(complaint), "{complaints:?}");
    }
}

#[test]
#[should_panic(expected = "the origin complains")]
fn a_complaint_fails_the_test_that_ignores_it() {
    let origin = Origin::always(Reply::ok(""));
    Client::connect(origin.addr()).exchange("GET /a HTTP/1.1\r\nNo host\r\n\r\n");
}

#[test]
fn a_client_may_come_from_another_loopback_address() {
    let origin = Origin::always(Reply::ok(""));
    let source = "127.0.0.7".parse().unwrap();
    assert_eq!(Client::connect_from(source, origin.addr()).exchange(GET).status, 200);
    assert_eq!(origin.only_request().peer.ip(), source);
}
