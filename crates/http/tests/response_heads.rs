//! Which response heads are read, and how their bodies are framed (RFC 9112 section 6.3).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly")]

use torana_http::h1::{BodyFraming, HeadError, HeadErrorKind as Kind, HeadLimits, parse_response};
use torana_http::{Method, ResponseHead, Version};

fn parse(input: &[u8], method: Method) -> Result<Option<(usize, ResponseHead)>, HeadError> {
    let mut head = ResponseHead::default();
    let length = parse_response(input, 0, &HeadLimits::default(), method, &mut head)?;
    Ok(length.map(|length| (length, head)))
}

fn accepted(input: &str, method: Method) -> ResponseHead {
    match parse(input.as_bytes(), method) {
        Ok(Some((length, head))) if length == input.len() => head,
        other => panic!("{input:?}: {other:?}"),
    }
}

fn refused(input: &[u8]) -> Kind {
    match parse(input, Method::Get) {
        Err(error) => error.kind,
        Ok(head) => panic!("{:?} was read as {head:?}", String::from_utf8_lossy(input)),
    }
}

#[test]
fn an_ordinary_head_is_read_whole() {
    let head =
        accepted("HTTP/1.1 200 Very OK\r\nServer: s\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n", Method::Get);
    assert_eq!((head.status, head.version), (200, Version::Http11));
    assert_eq!(head.fields.get_all("set-cookie").collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(accepted("HTTP/1.0 404 \r\n\r\n", Method::Get).version, Version::Http10);
    assert_eq!(accepted("HTTP/1.1 204\r\n\r\n", Method::Get).status, 204, "no phrase, not even its space");
    assert_eq!(accepted("HTTP/1.1 999 x\r\n\r\n", Method::Get).status, 999);
}

#[test]
fn the_framing_follows_method_status_and_fields() {
    use BodyFraming::{Chunked, Length, None, UntilClose};
    let cases = [
        (Method::Get, "200 OK", "Content-Length: 5\r\n", Length(5)),
        (Method::Get, "200 OK", "Content-Length: 0\r\n", None),
        (Method::Get, "200 OK", "Transfer-Encoding: Chunked\r\n", Chunked),
        (Method::Get, "200 OK", "", UntilClose),
        (Method::Get, "500 Oh", "", UntilClose),
        (Method::Get, "205 Reset", "Content-Length: 0\r\n", None),
        (Method::Head, "200 OK", "Content-Length: 5\r\n", None),
        (Method::Head, "200 OK", "Transfer-Encoding: chunked\r\n", None),
        (Method::Head, "200 OK", "", None),
        (Method::Head, "404 No", "Content-Length: 9\r\n", None),
        (Method::Get, "204 No Content", "", None),
        (Method::Get, "204 No Content", "Content-Length: 5\r\n", None),
        (Method::Get, "204 No Content", "Transfer-Encoding: chunked\r\n", None),
        (Method::Get, "304 Not Modified", "Content-Length: 5\r\n", None),
        (Method::Post, "100 Continue", "", None),
        (Method::Get, "101 Switching", "Upgrade: websocket\r\n", None),
        (Method::Get, "103 Early Hints", "Link: x\r\n", None),
        (Method::Get, "199 ?", "Content-Length: 5\r\n", None),
    ];
    for (method, status, fields, framing) in cases {
        let head = accepted(&format!("HTTP/1.1 {status}\r\n{fields}\r\n"), method);
        assert_eq!(head.framing, framing, "{method:?} {status} {fields}");
    }
}

#[test]
fn two_framings_are_refused() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: five",
        "Content-Length: 010",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        let kind = refused(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").as_bytes());
        assert_eq!(kind, Kind::AmbiguousFraming, "{fields}");
    }
    let kind = refused(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
    assert_eq!(kind, Kind::UnknownTransferCoding);
    let kind = refused(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(kind, Kind::AmbiguousFraming);
}

#[test]
fn malformed_heads_are_refused() {
    for input in [
        &b"HTTP/2.0 200 OK\r\n\r\n"[..],
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 -20 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\0K\r\n\r\n",
        b"HTTP/1.1 200 O\rK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\r\n",
        b"HTTP/1.1 200 OK\r\n\n",
        b"HTTP/1.1 200\n\n",
        b"HTTP/1.1 200 OK\r\nX: y\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\0\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
    ] {
        assert_eq!(refused(input), Kind::Malformed, "{:?}", String::from_utf8_lossy(input));
    }
}

#[test]
fn what_says_nothing_about_a_response_does_not_refuse_it() {
    // Fields of requests that an origin echoes: without meaning here, so without harm.
    let head = accepted("HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nExpect: nothing\r\n\r\n", Method::Get);
    assert_eq!(head.fields.len(), 3);
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = HeadLimits { head_bytes: 100, target_bytes: 10, fields: 2 };
    let kind = |input: &[u8]| {
        let mut head = ResponseHead::default();
        parse_response(input, 0, &limits, Method::Get, &mut head).map_err(|error| error.kind)
    };
    let head =
        |length: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "v".repeat(length - 24)).into_bytes();
    assert_eq!(kind(&head(100)), Ok(Some(100)));
    assert_eq!(kind(&head(101)), Err(Kind::TooLarge));
    assert_eq!(kind(&head(101)[..99]), Ok(None));
    assert_eq!(kind(&head(101)[..100]), Err(Kind::TooLarge));
    assert!(kind(b"HTTP/1.1 200 OK\r\nA: b\r\nA: b\r\n\r\n").is_ok());
    assert_eq!(kind(b"HTTP/1.1 200 OK\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"), Err(Kind::TooLarge));
}
