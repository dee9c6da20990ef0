//! TLS towards clients and towards services, on a whole gateway in process with certificates of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use torana_config::FixedResolver;
use torana_testkit::http2::Http2Client;
use torana_testkit::{Authority, Client, Issued, Origin, Reply, Response, TlsFront, TlsOptions, eventually};
use yaml::{Running, resolver};

const PATIENCE: Duration = Duration::from_secs(30);

fn files(all: &[(&str, &Issued)]) -> FixedResolver {
    all.iter().fold(resolver(), |resolver, (name, issued)| {
        resolver
            .with_file(&format!("{name}.pem"), &issued.cert)
            .with_file(&format!("{name}.key"), &issued.key)
    })
}

fn pair(name: &str) -> String {
    format!("{{ cert: {name}.pem, key: {name}.key }}")
}

/// One listener with TLS, and these further lines.
fn listening(tls: &str, rest: &str) -> String {
    format!("access_log: off\nlisten: {{ address: \":8443\", tls: {{ {tls} }} }}\n{rest}\n")
}

const HELLO: &str = "routes: [{ path: /*, respond: { body: hello } }]";

fn ask(client: &mut Client, host: &str) -> Response {
    client.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

/// Whether a connection by TLS came about and carried a request.
fn gets_in(gateway: &Running, options: &TlsOptions, name: &str) -> bool {
    let Ok(mut client) = Client::try_connect_tls(gateway.address, options, name) else { return false };
    // By TLS 1.3 the client learns only now that its certificate was refused.
    client.try_send(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n")).is_ok()
        && client.try_read_response().is_ok_and(|response| response.status == 200)
}

#[test]
fn each_name_gets_its_certificate_and_the_first_is_for_all_others() {
    let authority = Authority::default();
    let [first, exact, wild] = [
        authority.issue(&["first.test"]),
        authority.issue(&["a.wild.test", "other.test"]),
        authority.issue(&["*.wild.test"]),
    ];
    let text =
        listening(&format!("certificates: [{}, {}, {}]", pair("first"), pair("exact"), pair("wild")), HELLO);
    let all = files(&[("first", &first), ("exact", &exact), ("wild", &wild)]);
    let gateway = Running::with_resolver(&text, 1, all);
    let options = TlsOptions::trusting(&authority);
    for (name, certificate) in [
        ("first.test", &first),
        ("a.wild.test", &exact),
        ("A.Wild.Test", &exact),
        ("b.wild.test", &wild),
        ("other.test", &exact),
    ] {
        let mut client = Client::connect_tls(gateway.address, &options, name);
        assert_eq!(client.server_certificate(), certificate.der(), "{name}");
        assert_eq!(ask(&mut client, name).text(), "hello", "{name}");
    }
    // A name that no certificate has is shown the first; this client does not accept it for that name.
    for name in ["unknown.test", "deep.b.wild.test"] {
        let refused = Client::try_connect_tls(gateway.address, &options, name).unwrap_err();
        assert!(refused.to_string().contains("first.test"), "{name}: {refused}");
    }
    let page = gateway.metrics.render();
    for line in [
        r#"torana_tls_handshakes_total{version="1.3",resumed="no"} 4.0"#,
        r#"torana_tls_handshakes_total{version="1.3",resumed="yes"} 1.0"#,
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    eventually(PATIENCE, || {
        let line = r#"torana_tls_handshake_errors_total{reason="refused_by_peer"} 2"#;
        gateway.metrics.render().contains(line)
    });
}

#[test]
fn a_request_for_another_host_than_the_connection_is_misdirected() {
    let authority = Authority::default();
    let certificate = authority.issue(&["a.test", "b.test", "127.0.0.1"]);
    let text = listening(&format!("certificates: {}", pair("a")), HELLO);
    let gateway = Running::with_resolver(&text, 1, files(&[("a", &certificate)]));
    let options = TlsOptions::trusting(&authority);
    let mut client = Client::connect_tls(gateway.address, &options, "a.test");
    let refused = ask(&mut client, "b.test");
    assert_eq!(refused.status, 421);
    assert!(refused.text().contains("\"reason\":\"misdirected_request\""), "{}", refused.text());
    // The connection itself is as good as before.
    assert_eq!(ask(&mut client, "A.test:8443").status, 200);

    let lax = listening(&format!("certificates: {}, strict_host: false", pair("a")), HELLO);
    let gateway = Running::with_resolver(&lax, 1, files(&[("a", &certificate)]));
    let mut client = Client::connect_tls(gateway.address, &options, "a.test");
    assert_eq!(ask(&mut client, "b.test").status, 200);
}

#[test]
fn who_asked_for_no_name_may_ask_for_those_of_the_certificate_that_was_shown() {
    let authority = Authority::default();
    let first = authority.issue(&["a.test", "*.wild.test", "127.0.0.1"]);
    let second = authority.issue(&["b.test"]);
    let text = listening(&format!("certificates: [{}, {}]", pair("first"), pair("second")), HELLO);
    let gateway = Running::with_resolver(&text, 1, files(&[("first", &first), ("second", &second)]));
    let options = TlsOptions::trusting(&authority);
    let mut client = Client::connect_tls(gateway.address, &options, "127.0.0.1");
    for (host, status) in [
        ("a.test", 200),
        ("A.Test.:8443", 200),
        ("x.wild.test", 200),
        ("127.0.0.1", 200),
        ("10.0.0.1:8443", 200),
        ("[::1]:8443", 200),
        ("b.test", 421),
        ("wild.test", 421),
        (".wild.test", 421),
        ("x.y.wild.test", 421),
        ("1.2.3", 421),
        ("intern", 421),
    ] {
        let answer = ask(&mut client, host);
        assert_eq!(answer.status, status, "{host}: {}", answer.text());
    }
}

#[test]
fn a_plain_listener_redirects_to_the_one_with_tls() {
    let authority = Authority::default();
    let certificate = authority.issue(&["a.test"]);
    let text = format!(
        "access_log: off\nlisten:\n- {{ address: \":8000\", redirect_https: 8443 }}\n- {{ address: \":8443\", tls: {{ certificates: {} }} }}\n{HELLO}\n",
        pair("a")
    );
    let gateway = Running::with_resolver(&text, 1, files(&[("a", &certificate)]));
    let mut client = Client::connect(gateway.addresses[0]);
    let redirected =
        client.exchange("POST /x?y=%20z HTTP/1.1\r\nHost: a.test:8000\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(redirected.status, 308);
    assert_eq!(redirected.header("Location"), Some("https://a.test:8443/x?y=%20z"));
    assert!(redirected.header("X-Request-Id").is_some());
    assert_eq!(ask(&mut client, "a.test").status, 308, "the connection is kept");
    let mut client = Client::connect_tls(gateway.addresses[1], &TlsOptions::trusting(&authority), "a.test");
    assert_eq!(ask(&mut client, "a.test").status, 200);
}

#[test]
fn sessions_go_on_with_any_worker_and_over_a_change_of_certificates() {
    let authority = Authority::default();
    let (old, new) = (authority.issue(&["a.test"]), authority.issue(&["a.test", "b.test"]));
    let text = |name: &str| listening(&format!("certificates: {}", pair(name)), HELLO);
    let mut gateway = Running::with_resolver(&text("old"), 2, files(&[("old", &old), ("new", &new)]));
    for options in [TlsOptions::trusting(&authority), TlsOptions::tls12(&authority)] {
        gateway.reload(&text("old"));
        let visit = |gateway: &Running| {
            let mut client = Client::connect_tls(gateway.address, &options, "a.test");
            assert_eq!(ask(&mut client, "a.test").status, 200);
            client.session().handshake_kind().unwrap()
        };
        assert_eq!(visit(&gateway), rustls::HandshakeKind::Full);
        for _ in 0..8 {
            // The kernel spreads these over both workers.
            assert_eq!(visit(&gateway), rustls::HandshakeKind::Resumed);
        }
        gateway.reload(&text("new"));
        assert_eq!(visit(&gateway), rustls::HandshakeKind::Resumed);
    }
    let page = gateway.metrics.render();
    assert!(page.contains(r#"torana_tls_handshakes_total{version="1.2",resumed="yes"} 9"#), "{page}");
}

#[test]
fn a_certificate_is_exchanged_under_load_without_one_failed_connection() {
    let authority = Authority::default();
    let (old, new) = (authority.issue(&["a.test"]), authority.issue(&["a.test"]));
    let text = |name: &str| listening(&format!("certificates: {}", pair(name)), HELLO);
    let mut gateway = Running::with_resolver(&text("old"), 2, files(&[("old", &old), ("new", &new)]));
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let address = gateway.address;
    let options = TlsOptions::trusting(&authority);
    let mut held = Client::connect_tls(address, &options, "a.test");
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            // Without a session to go on with, each shakes hands in full.
            let authority = TlsOptions::trusting(&authority);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut client = Client::connect_tls(address, &authority, "a.test");
                    assert_eq!(ask(&mut client, "a.test").text(), "hello");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for turn in 0..10 {
        let before = served.load(Ordering::Relaxed);
        eventually(PATIENCE, || served.load(Ordering::Relaxed) >= before + 8);
        gateway.reload(&text(if turn % 2 == 0 { "new" } else { "old" }));
    }
    gateway.reload(&text("new"));
    eventually(PATIENCE, || {
        let fresh = TlsOptions::trusting(&authority);
        Client::connect_tls(address, &fresh, "a.test").server_certificate() == new.der()
    });
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no request failed");
    }
    assert_eq!(ask(&mut held, "a.test").text(), "hello", "connections that were open live on");
    assert_eq!(held.server_certificate(), old.der());
}

fn with_clients(authority: &Authority, mode: &str, origin: &Origin) -> (String, FixedResolver) {
    let server = authority.issue(&["a.test"]);
    let fields = "headers: { subject: X-Client, san: X-San, fingerprint: X-Print, certificate: Client-Cert }";
    let clients = format!("client_auth: {{ ca: ca.pem, mode: {mode}, {fields} }}");
    let text = format!(
        "access_log: off\nlisten:\n- {{ address: \":1\", tls: {{ certificates: {}, {clients} }} }}\n- \":2\"\n\
         services: {{ s: {{ endpoints: [{}] }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        pair("a"),
        origin.url()
    );
    (text, files(&[("a", &server)]).with_file("ca.pem", &authority.pem))
}

const CLAIMS: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Client: CN=root\r\nx-san: DNS:root\r\nX-Print: 00\r\nClient-Cert: :AAAA:\r\n\r\n";

#[test]
fn clients_are_known_by_certificates_and_nobody_can_claim_one() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("ok"));
    let (text, all) = with_clients(&authority, "required", &origin);
    let gateway = Running::with_resolver(&text, 1, all);
    let certificate = authority.issue_client("client-7", &["c7.test", "10.0.0.7"]);
    let mut client =
        Client::connect_tls(gateway.address, &TlsOptions::showing(&authority, &certificate), "a.test");
    assert_eq!(client.exchange(CLAIMS).status, 200);
    let request = origin.only_request();
    let only = |name: &str| {
        let values = request.header_all(name);
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values[0].to_owned()
    };
    assert_eq!(only("X-Client"), "CN=client-7");
    assert_eq!(only("X-San"), "DNS:c7.test, IP:10.0.0.7");
    assert_eq!(only("X-Print").len(), 64);
    assert!(only("Client-Cert").starts_with(":MII") && only("Client-Cert").ends_with(':'));
    // By a listener without TLS the same claims are as void.
    assert_eq!(Client::connect(gateway.addresses[1]).exchange(CLAIMS).status, 200);
    let plain = origin.requests().pop().unwrap();
    for name in ["X-Client", "X-San", "X-Print", "Client-Cert"] {
        assert_eq!(plain.header(name), None, "{name}");
    }
}

#[test]
fn a_wrong_certificate_of_a_client_is_refused_and_none_only_where_it_is_required() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("ok"));
    for (mode, without) in [("required", false), ("optional", true)] {
        let (text, all) = with_clients(&authority, mode, &origin);
        let gateway = Running::with_resolver(&text, 1, all);
        let shows =
            |certificate: &Issued| gets_in(&gateway, &TlsOptions::showing(&authority, certificate), "a.test");
        assert!(shows(&authority.issue_client("good", &[])), "{mode}");
        assert!(!shows(&stranger.issue_client("unknown", &[])), "{mode}");
        assert!(!shows(&authority.issue_expired_client("late")), "{mode}");
        assert_eq!(gets_in(&gateway, &TlsOptions::trusting(&authority), "a.test"), without, "{mode}");
        let mut reasons = vec!["certificate_unknown_issuer", "certificate_expired"];
        reasons.extend((!without).then_some("certificate_missing"));
        for reason in reasons {
            let line = format!("torana_tls_handshake_errors_total{{reason=\"{reason}\"}} 1");
            // The client may learn of it before the gateway has counted it.
            eventually(PATIENCE, || gateway.metrics.render().contains(&line));
        }
    }
}

#[test]
fn a_session_does_not_go_on_where_more_is_demanded_of_clients() {
    let authority = Authority::default();
    let server = authority.issue(&["a.test"]);
    let open = listening(&format!("certificates: {}", pair("a")), HELLO);
    let closed = listening(&format!("certificates: {}, client_auth: {{ ca: ca.pem }}", pair("a")), HELLO);
    let all = files(&[("a", &server)]).with_file("ca.pem", &authority.pem);
    let mut gateway = Running::with_resolver(&open, 1, all);
    let options = TlsOptions::trusting(&authority);
    assert!(gets_in(&gateway, &options, "a.test"));
    gateway.reload(&closed);
    assert!(!gets_in(&gateway, &options, "a.test"));
}

/// Clients with this certificate, or none, that are connected and were served: by HTTP/1.1, and by HTTP/2.
fn served_clients(
    gateway: &Running,
    authority: &Authority,
    certificate: Option<&Issued>,
) -> (Client, Http2Client) {
    let options = || match certificate {
        Some(certificate) => TlsOptions::showing(authority, certificate),
        None => TlsOptions::trusting(authority),
    };
    let mut first = Client::connect_tls(gateway.address, &options(), "a.test");
    assert_eq!(ask(&mut first, "a.test").status, 200);
    let second = Http2Client::try_connect_tls(gateway.address, &options().offering(&["h2"]), "a.test");
    let mut second = second.unwrap().for_host("a.test");
    assert_eq!(second.get("/").status, 200);
    (first, second)
}

/// Neither is served any more, and both connections end.
fn are_sent_away(gateway: &Running, (mut first, mut second): (Client, Http2Client)) {
    let refused = ask(&mut first, "a.test");
    assert_eq!((refused.status, refused.header("Connection")), (421, Some("close")), "{}", refused.text());
    first.expect_closed();
    assert_eq!(second.get("/").status, 421);
    // By a goodbye, and then the end of the connection, in whatever way that shows.
    let _ended = second.wait_for_end();
    let line = r#"torana_http2_connections_ended_total{cause="outdated"} 1"#;
    eventually(PATIENCE, || gateway.metrics.render().contains(line));
}

#[test]
fn connections_without_a_certificate_end_where_one_is_required_by_now() {
    let authority = Authority::default();
    let server = authority.issue(&["a.test"]);
    let demanding = |demands: &str| listening(&format!("certificates: {}{demands}", pair("a")), HELLO);
    let all = files(&[("a", &server)]).with_file("ca.pem", &authority.pem);
    let mut gateway = Running::with_resolver(&demanding(""), 1, all);
    let (mut first, mut second) = served_clients(&gateway, &authority, None);
    gateway.reload(&demanding(", client_auth: { ca: ca.pem, mode: optional }"));
    assert_eq!((ask(&mut first, "a.test").status, second.get("/").status), (200, 200));
    gateway.reload(&demanding(", client_auth: { ca: ca.pem, mode: required }"));
    are_sent_away(&gateway, (first, second));
    let certificate = authority.issue_client("alice", &[]);
    served_clients(&gateway, &authority, Some(&certificate));
}

#[test]
fn a_certificate_counts_no_longer_than_its_authority() {
    let (authority, other) = (Authority::default(), Authority::named("another one"));
    let origin = Origin::always(Reply::ok("ok"));
    let (text, all) = with_clients(&authority, "optional", &origin);
    let both = format!("{}{}", authority.pem, other.pem);
    let all = all.with_file("both.pem", &both).with_file("other.pem", &other.pem);
    let mut gateway = Running::with_resolver(&text, 1, all);
    let certificate = authority.issue_client("alice", &[]);
    let (mut first, mut second) = served_clients(&gateway, &authority, Some(&certificate));
    let (mut nobody, _) = served_clients(&gateway, &authority, None);
    // One more authority, and another field for services, take nothing from anybody.
    for (by, to) in [("ca.pem", "both.pem"), ("X-Client", "X-Other")] {
        gateway.reload(&text.replace(by, to));
        assert_eq!((ask(&mut first, "a.test").status, second.get("/").status), (200, 200), "{to}");
    }
    let served = origin.count();
    gateway.reload(&text.replace("ca.pem", "other.pem"));
    are_sent_away(&gateway, (first, second));
    assert_eq!(origin.count(), served);
    assert_eq!(ask(&mut nobody, "a.test").status, 200, "who has shown none has shown nothing that is wrong");
}

#[test]
fn who_asked_for_a_name_must_ask_for_a_host() {
    let authority = Authority::default();
    let certificate = authority.issue(&["a.test", "127.0.0.1"]);
    let text = listening(&format!("certificates: {}", pair("a")), HELLO);
    let gateway = Running::with_resolver(&text, 1, files(&[("a", &certificate)]));
    let options = TlsOptions::trusting(&authority);
    for request in ["GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        for (name, status) in [("a.test", 421), ("127.0.0.1", 200)] {
            let answer = Client::connect_tls(gateway.address, &options, name).exchange(request);
            assert_eq!(answer.status, status, "{name}: {request}");
        }
    }
}

