//! Which request heads are read, how, and which are refused with what.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow loudly")]

use torana_http::h1::{BodyFraming, HeadError, HeadErrorKind as Kind, HeadLimits, parse_request};
use torana_http::{Method, RequestHead, TargetForm, Version};

fn parse_within(limits: &HeadLimits, input: &[u8]) -> Result<Option<(usize, RequestHead)>, HeadError> {
    let mut head = RequestHead::default();
    Ok(parse_request(input, 0, limits, &mut head)?.map(|length| (length, head)))
}

fn accepted(input: &[u8]) -> RequestHead {
    match parse_within(&HeadLimits::default(), input) {
        Ok(Some((length, head))) if length == input.len() => head,
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(input)),
    }
}

fn refused(input: &[u8]) -> Kind {
    match parse_within(&HeadLimits::default(), input) {
        Err(error) => error.kind,
        Ok(head) => panic!("{:?} was read as {head:?}", String::from_utf8_lossy(input)),
    }
}

fn with_field(field: &str) -> Vec<u8> {
    format!("POST /p HTTP/1.1\r\nHost: a.example\r\n{field}\r\n\r\n").into_bytes()
}

fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a.example\r\n\r\n").into_bytes()
}

#[test]
fn an_ordinary_head_is_read_whole() {
    let head = accepted(
        b"POST /a%20b/;v=1?x=%c3%a9&y='()*,~!$ HTTP/1.1\r\nhOST: a.example:8080\r\nX-A:one\r\nX-Empty:\r\n\
          x-a: \t two \t\r\nContent-Length: 5\r\n\r\n",
    );
    assert_eq!((head.method(), head.method_bytes()), (Method::Post, &b"POST"[..]));
    assert_eq!(head.path(), b"/a%20b/;v=1");
    assert_eq!(head.query(), Some(&b"x=%c3%a9&y='()*,~!$"[..]));
    assert_eq!((head.host(), head.version), (&b"a.example:8080"[..], Version::Http11));
    assert_eq!(head.framing, BodyFraming::Length(5));
    assert_eq!(head.fields.get_all("X-A").collect::<Vec<_>>(), [&b"one"[..], b"two"]);
    assert_eq!(head.fields.get("x-empty"), Some(&b""[..]));
    assert_eq!(head.fields.len(), 5);
}

#[test]
fn what_follows_a_head_is_left_alone() {
    let input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n";
    let (length, head) = parse_within(&HeadLimits::default(), input).unwrap().unwrap();
    assert_eq!(&input[length..], b"GET /next HTTP/1.1\r\n");
    assert_eq!(head.path(), b"/");
}

