//! Kept answers of a service that is gone, on a whole gateway in process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use torana_testkit::http2::{Http2Client, Http2Origin, Http2Reply};
use torana_testkit::{Client, Gate, Origin, ReceivedRequest, Reply, Response, eventually, within};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(20);
const BREAKER: &str = "failures: 1, open_for: 1h";

fn text(origin: &Origin, stale: &str) -> String {
    format!(
        "access_log: off
consumers:
- {{ username: ann, keys: [key-of-ann] }}
- {{ username: bob, keys: [key-of-bob] }}
services:
  a: {{ endpoints: [{}], retries: {{ attempts: 1 }}, breaker: {{ {BREAKER}, {stale} }} }}
routes:
- {{ path: /*, service: a, policies: {{ access: public }} }}
- {{ path: /in/*, service: a, strip_prefix: /in, policies: {{ key_auth: {{}} }} }}
- {{ path: /maybe/*, service: a, strip_prefix: /maybe, policies: {{ key_auth: {{}}, auth: {{ anonymous: bob }} }} }}
- {{ path: /safe/*, service: a, strip_prefix: /safe, policies: {{ access: public, security_headers: {{ others: {{ X-Safe: \"yes\" }} }} }} }}
",
        origin.url()
    )
}

fn before(origin: &Origin, stale: &str) -> Running {
    Running::start(&text(origin, stale))
}

fn ask(gateway: &Running, method: &str, target: &str, fields: &str) -> Response {
    let mut client = Client::connect(gateway.address);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    if method == "HEAD" { client.read_response_to_head() } else { client.read_response() }
}

fn get(gateway: &Running, target: &str) -> Response {
    ask(gateway, "GET", target, "")
}

/// Ends the origin and has the breaker open.
fn down(gateway: &Running, origin: &Origin) {
    origin.kill();
    eventually(PATIENCE, || get(gateway, "/down").text().contains("breaker_open"));
}

/// Says who has asked, in the way that the query names.
fn personal(request: &ReceivedRequest) -> Reply {
    let name = |field| request.header(field).unwrap_or("nobody").to_owned();
    let reply = Reply::ok(format!("for {}", name("X-Consumer-Username")));
    match request.target.split_once('?') {
        Some((_, "silent")) => reply,
        Some((_, said)) => said.split('&').fold(reply, |reply, line| {
            let (name, value) = line.split_once(':').unwrap();
            reply.header(name, value)
        }),
        None => reply.header("Cache-Control", "max-age=60"),
    }
}

#[test]
fn the_last_good_answer_is_given_with_its_age_and_where_it_comes_from() {
    let origin = Origin::respond(|request| match &*request.target {
        "/a?x=1" => {
            Reply::ok("hello").header("Cache-Control", "max-age=5").header("Age", "9").header("ETag", "\"1\"")
        }
        "/chunks" => Reply::status(200).chunked(["one ", "two"]).header("Cache-Control", "public"),
        "/empty" => Reply::ok("").header("Expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
        _ => Reply::status(404),
    });
    let gateway = before(&origin, "stale: {}");
    let fresh = get(&gateway, "/a?x=1");
    assert_eq!((fresh.header("Age"), fresh.header("Cache-Status")), (Some("9"), None));
    assert_eq!(get(&gateway, "/chunks").text(), "one two");
    assert_eq!(get(&gateway, "/empty").status, 200);
    down(&gateway, &origin);
    let kept = get(&gateway, "/a?x=1");
    assert_eq!((kept.status, kept.text(), kept.header("ETag")), (200, "hello".into(), Some("\"1\"")));
    assert_eq!(
        (kept.header_all("Content-Length"), kept.header("Content-Type")),
        (vec!["5"], fresh.header("Content-Type"))
    );
    let age: i64 = kept.header("Age").unwrap().parse().unwrap();
    assert!((9..60).contains(&age), "{age}");
    assert_eq!(kept.header("Cache-Status"), Some(&*format!("torana; hit; ttl={}", 5 - age)));
    assert!(kept.header("Date").is_some());
    let head = ask(&gateway, "HEAD", "/a?x=1", "");
    assert_eq!((head.status, head.header("Content-Length"), head.text()), (200, Some("5"), String::new()));
    let chunks = get(&gateway, "/chunks");
    assert_eq!((chunks.text(), chunks.header("Content-Length")), ("one two".into(), Some("7")));
    let empty = get(&gateway, "/empty");
    assert_eq!((empty.status, empty.header("Content-Length")), (200, Some("0")));
    for target in ["/a?x=2", "/a", "/a?x=1&y", "/missing"] {
        assert_eq!(get(&gateway, target).status, 503, "{target}");
    }
    assert_eq!(ask(&gateway, "POST", "/chunks", "Content-Length: 0\r\n").status, 503);
    assert_eq!(ask(&gateway, "GET", "/chunks", "Range: bytes=0-1\r\n").text(), "one two");
    assert_eq!(ask(&gateway, "GET", "/chunks", "Cache-Control: no-cache\r\n").status, 503);
    assert_eq!(ask(&gateway, "GET", "/chunks", "If-Match: \"2\"\r\n").status, 503);
    let other = Client::connect(gateway.address).exchange("GET /chunks HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!(other.status, 503, "another authority");
    let mut client = Http2Client::connect(gateway.address);
    let authority = gateway.address.to_string();
    assert_eq!(client.get("/chunks").status, 503, "{authority} is another authority too");
    let page = gateway.metrics.render();
    assert!(page.contains("torana_breaker_stale_total{service=\"a\"} 5"), "{page}");
    let shown = &torana_proxy::services(&gateway.shared)["a"]["stale"];
    assert_eq!((&shown["given"], &shown["answers"]), (&Value::from(5), &Value::from(3)));
    assert!(
        page.contains(&format!("torana_breaker_stale_bytes{{service=\"a\"}} {}", shown["bytes"])),
        "{page}"
    );
}

#[test]
fn clients_of_http_2_get_them_too() {
    let origin = Origin::always(Reply::ok("hello").header("Cache-Control", "public"));
    let gateway = before(&origin, "stale: {}");
    let mut client = Http2Client::connect(gateway.address);
    assert_eq!(client.get("/a").status, 200);
    down(&gateway, &origin);
    let kept = client.get("/a");
    assert_eq!((kept.status, kept.text(), kept.header("content-length")), (200, "hello".into(), Some("5")));
    assert!(kept.header("cache-status").unwrap().starts_with("torana; hit; ttl="), "{kept:?}");
    let head = client.request("HEAD", "/a", &[], b"");
    assert_eq!((head.status, head.text(), head.header("content-length")), (200, String::new(), Some("5")));
    assert_eq!(client.get("/b").status, 503);
}

#[test]
fn answers_that_came_by_http_2_are_kept_too() {
    let origin = Http2Origin::respond(|request| match request.uri.path() {
        "/down" => Http2Reply::reset(h2::Reason::INTERNAL_ERROR),
        "/trailers" => Http2Reply::ok("a").header("cache-control", "public").trailer("x-sum", "1"),
        _ => Http2Reply::ok("hello").header("cache-control", "public"),
    });
    let gateway = Running::start(&format!(
        "access_log: off
services:
  a:
    endpoints: [{}]
    protocol: http2
    retries: {{ attempts: 1 }}
    breaker: {{ {BREAKER}, stale: {{}} }}
routes: [{{ path: /*, service: a }}]
",
        origin.url()
    ));
    for target in ["/a", "/trailers"] {
        assert_eq!(get(&gateway, target).status, 200);
    }
    eventually(PATIENCE, || get(&gateway, "/down").text().contains("breaker_open"));
    let kept = get(&gateway, "/a");
    assert_eq!((kept.status, kept.text(), kept.header("Content-Length")), (200, "hello".into(), Some("5")));
    assert_eq!(get(&gateway, "/trailers").status, 503);
}

#[test]
fn no_caller_gets_what_was_answered_to_another() {
    let origin = Origin::respond(personal);
    let gateway = before(&origin, "stale: { unmarked: true }");
    let key = |name: &str| format!("apikey: key-of-{name}\r\n");
    let public = "/in/public?Cache-Control:public,max-age=60";
    assert_eq!(ask(&gateway, "GET", "/in/data", &key("ann")).text(), "for ann");
    assert_eq!(ask(&gateway, "GET", "/in/data?silent", &key("ann")).text(), "for ann");
    assert_eq!(ask(&gateway, "GET", public, &key("ann")).text(), "for ann");
    for field in
        ["Authorization: Basic YTpi", "Cookie: a=b", "X-Api-Key: 1", "Proxy-Authorization: Basic YTpi"]
    {
        let target = format!("/{}", &field[..2]);
        assert_eq!(ask(&gateway, "GET", &target, &format!("{field}\r\n")).status, 200);
        assert_eq!(ask(&gateway, "GET", &format!("{target}?silent"), &format!("{field}\r\n")).status, 200);
    }
    assert_eq!(get(&gateway, "/open").text(), "for nobody");
    assert_eq!(get(&gateway, "/open?silent").text(), "for nobody");
    assert_eq!(get(&gateway, "/maybe/way").text(), "for bob");
    down(&gateway, &origin);
    for name in ["ann", "bob"] {
        for target in ["/in/data", "/in/data?silent"] {
            assert_eq!(ask(&gateway, "GET", target, &key(name)).status, 503, "{target} for {name}");
        }
        assert_eq!(ask(&gateway, "GET", public, &key(name)).text(), "for ann", "it is for everybody");
        assert_eq!(
            ask(&gateway, "GET", "/in/open", &key(name)).status,
            503,
            "who shows who calls may get another"
        );
    }
    assert_eq!(get(&gateway, "/public?Cache-Control:public,max-age=60").text(), "for ann");
    assert_eq!(get(&gateway, "/data").status, 503);
    assert_eq!(get(&gateway, "/in/open").status, 401, "who may not ask gets nothing");
    for target in ["/Au", "/Co", "/X-", "/Pr", "/Au?silent", "/Co?silent", "/X-?silent", "/Pr?silent"] {
        assert_eq!(get(&gateway, target).status, 503, "{target}");
    }
    assert_eq!(get(&gateway, "/open").text(), "for nobody");
    assert_eq!(get(&gateway, "/open?silent").text(), "for nobody");
    for field in ["Authorization: Bearer x", "Cookie: a=b", "X-Session-Token: 1"] {
        assert_eq!(ask(&gateway, "GET", "/open", &format!("{field}\r\n")).status, 503, "{field}");
    }
    assert_eq!(get(&gateway, "/maybe/way").text(), "for bob", "the anonymous consumer is nobody");
    assert_eq!(get(&gateway, "/way").status, 503, "but the service is told a name");
    assert_eq!(ask(&gateway, "GET", "/maybe/way", &key("ann")).status, 503);
}

#[test]
fn fields_in_which_any_route_asks_for_credentials_show_who_calls() {
    let origin = Origin::respond(personal);
    let more = "- { path: /badge/*, service: a, policies: { key_auth: { headers: [X-Badge] } } }
- { path: /pass/*, service: a, policies: { forward_auth: { url: http://127.0.0.1:1, request_headers: [X-Pass] } } }
- { path: /signed/*, service: a, policies: { hmac_auth: {} } }
";
    let mut gateway = before(&origin, "stale: { unmarked: true }");
    // What was kept while nobody knew comes from no other.
    assert_eq!(ask(&gateway, "GET", "/early", "X-Badge: 1\r\n").status, 200);
    gateway.reload(&format!("{}{more}", text(&origin, "stale: { unmarked: true }")));
    let fields = ["X-Badge: 1", "x-pass: 1", "Signature: a=:AA==:", "Signature-Input: a=()"];
    for (number, field) in fields.into_iter().enumerate() {
        for target in [format!("/{number}"), format!("/{number}?silent")] {
            assert_eq!(ask(&gateway, "GET", &target, &format!("{field}\r\n")).status, 200);
        }
    }
    assert_eq!(ask(&gateway, "GET", "/other", "X-Colour: red\r\n").status, 200);
    down(&gateway, &origin);
    assert_eq!(get(&gateway, "/early").status, 503);
    for number in 0..4 {
        assert_eq!(get(&gateway, &format!("/{number}")).status, 503, "{number}");
        assert_eq!(get(&gateway, &format!("/{number}?silent")).status, 503, "{number}");
    }
    assert_eq!(get(&gateway, "/other").status, 200);
    assert_eq!(ask(&gateway, "GET", "/other", "X-Badge: 1\r\n").status, 503);
}

#[test]
fn fields_in_which_trusted_proxies_say_who_calls_show_it() {
    let origin = Origin::respond(personal);
    let trusting = |text: String| {
        format!(
            "trusted_proxies: [127.0.0.1]\ntrusted_headers: [X-Badge, X-Consumer-Groups, X-Consumer-Username]\n{text}"
        )
    };
    let open = text(&origin, "stale: { unmarked: true }");
    let open: String =
        open.lines().filter(|line| !line.contains("key_auth")).flat_map(|line| [line, "\n"]).collect();
    let gateway = Running::start(&trusting(open));
    let fields = ["X-Badge: 1", "X-Consumer-Groups: a", "X-Consumer-Username: ann"];
    for (number, field) in fields.into_iter().enumerate() {
        assert_eq!(ask(&gateway, "GET", &format!("/{number}?silent"), &format!("{field}\r\n")).status, 200);
    }
    assert_eq!(ask(&gateway, "GET", "/other", "X-Colour: red\r\n").status, 200);
    down(&gateway, &origin);
    for number in 0..3 {
        assert_eq!(get(&gateway, &format!("/{number}?silent")).status, 503, "{number}");
    }
    assert_eq!(get(&gateway, "/other").status, 200);
}

#[test]
fn what_may_not_be_kept_is_not_and_takes_the_place_of_what_was() {
    let origin = Origin::respond(personal);
    let gateway = before(&origin, "stale: {}");
    let refused = [
        "silent",
        "Cache-Control:private,max-age=9",
        "Cache-Control:no-store",
        "Cache-Control:public,no-cache=\"x\"",
        "Cache-Control:public,must-revalidate",
        "Cache-Control:public,s-maxage=60",
        "Cache-Control:public,=",
        "Cache-Control:public&Set-Cookie:a=b",
        "Cache-Control:public&Vary:*",
        "Cache-Control:public&Cache-Control:no-store",
    ];
    for said in refused {
        assert_eq!(get(&gateway, &format!("/a?{said}")).status, 200, "{said}");
    }
    assert_eq!(ask(&gateway, "GET", "/b", "Cache-Control: no-store\r\n").status, 200);
    assert_eq!(ask(&gateway, "GET", "/d", "Content-Length: 1\r\n\r\nx").status, 200);
    assert_eq!(ask(&gateway, "HEAD", "/e", "").status, 200);
    assert_eq!(get(&gateway, "/open").status, 200);
    down(&gateway, &origin);
    for said in refused {
        assert_eq!(get(&gateway, &format!("/a?{said}")).status, 503, "{said}");
    }
    for target in ["/b", "/d", "/e"] {
        assert_eq!(get(&gateway, target).status, 503, "{target}");
    }
    assert_eq!(get(&gateway, "/open").status, 200);
}

#[test]
fn a_later_answer_that_is_not_for_keeping_ends_an_earlier_one() {
    let origin = Origin::respond(|request| {
        let reply = Reply::ok("fine").header("Cache-Control", "max-age=60");
        match (&*request.target, request.header("X-Turn")) {
            (_, None) => reply,
            ("/private", _) => Reply::ok("mine").header("Cache-Control", "private"),
            ("/gone", _) => Reply::status(410),
            ("/moved", _) => Reply::status(301).header("Location", "/"),
            ("/shut", _) => Reply::status(403),
            ("/same", _) => Reply::status(304),
            ("/part", _) => Reply::status(206),
            ("/busy", _) => Reply::status(429),
            _ => Reply::status(400),
        }
    });
    let gateway = before(&origin, "stale: {}");
    let targets = ["/private", "/gone", "/moved", "/shut", "/same", "/part", "/busy", "/wrong"];
    for target in targets {
        get(&gateway, target);
        ask(&gateway, "GET", target, "X-Turn: 2\r\n");
    }
    down(&gateway, &origin);
    let found = targets.map(|target| get(&gateway, target).status);
    assert_eq!(found, [503, 503, 503, 503, 200, 200, 200, 200]);
}

#[test]
fn a_change_forgets_what_it_has_changed() {
    let origin = Origin::respond(|request| match (&*request.method, &*request.target) {
        ("POST", "/failing") => Reply::status(422),
        ("POST", "/new") => Reply::status(201)
            .header("Location", "/items/7")
            .header("Content-Location", "http://A/list?all#x"),
        ("PUT", "/other") => Reply::status(303).header("Location", "http://elsewhere/far"),
        ("GET", _) => Reply::ok("old").header("Cache-Control", "public"),
        _ => Reply::status(204),
    });
    let gateway = before(&origin, "stale: {}");
    let targets =
        ["/new", "/items/7", "/list?all", "/other", "/far", "/deleted", "/failing", "/list", "/options"];
    for target in targets {
        assert_eq!(get(&gateway, target).text(), "old");
    }
    for (method, target) in [
        ("POST", "/new"),
        ("PUT", "/other"),
        ("DELETE", "/in/../deleted"),
        ("POST", "/failing"),
        ("OPTIONS", "/options"),
    ] {
        ask(&gateway, method, target, "Content-Length: 0\r\n");
    }
    down(&gateway, &origin);
    let found = targets.map(|target| get(&gateway, target).status);
    assert_eq!(found, [503, 503, 503, 503, 200, 503, 200, 200, 200]);
}

#[test]
fn a_method_that_a_field_asks_for_is_a_change() {
    let origin = Origin::respond(|request| {
        let deleted = request.header("X-HTTP-Method-Override").is_some();
        Reply::ok(if deleted { "deleted" } else { "there" }).header("Cache-Control", "public")
    });
    let gateway = Running::start(&format!("method_overrides: forward\n{}", text(&origin, "stale: {}")));
    for target in ["/a", "/b"] {
        assert_eq!(get(&gateway, target).text(), "there");
    }
    let overridden = "X-HTTP-Method-Override: DELETE\r\n";
    assert_eq!(ask(&gateway, "GET", "/a", overridden).text(), "deleted");
    down(&gateway, &origin);
    assert_eq!(get(&gateway, "/a").status, 503);
    assert_eq!(ask(&gateway, "GET", "/b", overridden).status, 503);
    assert_eq!(get(&gateway, "/b").text(), "there");
}

#[test]
fn links_and_codings_are_those_of_the_request() {
    let origin = Origin::respond(|request| {
        let host = request.header("X-Forwarded-Host").unwrap_or("none").to_owned();
        let reply = Reply::ok(host).header("Cache-Control", "public");
        match request.header("Accept-Encoding") {
            Some(_) => reply.header("Content-Encoding", "gzip"),
            None => reply,
        }
    });
    let file = text(&origin, "stale: {}");
    let gateway = Running::start(&format!("trusted_proxies: [127.0.0.1]\n{file}"));
    let behind = "X-Forwarded-Host: shop.example\r\n";
    assert_eq!(ask(&gateway, "GET", "/a", behind).text(), "shop.example");
    assert_eq!(
        ask(&gateway, "GET", "/b", "Accept-Encoding: gzip\r\n").header("Content-Encoding"),
        Some("gzip")
    );
    down(&gateway, &origin);
    assert_eq!(ask(&gateway, "GET", "/a", behind).text(), "shop.example");
    for fields in
        ["", "X-Forwarded-Host: other.example\r\n", &format!("{behind}X-Forwarded-Proto: https\r\n")]
    {
        assert_eq!(ask(&gateway, "GET", "/a", fields).status, 503, "{fields}");
    }
    assert_eq!(ask(&gateway, "GET", "/b", "Accept-Encoding: gzip\r\n").status, 200);
    assert_eq!(get(&gateway, "/b").status, 503);
}

#[test]
fn what_was_asked_before_a_change_and_answered_after_it_is_not_kept() {
    let gate = Gate::new();
    let late = gate.clone();
    let origin = Origin::respond(move |request| match &*request.method {
        "GET" => Reply::ok("old").header("Cache-Control", "public").after(&late),
        _ => Reply::status(204),
    });
    let gateway = before(&origin, "stale: {}");
    let mut slow = Client::connect(gateway.address);
    slow.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually(PATIENCE, || origin.count() == 1);
    assert_eq!(ask(&gateway, "POST", "/a", "Content-Length: 0\r\n").status, 204);
    gate.open();
    assert_eq!(slow.read_response().text(), "old");
    down(&gateway, &origin);
    assert_eq!(get(&gateway, "/a").status, 503);
}

#[test]
fn an_answer_is_kept_for_each_request_that_it_depends_on() {
    let origin = Origin::respond(|request| {
        let language = request.header("Accept-Language").unwrap_or("none").trim().to_owned();
        Reply::ok(language).header("Cache-Control", "public").header("Vary", "Accept-Language")
    });
    let gateway = before(&origin, "stale: {}");
    let language = |name: &str| format!("Accept-Language: {name}\r\n");
    for name in ["de", "fr"] {
        ask(&gateway, "GET", "/", &language(name));
    }
    down(&gateway, &origin);
    assert_eq!(ask(&gateway, "GET", "/", &language("de")).text(), "de");
    assert_eq!(ask(&gateway, "GET", "/", &language("fr")).text(), "fr");
    assert_eq!(ask(&gateway, "GET", "/", &language("en")).status, 503);
    assert_eq!(get(&gateway, "/").status, 503);
}

#[test]
fn what_breaks_off_or_is_too_long_is_not_kept() {
    let origin = Origin::respond(|request| {
        let long = vec![b'x'; 20_000];
        let reply = match &*request.target {
            "/cut" => Reply::ok(long).close_after_bytes(10_000),
            "/cut-chunks" => Reply::status(200).chunked(long.chunks(1_000)).close_after_bytes(10_000),
            "/until-close" => Reply::status(200).until_close(long),
            "/trailers" => Reply::status(200).chunked(["a"]).trailer("X-Sum", "1"),
            "/long" => Reply::ok(vec![b'x'; 20_001]),
            "/long-chunks" => Reply::status(200).chunked(vec![b'x'; 20_001].chunks(1_000)),
            "/chunks" => Reply::status(200).chunked(long.chunks(999)),
            _ => Reply::ok(long),
        };
        reply.header("Cache-Control", "public")
    });
    // What breaks off is for ejection alone.
    let gateway = before(&origin, "stale: { memory: 100KiB, largest: 20000B }");
    let targets =
        ["/cut", "/cut-chunks", "/until-close", "/trailers", "/long", "/long-chunks", "/chunks", "/whole"];
    for target in targets {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let _ = client.try_read_to_end();
    }
    down(&gateway, &origin);
    let found = targets.map(|target| get(&gateway, target));
    assert_eq!(found.each_ref().map(|response| response.status), [503, 503, 503, 503, 503, 503, 200, 200]);
    assert!(found[6..].iter().all(|response| response.body == [b'x'; 20_000]));
}

#[test]
fn memory_is_bounded_and_the_least_recently_used_goes() {
    let origin = Origin::always(Reply::ok(vec![b'x'; 10_000]).header("Cache-Control", "public"));
    let gateway = before(&origin, "stale: { memory: 64KiB, largest: 16KiB }");
    for number in 0..20 {
        assert_eq!(get(&gateway, &format!("/{number}")).status, 200);
    }
    down(&gateway, &origin);
    let bytes = torana_proxy::services(&gateway.shared)["a"]["stale"]["bytes"].as_u64().unwrap();
    assert!((40_000..=65_536).contains(&bytes), "{bytes}");
    assert_eq!(get(&gateway, "/19").status, 200);
    assert_eq!(get(&gateway, "/0").status, 503);
}

#[test]
fn what_is_held_of_a_request_while_its_answer_comes_counts_too() {
    let origin = Origin::always(Reply::ok("fine").header("Cache-Control", "public"));
    let gateway = before(&origin, "stale: { memory: 8KiB, largest: 1KiB }");
    let filler = |length| format!("X-Filler: {}\r\n", "x".repeat(length));
    assert_eq!(ask(&gateway, "GET", "/long", &filler(9_000)).status, 200);
    assert_eq!(ask(&gateway, "GET", "/short", &filler(4_000)).status, 200);
    down(&gateway, &origin);
    assert_eq!((get(&gateway, "/long").status, get(&gateway, "/short").status), (503, 200));
}

#[test]
fn a_reload_keeps_them_and_other_settings_begin_anew() {
    let origin = Origin::always(Reply::ok("fine").header("Cache-Control", "public"));
    let mut gateway = before(&origin, "stale: {}");
    get(&gateway, "/");
    gateway
        .reload(&format!("{}- {{ path: /more, respond: {{ body: more }} }}\n", text(&origin, "stale: {}")));
    down(&gateway, &origin);
    assert_eq!(get(&gateway, "/").status, 200);
    gateway.reload(&text(&origin, "stale: { unmarked: true }"));
    assert_eq!(get(&gateway, "/").status, 503);
}

#[test]
fn a_fallback_answers_where_nothing_is_kept_and_filters_see_what_is() {
    let origin = Origin::always(Reply::ok("fine").header("Cache-Control", "public"));
    let gateway = before(&origin, "stale: {}, fallback: { status: 203, body: instead }");
    assert_eq!(get(&gateway, "/safe/kept").header("X-Safe"), Some("yes"));
    down_to_fallback(&gateway, &origin);
    let kept = get(&gateway, "/safe/kept");
    assert_eq!((kept.status, kept.text(), kept.header_all("X-Safe")), (200, "fine".into(), vec!["yes"]));
    assert_eq!(get(&gateway, "/kept").header("X-Safe"), None, "it was kept before filters saw it");
    let other = get(&gateway, "/safe/other");
    assert_eq!((other.status, other.text(), other.header("X-Safe")), (203, "instead".into(), Some("yes")));
}

fn down_to_fallback(gateway: &Running, origin: &Origin) {
    origin.kill();
    eventually(PATIENCE, || get(gateway, "/down").status == 203);
}

#[test]
fn what_is_too_old_is_not_given() {
    let origin = Origin::respond(|request| match &*request.target {
        "/own" => Reply::ok("own").header("Cache-Control", "public, stale-if-error=3600"),
        "/never" => Reply::ok("never").header("Cache-Control", "public, stale-if-error=0").header("Age", "1"),
        _ => Reply::ok("short").header("Cache-Control", "public"),
    });
    let gateway = before(&origin, "stale: { for: 3s }");
    for target in ["/own", "/never", "/short"] {
        get(&gateway, target);
    }
    down(&gateway, &origin);
    assert_eq!(get(&gateway, "/never").status, 503);
    assert!(within(PATIENCE, || get(&gateway, "/short").status == 503));
    assert_eq!(get(&gateway, "/own").text(), "own");
}

#[test]
fn tries_side_by_side_and_again_are_not_disturbed() {
    let first = AtomicBool::new(true);
    let origin = Origin::respond(move |_| match first.swap(false, Ordering::Relaxed) {
        true => Reply::status(503).header("Cache-Control", "public"),
        false => Reply::ok("fine").header("Cache-Control", "public"),
    });
    let gateway = Running::start(&format!(
        "access_log: off
services:
  a:
    endpoints: [{}, {}]
    retries: {{ attempts: 2, on: [503], hedge: {{ after: 10s }} }}
    breaker: {{ {BREAKER}, on: [connection], stale: {{}} }}
routes: [{{ path: /*, service: a }}]
",
        origin.url(),
        origin.url().replace("127.0.0.1", "localhost"),
    ));
    assert_eq!(get(&gateway, "/").text(), "fine");
    origin.kill();
    eventually(PATIENCE, || get(&gateway, "/down").text().contains("breaker_open"));
    assert_eq!(get(&gateway, "/").text(), "fine");
}

#[test]
fn the_access_log_says_why_and_that_it_was_kept() {
    let origin = Origin::always(Reply::ok("fine").header("Cache-Control", "public"));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let gateway = Running::start(
        &text(&origin, "stale: {}")
            .replace("access_log: off", &format!("access_log: {{ to: {} }}", log.display())),
    );
    get(&gateway, "/kept");
    down(&gateway, &origin);
    assert_eq!(get(&gateway, "/kept").status, 200);
    eventually(PATIENCE, || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.any(|line| {
            line["path"] == "/kept"
                && line["status"] == 200
                && line["reason"] == "breaker_open"
                && line["detail"].as_str().is_some_and(|detail| detail.starts_with("a kept answer was given"))
        })
    });
}
