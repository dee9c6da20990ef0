//! A service is asked whether a request may pass: what it is asked, what its answers do, and what happens
//! when there are none.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::time::Duration;
use torana_filter::Moment;
use torana_http::h1::HeadLimits;
use torana_proxy::{End, explain, read_head};
use torana_testkit::{Client, Origin, ReceivedRequest, Reply, Response, eventually, side_by_side};
use torana_transport::ConnectionInfo;
use yaml::{Running, reason};

const PATIENCE: Duration = Duration::from_secs(30);

/// Says yes to `Bearer good` and to the cookie `s=1`, each with a name; no to anything else.
fn decide(request: &ReceivedRequest) -> Reply {
    let name = match (request.header("Authorization"), request.header("Cookie")) {
        (Some("Bearer good"), _) => "alice",
        (_, Some("s=1")) => "bob",
        (Some("Bearer banned"), _) => return Reply::status(403).header("X-Secret", "inner").body("banned"),
        (Some("Bearer twice"), _) => {
            return Reply::ok("").header("X-User", "alice").header("X-User", "root");
        }
        (Some("Bearer nobody"), _) => return Reply::ok(""),
        (Some("Bearer teapot"), _) => return Reply::status(418).body("short and stout"),
        (None, None) if request.header("Accept") == Some("text/html") => {
            return Reply::status(302)
                .header("Location", "https://login.test/?to=/x")
                .header("Set-Cookie", "n=1");
        }
        _ => return Reply::status(401).header("WWW-Authenticate", "Bearer realm=\"asked\"").body("who?"),
    };
    Reply::ok("").header("X-User", name).header("X-Groups", "staff, eu").header("X-Roles", "admin")
}