#[test]
fn values_keep_bytes_above_ascii_and_names_every_token_character() {
    let head =
        accepted(b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9 \xff\x80\r\n!#$%&'*+-.^`|~1: v\r\n\r\n");
    assert_eq!(head.fields.get("X"), Some(&b"caf\xc3\xa9 \xff\x80"[..]));
    assert_eq!(head.fields.get("!#$%&'*+-.^`|~1"), Some(&b"v"[..]));
}

#[test]
fn the_forms_of_a_target_are_told_apart() {
    type Expected<'a> = (TargetForm, &'a [u8], Option<&'a [u8]>, &'a [u8]);
    let cases: [(&str, Expected<'_>); 10] = [
        ("GET / HTTP/1.1", (TargetForm::Origin, b"/", None, b"a.example")),
        ("GET /? HTTP/1.1", (TargetForm::Origin, b"/", Some(b""), b"a.example")),
        ("GET /a?b?c HTTP/1.1", (TargetForm::Origin, b"/a", Some(b"b?c"), b"a.example")),
        ("GET //a//b HTTP/1.1", (TargetForm::Origin, b"//a//b", None, b"a.example")),
        ("OPTIONS * HTTP/1.1", (TargetForm::Asterisk, b"*", None, b"a.example")),
        ("GET http://b.example/x?y HTTP/1.1", (TargetForm::Origin, b"/x", Some(b"y"), b"b.example")),
        ("GET HTTPS://b.example:444 HTTP/1.1", (TargetForm::Origin, b"/", None, b"b.example:444")),
        ("GET http://b.example?y HTTP/1.1", (TargetForm::Origin, b"/", Some(b"y"), b"b.example")),
        ("GET http://[::1]:8/x HTTP/1.1", (TargetForm::Origin, b"/x", None, b"[::1]:8")),
        // RFC 9112 section 3.2.4: an OPTIONS about the whole server, in the absolute form.
        ("OPTIONS http://b.example HTTP/1.1", (TargetForm::Asterisk, b"*", None, b"b.example")),
    ];
    for (line, expected) in cases {
        let head = accepted(&with_line(line));
        assert_eq!((head.target_form(), head.path(), head.query(), head.host()), expected, "{line}");
        assert_eq!(head.fields.get_all("Host").collect::<Vec<_>>(), [expected.3], "{line}");
    }
}

#[test]
fn options_of_a_path_in_the_absolute_form_is_about_the_path() {
    for (line, path) in [("OPTIONS http://b/ HTTP/1.1", "/"), ("OPTIONS http://b?q HTTP/1.1", "/")] {
        let head = accepted(&with_line(line));
        assert_eq!((head.target_form(), head.path()), (TargetForm::Origin, path.as_bytes()), "{line}");
    }
}

#[test]
fn connect_keeps_its_method_and_has_no_path() {
    let head = accepted(b"CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n");
    assert_eq!((head.method(), head.path()), (Method::Connect, &b""[..]));
}

#[test]
fn methods_are_tokens_without_lower_case_letters() {
    for method in ["get", "gET", "Delete", "M-SEARCh", "x"] {
        assert_eq!(refused(&with_line(&format!("{method} / HTTP/1.1"))), Kind::LowerCaseMethod, "{method}");
    }
    for method in ["GETS", "M-SEARCH", "!#$%&'*+-.^_`|~9"] {
        assert_eq!(accepted(&with_line(&format!("{method} / HTTP/1.1"))).method(), Method::Extension);
    }
    let long = "M".repeat(32);
    assert_eq!(accepted(&with_line(&format!("{long} / HTTP/1.1"))).method_bytes(), long.as_bytes());
    assert_eq!(refused(&with_line(&format!("{long}M / HTTP/1.1"))), Kind::Malformed);
}

#[test]
fn tls_at_a_plain_port_is_called_so() {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let error = parse_within(&HeadLimits::default(), hello).unwrap_err();
    assert_eq!(error.detail, "a TLS handshake was sent to a plain port");
}

#[test]
fn malformed_request_lines_are_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET HTTP/1.1",
        "GET /",
        "GET",
        "/ HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a\x7fb HTTP/1.1",
        "GET /a\x01b HTTP/1.1",
        "GET /a\0b HTTP/1.1",
        "GET /caf\u{e9} HTTP/1.1",
        "GET /a\rb HTTP/1.1",
        "G\0ET / HTTP/1.1",
        "GE(T / HTTP/1.1",
        "GET: / HTTP/1.1",
        "GET a HTTP/1.1",
        "GET a.example/ HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS *x HTTP/1.1",
        "GET ftp://a.example/ HTTP/1.1",
        "GET ?a HTTP/1.1",
    ] {
        assert_eq!(refused(&with_line(line)), Kind::Malformed, "{line:?}");
    }
}

#[test]
fn other_versions_are_refused() {
    for version in
        ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/1", "HTTP/01.1", "RTSP/1.0", "HTTPS/1.1"]
    {
        let kind = refused(&with_line(&format!("GET / {version}")));
        assert!(matches!(kind, Kind::UnsupportedVersion | Kind::Malformed), "{version}: {kind:?}");
    }
    assert_eq!(refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Kind::UnsupportedVersion);
}

