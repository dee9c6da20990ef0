//! Which protocol is spoken on either side: by ALPN, by prior knowledge, and by mistake.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::net::SocketAddr;
use std::time::Duration;
use torana_testkit::http2::{Http2Client, Http2Origin, Http2Reply};
use torana_testkit::{Authority, Client, Origin, Reply, TlsFront, TlsOptions, eventually};
use yaml::{Running, resolver};

const PATIENCE: Duration = Duration::from_secs(30);
const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A gateway with TLS of its own that leads everything to these endpoints.
fn secured(authority: &Authority, endpoint: &str, service: &str) -> Running {
    secured_within(authority, endpoint, service, "10s")
}

fn secured_within(authority: &Authority, endpoint: &str, service: &str, handshake: &str) -> Running {
    let own = authority.issue(&["a.test"]);
    let text = format!(
        "access_log: off\ntimeouts: {{ handshake: {handshake} }}\n\
         listen: {{ address: \":8443\", tls: {{ certificates: {{ cert: a.pem, key: a.key }} }} }}\n\
         services: {{ s: {{ endpoints: [\"{endpoint}\"]{service} }} }}\nroutes: [{{ path: /*, service: s }}]\n"
    );
    let files = resolver()
        .with_file("a.pem", &own.cert)
        .with_file("a.key", &own.key)
        .with_file("ca.pem", &authority.pem);
    Running::with_resolver(&text, 1, files)
}

fn via(origin: &Origin) -> Option<String> {
    origin.requests().pop().unwrap().header("Via").map(str::to_owned)
}

#[test]
fn a_client_chooses_by_alpn_and_via_names_what_it_chose() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("ok"));
    let gateway = secured(&authority, &origin.url(), "");
    let options = |protocols: &[&str]| TlsOptions::trusting(&authority).offering(protocols);
    for offered in [&["h2"][..], &["h2", "http/1.1"], &["http/1.1", "h2"]] {
        let mut client = Http2Client::try_connect_tls(gateway.address, &options(offered), "a.test").unwrap();
        assert_eq!(
            client.get("/").status,
            421,
            "the authority is the address, not the name of the connection"
        );
        let answer = client.for_host("a.test").get("/");
        assert_eq!((answer.status, answer.header("via")), (200, Some("1.1 torana")), "{offered:?}");
        assert_eq!(via(&origin).as_deref(), Some("2.0 torana"), "{offered:?}");
    }
    for offered in [&["http/1.1"][..], &[], &["http/1.1", "spdy/3"]] {
        let mut client = Client::connect_tls(gateway.address, &options(offered), "a.test");
        let agreed = client.session().alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(agreed.as_deref(), (!offered.is_empty()).then_some(&b"http/1.1"[..]), "{offered:?}");
        assert_eq!(client.exchange(GET).text(), "ok", "{offered:?}");
        assert_eq!(via(&origin).as_deref(), Some("1.1 torana"), "{offered:?}");
    }
    let mut old = Client::connect_tls(gateway.address, &options(&[]), "a.test");
    assert_eq!(old.exchange("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n").text(), "ok");
    assert_eq!(via(&origin).as_deref(), Some("1.0 torana"));
    // Nothing in common: refused in the handshake (RFC 7301 section 3.2).
    assert!(Client::try_connect_tls(gateway.address, &options(&["spdy/3"]), "a.test").is_err());
    let line = r#"torana_tls_handshake_errors_total{reason="no_common_protocol"} 1"#;
    eventually(PATIENCE, || gateway.metrics.render().contains(line));
}

/// What a client got by way of an endpoint behind TLS which agrees to one of `protocols`, and what it agreed to.
fn through(authority: &Authority, origin: SocketAddr, protocols: &[&str], service: &str) -> (String, String) {
    let front = TlsFront::with(origin, &authority.issue(&["localhost"]), None, protocols);
    let endpoint = format!("https://localhost:{}", front.addr().port());
    let gateway = secured(authority, &endpoint, &format!(", tls: {{ ca: ca.pem }}{service}"));
    let options = TlsOptions::trusting(authority);
    let mut client = Client::connect_tls(gateway.address, &options, "a.test");
    let answer = client.exchange(GET);
    assert_eq!(client.exchange(GET).status, answer.status);
    let greetings = front.greetings();
    let agreed = greetings.first().and_then(|greeting| greeting.protocol.clone());
    let got = format!("{} {}", answer.text(), answer.header("Via").unwrap_or("-"));
    (got, agreed.unwrap_or_else(|| "nothing".into()))
}

