//! Request lines, targets, versions and the ends of lines.

use super::judge::{Judge, bytes};

#[test]
fn targets_arrive_as_they_were_sent() {
    let judge = Judge::new();
    for target in [
        "/",
        "/a",
        "/a/",
        "/a?",
        "/a?b",
        "/a?b?c/d",
        "/a;p=1,2/b",
        "/~a.b-c_d!$&'()*+,=:@",
        "/a%20b",
        "/a?%00%zz%2F",
        "/a?x=[1]{2}|\\^`\"<>",
    ] {
        judge.forwards(
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
            &[(&format!("GET {target} HTTP/1.1\nHost: a"), "")],
        );
    }
}

#[test]
fn paths_arrive_in_their_one_form() {
    let judge = Judge::new();
    for (target, seen) in [
        ("/a/../b", "/b"),
        ("/a/./b/.", "/a/b/"),
        ("//a///b", "/a/b"),
        ("/%61%2e%2E/%7e", "/a../~"),
        ("/a/%2e%2e/b", "/b"),
        ("/a%c3%a9", "/a%C3%A9"),
        ("/a?../b", "/a?../b"),
    ] {
        judge.forwards(
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
            &[(&format!("GET {seen} HTTP/1.1\nHost: a"), "")],
        );
    }
    for target in
        ["/../a", "/a/%2e%2e/../b", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00", "/a%0d%0aX:y", "/%", "/%4", "/%zz"]
    {
        let judged = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        judge.refuses(400, judged);
    }
}

#[test]
fn the_absolute_form_says_host_and_path() {
    let judge = Judge::new();
    for (target, seen, host) in [
        ("http://b/x?y", "/x?y", "b"),
        ("HTTPS://b:81", "/", "b:81"),
        ("http://b?q", "/?q", "b"),
        ("http://[::1]:82/", "/", "[::1]:82"),
    ] {
        judge.forwards(
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"),
            &[(&format!("GET {seen} HTTP/1.1\nX: y\nHost: {host}"), "")],
        );
    }
    for target in
        ["http:///x", "http://", "http://b@c/", "http://b c/", "http://b\\c/", "http://:80/", "http://[::1/"]
    {
        judge.refuses(400, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn targets_of_no_form_are_refused() {
    let judge = Judge::new();
    for target in [
        "a",
        "a/b",
        "*",
        "?a",
        "a:80",
        "ftp://a/",
        "http:/a",
        "http:a",
        "javascript:x",
        "/a#b",
        "/a\u{7f}",
        "/a\u{1}b",
        "/caf\u{e9}",
        "/a\0b",
        "/a b",
        "",
    ] {
        judge.refuses(400, bytes(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    judge.refuses(400, "OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n");
    judge.refuses(400, "POST * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn tunnels_and_echoes_are_not_for_a_gateway() {
    let judge = Judge::new();
    judge.refuses(501, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nConnection: close\r\n\r\n");
    judge.refuses(501, "CONNECT /x HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
    judge.refuses(501, "TRACE / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
}

#[test]
fn a_request_line_has_three_words_and_two_spaces() {
    let judge = Judge::new();
    for line in [
        "GET  /x HTTP/1.1",
        "GET /x  HTTP/1.1",
        " GET /x HTTP/1.1",
        "GET /x HTTP/1.1 ",
        "GET\t/x HTTP/1.1",
        "GET /x\tHTTP/1.1",
        "GET /x",
        "GET",
        "GET /x HTTP/1.1 x",
        "GET /x y HTTP/1.1",
        "GET\u{b}/x HTTP/1.1",
        "\u{ef}\u{bb}\u{bf}GET /x HTTP/1.1",
    ] {
        judge.refuses(400, bytes(&format!("{line}\r\nHost: a\r\n\r\n")));
    }
}

#[test]
fn methods_are_tokens() {
    let judge = Judge::new();
    for method in ["GETS", "M-SEARCH", "X!#$%&'*+.^_`|~9"] {
        judge.forwards(
            format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n"),
            &[(&format!("{method} /x HTTP/1.1\nHost: a"), "")],
        );
    }
    let long = "M".repeat(33);
    for method in [
        "G(T", "GET,", "G\"T", "G\0T", "GE\u{7f}", "\u{c7}ET", "GET:", "[GET]", "{", "get", "Delete",
        "M-SEARCh", &long,
    ] {
        judge.refuses(400, bytes(&format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
}

#[test]
fn versions_are_1_0_and_1_1() {
    let judge = Judge::new();
    judge.forwards("GET /x HTTP/1.0\r\nHost: a\r\n\r\n", &[("GET /x HTTP/1.1\nHost: a", "")]);
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"] {
        judge.refuses(505, format!("GET /x {version}\r\nHost: a\r\n\r\n"));
    }
    for version in [
        "HTTP/1.10",
        "http/1.1",
        "HTTP/1,1",
        "HTTP/ 1.1",
        "HTTP1.1",
        "HTTPS/1.1",
        "ICAP/1.0",
        "HTTP/",
        "HTTP/x.1",
        "1.1",
    ] {
        judge.refuses(400, format!("GET /x {version}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn lines_end_in_cr_lf_and_nothing_else() {
    let judge = Judge::new();
    for input in [
        "GET /x HTTP/1.1\nHost: a\n\n",
        "GET /x HTTP/1.1\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nX: y\rZ: y\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n",
        "GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\rHost: a\r\r",
        "GET /x\r HTTP/1.1\r\nHost: a\r\n\r\n",
        "\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /x HTTP/1.0\n\n",
    ] {
        judge.refuses(400, format!("{input}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    // RFC 9112 section 2.2 asks to pass over an empty line before a request.
    judge.forwards("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", &[("GET /x HTTP/1.1\nHost: a", "")]);
}