#[test]
fn what_can_become_no_head_is_refused_before_it_is_whole() {
    for (start, kind) in [
        ("\x16\x03\x01", Kind::Malformed),
        ("GET / HTTP/1.1\r\nX Y", Kind::Malformed),
        // What follows may hold a colon.
        ("GET / HTTP/1.1\r\nX Y\r\nHost:", Kind::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n{\"a\": 1", Kind::Malformed),
        ("GET / HTTP/1.1\r\nX: a\0", Kind::Malformed),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n", Kind::AmbiguousFraming),
        ("GET / HTTP/2.0\r\n", Kind::UnsupportedVersion),
        ("GET / HTTP/2.\x7f", Kind::Malformed),
        ("GET / HTTP/1.10\r\n", Kind::Malformed),
    ] {
        assert_eq!(refused(start.as_bytes()), kind, "{start:?}");
    }
    for start in [
        "\r",
        "G",
        "GET",
        "GET ",
        "GET / HTTP/",
        "GET / HTTP/1.1\r",
        "GET / HTTP/1.1\r\nX",
        "GET / HTTP/1.1\r\nX: \t",
    ] {
        let read = parse_within(&HeadLimits::default(), start.as_bytes());
        assert!(matches!(read, Ok(None)), "{start:?}: {read:?}");
    }
}

#[test]
fn http_0_9_is_refused() {
    assert_eq!(refused(b"GET /\r\n"), Kind::Malformed);
}

#[test]
fn http_1_0_needs_no_host_and_expects_nothing() {
    let head = accepted(b"POST /old HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!((head.version, head.host()), (Version::Http10, &b""[..]));
    assert!(!head.expects_continue);
    assert_eq!(head.framing, BodyFraming::Length(2));
}

#[test]
fn every_line_ends_in_cr_lf() {
    for input in [
        &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX:\nY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.0\r\n\n",
        b"GET / HTTP/1.0\n\n",
        b"GET / HTTP/1.0\n\r\n",
        b"\nGET / HTTP/1.0\r\n\r\n",
        b"\r\nGET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\rHost: a\rX: b\r\r",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
        b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(refused(input), Kind::Malformed, "{:?}", String::from_utf8_lossy(input));
    }
}

#[test]
fn malformed_fields_are_refused() {
    for field in [
        "X : v",
        "X\t: v",
        " X: v",
        "\tX: v",
        "X: one\r\n two",
        "X: one\r\n\ttwo: three",
        "X:\r\n one",
        " \r\nX: v",
        "just some words",
        ": value",
        "X",
        "X\0: v",
        "X(: v",
        "X\u{e9}: v",
        "X: a\0b",
        "X: a\x0bb",
        "X: a\x7f",
        "X: a\x08",
    ] {
        assert_eq!(refused(&with_field(field)), Kind::Malformed, "{field:?}");
    }
    assert_eq!(refused(b"GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n"), Kind::Malformed);
}

#[test]
fn the_host_is_one_authority() {
    for host in
        ["a", "a.example:80", "a.example:", "127.0.0.1", "[::1]:8080", "[2001:db8::1]", "a_b.example", "a."]
    {
        let head = accepted(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        assert_eq!(head.host(), host.as_bytes());
    }
    for host in [
        "a b",
        "a,b",
        "a/b",
        "a:80x",
        "a:123456",
        "a:-1",
        "a@b",
        "http://a",
        "a\\b",
        "a%2eb",
        "[::1",
        "[]",
        "[::1]x",
        "[::1%25lo]",
        "[::1]:x",
        "::1",
        "a:80:80",
        "a?b",
        "a#b",
        "\u{e4}",
        ":80",
        "<a>",
    ] {
        let input = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refused(input.as_bytes()), Kind::InvalidHost, "{host}");
        let beside = format!("GET http://a/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refused(beside.as_bytes()), Kind::InvalidHost, "{host}");
        if !host.contains(['/', '?', '#', '\u{e4}', ' ']) {
            let absolute = format!("GET http://{host}/ HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(refused(absolute.as_bytes()), Kind::InvalidHost, "{host}");
        }
    }
    assert_eq!(refused(b"GET / HTTP/1.1\r\n\r\n"), Kind::InvalidHost);
    assert_eq!(refused(b"GET http://a/ HTTP/1.1\r\n\r\n"), Kind::InvalidHost);
    assert_eq!(refused(b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), Kind::InvalidHost);
    for version in ["1.0", "1.1"] {
        let input = format!("GET / HTTP/{version}\r\nHost: a\r\nhost: a\r\n\r\n");
        assert_eq!(refused(input.as_bytes()), Kind::InvalidHost);
    }
}

#[test]
fn the_framing_is_read_one_way_or_refused() {
    use BodyFraming::{Chunked, Length, None};
    for (field, framing) in [
        ("X: y", None),
        ("Content-Length: 0", None),
        ("Content-Length: 1", Length(1)),
        ("content-LENGTH:\t7 ", Length(7)),
        ("Content-Length: 999999999999999999", Length(999_999_999_999_999_999)),
        ("Transfer-Encoding: chunked", Chunked),
        ("transfer-encoding: CHUNKED", Chunked),
    ] {
        assert_eq!(accepted(&with_field(field)).framing, framing, "{field}");
    }
    for field in [
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 5.0",
        "Content-Length: 1e1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5, 6",
        "Content-Length: 5, 5",
        "Content-Length: \u{b2}",
        "Content-Length: 9999999999999999999",
        "Content-Length: 18446744073709551621",
        "Content-Length: 05",
        "Content-Length: 00",
        "Content-Length: 0041",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length:",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        assert_eq!(refused(&with_field(field)), Kind::AmbiguousFraming, "{field}");
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Kind::AmbiguousFraming);
}

#[test]
fn every_coding_but_chunked_is_refused() {
    for coding in [
        "",
        "identity",
        "gzip",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "identity, chunked",
        "chunked,",
        ",chunked",
        "chunk",
        "chunkedx",
        "\"chunked\"",
        "chunked;q=0",
        "{chunked}",
        "x chunked",
    ] {
        let kind = refused(&with_field(&format!("Transfer-Encoding: {coding}")));
        assert_eq!(kind, Kind::UnknownTransferCoding, "{coding}");
    }
    for coding in ["\x0bchunked", "chunked\x0c", "\0chunked", "ch\0unked"] {
        assert_eq!(refused(&with_field(&format!("Transfer-Encoding: {coding}"))), Kind::Malformed);
    }
}

#[test]
fn only_one_expectation_is_known_and_only_with_a_body() {
    assert!(accepted(&with_field("Expect: 100-Continue\r\nContent-Length: 1")).expects_continue);
    assert!(accepted(&with_field("Expect: 100-continue\r\nTransfer-Encoding: chunked")).expects_continue);
    assert!(!accepted(&with_field("Expect: 100-continue")).expects_continue);
    for expectation in ["200-ok", "", "100-continue, x", "100-continue=1"] {
        assert_eq!(
            refused(&with_field(&format!("Expect: {expectation}"))),
            Kind::Expectation,
            "{expectation}"
        );
    }
}

#[test]
fn connection_options_add_up_over_lines() {
    let head = accepted(&with_field("Connection: Close, ,\r\nconnection: UPGRADE,keep-alive"));
    let options = head.connection;
    assert!(options.close && options.upgrade && options.keep_alive && !options.names_fields);
    assert!(accepted(&with_field("Connection: X-Hop")).connection.names_fields);
    assert!(!accepted(&with_field("Connection: closed")).connection.close);
}

#[test]
fn look_alikes_of_well_known_names_do_not_pass() {
    let head = accepted(&with_field(
        "Content-Length: 5\r\nContent_Length: 50\r\nTransfer_Encoding: chunked\r\nx_forwarded_for: 1.2.3.4\r\n\
         X.Forwarded.For: 1.2.3.4\r\nx~real|ip: 1.2.3.4\r\nX_Own: kept\r\nX.Own: kept",
    ));
    assert_eq!(head.framing, BodyFraming::Length(5));
    let names: Vec<&[u8]> = head.fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [&b"Host"[..], b"Content-Length", b"X_Own", b"X.Own"]);
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = HeadLimits { head_bytes: 200, target_bytes: 40, fields: 3 };
    let kind =
        |input: &[u8]| parse_within(&limits, input).map(|head| head.is_some()).map_err(|error| error.kind);

    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "v".repeat(length - start.len() - 4)).into_bytes()
    };
    assert_eq!(kind(&head(200)), Ok(true));
    assert_eq!(kind(&head(201)), Err(Kind::TooLarge));
    assert_eq!(kind(&head(201)[..199]), Ok(false));
    assert_eq!(kind(&head(201)[..200]), Err(Kind::TooLarge));

    let target = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "p".repeat(length - 1));
    assert_eq!(kind(target(40).as_bytes()), Ok(true));
    assert_eq!(kind(target(41).as_bytes()), Err(Kind::TargetTooLong));
    let endless = target(150);
    assert_eq!(kind(&endless.as_bytes()[..140]), Err(Kind::TargetTooLong), "known before the line has ended");

    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    assert_eq!(kind(fields(3).as_bytes()), Ok(true));
    assert_eq!(kind(fields(4).as_bytes()), Err(Kind::TooLarge));
}