#[test]
fn versions_below_the_lowest_are_refused() {
    let authority = Authority::default();
    let certificate = authority.issue(&["a.test"]);
    let text = listening(&format!("certificates: {}, min_version: 1.3", pair("a")), HELLO);
    let gateway = Running::with_resolver(&text, 1, files(&[("a", &certificate)]));
    assert!(gets_in(&gateway, &TlsOptions::trusting(&authority), "a.test"));
    assert!(!gets_in(&gateway, &TlsOptions::tls12(&authority), "a.test"));
    let line = r#"torana_tls_handshake_errors_total{reason="version"} 1"#;
    eventually(PATIENCE, || gateway.metrics.render().contains(line));
}

#[test]
fn who_does_not_shake_hands_in_time_or_at_all_is_let_go() {
    let authority = Authority::default();
    let certificate = authority.issue(&["a.test"]);
    let text = format!(
        "timeouts: {{ handshake: 3s }}\n{}",
        listening(&format!("certificates: {}", pair("a")), HELLO)
    );
    let gateway = Running::with_resolver(&text, 1, files(&[("a", &certificate)]));
    let start = Instant::now();
    let mut silent = Client::connect(gateway.address);
    silent.expect_closed();
    assert!(start.elapsed() >= Duration::from_secs(3));
    let mut plain = Client::connect(gateway.address);
    plain.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    // Told so in words, then the end; never the route's answer.
    let said = String::from_utf8(plain.try_read_to_end().unwrap_or_default()).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("TLS port"), "{said}");
    let unknown = TlsOptions::trusting(&authority).offering(&["acme-tls/1"]);
    assert!(Client::try_connect_tls(gateway.address, &unknown, "a.test").is_err());
    let known = TlsOptions::trusting(&authority).offering(&["acme-tls/1", "http/1.1"]);
    let client = Client::connect_tls(gateway.address, &known, "a.test");
    assert_eq!(client.session().alpn_protocol(), Some(&b"http/1.1"[..]));
    // What `curl --http1.0` offers.
    let old = TlsOptions::trusting(&authority).offering(&["http/1.0"]);
    let mut old = Client::connect_tls(gateway.address, &old, "a.test");
    assert_eq!(old.exchange("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n").status, 200);
    for reason in ["timeout", "not_tls", "no_common_protocol"] {
        let line = format!("torana_tls_handshake_errors_total{{reason=\"{reason}\"}} 1");
        eventually(PATIENCE, || gateway.metrics.render().contains(&line));
    }
}