#[test]
fn a_service_chooses_by_alpn_and_via_names_what_it_chose() {
    let authority = Authority::default();
    let two = Http2Origin::respond(|_| Http2Reply::ok("two"));
    let one = Origin::always(Reply::ok("one"));
    for (origin, protocols, service, got, agreed) in [
        (two.addr(), &["h2", "http/1.1"][..], ", protocol: auto", "two 2.0 torana", "h2"),
        (two.addr(), &["h2"], ", protocol: auto", "two 2.0 torana", "h2"),
        (one.addr(), &["http/1.1"], ", protocol: auto", "one 1.1 torana", "http/1.1"),
        (one.addr(), &[], ", protocol: auto", "one 1.1 torana", "nothing"),
        (two.addr(), &["h2"], ", protocol: http2", "two 2.0 torana", "h2"),
        (one.addr(), &["http/1.1"], "", "one 1.1 torana", "http/1.1"),
        (one.addr(), &[], "", "one 1.1 torana", "nothing"),
        (one.addr(), &["h2", "http/1.1"], "", "one 1.1 torana", "http/1.1"),
    ] {
        let found = through(&authority, origin, protocols, service);
        assert_eq!(found, (got.to_owned(), agreed.to_owned()), "{protocols:?} {service}");
    }
    // Made to speak HTTP/2 and offered something else: nothing is sent there.
    let (got, _) = through(&authority, one.addr(), &["http/1.1"], ", protocol: http2");
    assert!(got.contains("upstream_tls_failed"), "{got}");
}

#[test]
fn without_tls_a_service_is_asked_in_the_version_that_its_url_names() {
    let authority = Authority::default();
    let two = Http2Origin::respond(|_| Http2Reply::ok("two"));
    let gateway = secured(&authority, &format!("h2://{}", two.addr()), "");
    let mut client = Client::connect_tls(gateway.address, &TlsOptions::trusting(&authority), "a.test");
    let answer = client.exchange(GET);
    assert_eq!((answer.text().as_str(), answer.header("Via")), ("two", Some("2.0 torana")));
}

#[test]
fn plain_http_at_a_port_for_tls_is_told_so_in_words() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("never"));
    let gateway = secured(&authority, &origin.url(), "");
    let body = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
    for request in [GET, &body, "HEAD / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = Client::connect(gateway.address).deadline(PATIENCE);
        client.send(request);
        let answer = String::from_utf8(client.read_to_end()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("Plain HTTP was sent to a TLS port"), "{answer}");
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", content.len())), "{answer}");
    }
    let line = r#"torana_tls_handshake_errors_total{reason="not_tls"} 4"#;
    eventually(PATIENCE, || gateway.metrics.render().contains(line));
    // What is no text is answered by TLS, with an alert.
    let mut client = Client::connect(gateway.address);
    client.send([0_u8, 1, 2, 3, 4, 5, 6, 7]);
    let answer = client.read_to_end();
    assert!(answer.first() == Some(&21), "{answer:?}");
    assert_eq!(origin.count(), 0);
}

