//! Names and values of fields, white space around them, and fields that belong to one hop.

use super::judge::{Judge, bytes};

fn get(fields: &str) -> Vec<u8> {
    bytes(&format!("GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"))
}

#[test]
fn fields_arrive_in_order_with_their_case_and_without_outer_space() {
    let judge = Judge::new();
    judge.forwards(
        get("X-B: 1\r\nx-a:2\r\nX-B: \t 3\t \r\nX-Empty:\r\nX-Blank: \t\r\n!#$%&'*+-.^`|~0: t\r\nx_own: u"),
        &[(
            "GET /x HTTP/1.1\nHost: a\nX-B: 1\nx-a: 2\nX-B: 3\nX-Empty: \nX-Blank: \n!#$%&'*+-.^`|~0: t\nx_own: u",
            "",
        )],
    );
    judge.forwards(
        get("X: a \t b,\"c\\\"\"; d=(e) @{}<>?/[]"),
        &[("GET /x HTTP/1.1\nHost: a\nX: a \t b,\"c\\\"\"; d=(e) @{}<>?/[]", "")],
    );
    judge.forwards(
        get("X: caf\u{e9} \u{80}\u{ff}"),
        &[("GET /x HTTP/1.1\nHost: a\nX: caf\u{e9} \u{80}\u{ff}", "")],
    );
}

#[test]
fn names_are_tokens_right_before_their_colon() {
    let judge = Judge::new();
    for line in [
        "X : v",
        "X\t: v",
        " X: v",
        "\tX: v",
        "X",
        ": v",
        ":",
        "X Y: v",
        "X(Y): v",
        "X\"Y: v",
        "X\0: v",
        "X\u{7f}: v",
        "X\u{e9}: v",
        "X\u{a0}: v",
        "{X}: v",
        "X/Y: v",
        "X@Y: v",
        "X\\Y: v",
        "X;Y: v",
        "[X]: v",
    ] {
        judge.refuses(400, get(line));
        judge.refuses(400, get(&format!("Y: z\r\n{line}\r\nZ: y")));
    }
    judge.refuses(400, "GET /x HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n");
}

#[test]
fn folded_lines_are_refused() {
    let judge = Judge::new();
    for fields in ["X: a\r\n b", "X: a\r\n\tb", "X:\r\n a", "X: a\r\n \r\nY: b", " \r\nX: a", "X: a\r\n Y: b"]
    {
        judge.refuses(400, get(fields));
    }
}

#[test]
fn values_hold_no_control_characters() {
    let judge = Judge::new();
    for code in (0..0x20_u8).chain([0x7f]) {
        // Tab may stand in a value; LF and CR end lines, which other tests are about.
        if !matches!(code, b'\t' | b'\n' | b'\r') {
            judge.refuses(400, get(&format!("X: a{}b", char::from(code))));
        }
    }
}

#[test]
fn what_belongs_to_one_hop_does_not_go_on() {
    let judge = Judge::new();
    judge.forwards(
        get("Connection: keep-alive, X-Hop, ,x-other\r\nConnection: close\r\nX-Hop: 1\r\nX-Other: 2\r\nX-Keep: 3\r\n\
             Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMA\r\nProxy-Authorization: x"),
        &[("GET /x HTTP/1.1\nHost: a\nX-Keep: 3", "")],
    );
}

#[test]
fn connection_cannot_remove_what_others_rely_on() {
    let judge = Judge::new();
    judge.forwards(
        get("Connection: Authorization, Cookie, Host, Content-Type, Cache-Control\r\nAuthorization: x\r\nCookie: y\r\n\
             Content-Type: z\r\nCache-Control: no-store"),
        &[(
            "GET /x HTTP/1.1\nHost: a\nAuthorization: x\nCookie: y\nContent-Type: z\nCache-Control: no-store",
            "",
        )],
    );
}

#[test]
fn names_that_an_upstream_could_mistake_do_not_go_on() {
    let judge = Judge::new();
    judge.forwards(
        get("X_Forwarded_For: 1.2.3.4\r\nX-Real_IP: 1.2.3.4\r\nx_request_id: 1\r\nAuthorization_: kept\r\nProxy: kept"),
        &[("GET /x HTTP/1.1\nHost: a\nAuthorization_: kept\nProxy: kept", "")],
    );
}

#[test]
fn one_expectation_is_known() {
    let judge = Judge::new();
    for value in ["", "100-continued", "100-continue, x", "x", "100-continue;q=1"] {
        judge.refuses(
            417,
            format!("POST /x HTTP/1.1\r\nHost: a\r\nExpect: {value}\r\nContent-Length: 2\r\n\r\nok"),
        );
    }
    // Without a body there is nothing to wait for.
    judge.forwards(get("Expect: 100-Continue"), &[("GET /x HTTP/1.1\nHost: a", "")]);
    judge.forwards(
        "POST /x HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
        &[("POST /x HTTP/1.1\nHost: a\nContent-Length: 2", "ok")],
    );
}