#[test]
fn the_hard_bound_on_fields_holds_whatever_the_limit_says() {
    let limits = HeadLimits { head_bytes: 1 << 20, target_bytes: 100, fields: usize::MAX };
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    assert!(parse_within(&limits, fields(HeadLimits::MAX_FIELDS).as_bytes()).unwrap().is_some());
    let error = parse_within(&limits, fields(HeadLimits::MAX_FIELDS + 1).as_bytes()).unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge);
}

#[test]
fn a_name_longer_than_the_index_can_say_is_refused() {
    let limits = HeadLimits { head_bytes: 1 << 20, target_bytes: 100, fields: 10 };
    for (length, read) in [(65_535, true), (65_536, false)] {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{}: v\r\nX: y\r\n\r\n", "n".repeat(length));
        match parse_within(&limits, input.as_bytes()) {
            Ok(Some((_, head))) => {
                assert!(read);
                assert!(head.fields.iter().any(|(name, value)| name.len() == length && value == b"v"));
            }
            other => assert!(!read && other.unwrap_err().kind == Kind::TooLarge),
        }
    }
}

#[test]
fn a_head_is_read_afresh_after_another() {
    let mut head = RequestHead::default();
    let limits = HeadLimits::default();
    let first = b"POST http://b/x?y HTTP/1.0\r\nConnection: close\r\nContent-Length: 3\r\n\r\n";
    assert!(parse_request(first, 0, &limits, &mut head).unwrap().is_some());
    assert!(parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, &limits, &mut head).unwrap().is_some());
    assert_eq!((head.host(), head.query(), head.framing), (&b"a"[..], None, BodyFraming::None));
    assert_eq!((head.version, head.connection.close, head.fields.len()), (Version::Http11, false, 1));
}
