//! Several requests on one connection, and what must not become one.

use super::judge::Judge;
use super::yaml::Running;
use torana_testkit::{Client, Origin, Reply};

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn pipelined_requests_go_on_in_order() {
    let judge = Judge::new();
    judge.forwards(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok\
         POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\
         HEAD /4 HTTP/1.1\r\nHost: a\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n",
        &[
            ("GET /1 HTTP/1.1\nHost: a", ""),
            ("POST /2 HTTP/1.1\nHost: a\nContent-Length: 2", "ok"),
            ("POST /3 HTTP/1.1\nHost: a\nTransfer-Encoding: chunked", "ok"),
            ("HEAD /4 HTTP/1.1\nHost: a", ""),
            ("GET /5 HTTP/1.1\nHost: a", ""),
        ],
    );
}

#[test]
fn nothing_follows_a_request_that_ends_the_connection() {
    let judge = Judge::new();
    for last in [
        "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
        "GET /1 HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET /1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
    ] {
        judge.ends_after(format!("{last}{HIDDEN}"), &[("GET /1 HTTP/1.1\nHost: a", "")]);
    }
    judge.forwards(
        format!("GET /1 HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n{HIDDEN}"),
        &[("GET /1 HTTP/1.1\nHost: a", ""), ("GET /hidden HTTP/1.1\nHost: a", "")],
    );
}

#[test]
fn what_is_wrong_after_a_good_request_is_refused_by_itself() {
    let judge = Judge::new();
    let good = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let seen = [("GET /1 HTTP/1.1\nHost: a", "")];
    for bad in [
        "GET /2 HTTP/1.1\r\nHost : a\r\n\r\n",
        "junk junk\r\n\r\n",
        "\0\0\0\0",
        "\n\n",
        " ",
        "GET /2 HTTP/1.1\n",
    ] {
        judge.answers(&seen, 400, format!("{good}{bad}{HIDDEN}"));
    }
    judge.answers(
        &[("POST /1 HTTP/1.1\nHost: a\nContent-Length: 2", "ok")],
        400,
        format!(
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokJUNK / HTTP/1.1\r\n: x\r\n\r\n{HIDDEN}"
        ),
    );
}

#[test]
fn an_empty_line_between_requests_is_passed_over() {
    let judge = Judge::new();
    judge.forwards(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        &[("POST /1 HTTP/1.1\nHost: a\nContent-Length: 2", "ok"), ("GET /2 HTTP/1.1\nHost: a", "")],
    );
}

#[test]
fn an_empty_line_may_come_in_pieces() {
    let origin = Origin::always(Reply::ok("well"));
    let gateway = Running::start(&format!(
        "access_log: off\nservices: {{ a: {{ endpoints: [{}] }} }}\nroutes: [{{ service: a }}]\n",
        origin.url()
    ));
    let mut client = Client::connect(gateway.address);
    let first = client.exchange("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(first.status, 200);
    client.send("\r");
    // It is read by the time that others are served.
    for _ in 0..3 {
        let other = gateway.get("/other");
        assert_eq!(other.status, 200);
    }
    assert_eq!(client.exchange("\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
}

#[test]
fn nothing_that_is_refused_leaves_a_request_behind() {
    let judge = Judge::new();
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 40",
        "Content-Length: 4, 40",
        "Content-Length: 4\r\n Transfer-Encoding: chunked",
        "Content-Length: 4\r\nTransfer-Encoding : chunked",
        "Content-Length: 4\r\nX: y\rTransfer-Encoding: chunked",
        "Content-Length: 4\nTransfer-Encoding: chunked",
        "Content-Length: 4\r\nX: \0\r\nTransfer-Encoding: chunked",
        "Content-Length\0: 4",
    ] {
        judge.refuses(
            400,
            format!("POST /1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n1\r\nZ\r\n0\r\n\r\n{HIDDEN}"),
        );
    }
}