#[test]
fn long_bodies_go_through_both_ways() {
    let authority = Authority::default();
    let (server, inner) = (authority.issue(&["a.test"]), authority.issue(&["127.0.0.1"]));
    let origin = Origin::respond(|request| Reply::ok(request.body.clone()));
    let front = TlsFront::new(origin.addr(), &inner, None);
    let text = listening(
        &format!("certificates: {}", pair("a")),
        &format!(
            "services: {{ s: {{ endpoints: [\"https://{}\"], tls: {{ ca: ca.pem }} }} }}\nroutes: [{{ path: /*, service: s }}]",
            front.addr()
        ),
    );
    let all = files(&[("a", &server)]).with_file("ca.pem", &authority.pem);
    let gateway = Running::with_resolver(&text, 1, all);
    let body: Vec<u8> =
        (0..750_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    for options in [TlsOptions::trusting(&authority), TlsOptions::tls12(&authority)] {
        let mut client = Client::connect_tls(gateway.address, &options, "a.test");
        let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", body.len());
        client.send([head.as_bytes(), &body].concat());
        let response = client.read_response();
        assert_eq!(response.status, 200);
        assert!(response.body == body, "{} bytes came back", response.body.len());
    }
}

/// A gateway in front of one endpoint by TLS at this address, with these keys under `tls`.
fn in_front_of(front: &TlsFront, host: &str, keys: &str, all: FixedResolver) -> Running {
    let text = format!(
        "access_log: off\nservices: {{ s: {{ endpoints: [\"https://{host}:{}\"], tls: {{ {keys} }} }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        front.addr().port()
    );
    Running::with_resolver(&text, 1, all)
}

#[test]
fn an_endpoint_is_asked_by_its_name_verified_and_kept() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost", "s.internal"]), None);
    let all = || resolver().with_file("ca.pem", &authority.pem);
    let gateway = in_front_of(&front, "localhost", "ca: ca.pem", all());
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "api.test").text(), "inside");
    }
    assert_eq!(front.greetings().len(), 1, "one connection for all three");
    assert_eq!(front.greetings()[0].server_name.as_deref(), Some("localhost"));
    let gateway = in_front_of(&front, "127.0.0.1", "ca: ca.pem, server_name: s.internal", all());
    assert_eq!(ask(&mut Client::connect(gateway.address), "api.test").text(), "inside");
    assert_eq!(front.greetings()[1].server_name.as_deref(), Some("s.internal"));
}

