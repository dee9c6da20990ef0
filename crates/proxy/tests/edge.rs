//! Protection at the edge, on a whole gateway in process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "support/guard.rs"]
mod guard;
#[path = "yaml.rs"]
mod yaml;

use guard::as_caller;
use torana_testkit::http2::{Http2Origin, Http2Reply};
use torana_testkit::{Client, DEADLINE, Origin, Reply, eventually};
use yaml::Running;

#[test]
fn preflights_are_answered_before_anybody_is_asked_who_calls() {
    let origin = Origin::always(Reply::ok("in").header("Access-Control-Allow-Origin", "https://evil.test"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
policies:
  jwt: {{ secret: \"${{env:KEY}}\" }}
  cors: {{ origins: [https://app.test], credentials: true, exposed_headers: [X-Total] }}
routes:
- {{ path: /things, methods: [GET, POST], service: api }}
- {{ path: /things, methods: [DELETE], service: api, policies: {{ cors: off }} }}
",
        origin.url()
    ));
    let preflight = |method: &str, origin: &str| {
        gateway.ask(
            &format!(
                "OPTIONS /things HTTP/1.1\nHost: api.test\nOrigin: {origin}\nAccess-Control-Request-Method: {method}"
            ),
        )
    };
    let answer = preflight("POST", "https://app.test");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://app.test"));
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
    assert_eq!(preflight("POST", "https://evil.test").header("Access-Control-Allow-Origin"), None);
    let plain = preflight("DELETE", "https://app.test");
    assert_eq!((plain.status, plain.header("Access-Control-Allow-Origin")), (204, None), "{plain:?}");
    assert_eq!(origin.count(), 0, "no service was asked");
    // A refusal can be read by the page too, and a service's own word is replaced.
    let refused = gateway.ask("GET /things HTTP/1.1\nHost: api.test\nOrigin: https://app.test");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("Access-Control-Allow-Origin"), Some("https://app.test"));
    let served = as_caller(&gateway, r#"{"sub":"u"}"#, "GET /things");
    assert_eq!((served.header("Access-Control-Allow-Origin"), served.header("Vary")), (None, Some("Origin")));
}

/// A page reads why it was refused, and its browser is told to be careful, whichever way a request goes wrong.
#[test]
fn the_file_s_own_word_on_answers_holds_where_no_route_is_concerned() {
    let gateway = Running::start(
        "access_log: off
policies: { cors: [\"https://app.test\"], security_headers: { frame_options: DENY }, correlation_id: on }
routes:
- { path: /m, methods: [GET], respond: { body: in } }
",
    );
    for (line, status) in [
        ("GET /m", 200),
        ("POST /m", 405),
        ("GET /nowhere", 404),
        ("GET /a/%00", 400),
        ("OPTIONS /m", 204),
        ("OPTIONS *", 204),
    ] {
        let of = |origin: &str, id: &str| {
            gateway.ask(&format!("{line} HTTP/1.1\nHost: a\nOrigin: {origin}\nX-Correlation-Id: {id}"))
        };
        let answer = of("https://app.test", "mine");
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://app.test"), "{line}");
        assert_eq!(answer.header_all("X-Frame-Options"), ["DENY"], "{line}");
        assert_eq!(answer.header("X-Correlation-Id"), Some("mine"), "{line}");
        let other = of("https://evil.test", "not acceptable");
        assert_eq!(other.header("Access-Control-Allow-Origin"), None, "{line}");
        assert_eq!(other.header("X-Correlation-Id").map(str::len), Some(36), "{line}");
    }
    let gateway = Running::start(
        "access_log: off
trusted_proxies: [127.0.0.1]
policies: { security_headers: on, correlation_id: { generator: tracker } }
routes: [{ path: /m, respond: { body: in } }]
",
    );
    for line in ["GET /nowhere", "GET /a/%00", "OPTIONS *"] {
        let answer = gateway.ask(&format!("{line} HTTP/1.1\nHost: a\nX-Forwarded-Proto: https"));
        assert!(answer.header("Strict-Transport-Security").is_some(), "{line}: {answer:?}");
        let id = answer.header("X-Correlation-Id").unwrap();
        assert!(id.starts_with(&format!("127.0.0.1-{}-", gateway.address.port())), "{line}: {id}");
    }
}

#[test]
fn a_route_s_own_word_on_answers_holds_on_it() {
    let gateway = Running::start(
        "access_log: off
policies: { cors: [\"https://app.test\"] }
routes:
- { path: /m, methods: [GET], respond: { body: in } }
- { path: /other, respond: { body: in }, policies: { cors: off } }
",
    );
    let other = gateway.ask("GET /other HTTP/1.1\nHost: a\nOrigin: https://app.test");
    assert_eq!(other.header("Access-Control-Allow-Origin"), None);
    let allow = gateway.ask("POST /m HTTP/1.1\nHost: a");
    assert_eq!(allow.header("Allow"), Some("GET, HEAD, OPTIONS"), "{allow:?}");
}

/// What a route that shows the request cannot read is refused as by any other route.
#[test]
fn a_request_that_is_not_shown_back_is_refused_with_what_is_in_force() {
    let gateway = Running::start(
        "access_log: off
policies: { cors: [\"https://app.test\"], security_headers: on, correlation_id: on, request_size: 10B }
routes:
- { path: /*, respond: { echo: hi } }
",
    );
    for (chunks, status) in [("14\r\n01234567890123456789\r\n0\r\n\r\n", 413), ("zz\r\n", 400)] {
        let refused = Client::connect(gateway.address).exchange(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.test\r\nX-Correlation-Id: mine\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        ));
        assert_eq!(refused.status, status, "{refused:?}");
        assert_eq!(refused.header("Access-Control-Allow-Origin"), Some("https://app.test"));
        assert_eq!(refused.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(refused.header("X-Correlation-Id"), Some("mine"));
    }
}

#[test]
fn addresses_are_those_that_trusted_proxies_tell() {
    let gateway = Running::start(
        "access_log: off
trusted_proxies: [127.0.0.1]
policies: { ip_restriction: { allow: [10.0.0.0/8, '2001:db8::/32'], deny: [10.9.0.0/16] } }
routes: [{ path: /*, respond: { body: in } }]
",
    );
    for (forwarded, status) in [
        ("10.1.2.3", 200),
        ("::ffff:10.1.2.3", 200),
        ("2001:db8::7", 200),
        ("10.9.1.1", 403),
        ("192.0.2.1", 403),
        ("10.1.2.3, 192.0.2.1", 403),
        ("192.0.2.1, 10.1.2.3", 200),
    ] {
        let answer = gateway.ask(&format!("GET / HTTP/1.1\nHost: a\nX-Forwarded-For: {forwarded}"));
        assert_eq!(answer.status, status, "{forwarded}");
    }
    let direct = gateway.ask("GET / HTTP/1.1\nHost: a");
    assert_eq!(direct.status, 403);
    assert!(!direct.text().contains("127.0.0.1") && !direct.text().contains("address"), "nothing is told");
    eventually(DEADLINE, || gateway.metrics.render().contains("reason=\"address_not_allowed\""));
}

#[test]
fn bodies_are_bounded_whether_declared_or_in_chunks() {
    let origin = Origin::respond(|request| Reply::ok(request.body.len().to_string()));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
policies: {{ request_size: 10B }}
routes:
- {{ path: /*, service: api }}
- {{ path: /declared, service: api, policies: {{ request_size: {{ limit: 1MiB, require_content_length: true }} }} }}
",
        origin.url()
    ));
    let declared = |length: usize| {
        let body = "x".repeat(length);
        Client::connect(gateway.address)
            .exchange(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"))
    };
    assert_eq!(declared(10).text(), "10");
    assert_eq!(declared(11).status, 413);
    let chunks = |path: &str, chunks: &str| {
        Client::connect(gateway.address).exchange(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        ))
    };
    assert_eq!(chunks("/", "5\r\nhello\r\n5\r\nworld\r\n").text(), "10");
    assert_eq!(chunks("/", "5\r\nhello\r\n6\r\nworld!\r\n").status, 413);
    assert_eq!(chunks("/declared", "5\r\nhello\r\n").status, 411);
}

/// A type is the client's to choose, and what the gateway keeps of a body on its way is no way around.
#[test]
fn a_bound_holds_for_bodies_that_may_be_sent_once_more() {
    let origin = Http2Origin::respond(|request| Http2Reply::ok(request.body.len().to_string()));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [\"{}\"] }} }}
policies: {{ request_size: 100B }}
routes: [{{ path: /*, service: api }}]
",
        origin.url()
    ));
    for kind in ["application/grpc", "application/grpc-web+json", "text/plain"] {
        let ask = |count: usize| {
            let fields = format!("Host: a\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked");
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            let body = format!("{count:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(count));
            let answer = Client::connect(gateway.address).exchange(head + &body);
            (answer.status, answer.header("Grpc-Status").map(str::to_owned))
        };
        assert_eq!(ask(100), (200, None), "{kind}");
        // Callers of gRPC are told in their own way: RESOURCE_EXHAUSTED.
        let refused =
            if kind.starts_with("application/grpc") { (200, Some("8".to_owned())) } else { (413, None) };
        for count in [101, 4096, 16_000] {
            assert_eq!(ask(count), refused, "{kind} {count}");
        }
    }
    assert_eq!(origin.requests().len(), 3, "nothing longer has come whole");
}

#[test]
fn what_is_missing_what_another_site_sends_and_what_a_program_says_is_refused_by_its_reason() {
    let gateway = Running::start(
        "access_log: off
routes:
- { path: /fields, respond: {}, policies: { required_headers: { X-Tenant: { regex: '[a-z]+' }, X-Api: '2' } } }
- { path: /csrf, respond: {}, policies: { csrf: { allow_origins: ['https://app.test'] } } }
- { path: /bots, respond: {}, policies: { bot_detection: { allow: ['^good-bot/'], deny: ['evil'] } } }
- { path: /cors, respond: {}, policies: { cors: { origins: ['https://app.test'], refuse_others: true } } }
",
    );
    for (line, fields, status, reason) in [
        ("GET /fields", "X-Tenant: blue\nX-Api: 2", 200, ""),
        ("GET /fields", "X-Tenant: Blue\nX-Api: 2", 400, "header_not_accepted"),
        ("GET /fields", "X-Api: 2", 400, "header_not_accepted"),
        ("POST /csrf", "Sec-Fetch-Site: cross-site", 403, "cross_site_request"),
        ("POST /csrf", "Sec-Fetch-Site: cross-site\nOrigin: https://app.test", 200, ""),
        ("POST /csrf", "Origin: https://api.test", 200, ""),
        ("GET /csrf", "Sec-Fetch-Site: cross-site", 200, ""),
        ("GET /bots", "User-Agent: curl/8.5.0", 403, "program_not_allowed"),
        ("GET /bots", "User-Agent: good-bot/1", 200, ""),
        ("GET /bots", "User-Agent: an evil one", 403, "program_not_allowed"),
        ("GET /bots", "User-Agent: a\nUser-Agent: b", 400, "header_not_accepted"),
        ("GET /bots", "X-A: 1", 200, ""),
        ("GET /cors", "Origin: https://evil.test", 403, "origin_not_allowed"),
    ] {
        let answer = gateway.ask(&format!("{line} HTTP/1.1\nHost: api.test\nContent-Length: 0\n{fields}"));
        assert_eq!(answer.status, status, "{line} {fields}");
        if !reason.is_empty() {
            assert_eq!(answer.text().contains(reason), status != 403, "{}", answer.text());
            let counted = format!("reason=\"{reason}\"");
            eventually(DEADLINE, || gateway.metrics.render().contains(&counted));
        }
    }
}

#[test]
fn browsers_are_told_to_be_careful_without_overriding_the_service() {
    let origin =
        Origin::always(Reply::ok("in").header("X-Frame-Options", "DENY").header("X-Powered-By", "x"));
    let gateway = Running::start(&format!(
        "access_log: off
trusted_proxies: [127.0.0.1]
services: {{ api: {{ endpoints: [{}] }} }}
policies: {{ security_headers: on }}
routes:
- {{ path: /*, service: api }}
- path: /own
  service: api
  policies:
    security_headers: {{ overwrite: true, frame_options: SAMEORIGIN, remove: [X-Powered-By], content_security_policy: \"default-src 'self'\", others: {{ X-A: b }} }}
",
        origin.url()
    ));
    let open = gateway.ask("GET / HTTP/1.1\nHost: a");
    assert_eq!(open.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(open.header_all("X-Frame-Options"), ["DENY"]);
    assert_eq!(open.header("Strict-Transport-Security"), None, "not over an open connection");
    let secure = gateway.ask("GET / HTTP/1.1\nHost: a\nX-Forwarded-Proto: https");
    assert_eq!(secure.header("Strict-Transport-Security"), Some("max-age=31536000"));
    let own = gateway.ask("GET /own HTTP/1.1\nHost: a");
    assert_eq!(own.header_all("X-Frame-Options"), ["SAMEORIGIN"]);
    assert_eq!((own.header("X-Powered-By"), own.header("X-A")), (None, Some("b")));
    assert_eq!(own.header("Content-Security-Policy"), Some("default-src 'self'"));
}

#[test]
fn what_a_client_may_never_say_does_not_arrive_in_any_spelling() {
    let origin = Origin::respond(|request| Reply::ok(request.head_text()));
    let gateway = Running::start(&format!(
        "access_log: off
reserved_headers: [X-Internal-Token]
services: {{ api: {{ endpoints: [{}] }} }}
routes: [{{ path: /*, service: api }}]
",
        origin.url()
    ));
    let fields = "x-internal-token: mark1\nX_Internal_Token: mark1\nX-Consumer-ID: mark1\nx_consumer-username: mark1\n\
                  X-Original-URL: /mark1\nRemote-User: mark1\nX-Mine: kept\nX.Forwarded.For: mark1\n\
                  X~Forwarded_Proto: mark1\nx.real.ip: mark1\nX.Forwarding: kept";
    let seen = gateway.ask(&format!("GET / HTTP/1.1\nHost: a\n{fields}")).text();
    assert!(!seen.contains("mark1") && seen.matches("kept").count() == 2, "{seen}");
}

/// Services believe them before what they see: of `X-Forwarded-Ssl` that the connection is secure, of `X-Original-URI`
/// what was asked.
#[test]
fn by_which_way_a_request_came_no_stranger_says_and_of_trusted_proxies_whatever_names_nobody_arrives() {
    let origin = Origin::respond(|request| Reply::ok(request.head_text()));
    let text = |proxies: &str| {
        format!(
            "access_log: off
{proxies}services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /*, service: api }}
- {{ path: /*, headers: {{ X-Forwarded-Scheme: mark1 }}, respond: {{ body: mark1 }} }}
",
            origin.url()
        )
    };
    let way = [
        "X-Forwarded-Ssl",
        "X-Forwarded-Protocol",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Path",
        "X-Forwarded-Server",
        "X-Forwarded-By",
        "X-Forwarded-Prefix",
        "X_Forwarded_Ssl",
        "x.forwarded-Anything",
        "Front-End-Https",
        "X-Scheme",
        "X-Original-URI",
        "X-Original-Method",
        "X-Original-Host",
        "X-Envoy-Original-Path",
        "X-Client-IP",
        "CF-Connecting-IP",
    ];
    let who = ["X-Forwarded-Access-Token", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"];
    let lines: Vec<String> = way.iter().chain(&who).map(|name| format!("{name}: mark1")).collect();
    let head = format!("GET / HTTP/1.1\nHost: a\n{}\n", lines.join("\n"));
    let mut gateway = Running::start(&text(""));
    let seen = gateway.ask(&format!("{head}X-Forwarded-Scheme: mark1")).text();
    assert!(!seen.contains("mark1") && seen.contains("X-Forwarded-Proto: http\r\n"), "{seen}");
    gateway.reload(&text("trusted_proxies: [127.0.0.1]\n"));
    let seen = gateway.ask(head.trim_end()).text();
    let said: Vec<&str> = seen.lines().filter_map(|line| line.trim().strip_suffix(": mark1")).collect();
    assert_eq!(said, way, "{seen}");
    assert_eq!(gateway.ask(&format!("{head}X-Forwarded-Scheme: mark1")).text(), "mark1");
}

#[test]
fn no_client_claims_an_identity_in_a_trailer() {
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
services: {{ api: {{ endpoints: [{}] }} }}
reserved_headers: [X-Internal]
routes:
- {{ path: /*, service: api, policies: {{ access: public }} }}
- {{ path: /in, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\", claims_to_headers: {{ sub: X-User-Id }} }} }} }}
",
        origin.url()
    ));
    let trailers = "X-Consumer-Username: root\r\nx.consumer.username: root\r\nX-User-Id: root\r\nX-Internal: 1\r\n\
                    X-Forwarded-For: 6.6.6.6\r\nX.Forwarded.For: 6.6.6.6\r\nX-HTTP-Method-Override: DELETE\r\n\
                    Authorization: Bearer x\r\nX.Original.URL: /admin\r\nX-Sum: 5\r\n";
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n";
    let answer = Client::connect(gateway.address).exchange(format!("{head}{trailers}\r\n"));
    assert_eq!(answer.status, 200);
    let seen = origin.only_request();
    let names: Vec<&str> = seen.trailers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((seen.body_text().as_str(), names), ("hi", vec!["X-Sum"]));
}

#[test]
fn another_method_than_the_requests_reaches_no_service_unless_it_may() {
    let origin = Origin::always(Reply::ok("in"));
    let text = |more: &str| {
        format!(
            "access_log: off
{more}services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /o, methods: [GET], service: api, policies: {{ access: public }} }}
- {{ path: /o, methods: [DELETE], service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }} }} }}
- {{ path: /m/*, service: api, policies: {{ jwt: {{ secret: \"${{env:KEY}}\" }}, roles: {{ rules: {{ /m/*: anyone, \"DELETE /m/*\": [admin] }} }} }} }}
",
            origin.url()
        )
    };
    let spelled = ["X-HTTP-Method-Override", "X_HTTP_Method_Override", "x.http.method", "X-Method_Override"];
    let mut gateway = Running::start(&text(""));
    for field in spelled {
        assert_eq!(gateway.ask(&format!("GET /o HTTP/1.1\nHost: a\n{field}: DELETE")).status, 200);
        assert_eq!(origin.requests().pop().unwrap().header(field), None, "{field}");
    }
    gateway.reload(&text("method_overrides: forward\n"));
    let token = guard::token(r#"{"sub":"u"}"#);
    for field in spelled {
        let head = |path, method| {
            format!("GET {path} HTTP/1.1\nHost: a\nAuthorization: Bearer {token}\n{field}: {method}")
        };
        assert_eq!(gateway.ask(&head("/m/x", "PUT")).status, 200, "{field}");
        assert_eq!(origin.requests().pop().unwrap().header(field), Some("PUT"), "{field}");
        assert_eq!(gateway.ask(&head("/m/x", "DELETE")).status, 403, "{field}");
    }
    // Another spelling is no other method to many services.
    let before = origin.count();
    for (line, status) in [("get /o", 400), ("delete /o", 400), ("delete /m/x", 400), ("DELETE /m/x", 403)] {
        let head = format!("{line} HTTP/1.1\nHost: a\nAuthorization: Bearer {token}");
        assert_eq!(gateway.ask(&head).status, status, "{line}");
    }
    assert_eq!(origin.count(), before);
}

#[test]
fn what_proxies_say_of_a_caller_arrives_only_from_those_that_may_say_it() {
    let origin = Origin::always(Reply::ok("in"));
    let text = |proxies: &str| {
        format!(
            "access_log: off
{proxies}services: {{ api: {{ endpoints: [{}] }} }}
routes: [{{ path: /, service: api }}]
",
            origin.url()
        )
    };
    let head = "GET / HTTP/1.1\nHost: a\nX-Forwarded-User: zoe\nX_Forwarded_User: root\nX-Forwarded-Email: zoe@a.test\n\
                X-SSL-Client-S-DN: CN=zoe\nX-Forwarded-Client-Cert: Subject=\"CN=zoe\"\nX-Auth-Request-User: zoe";
    let mut gateway = Running::start(&text(""));
    for (proxies, arrives) in [
        ("", &[][..]),
        ("trusted_proxies: [127.0.0.1]\n", &[]),
        ("trusted_proxies: [10.0.0.1]\ntrusted_headers: [X-Forwarded-User]\n", &[]),
        (
            "trusted_proxies: [127.0.0.1]\ntrusted_headers: [x-forwarded-user, X-SSL-Client-S-DN]\n",
            &["X-Forwarded-User: zoe", "X-SSL-Client-S-DN: CN=zoe"],
        ),
    ] {
        gateway.reload(&text(proxies));
        assert_eq!(gateway.ask(head).status, 200);
        let seen = origin.requests().pop().unwrap().head_text();
        // No digits of an identifier spell these.
        let said: Vec<&str> = seen
            .lines()
            .map(str::trim)
            .filter(|line| line.contains("zoe") || line.contains("root"))
            .collect();
        assert_eq!(said, arrives, "{proxies}");
    }
}

#[test]
fn what_trusted_proxies_may_send_comes_from_nobody_else_and_in_its_own_spelling() {
    let origin = Origin::always(Reply::ok("in"));
    let text = |proxy: &str, more: &str| {
        format!(
            "access_log: off
trusted_proxies: [{proxy}]
reserved_headers: [X-Internal, X-Other]
trusted_headers: [X-Portal-User, X-Internal, X-Consumer-Username, X-Consumer-Groups]
consumers: [{{ username: own, keys: [\"${{env:KEY}}\"] }}]
services: {{ api: {{ endpoints: [{}] }} }}
routes:
- {{ path: /, service: api, policies: {{ access: public }} }}
{more}",
            origin.url()
        )
    };
    let fields = "X-Portal-User: ada\r\nX_Portal_User: root\r\nx.portal.user: root\r\nX-Internal: ada\r\n\
                  X_Internal: root\r\nX-Other: root\r\nX-Consumer-Username: ada\r\nX_Consumer_Username: root\r\n\
                  X-Consumer-ID: root\r\nX-Consumer-Groups: ada\r\n";
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{fields}\r\n");
    let request = format!("{head}2\r\nhi\r\n0\r\n{fields}X-Sum: 5\r\n\r\n");
    let keyed = "- { path: /keyed, service: api, policies: { key_auth: {} } }\n";
    let mut gateway = Running::start(&text("10.0.0.1", ""));
    let all = ["X-Portal-User: ada", "X-Internal: ada", "X-Consumer-Username: ada", "X-Consumer-Groups: ada"];
    let not_written = ["X-Portal-User: ada", "X-Internal: ada", "X-Consumer-Groups: ada"];
    for (proxy, more, arrives) in [
        ("10.0.0.1", "", &[][..]),
        ("127.0.0.1", "", &all),
        // What a way writes itself comes from no proxy.
        ("127.0.0.1", keyed, &not_written),
    ] {
        gateway.reload(&text(proxy, more));
        let answer = Client::connect(gateway.address).exchange(&request);
        assert_eq!(answer.status, 200);
        let seen = origin.requests().pop().unwrap();
        let head = seen.head_text();
        let lines = head.lines().map(str::trim);
        let said: Vec<&str> = lines.filter(|line| line.contains("ada") || line.contains("root")).collect();
        assert_eq!(said, arrives, "{proxy} {more}");
        let trailers: Vec<&str> = seen.trailers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(trailers, ["X-Sum"], "{proxy} {more}");
    }
}
