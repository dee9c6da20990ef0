//! Host: once, and a host.

use super::judge::{Judge, bytes};

#[test]
fn hosts_go_on_as_they_were_sent() {
    let judge = Judge::new();
    for host in [
        "a",
        "A.Example",
        "a.example.",
        "a:8080",
        "a:",
        "127.0.0.1:1",
        "[::1]",
        "[2001:db8::1]:443",
        "a-b_c~d",
    ] {
        judge.forwards(
            format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            &[(&format!("GET /x HTTP/1.1\nHost: {host}"), "")],
        );
    }
}

#[test]
fn what_is_no_host_is_refused() {
    let judge = Judge::new();
    let long = "a".repeat(300);
    for host in [
        "a b",
        "a\tb",
        "a,b",
        "a, b",
        "a/",
        "/a",
        "a?b",
        "a#b",
        "a@b",
        "a\\b",
        "http://a",
        "a:b",
        "a:80x",
        "a:-1",
        "a:+1",
        "a:65536000",
        "a:65536",
        "a:99999",
        "[::1]:99999",
        "a:80:80",
        ":80",
        "[::1",
        "::1",
        "[]",
        "[a]",
        "[::1]80",
        "[::1%1]",
        "a%2eb",
        "a;b",
        "a'b",
        "<a>",
        "a\0b",
        "\u{e4}",
        "a\u{7f}",
        "$(a)",
        "{a}",
        "*",
        "!",
        &long,
    ] {
        judge.refuses(400, bytes(&format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")));
    }
}

#[test]
fn a_host_stands_once() {
    let judge = Judge::new();
    for fields in
        ["Host: a\r\nHost: a", "Host: a\r\nhost: b", "Host: a\r\nX: y\r\nHOST: a", "Host:\r\nHost: a"]
    {
        judge.refuses(400, format!("GET /x HTTP/1.1\r\n{fields}\r\n\r\n"));
        judge.refuses(400, format!("GET /x HTTP/1.0\r\n{fields}\r\n\r\n"));
        judge.refuses(400, format!("GET http://a/x HTTP/1.1\r\n{fields}\r\n\r\n"));
    }
    judge.refuses(400, "GET /x HTTP/1.1\r\n\r\n");
    judge.refuses(400, "GET http://a/x HTTP/1.1\r\n\r\n");
    judge.refuses(400, "GET /x HTTP/1.1\r\nX-Host: a\r\n\r\n");
    judge.refuses(400, "GET /x HTTP/1.1\r\nHost : a\r\n\r\n");
    judge.refuses(400, "GET /x HTTP/1.1\r\nHost: a\r\n .b\r\n\r\n");
}

#[test]
fn an_old_client_may_leave_it_out() {
    let judge = Judge::new();
    let endpoint = judge.origin().addr();
    judge.forwards("GET /x HTTP/1.0\r\n\r\n", &[(&format!("GET /x HTTP/1.1\nHost: {endpoint}"), "")]);
}