#[test]
fn an_endpoint_with_a_wrong_certificate_gets_nothing() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("inside"));
    let all = || resolver().with_file("ca.pem", &authority.pem);
    for (certificate, why) in [
        (authority.issue_expired(&["localhost"]), "certificate_expired"),
        (authority.issue(&["other.internal"]), "certificate_wrong_name"),
        (stranger.issue(&["localhost"]), "certificate_unknown_issuer"),
    ] {
        let front = TlsFront::new(origin.addr(), &certificate, None);
        let gateway = in_front_of(&front, "localhost", "ca: ca.pem", all());
        let refused = ask(&mut Client::connect(gateway.address), "api.test");
        assert_eq!(refused.status, 502, "{why}");
        assert!(refused.text().contains("\"reason\":\"upstream_tls_failed\""), "{why}: {}", refused.text());
        assert!(!refused.text().contains(why), "what exactly was wrong is for the log alone");
        let believed = in_front_of(&front, "localhost", "ca: ca.pem, verify: off", all());
        assert_eq!(ask(&mut Client::connect(believed.address), "api.test").text(), "inside", "{why}");
    }
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn torana_shows_its_own_certificate_to_endpoints_that_ask() {
    let authority = Authority::default();
    let origin = Origin::always(Reply::ok("inside"));
    let front = TlsFront::new(origin.addr(), &authority.issue(&["localhost"]), Some(&authority));
    let own = authority.issue_client("gateway", &[]);
    let all = || files(&[("own", &own)]).with_file("ca.pem", &authority.pem);
    let keys = format!("ca: ca.pem, certificate: {}", pair("own"));
    let gateway = in_front_of(&front, "localhost", &keys, all());
    assert_eq!(ask(&mut Client::connect(gateway.address), "api.test").text(), "inside");
    assert_eq!(front.greetings()[0].certificate.as_deref(), Some(own.der()));
    let without = in_front_of(&front, "localhost", "ca: ca.pem", all());
    assert_eq!(ask(&mut Client::connect(without.address), "api.test").status, 502);
}