#[test]
fn who_does_not_shake_hands_in_time_is_let_go() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("never"));
    let gateway = secured_within(&authority, &origin.url(), "", "300ms");
    // Not a byte, a record's first byte, and a record that never ends.
    let beginnings = [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"];
    let mut clients = beginnings.map(|beginning| {
        let mut client = Client::connect(gateway.address).deadline(PATIENCE);
        client.send(beginning);
        client
    });
    for client in &mut clients {
        client.expect_closed();
    }
    let line = r#"torana_tls_handshake_errors_total{reason="timeout"} 3"#;
    eventually(PATIENCE, || gateway.metrics.render().contains(line));
    eventually(PATIENCE, || gateway.metrics.connections().open() == 0);
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// What the front and its origins serve by either protocol, with these keys of the service.
fn switching(authority: &Authority, front: &TlsFront, keys: &str) -> Running {
    let service = format!(", tls: {{ ca: ca.pem }}, breaker: {{ failures: 1, open_for: 1h }}, {keys}");
    secured(authority, &format!("https://localhost:{}", front.addr().port()), &service)
}

#[test]
fn an_upgrade_goes_by_a_connection_of_http_1_where_the_endpoint_offers_both() {
    let authority = Authority::default();
    let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi";
    let single = Origin::always(Reply::raw(switched).then_hang());
    let many = Http2Origin::respond(|_| Http2Reply::ok("many"));
    let issued = authority.issue(&["localhost"]);
    let connect =
        |gateway: &Running| Client::connect_tls(gateway.address, &TlsOptions::trusting(&authority), "a.test");
    for (keys, asks_again) in
        [("protocol: auto", true), ("protocol: auto, pool: { max_connections: 1 }", false)]
    {
        let front = TlsFront::choosing(single.addr(), many.addr(), &issued);
        let gateway = switching(&authority, &front, keys);
        let mut client = connect(&gateway);
        assert_eq!(client.exchange(GET).text(), "many");
        let mut tunnel = connect(&gateway);
        tunnel.send(UPGRADE);
        let answer = tunnel.read_any_response();
        assert_eq!((answer.status, answer.header("Upgrade")), (101, Some("websocket")), "{keys}");
        assert_eq!(tunnel.read_exactly(2), b"hi");
        if asks_again {
            assert_eq!(client.exchange(GET).text(), "many", "on the same connection as before");
        }
        let spoken: Vec<_> =
            front.greetings().into_iter().map(|greeting| greeting.protocol.unwrap()).collect();
        assert_eq!(spoken, ["h2", "http/1.1"], "{keys}");
    }
}

#[test]
fn an_upgrade_where_http_2_alone_is_spoken_is_refused_and_nobody_s_fault() {
    let authority = Authority::default();
    let many = Http2Origin::respond(|_| Http2Reply::ok("many"));
    let front = TlsFront::with(many.addr(), &authority.issue(&["localhost"]), None, &["h2"]);
    let breaker = ", breaker: { failures: 1, open_for: 1h }";
    for gateway in [
        switching(&authority, &front, "protocol: auto"),
        switching(&authority, &front, "protocol: http2"),
        secured(&authority, &many.url().replace("http://", "h2://"), breaker),
    ] {
        let mut client = Client::connect_tls(gateway.address, &TlsOptions::trusting(&authority), "a.test");
        let refused = client.exchange(UPGRADE);
        assert_eq!(refused.status, 501);
        assert!(refused.text().contains("\"reason\":\"upgrade_impossible\""), "{}", refused.text());
        assert_eq!(client.exchange(GET).text(), "many");
    }
}

#[test]
fn an_upgrade_towards_a_server_that_passes_over_http_1_is_refused_and_nobody_s_fault() {
    let authority = Authority::default();
    let many = Http2Origin::respond(|_| Http2Reply::ok("many"));
    // Whether the endpoint is known by then or not.
    for begins_with in [UPGRADE, GET] {
        let front = TlsFront::passing_over(many.addr(), &authority.issue(&["localhost"]));
        let keys = "protocol: auto, health: { ejection: { failures: { connections: 1 }, max_share: 100% } }";
        let gateway = switching(&authority, &front, keys);
        let mut client = Client::connect_tls(gateway.address, &TlsOptions::trusting(&authority), "a.test");
        client.exchange(begins_with);
        let refused = client.exchange(UPGRADE);
        assert_eq!(refused.status, 501, "{}", refused.text());
        assert!(refused.text().contains("\"reason\":\"upgrade_impossible\""), "{}", refused.text());
        assert_eq!(client.exchange(GET).text(), "many");
    }
}

#[test]
fn an_upgrade_goes_to_a_server_that_knows_nothing_of_alpn() {
    let authority = Authority::default();
    let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi";
    let single = Origin::always(Reply::raw(switched).then_hang());
    let front = TlsFront::new(single.addr(), &authority.issue(&["localhost"]), None);
    let gateway = switching(&authority, &front, "protocol: auto");
    // It is asked twice what it speaks, once.
    for handshakes in [2, 3] {
        let mut tunnel = Client::connect_tls(gateway.address, &TlsOptions::trusting(&authority), "a.test");
        tunnel.send(UPGRADE);
        assert_eq!(tunnel.read_any_response().status, 101);
        assert_eq!(tunnel.read_exactly(2), b"hi");
        assert_eq!(front.greetings().len(), handshakes);
    }
}
