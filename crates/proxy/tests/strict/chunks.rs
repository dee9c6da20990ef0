//! The chunked coding (RFC 9112 section 7.1), and trailers.

use super::judge::{Judge, bytes, post};
use super::yaml::Running;
use torana_testkit::Client;

const CHUNKED: &str = "Transfer-Encoding: chunked";
const SEEN: &str = "POST /post HTTP/1.1\nHost: a\nTransfer-Encoding: chunked";

#[test]
fn what_the_grammar_allows_arrives_without_what_belongs_to_the_hop() {
    let judge = Judge::new();
    for body in [
        "5\r\nhello\r\n0\r\n\r\n",
        "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
        "05\r\nhello\r\n000\r\n\r\n",
        "000000000000005\r\nhello\r\n0\r\n\r\n",
        "5;a\r\nhello\r\n0;b=c\r\n\r\n",
        "5;a=\"b c\";d\r\nhello\r\n0\r\n\r\n",
        "5 ; a = b\r\nhello\r\n0\r\n\r\n",
        "5;caf\u{e9}\r\nhello\r\n0\r\n\r\n",
    ] {
        judge.forwards(post(CHUNKED, body), &[(SEEN, "hello")]);
    }
    let upper = "A\r\n0123456789\r\nb\r\nabcdefghijk\r\n0\r\n\r\n";
    judge.forwards(post(CHUNKED, upper), &[(SEEN, "0123456789abcdefghijk")]);
    judge.forwards(post(CHUNKED, "0\r\n\r\n"), &[(SEEN, "")]);
    let like_a_request = "1d\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n0\r\n\r\n";
    judge.forwards(post(CHUNKED, like_a_request), &[(SEEN, "GET /hidden HTTP/1.1\r\nHost: a")]);
    let like_an_end = "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n";
    judge.forwards(post(CHUNKED, like_an_end), &[(SEEN, "\r\n0\r\n\r\n")]);
}

#[test]
fn sizes_are_plain_hexadecimal_digits() {
    let judge = Judge::new();
    for size in [
        "",
        " 5",
        "\t5",
        "0x5",
        "0X5",
        "+5",
        "-5",
        "5h",
        "5.",
        "5 5",
        "5,",
        "5\0",
        "\u{b5}",
        "5_",
        "h",
        "5 ",
        "5\t",
        "8000000000000000",
        "ffffffffffffffff",
        "00000000000000005",
        "10000000000000005",
    ] {
        judge.refuses(400, post(CHUNKED, &format!("{size}\r\nhello\r\n0\r\n\r\n")));
    }
    judge.abandons(post(CHUNKED, "100000005\r\nhello\r\n0\r\n\r\n"));
}

#[test]
fn every_line_of_the_coding_ends_in_cr_lf() {
    let judge = Judge::new();
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\n\rX",
        "5\r\nhello\r\n0\r\nX: y\n\r\n",
    ] {
        judge.refuses(400, post(CHUNKED, &format!("{body}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let judge = Judge::new();
    let long = "x".repeat(40_000);
    judge.refuses(400, post(CHUNKED, &format!("5;{long}\r\nhello\r\n0\r\n\r\n")));
    let many = format!("1;{}\r\nh\r\n", "y".repeat(30)).repeat(1000);
    judge.refuses(400, post(CHUNKED, &format!("{many}0\r\n\r\n")));
    judge.refuses(400, post(CHUNKED, &format!("0\r\nX: {long}\r\n\r\n")));
    let lines = "X: y\r\n".repeat(5_000);
    judge.refuses(400, post(CHUNKED, &format!("0\r\n{lines}\r\n")));
}

#[test]
fn trailers_go_on_unless_they_decide_something() {
    let judge = Judge::new();
    let trailers = "X-Sum: 1\r\nx-sum:  2 \r\nX-B:\r\nHost: b\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\n\
                    Connection: close\r\nAuthorization: x\r\nCookie: c\r\nX-Forwarded-For: 9.9.9.9\r\n\
                    Cache-Control: no-store\r\nX_Odd: 1\r\nX-Request-Id: 7\r\nUpgrade: h2c\r\nTE: x\r\n";
    let input = post(CHUNKED, &format!("5\r\nhello\r\n0\r\n{trailers}\r\n"));
    judge.forwards(&input, &[(SEEN, "hello")]);
    let request = &judge.origin().requests()[0];
    let raw = String::from_utf8(request.raw_body.clone()).unwrap();
    assert!(raw.ends_with("\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\nX-B: \r\n\r\n"), "{raw}");
}

#[test]
fn trailers_that_are_no_fields_are_refused() {
    let judge = Judge::new();
    for trailer in [
        "no colon",
        ": v",
        "X : v",
        " X: v",
        "X: a\r\n b",
        "X: a\0",
        "X(: v",
        "X: a\rY: b",
        "Caf\u{e9}: v",
        "X: \u{7f}",
    ] {
        judge.refuses(400, post(CHUNKED, &format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n")));
    }
    let value = bytes("X: caf\u{e9}");
    let mut input = post(CHUNKED, "5\r\nhello\r\n0\r\n");
    input.extend_from_slice(&value);
    input.extend_from_slice(b"\r\n\r\n");
    judge.forwards(&input, &[(SEEN, "hello")]);
}

#[test]
fn a_body_that_nobody_wants_is_thrown_away_only_where_its_trailers_are_fields() {
    let gateway = Running::start("access_log: off\nroutes: [{ path: /*, respond: { body: made } }]\n");
    for (trailer, keeps) in [("X: a", true), ("X: a\r\nno colon", false), (" X: a", false)] {
        let mut client = Client::connect(gateway.address);
        let request = post(CHUNKED, &format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n"));
        let response = client.exchange(request);
        assert_eq!((response.status, response.text().as_str()), (200, "made"), "{trailer}");
        if keeps {
            assert_eq!(response.header("Connection"), None, "{trailer}");
            assert_eq!(client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200, "{trailer}");
        } else {
            assert_eq!(response.header("Connection"), Some("close"), "{trailer}");
            client.expect_closed();
        }
    }
}
