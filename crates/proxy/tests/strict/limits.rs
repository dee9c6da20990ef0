//! Bounds, and the statuses that say which one was met.

use super::judge::{Judge, post};

fn judge() -> Judge {
    Judge::with_limits("head_bytes: 1000B, target_bytes: 200B, header_count: 10, body_bytes: 20B")
}

#[test]
fn a_target_is_bounded() {
    let judge = judge();
    let target = |length: usize| format!("/{}", "t".repeat(length - 1));
    judge.forwards(
        format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target(200)),
        &[(&format!("GET {} HTTP/1.1\nHost: a", target(200)), "")],
    );
    judge.refuses(414, format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target(201)));
    judge.refuses(414, format!("GET {}", target(100_000)));
    judge.refuses(414, "M".repeat(100_000));
}

#[test]
fn a_head_is_bounded_in_bytes_and_fields() {
    let judge = judge();
    let head = |value: usize| format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "v".repeat(value));
    let rest = head(0).len();
    judge.forwards(
        head(1000 - rest),
        &[(&format!("GET /x HTTP/1.1\nHost: a\nX: {}", "v".repeat(1000 - rest)), "")],
    );
    judge.refuses(431, head(1001 - rest));
    judge.refuses(431, &head(100_000)[..50_000]);
    let fields = |count: usize| format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    judge.forwards(fields(10), &[(&format!("GET /x HTTP/1.1\nHost: a{}", "\nX: y".repeat(9)), "")]);
    judge.refuses(431, fields(11));
    judge.refuses(431, fields(1000));
}

#[test]
fn a_body_is_bounded_whether_it_says_its_length_or_not() {
    let judge = judge();
    let full = "b".repeat(20);
    judge.forwards(
        post("Content-Length: 20", &full),
        &[("POST /post HTTP/1.1\nHost: a\nContent-Length: 20", &full)],
    );
    judge.refuses(413, post("Content-Length: 21", &format!("{full}b")));
    judge.refuses(413, post("Content-Length: 999999999999999999", ""));
    let chunks = |count: usize| format!("{}0\r\n\r\n", "1\r\nb\r\n".repeat(count));
    let chunked = "Transfer-Encoding: chunked";
    judge.forwards(
        post(chunked, &chunks(20)),
        &[("POST /post HTTP/1.1\nHost: a\nTransfer-Encoding: chunked", &full)],
    );
    judge.refuses(413, post(chunked, &chunks(21)));
    judge.refuses(413, post(chunked, "7fffffffffffffff\r\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
}