fn file(asked: &Origin, origin: &Origin, keys: &str, rest: &str) -> String {
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  door: {{ endpoints: [\"{}\"] }}
  api: {{ endpoints: [\"{}\"] }}
consumers: [{{ username: alice, custom_id: c-1, groups: [gold] }}]
routes:
- path: /api/*
  service: api
  policies:
    forward_auth: {{ service: door, response_headers: [X-User, X-Groups], refusals: [401, 403, 302], {keys} }}
    {rest}
- {{ path: /open/*, service: api, policies: {{ access: public }} }}
",
        asked.url(),
        origin.url()
    )
}

fn get(gateway: &Running, fields: &str) -> Response {
    gateway.ask(&format!("GET /api/x HTTP/1.1\nHost: a.test\n{fields}"))
}

#[test]
fn a_yes_lets_the_request_pass_with_what_the_answer_says_and_nothing_that_the_client_said() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "", ""));
    let spoofed = "X-User: root\nx-user: root\nX_User: root\nX.User: root\nX-Groups: gods";
    assert_eq!(get(&gateway, &format!("Authorization: Bearer good\n{spoofed}")).text(), "in");
    let seen = origin.requests().pop().unwrap();
    assert_eq!(seen.header_all("X-User"), ["alice"]);
    assert_eq!(seen.header_all("X-Groups"), ["staff, eu"]);
    assert!(!seen.head_text().contains("root") && !seen.head_text().contains("gods"), "{}", seen.head_text());
    assert_eq!(seen.header("Authorization"), Some("Bearer good"));
    // On a public route nobody vouches for it, so it does not arrive.
    assert_eq!(gateway.ask(&format!("GET /open/x HTTP/1.1\nHost: a\n{spoofed}")).status, 200);
    let seen = origin.requests().pop().unwrap();
    assert!(!seen.head_text().contains("root") && !seen.head_text().contains("gods"), "{}", seen.head_text());
}

#[test]
fn the_question_shows_what_was_chosen_and_is_in_the_words_of_the_gateway() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "path: \"/check{path}?u={uri}&m={method}\"", ""));
    let lies = "X-Forwarded-Method: GET\nX-Forwarded-Uri: /public\nX-Forwarded-Host: evil.test\n\
                X-Forwarded-Proto: https\nX-Forwarded-For: 9.9.9.9\nForwarded: for=9.9.9.9\nX-Real-IP: 9.9.9.9\n\
                X-Original-URL: /public\nX-Other: 1\nAuthorization: Bearer good";
    let line = "DELETE //api/./a%2Db?q=1&r=/ HTTP/1.1\nHost: a.test";
    assert_eq!(gateway.ask(&format!("{line}\n{lies}")).status, 200);
    let question = asked.requests().pop().unwrap();
    assert_eq!(question.method, "GET");
    assert_eq!(question.target, "/check/api/a-b?u=%2Fapi%2Fa-b%3Fq%3D1%26r%3D%2F&m=DELETE");
    for (name, value) in [
        ("X-Forwarded-Method", "DELETE"),
        ("X-Forwarded-Uri", "/api/a-b?q=1&r=/"),
        ("X-Forwarded-Host", "a.test"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Authorization", "Bearer good"),
    ] {
        assert_eq!(question.header_all(name), [value], "{name}");
    }
    for absent in ["X-Other", "Forwarded", "X-Real-IP", "X-Original-URL", "Content-Length", "Cookie"] {
        assert_eq!(question.header(absent), None, "{absent}");
    }
    assert_eq!(origin.requests().pop().unwrap().target, "/api/a-b?q=1&r=/");
}

#[test]
fn all_fields_are_shown_only_where_that_was_asked_for_and_conditions_never() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let text = file(&asked, &origin, "request_headers: [\"*\"], method: original", "");
    let gateway = Running::start(&format!("trusted_proxies: [127.0.0.1]\n{text}"));
    let fields = "Authorization: Bearer good\nX-Other: 1\nX-Other: 2\nIf-None-Match: \"x\"\n\
                  X-Original-URI: /public\nX-Original-Method: GET\nX-Forwarded-Scheme: https\nX-Scheme: https\n\
                  X-Forwarded-Uri: /public\nConnection: X-Hop\nX-Hop: 1\nAccept-Encoding: gzip";
    assert_eq!(
        gateway.ask(&format!("PUT /api/x HTTP/1.1\nHost: a\nContent-Length: 0\n{fields}")).status,
        200
    );
    let question = asked.requests().pop().unwrap();
    assert_eq!((&*question.method, question.header_all("X-Other")), ("PUT", vec!["1", "2"]));
    let of_the_way = ["X-Original-URI", "X-Original-Method", "X-Forwarded-Scheme", "X-Scheme"];
    for absent in ["If-None-Match", "X-Hop", "Accept-Encoding"].into_iter().chain(of_the_way) {
        assert_eq!(question.header(absent), None, "{absent}");
    }
    assert_eq!(question.header_all("X-Forwarded-Uri"), ["/api/x"]);
    assert_eq!(question.body_text(), "");
}

#[test]
fn a_no_is_handed_to_the_client_with_its_body_and_the_chosen_fields() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "", ""));
    let refused = get(&gateway, "Authorization: Bearer wrong");
    assert_eq!((refused.status, &*refused.text()), (401, "who?"));
    assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer realm=\"asked\""));
    let banned = get(&gateway, "Authorization: Bearer banned");
    assert_eq!((banned.status, &*banned.text(), banned.header("X-Secret")), (403, "banned", None));
    let login = get(&gateway, "Accept: text/html");
    assert_eq!((login.status, login.header("Location")), (302, Some("https://login.test/?to=/x")));
    assert_eq!(login.header("Set-Cookie"), Some("n=1"));
    assert_eq!(origin.count(), 0);
    for reason in ["credentials_invalid", "credentials_missing", "forbidden"] {
        eventually(PATIENCE, || gateway.metrics.render().contains(&format!("reason=\"{reason}\"")));
    }
}

/// The limit on wrong credentials that is in force where none is written, beside none.
fn limited_and_not(text: &str) -> [String; 2] {
    let limits = "limits: { failed_credentials: off }\n";
    assert!(text.contains(limits));
    [text.to_owned(), text.replace(limits, "")]
}

#[test]
fn what_is_neither_yes_nor_no_is_503_with_a_reason_of_its_own() {
    let origin = Origin::always(Reply::ok("in"));
    let replies = [
        ("500", Reply::status(500)),
        ("404", Reply::status(404)),
        ("a redirection that was not chosen", Reply::status(307).header("Location", "/x")),
        ("not modified", Reply::status(304)),
        ("garbage", Reply::raw("SSH-2.0-nonsense\r\n")),
        ("a half head", Reply::raw("HTTP/1.1 200 OK\r\nX-User: al").then_close()),
        ("nothing", Reply::close()),
        ("silence", Reply::hang()),
        ("oversize", Reply::ok("x".repeat(5_000))),
        ("a body that does not end", Reply::ok("x".repeat(100)).hang_after_bytes(60)),
        ("an oversized head", Reply::ok("").header("X-User", &"u".repeat(200_000))),
    ];
    for (what, reply) in replies {
        let asked = Origin::always(reply);
        for text in limited_and_not(&file(&asked, &origin, "timeout: 700ms, max_size: 4KiB", "")) {
            let gateway = Running::start(&text);
            let answer = get(&gateway, "Authorization: Bearer good");
            assert_eq!((answer.status, &*reason(&answer)), (503, "forward_auth_unavailable"), "{what}");
            assert_eq!(answer.header("WWW-Authenticate"), None, "{what}");
            eventually(PATIENCE, || gateway.metrics.render().contains("reason=\"forward_auth_unavailable\""));
        }
    }
    assert_eq!(origin.count(), 0);
}

/// More at a time than may be wrong: those who wait for the verdicts on others are told what became of these.
#[test]
fn a_service_that_is_silent_is_not_the_fault_of_those_who_wait_behind_others() {
    let (asked, origin) = (Origin::always(Reply::hang()), Origin::always(Reply::ok("in")));
    let both = [("timeout: 3s", 503), ("timeout: 3s, on_failure: allow", 200)];
    side_by_side(both, |(keys, status)| {
        let [_, limited] = limited_and_not(&file(&asked, &origin, keys, ""));
        let gateway = Running::start(&limited);
        let clients = (0..150).map(|number| {
            let mut client = Client::connect(gateway.address);
            client.send(format!("GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {number}\r\n\r\n"));
            client
        });
        for mut client in clients.collect::<Vec<_>>() {
            let answer = client.read_response();
            assert_eq!(answer.status, status, "{keys}: {}", answer.text());
            if status == 503 {
                assert_eq!(reason(&answer), "forward_auth_unavailable");
            }
        }
        assert!(!gateway.metrics.render().contains("reason=\"authentication_limited\""));
    });
    let arrived = origin.requests();
    assert_eq!(arrived.len(), 150);
    assert!(arrived.iter().all(|request| request.header("X-Anonymous-Consumer") == Some("true")));
}

#[test]
fn a_service_that_is_stopped_is_503_and_asked_again_once_it_is_back() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    for text in limited_and_not(&file(&asked, &origin, "", "")) {
        let gateway = Running::start(&text);
        assert_eq!(get(&gateway, "Authorization: Bearer good").status, 200);
        asked.kill();
        let answer = get(&gateway, "Authorization: Bearer good");
        assert_eq!((answer.status, &*reason(&answer)), (503, "forward_auth_unavailable"));
        asked.restart();
        eventually(PATIENCE, || get(&gateway, "Authorization: Bearer good").status == 200);
    }
}

/// Which host a request is for is what its route was found by, whatever a proxy says that the client asked for.
#[test]
fn the_service_is_asked_about_the_host_whose_route_is_served() {
    let asked = Origin::respond(|request| match request.header("X-Forwarded-Host") {
        Some("www.example") => Reply::ok(""),
        _ => Reply::status(403),
    });
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&format!(
        "access_log: off
trusted_proxies: [127.0.0.1]
services: {{ door: {{ endpoints: [\"{}\"] }}, api: {{ endpoints: [\"{}\"] }} }}
policies: {{ forward_auth: {{ service: door, request_headers: [], cache: {{ headers: [], request: [host] }} }} }}
routes:
- {{ path: /*, host: www.example, service: api }}
- {{ path: /*, host: admin.example, service: api }}
",
        asked.url(),
        origin.url()
    ));
    let ask = |host: &str, told: &str| {
        gateway.ask(&format!("GET / HTTP/1.1\nHost: {host}\nX-Forwarded-Host: {told}")).status
    };
    assert_eq!(ask("www.example", "www.example"), 200);
    assert_eq!(ask("admin.example", "www.example"), 403);
    // Nor is what is remembered of one host found for another.
    assert_eq!(ask("www.example", "admin.example"), 200);
    assert_eq!(origin.count(), 2);
}

#[test]
fn who_is_let_in_without_an_answer_is_nobody() {
    let origin = Origin::always(Reply::ok("in"));
    let asked = Origin::always(Reply::status(500));
    let gateway = Running::start(&file(&asked, &origin, "on_failure: allow", ""));
    assert_eq!(get(&gateway, "Authorization: Bearer good\nX-User: root").status, 200);
    let seen = origin.requests().pop().unwrap();
    assert_eq!((seen.header("X-User"), seen.header("X-Anonymous-Consumer")), (None, Some("true")));
    // Nobody has no role and is not known.
    for asks in
        ["roles: [admin]", "roles: { rules: { /*: anyone } }", "access: protected", "allow_if: authenticated"]
    {
        let guarded = Running::start(&file(&asked, &origin, "on_failure: allow", asks));
        let answer = get(&guarded, "Authorization: Bearer good");
        assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some("Bearer")), "{asks}");
    }
    // A refusal is an answer.
    let refusing = Origin::respond(decide);
    let gateway = Running::start(&file(&refusing, &origin, "on_failure: allow", ""));
    assert_eq!(get(&gateway, "Authorization: Bearer wrong").status, 401);
    assert_eq!(origin.count(), 1);
}

#[test]
fn an_answer_that_must_say_who_calls_and_does_not_is_none() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let keys = "identity: { consumer: X-User, groups: X-Groups, roles: X-Roles, claims: { who: X-User } }";
    let expect = "roles: [admin], acl: [eu], allow_if: 'claims.who == \"alice\"'";
    let expect = expect.replace(", acl", "\n    acl").replace(", allow_if", "\n    allow_if");
    let gateway = Running::start(&file(&asked, &origin, keys, &expect));
    assert_eq!(get(&gateway, "Authorization: Bearer good").status, 200);
    assert_eq!(get(&gateway, "Cookie: s=1").status, 403);
    for silent in ["nobody", "twice"] {
        let answer = get(&gateway, &format!("Authorization: Bearer {silent}"));
        assert_eq!((answer.status, &*reason(&answer)), (503, "forward_auth_unavailable"), "{silent}");
    }
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_caller_may_have_to_be_a_consumer() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let keys = "identity: { consumer: X-User, consumers: required }";
    let gateway = Running::start(&file(&asked, &origin, keys, "acl: [gold]"));
    assert_eq!(get(&gateway, "Authorization: Bearer good\nX-Consumer-Username: root").status, 200);
    let seen = origin.requests().pop().unwrap();
    assert_eq!(seen.header("X-Consumer-Username"), Some("alice"));
    assert_eq!(seen.header("X-Consumer-Custom-ID"), Some("c-1"));
    assert_eq!(get(&gateway, "Cookie: s=1").status, 403);
    assert_eq!(origin.count(), 1);
}

#[test]
fn bodies_are_shown_only_where_that_was_asked_for_and_within_their_bound() {
    let asked = Origin::respond(|request| match &*request.body_text() {
        "good" => Reply::ok(""),
        _ => Reply::status(403),
    });
    let origin = Origin::respond(|request| Reply::ok(request.body_text()));
    let gateway = Running::start(&file(&asked, &origin, "body: 8B", ""));
    let post = |body: &str| gateway.ask_with("POST /api/x HTTP/1.1\nHost: a\nContent-Type: text/x", body);
    assert_eq!(post("good").text(), "good");
    let question = asked.requests().pop().unwrap();
    assert_eq!((&*question.method, question.header("Content-Type")), ("POST", Some("text/x")));
    assert_eq!(post("bad").status, 403);
    let before = asked.count();
    assert_eq!(post("much too long").status, 413);
    let chunked =
        "POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n";
    assert_eq!(Client::connect(gateway.address).exchange(chunked).text(), "good");
    assert_eq!((asked.count() - before, origin.count()), (1, 2));
}

#[test]
fn a_yes_is_remembered_for_the_same_question_only() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "cache: { ttl: 1h }", ""));
    let get = |path: &str, fields: &str| {
        gateway.ask(&format!("GET /api/{path} HTTP/1.1\nHost: a.test\n{fields}")).status
    };
    let good = "Authorization: Bearer good";
    for _ in 0..3 {
        assert_eq!(get("x", good), 200);
    }
    assert_eq!(asked.count(), 1);
    assert_eq!(origin.requests().pop().unwrap().header("X-User"), Some("alice"));
    for (path, fields) in [
        ("y", good.to_owned()),
        ("x?a", good.to_owned()),
        ("x?", good.to_owned()),
        ("x", format!("{good}\nAccept: a")),
        ("x", "Cookie: s=1".to_owned()),
    ] {
        let before = asked.count();
        assert_eq!(get(path, &fields), 200, "{path} {fields}");
        assert_eq!(asked.count() - before, 1, "{path} {fields}");
    }
    // A refusal is never remembered: a login takes effect at once.
    for _ in 0..2 {
        let before = asked.count();
        assert_eq!(get("x", "Authorization: Bearer wrong"), 401);
        assert_eq!(asked.count() - before, 1);
    }
    // What is remembered does not stop with the service; what is not does.
    asked.kill();
    assert_eq!(get("x", good), 200);
    assert_eq!(get("z", good), 503);
}

#[test]
fn only_the_chosen_parts_make_two_questions_one_and_an_answer_may_forbid_it() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let keys =
        "request_headers: [Authorization], cache: { ttl: 1h, request: [method], headers: [Authorization] }";
    let gateway = Running::start(&file(&asked, &origin, keys, ""));
    for path in ["/api/x", "/api/y?z", "//api/x"] {
        let head =
            format!("GET {path} HTTP/1.1\nHost: a\nAuthorization: Bearer good\nCookie: c={}", path.len());
        assert_eq!(gateway.ask(&head).status, 200, "{path}");
    }
    assert_eq!(asked.count(), 1);
    let head = "DELETE /api/x HTTP/1.1\nHost: a\nAuthorization: Bearer good";
    assert_eq!(gateway.ask(head).status, 200);
    assert_eq!(asked.count(), 2);
    let forgetful = Origin::always(Reply::ok("").header("Cache-Control", "private, No-Store"));
    let gateway = Running::start(&file(&forgetful, &origin, keys, ""));
    for _ in 0..3 {
        assert_eq!(get(&gateway, "Authorization: Bearer good").status, 200);
    }
    assert_eq!(forgetful.count(), 3);
}

#[test]
fn among_several_ways_the_answer_is_given_when_it_counts() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let ways = "key_auth: { headers: [apikey] }\n    auth: any";
    let text = file(&asked, &origin, "", ways).replace("groups: [gold]", "keys: [k-1]");
    let gateway = Running::start(&text);
    assert_eq!(get(&gateway, "apikey: k-1").status, 200);
    assert_eq!(asked.count(), 0, "nobody is asked about who is known");
    assert_eq!(get(&gateway, "Authorization: Bearer good").status, 200);
    let login = get(&gateway, "Accept: text/html");
    assert_eq!((login.status, login.header("Location").is_some()), (302, true));
    // A wrong key keeps nobody from logging in who opens a page, and is what others are told.
    let page = get(&gateway, "apikey: k-2\nAccept: text/html");
    assert_eq!((page.status, page.header("Location").is_some()), (302, true));
    let wrong = get(&gateway, "apikey: k-2\nAccept: text/html\nX-Requested-With: XMLHttpRequest");
    assert_eq!((wrong.status, wrong.header("Location")), (401, None));
    asked.kill();
    assert_eq!(get(&gateway, "apikey: k-2").status, 503, "the other way might have been the caller's");
    assert_eq!(get(&gateway, "apikey: k-1").status, 200);
    // Somebody who is assumed is not assumed because nobody answers.
    let guest = text.replace("auth: any", "auth: { require: any, anonymous: alice }");
    let gateway = Running::start(&guest);
    assert_eq!(get(&gateway, "").status, 503);
    asked.restart();
    eventually(PATIENCE, || get(&gateway, "").status == 200);
}

#[test]
fn a_place_by_url_is_a_service_of_its_own() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let text = file(&asked, &origin, "", "");
    let text = text.replace("service: door,", &format!("url: \"http://{}/v?m={{method}}\",", asked.addr()));
    let gateway = Running::start(&text);
    assert_eq!(get(&gateway, "Authorization: Bearer good").status, 200);
    assert_eq!(asked.only_request().target, "/v?m=GET");
    assert_eq!(get(&gateway, "Authorization: Bearer wrong").status, 401);
}

#[test]
fn wrong_credentials_from_one_address_are_limited_before_anybody_is_asked() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let text = file(&asked, &origin, "", "").replace("failed_credentials: off", "failed_credentials: 3/hour");
    let gateway = Running::start(&text);
    for _ in 0..3 {
        assert_eq!(get(&gateway, "Authorization: Bearer wrong").status, 401);
    }
    assert_eq!(get(&gateway, "Authorization: Bearer wrong").status, 429);
    assert_eq!(asked.count(), 3);
}

/// Whatever is shown may be guessed: a key in a field, a session in a cookie; by 401 or by 403.
#[test]
fn guesses_are_limited_in_whatever_field_and_whichever_refusal() {
    let origin = Origin::always(Reply::ok("in"));
    let asked = Origin::respond(|request| match request.header("X-Refusal") {
        _ if request.header("X-Api-Key") == Some("right") => Reply::ok(""),
        Some("302") => Reply::status(302).header("Location", "/login"),
        Some(status) => Reply::status(status.parse().unwrap()),
        None => Reply::status(401),
    });
    let keys = |shown: &str| format!("request_headers: {shown}, cache: {{ ttl: 1h }}");
    for (shown, field, refusal, limited) in [
        ("[X-Api-Key, X-Refusal]", "X-Api-Key: guess", 401, true),
        ("[X-Api-Key, X-Refusal]", "X-Api-Key: guess", 403, true),
        ("[Cookie, X-Refusal]", "Cookie: s=guess", 401, true),
        ("[Cookie, X-Refusal]", "Cookie: s=guess", 403, true),
        ("[Authorization, X-Refusal]", "Authorization: Bearer guess", 403, true),
        ("[\"*\"]", "X-Api-Key: guess", 401, true),
        // Nothing is shown by which somebody could be known, or it is a way to log in that is shown.
        ("[Accept, Accept-Language, X-Requested-With, User-Agent]", "Accept: a\nUser-Agent: u", 401, false),
        ("[Cookie]", "X-Api-Key: guess", 401, false),
        ("[X-Api-Key, X-Refusal]", "X-Api-Key: guess", 302, false),
    ] {
        let text = file(&asked, &origin, &keys(shown), "");
        let text = text.replace("failed_credentials: off", "failed_credentials: 3/hour");
        let gateway = Running::start(&text);
        let what = format!("{shown} {field} {refusal}");
        if shown.contains("X-Api-Key") {
            assert_eq!(get(&gateway, "X-Api-Key: right").status, 200, "{what}");
        }
        let fields = format!("{field}\nX-Refusal: {refusal}");
        for _ in 0..3 {
            assert_eq!(get(&gateway, &fields).status, refusal, "{what}");
        }
        assert_eq!(get(&gateway, &fields).status, if limited { 429 } else { refusal }, "{what}");
        // Who was let in there before is not held up.
        if shown.contains("X-Api-Key") {
            assert_eq!(get(&gateway, "X-Api-Key: right").status, 200, "{what}");
        }
    }
}

#[test]
fn an_explanation_says_who_would_be_asked_and_asks_nobody() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "cache: {}, on_failure: allow", ""));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let connection = ConnectionInfo::plain("127.0.0.1:40000".parse().unwrap(), gateway.address);
    let text = b"GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n";
    let head = read_head(text, &HeadLimits::default()).unwrap();
    let moment = Moment { since_start: Duration::from_secs(1), unix_seconds: 1_700_000_000, unix_nanos: 0 };
    let told = runtime.block_on(explain(&gateway.shared.pipeline(), head, &connection, moment, b""));
    let step = &told.steps[0];
    assert_eq!(step.name, "forward_auth");
    assert_eq!(step.asks, "that `door`, which is asked, lets the request pass, and remembers for 30s");
    let End::Refuse(fault) = &told.end else { panic!("{:?}", told.end) };
    assert_eq!(fault.to_string(), "forward_auth_unavailable: nothing is asked for an explanation");
    assert_eq!(asked.count() + origin.count(), 0);
}

#[test]
fn a_credential_may_be_exchanged_for_another_or_taken_away() {
    let asked = Origin::respond(|request| match request.header("Authorization") {
        Some("Bearer good") => Reply::ok("").header("Authorization", "Bearer inner"),
        Some(_) => Reply::ok(""),
        None => Reply::status(401),
    });
    let origin = Origin::always(Reply::ok("in"));
    let text = file(&asked, &origin, "", "").replace("[X-User, X-Groups]", "[Authorization]");
    let gateway = Running::start(&text);
    assert_eq!(get(&gateway, "").status, 401);
    for (shown, arrives) in [("good", vec!["Bearer inner"]), ("plain", Vec::new())] {
        assert_eq!(get(&gateway, &format!("Authorization: Bearer {shown}")).status, 200);
        assert_eq!(origin.requests().pop().unwrap().header_all("Authorization"), arrives);
    }
}

#[test]
fn the_session_of_a_login_is_not_shown() {
    let (asked, origin) = (Origin::respond(decide), Origin::always(Reply::ok("in")));
    let login = "
- path: /login/*
  service: api
  policies:
    oidc_login: { issuer: \"https://login.test\", client_id: shop, session_keys: \"${env:KEY}\", cookie: { name: session }, callback_path: /login/back, logout_path: /login/out }
";
    let gateway = Running::start(&format!("{}{}", file(&asked, &origin, "", "").trim_end(), login));
    // The service says yes to this cookie alone, so that none other has come along.
    let answer =
        get(&gateway, "Cookie: __Host-session=1.x; s=1; __Host-session.1=y; __Host-session.login.z=1");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(asked.count(), 1);
}

#[test]
fn what_a_client_gives_a_request_runs_while_others_are_asked_about_it() {
    let slow = Duration::from_millis(1_500);
    let asked = Origin::respond(move |request| decide(request).delay(slow));
    let origin = Origin::always(Reply::ok("in"));
    let text = format!(
        "access_log: off
services:
  door: {{ endpoints: [\"{}\"] }}
  api: {{ endpoints: [\"{}\"], deadline_header: X-Time-Left, timeouts: {{ total: 3h }} }}
routes: [{{ path: /api/*, service: api, policies: {{ forward_auth: {{ service: door }} }} }}]
",
        asked.url(),
        origin.url()
    );
    let gateway = Running::start(&text);
    let left = |milliseconds: u64| {
        get(&gateway, &format!("Authorization: Bearer good\nX-Time-Left: {milliseconds}"))
    };
    assert_eq!(left(60_000).text(), "in");
    let told: u64 = origin.only_request().header("X-Time-Left").unwrap().parse().unwrap();
    assert!((1..=60_000 - 1_500).contains(&told), "{told}");
    assert_eq!(reason(&left(1_000)), "client_deadline");
    assert_eq!((asked.count(), origin.count()), (2, 1), "nobody waits for what it would do");
    // Longer than anybody may ask for is as long as is configured.
    assert_eq!(left(u64::MAX).text(), "in");
}
