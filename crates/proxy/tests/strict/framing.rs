//! Where a body ends has one reading, or the request is refused.

use super::judge::{Judge, post};

/// A request that hides in a body whose end somebody might see earlier.
const HIDDEN: &str = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn one_length_is_a_length() {
    let judge = Judge::new();
    judge.forwards(
        post("Content-Length: 5", "hello"),
        &[("POST /post HTTP/1.1\nHost: a\nContent-Length: 5", "hello")],
    );
    judge.forwards(post("Content-Length: 0", ""), &[("POST /post HTTP/1.1\nHost: a\nContent-Length: 0", "")]);
    judge.forwards(post("X: y", ""), &[("POST /post HTTP/1.1\nHost: a\nX: y", "")]);
    judge.forwards(
        post("cONTENT-lENGTH:\t 5 \t", "hello"),
        &[("POST /post HTTP/1.1\nHost: a\ncONTENT-lENGTH: 5", "hello")],
    );
    // A body is no request, whatever it looks like.
    let length = HIDDEN.len();
    judge.forwards(
        post(&format!("Content-Length: {length}"), HIDDEN),
        &[(&format!("POST /post HTTP/1.1\nHost: a\nContent-Length: {length}"), HIDDEN)],
    );
}

#[test]
fn a_length_is_digits_and_stands_once() {
    let judge = Judge::new();
    for value in [
        "",
        "-5",
        "+5",
        "5.",
        "0x5",
        "5e0",
        "5 5",
        "5,5",
        "5, 5",
        "5;",
        "'5'",
        "\"5\"",
        "five",
        "5\u{a0}",
        "\u{b9}",
        "0b1",
        "1_0",
        "9223372036854775808",
        "99999999999999999999999999",
    ] {
        judge.refuses(400, post(&format!("Content-Length: {value}"), "hello"));
    }
    for fields in [
        "Content-Length: 5\nContent-Length: 5",
        "Content-Length: 5\ncontent-length: 4",
        "Content-Length: 0\nContent-Length: 5",
        "Content-Length: 5\nX: y\nContent-Length: 5",
        "Content-Length: 5\nContent-Length: ",
        "Content-Length: \nContent-Length: 5",
    ] {
        judge.refuses(400, post(fields, HIDDEN));
    }
}

#[test]
fn a_length_and_a_coding_are_one_too_many() {
    let judge = Judge::new();
    for fields in [
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "Transfer-Encoding: chunked\nContent-Length: 0",
        "Content-Length: 44\nX: y\ntransfer-encoding: Chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 5\nConnection: Content-Length",
        "Transfer-Encoding: chunked\nContent-Length: 5\nConnection: Transfer-Encoding",
    ] {
        judge.refuses(400, post(fields, HIDDEN));
    }
    let old = |fields: &str| format!("POST / HTTP/1.0\r\nHost: a\r\n{fields}\r\n\r\n{HIDDEN}");
    judge.refuses(400, old("Transfer-Encoding: chunked"));
    judge.refuses(400, old("Transfer-Encoding: chunked\r\nContent-Length: 3"));
}

#[test]
fn a_coding_is_chunked_alone() {
    let judge = Judge::new();
    for coding in [
        "",
        "identity",
        "gzip",
        "deflate, chunked",
        "chunked, deflate",
        "chunked, chunked",
        "chunked,",
        ", chunked",
        "chunked;x=y",
        "chunked x",
        "xchunked",
        "chunke",
        "'chunked'",
        "\"chunked\"",
        "[chunked]",
        "chunked\u{a0}",
        "\u{85}chunked",
        "chu\u{f1}ked",
    ] {
        judge.refuses(501, post(&format!("Transfer-Encoding: {coding}"), HIDDEN));
        judge.refuses(501, post(&format!("Transfer-Encoding: {coding}\nContent-Length: 5"), HIDDEN));
    }
    for coding in ["\u{b}chunked", "chunked\u{c}", "ch\0unked", "chunked\u{8}", "\u{7f}chunked"] {
        judge.refuses(400, post(&format!("Transfer-Encoding: {coding}"), HIDDEN));
    }
    judge.refuses(501, post("Transfer-Encoding: chunked\nTransfer-Encoding: identity", HIDDEN));
}

#[test]
fn names_that_only_resemble_the_framing_s_do_not_frame_and_do_not_go_on() {
    let judge = Judge::new();
    for fields in
        ["Content_Length: 99", "Transfer_Encoding: chunked", "content_length: 1\nTransfer_encoding: x"]
    {
        judge.forwards(
            post(&format!("Content-Length: 5\n{fields}"), "hello"),
            &[("POST /post HTTP/1.1\nHost: a\nContent-Length: 5", "hello")],
        );
    }
    for name in
        ["Content-Length ", "Content-Length\t", "Transfer-Encoding ", "Content\u{ad}Length", "Content Length"]
    {
        judge.refuses(400, post(&format!("{name}: 44"), HIDDEN));
    }
}

#[test]
fn methods_that_rarely_have_a_body_are_framed_like_all_others() {
    let judge = Judge::new();
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let length = HIDDEN.len();
        judge.forwards(
            format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"),
            &[(&format!("{method} /x HTTP/1.1\nHost: a\nContent-Length: {length}"), HIDDEN)],
        );
        judge.forwards(
            format!(
                "{method} /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
            ),
            &[(&format!("{method} /x HTTP/1.1\nHost: a\nTransfer-Encoding: chunked"), "hi")],
        );
    }
}

#[test]
fn a_body_that_its_sender_does_not_finish_is_never_whole_upstream() {
    let judge = Judge::new();
    for (fields, body) in [
        ("Content-Length: 10", "12345"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked", "5\r\nhel"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX: y\r\n"),
    ] {
        judge.abandons(post(fields, body));
    }
}