/// By TLS 1.3 it says so only once the gateway's part of the handshake is over.
#[test]
fn an_endpoint_that_refuses_torana_s_certificate_has_failed_to_shake_hands() {
    let (authority, stranger) = (Authority::default(), Authority::named("somebody else"));
    let origin = Origin::always(Reply::ok("inside"));
    let certificate = authority.issue(&["localhost"]);
    for protocols in [&[][..], &["h2"]] {
        let front = TlsFront::with(origin.addr(), &certificate, Some(&authority), protocols);
        let showing = format!(", certificate: {}", pair("own"));
        for (own, shown) in [
            (authority.issue_client("gateway", &[]), ""),
            (stranger.issue_client("gateway", &[]), &showing),
            (authority.issue_expired_client("gateway"), &showing),
        ] {
            let all = files(&[("own", &own)]).with_file("ca.pem", &authority.pem);
            let gateway = in_front_of(&front, "localhost", &format!("ca: ca.pem{shown}"), all);
            for body in ["", "hello"] {
                let refused = Client::connect(gateway.address).exchange(format!(
                    "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ));
                assert_eq!(refused.status, 502);
                let why = refused.text();
                assert!(why.contains("\"reason\":\"upstream_tls_failed\""), "{protocols:?}{shown}: {why}");
            }
        }
    }
    assert!(origin.requests().is_empty(), "nobody has read one");
}

#[test]
fn an_endpoint_that_does_not_shake_hands_meets_the_deadline_of_connecting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "access_log: off\nservices: {{ s: {{ endpoints: [\"https://{}\"], tls: {{ verify: off }}, timeouts: {{ connect: 200ms }} }} }}\nroutes: [{{ path: /*, service: s }}]\n",
        silent.local_addr().unwrap()
    );
    let gateway = Running::start(&text);
    let late = ask(&mut Client::connect(gateway.address), "api.test");
    assert_eq!(late.status, 504);
    assert!(late.text().contains("upstream_connect_timeout"), "{}", late.text());
}
