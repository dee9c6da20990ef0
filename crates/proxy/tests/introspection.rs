//! Tokens of which an authorization server says what they mean: what it is asked, what its answers do, and
//! what happens when there are none.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use torana_filter::Moment;
use torana_http::h1::HeadLimits;
use torana_proxy::{End, explain, read_head};
use torana_testkit::{Client, Gate, Origin, ReceivedRequest, Reply, Response, eventually};
use torana_transport::ConnectionInfo;
use yaml::{Running, SECRET, reason};

const PATIENCE: Duration = Duration::from_secs(30);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What the server says of each token.
fn claims(token: &str) -> Value {
    let good = |more: Value| {
        let mut all = json!({ "active": true, "sub": "alice", "scope": "read write", "client_id": "app" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    match token {
        "good" => good(json!({ "exp": now() + 3600, "roles": ["admin"], "groups": ["staff", "eu"] })),
        "plain" => good(json!({})),
        "expired" => good(json!({ "exp": now() - 1 })),
        "early" => good(json!({ "nbf": now() + 3600 })),
        "issued" => good(json!({ "iss": "https://login.test", "aud": ["api", "other"], "tenant": 7 })),
        "stranger" => good(json!({ "iss": "https://evil.test", "aud": "api", "tenant": 7 })),
        "elsewhere" => good(json!({ "iss": "https://login.test", "aud": "billing", "tenant": 7 })),
        "homeless" => good(json!({ "iss": "https://login.test", "aud": "api" })),
        "reader" => good(json!({ "scope": "read" })),
        "machine" => json!({ "active": true, "client_id": "robot" }),
        "nobody" => json!({ "active": true, "scope": "read write" }),
        "guest" => good(json!({ "sub": "stranger" })),
        "lines" => good(json!({ "sub": "a\r\nX-Admin: 1" })),
        "words" => json!({ "active": "true", "sub": "alice" }),
        "odd" => good(json!({ "exp": "soon" })),
        "silent" => json!({ "sub": "alice" }),
        _ => json!({ "active": false, "sub": "alice", "roles": ["admin"] }),
    }
}

fn token_of(request: &ReceivedRequest) -> String {
    let body = request.body_text();
    let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
    token.to_owned()
}

fn server() -> Origin {
    Origin::respond(|request| Reply::ok(claims(&token_of(request)).to_string()))
}

fn file(asked: &Origin, origin: &Origin, keys: &str, rest: &str) -> String {
    format!(
        "access_log: off
limits: {{ failed_credentials: off }}
services:
  login: {{ endpoints: [\"{}\"] }}
  api: {{ endpoints: [\"{}\"] }}
consumers: [{{ username: alice, custom_id: c-1, groups: [gold] }}]
routes:
- path: /api/*
  service: api
  policies:
    oauth2_introspection: {{ service: login, client: {{ id: \"gate way\", secret: \"${{env:KEY}}\" }}, claims_to_headers: {{ sub: X-User }}, {keys} }}
    {rest}
",
        asked.url(),
        origin.url()
    )
}

fn ask(gateway: &Running, target: &str, fields: &str) -> Response {
    gateway.ask(&format!("GET {target} HTTP/1.1\nHost: a.test\n{fields}"))
}

fn with(gateway: &Running, token: &str) -> Response {
    ask(gateway, "/api/x", &format!("Authorization: Bearer {token}"))
}

#[test]
fn a_good_token_passes_with_what_the_server_says_of_it() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let rules = "roles: [admin]\n    acl: [eu]\n    allow_if: 'claims.client_id == \"app\"'";
    let gateway = Running::start(&file(&asked, &origin, "token_type_hint: access_token", rules));
    let fields = "Authorization: bEaReR good\nX-User: root\nX_User: root";
    assert_eq!(ask(&gateway, "/api/x", fields).text(), "in");
    let seen = origin.requests().pop().unwrap();
    assert_eq!(
        (seen.header_all("X-User"), seen.header("Authorization")),
        (vec!["alice"], Some("bEaReR good"))
    );
    assert!(!seen.head_text().contains("root"));
    let question = asked.only_request();
    assert_eq!((&*question.method, &*question.target), ("POST", "/introspect"));
    assert_eq!(question.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(question.header("Accept"), Some("application/json"));
    assert_eq!(question.body_text(), "token=good&token_type_hint=access_token");
    let shown = STANDARD.encode(format!("gate%20way:{}", SECRET.replace(' ', "%20")));
    assert_eq!(question.header("Authorization"), Some(&*format!("Basic {shown}")));
    assert_eq!(with(&gateway, "plain").status, 403, "it has no role");
    let open = Running::start(&file(&asked, &origin, "token_type_hint: access_token", ""));
    assert_eq!(with(&open, "lines").text(), "in");
    let seen = origin.requests().pop().unwrap();
    assert_eq!((seen.header("X-User"), seen.header("X-Admin")), (Some("a%0D%0AX-Admin: 1"), None));
}

#[test]
fn the_client_may_show_who_it_is_in_the_body_and_the_token_may_stand_elsewhere_and_be_hidden() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let keys = "path: \"/oauth/introspect?tenant=1\", hide_credentials: true, from: { headers: [X-Token], query: [access_token], cookies: [token] }";
    let text = file(&asked, &origin, keys, "");
    let text = text.replace("secret: \"${env:KEY}\" }", "secret: \"${env:KEY}\", auth: post }");
    let gateway = Running::start(&text);
    for (target, fields) in [
        ("/api/x?access_token=go%6fd&a=1", "A: 1"),
        ("/api/x?a=1", "X-Token: good"),
        ("/api/x?a=1", "Cookie: b=2; token=good"),
    ] {
        assert_eq!(ask(&gateway, target, fields).status, 200, "{target} {fields}");
        let seen = origin.requests().pop().unwrap();
        assert_eq!(seen.target, "/api/x?a=1");
        assert!(!seen.head_text().contains("good"), "{}", seen.head_text());
    }
    let question = asked.only_request();
    assert_eq!((&*question.target, question.header("Authorization")), ("/oauth/introspect?tenant=1", None));
    let secret = SECRET.replace(' ', "%20");
    assert_eq!(question.body_text(), format!("token=good&client_id=gate%20way&client_secret={secret}"));
    assert_eq!(ask(&gateway, "/api/x?access_token=good", "X-Token: plain").status, 401, "two tokens");
    assert_eq!(
        ask(&gateway, "/api/x", "Authorization: Bearer good").status,
        401,
        "it is not looked for there"
    );
}

#[test]
fn what_is_wrong_with_a_token_is_401_and_what_it_may_not_do_403() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "scopes: [read, write]", ""));
    assert_eq!(with(&gateway, "plain").status, 200);
    for (fields, challenge) in [
        (String::new(), "Bearer realm=\"torana\""),
        ("Authorization: Basic Z29vZDo=".into(), "Bearer realm=\"torana\""),
        ("Authorization: Bearer".into(), "Bearer realm=\"torana\""),
        ("Authorization: Bearer unknown".into(), "Bearer realm=\"torana\", error=\"invalid_token\""),
        ("Authorization: Bearer expired".into(), "Bearer realm=\"torana\", error=\"invalid_token\""),
        ("Authorization: Bearer early".into(), "Bearer realm=\"torana\", error=\"invalid_token\""),
        ("Authorization: Bearer nobody".into(), "Bearer realm=\"torana\", error=\"invalid_token\""),
        ("Authorization: Bearer a b".into(), "Bearer realm=\"torana\", error=\"invalid_token\""),
        (
            "Authorization: Bearer good\nAuthorization: Bearer plain".into(),
            "Bearer realm=\"torana\", error=\"invalid_token\"",
        ),
        (
            format!("Authorization: Bearer {}", "x".repeat(20_000)),
            "Bearer realm=\"torana\", error=\"invalid_token\"",
        ),
    ] {
        let refused = ask(&gateway, "/api/x", &fields);
        assert_eq!(refused.status, 401, "{fields}");
        assert_eq!(refused.header("WWW-Authenticate"), Some(challenge), "{fields}");
    }
    let lacking = with(&gateway, "reader");
    let challenge = "Bearer realm=\"torana\", error=\"insufficient_scope\", scope=\"read write\"";
    assert_eq!((lacking.status, lacking.header("WWW-Authenticate")), (403, Some(challenge)));
    assert_eq!(origin.count(), 1);
    // Nothing is asked about what cannot be a token.
    let asked: Vec<String> = asked.requests().iter().map(token_of).collect();
    assert!(asked.iter().all(|token| token.len() < 100 && !token.contains('%')), "{asked:?}");
}

#[test]
fn issuer_audience_and_claims_are_those_of_the_route() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let keys = "issuer: \"https://login.test\", audience: [api, web], required_claims: [tenant]";
    let gateway = Running::start(&file(&asked, &origin, keys, ""));
    for (token, status) in
        [("issued", 200), ("stranger", 401), ("elsewhere", 401), ("homeless", 401), ("plain", 401)]
    {
        assert_eq!(with(&gateway, token).status, status, "{token}");
    }
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_caller_is_called_by_the_first_claim_that_is_there_and_may_have_to_be_a_consumer() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "", "acl: [gold]"));
    assert_eq!(with(&gateway, "plain").status, 403, "a name alone is nobody's group");
    let gateway = Running::start(&file(&asked, &origin, "consumers: optional", ""));
    assert_eq!(with(&gateway, "machine").status, 200);
    assert_eq!(origin.requests().pop().unwrap().header("X-Consumer-Username"), None);
    let gateway = Running::start(&file(&asked, &origin, "consumers: required", "acl: [gold]"));
    assert_eq!(with(&gateway, "plain").status, 200);
    assert_eq!(origin.requests().pop().unwrap().header("X-Consumer-Username"), Some("alice"));
    assert_eq!((with(&gateway, "guest").status, with(&gateway, "machine").status), (401, 401));
    let gateway = Running::start(&file(&asked, &origin, "consumer_claim: username", ""));
    assert_eq!(with(&gateway, "plain").status, 401);
}

/// The limit on wrong credentials that is in force where none is written, beside none.
fn limited_and_not(text: &str) -> [String; 2] {
    let limits = "limits: { failed_credentials: off }\n";
    assert!(text.contains(limits));
    [text.to_owned(), text.replace(limits, "")]
}

#[test]
fn no_usable_answer_is_503_with_a_reason_of_its_own() {
    let origin = Origin::always(Reply::ok("in"));
    let active = claims("good").to_string();
    let replies = [
        ("500", Reply::status(500)),
        ("401, for the gateway itself", Reply::status(401)),
        ("403", Reply::status(403)),
        ("302", Reply::status(302).header("Location", "/login")),
        ("201", Reply::status(201).body(active.clone())),
        ("not json", Reply::ok("<html>")),
        ("not an object", Reply::ok("[true]")),
        ("two answers in one", Reply::ok(r#"{"active":false,"active":true,"sub":"u"}"#)),
        ("not said", Reply::ok(claims("silent").to_string())),
        ("said in words", Reply::ok(claims("words").to_string())),
        ("an end that is no time", Reply::ok(claims("odd").to_string())),
        ("half", Reply::ok(active.clone()).close_after_bytes(60)),
        ("garbage", Reply::raw("\u{0}\u{1}\u{2}\r\n\r\n")),
        ("nothing", Reply::close()),
        ("silence", Reply::hang()),
        ("oversize", Reply::ok(format!("{active}{}", " ".repeat(5_000)))),
    ];
    for (what, reply) in replies {
        let asked = Origin::always(reply);
        for text in limited_and_not(&file(&asked, &origin, "timeout: 700ms, max_size: 4KiB", "")) {
            let gateway = Running::start(&text);
            let answer = with(&gateway, "good");
            assert_eq!((answer.status, &*reason(&answer)), (503, "introspection_unavailable"), "{what}");
            assert_eq!(answer.header("WWW-Authenticate"), None, "{what}");
            assert!(!answer.text().contains("login"), "{what}");
            eventually(PATIENCE, || {
                gateway.metrics.render().contains("reason=\"introspection_unavailable\"")
            });
        }
    }
    assert_eq!(origin.count(), 0);
}

/// More at a time than may be wrong: those who wait for the verdicts on others are told what became of these.
#[test]
fn a_server_that_is_silent_is_not_the_fault_of_those_who_wait_behind_others() {
    let (asked, origin) = (Origin::always(Reply::hang()), Origin::always(Reply::ok("in")));
    let [_, limited] = limited_and_not(&file(&asked, &origin, "timeout: 3s", ""));
    let gateway = Running::start(&limited);
    let clients = (0..150).map(|number| {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t-{number}\r\n\r\n"));
        client
    });
    for mut client in clients.collect::<Vec<_>>() {
        let answer = client.read_response();
        assert_eq!((answer.status, &*reason(&answer)), (503, "introspection_unavailable"));
    }
    assert_eq!(origin.count(), 0);
}

#[test]
fn answers_are_remembered_and_outlast_the_server_for_as_long_as_they_may() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let gateway = Running::start(&file(&asked, &origin, "cache: { ttl: 1h, refused_ttl: 1h }", ""));
    for _ in 0..3 {
        assert_eq!((with(&gateway, "good").status, with(&gateway, "made-up").status), (200, 401));
    }
    assert_eq!(asked.count(), 2);
    asked.kill();
    assert_eq!((with(&gateway, "good").status, with(&gateway, "made-up").status), (200, 401));
    let answer = with(&gateway, "plain");
    assert_eq!((answer.status, &*reason(&answer)), (503, "introspection_unavailable"));
    asked.restart();
    eventually(PATIENCE, || with(&gateway, "plain").status == 200);
    // Nothing is remembered where that is not wanted.
    let gateway = Running::start(&file(&asked, &origin, "cache: { ttl: 0s, refused_ttl: 0s }", ""));
    let before = asked.count();
    for _ in 0..2 {
        assert_eq!((with(&gateway, "good").status, with(&gateway, "made-up").status), (200, 401));
    }
    assert_eq!(asked.count() - before, 4);
}

#[test]
fn a_token_that_ends_is_refused_from_then_on_although_it_is_remembered() {
    let ends = now() + 3;
    let asked = Origin::respond(move |_| {
        Reply::ok(json!({ "active": true, "sub": "alice", "exp": ends }).to_string())
    });
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&asked, &origin, "cache: { ttl: 1h }", ""));
    let (mut passed, mut refused) = (0, 0);
    eventually(PATIENCE, || {
        let began = now();
        match with(&gateway, "good").status {
            200 => {
                assert!(began <= ends, "it passed after its end");
                passed += 1;
            }
            status => {
                assert_eq!(status, 401);
                refused += 1;
            }
        }
        refused > 2
    });
    assert!(now() >= ends && asked.count() <= 3, "{} questions, {passed} passed", asked.count());
}

#[test]
fn everybody_who_shows_a_token_at_the_same_time_waits_for_one_answer() {
    let gate = Gate::default();
    let reply = Reply::ok(claims("good").to_string()).after(&gate);
    let asked = Origin::always(reply);
    let origin = Origin::always(Reply::ok("in"));
    let text = file(&asked, &origin, "cache: { ttl: 1h }, timeout: 60s", "");
    let gateway = Running::with_workers(&text, 2);
    let request = "GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n";
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(request);
    }
    let under_way = || {
        let text = gateway.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix("torana_requests_in_flight "));
        line.and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0)
    };
    eventually(PATIENCE, || under_way() >= 8.0);
    asked.wait_for(1, PATIENCE);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_response().status, 200);
    }
    assert_eq!((asked.count(), origin.count()), (1, 8));
}

#[test]
fn made_up_tokens_from_one_address_are_limited_and_hold_nobody_up_who_is_known() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let text = file(&asked, &origin, "", "").replace("failed_credentials: off", "failed_credentials: 3/hour");
    let gateway = Running::start(&text);
    assert_eq!(with(&gateway, "good").status, 200);
    for number in 0..3 {
        assert_eq!(with(&gateway, &format!("made-up-{number}")).status, 401);
    }
    assert_eq!(with(&gateway, "made-up-4").status, 429);
    assert_eq!(with(&gateway, "good").status, 200);
    assert_eq!(asked.count(), 4);
}

#[test]
fn guessing_side_by_side_gains_nothing_and_good_tokens_side_by_side_are_only_taken_in_turn() {
    let gate = Gate::default();
    let behind = gate.clone();
    let asked = Origin::respond(move |request| {
        let token = token_of(request);
        let known = if token.starts_with("good") { "plain" } else { "made-up" };
        Reply::ok(claims(known).to_string()).after(&behind)
    });
    let origin = Origin::always(Reply::ok("in"));
    let text = file(&asked, &origin, "", "").replace("failed_credentials: off", "failed_credentials: 5/hour");
    let gateway = Running::start(&text);
    let side_by_side = |token: &str| {
        let clients = (0..30).map(|number| {
            let mut client = Client::connect(gateway.address);
            client.send(format!(
                "GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}-{number}\r\n\r\n"
            ));
            client
        });
        clients.collect::<Vec<_>>()
    };
    let mut good = side_by_side("good");
    asked.wait_for(5, PATIENCE);
    gate.open();
    assert!(good.iter_mut().all(|client| client.read_response().status == 200));
    let mut wrong = side_by_side("made-up");
    let told: Vec<u16> = wrong.iter_mut().map(|client| client.read_response().status).collect();
    let count = |status| told.iter().filter(|told| **told == status).count();
    assert_eq!((count(401), count(429), asked.count()), (5, 25, 35));
}

#[test]
fn a_place_by_url_is_a_service_of_its_own() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let text = file(&asked, &origin, "", "");
    let text = text.replace("service: login,", &format!("url: \"http://{}/x/introspect\",", asked.addr()));
    let gateway = Running::start(&text);
    assert_eq!((with(&gateway, "good").status, with(&gateway, "made-up").status), (200, 401));
    assert_eq!(asked.requests()[0].target, "/x/introspect");
}

#[test]
fn another_secret_begins_anew_and_an_explanation_asks_nobody() {
    let (asked, origin) = (server(), Origin::always(Reply::ok("in")));
    let text = file(&asked, &origin, "scopes: [read]", "");
    let mut gateway = Running::start(&text);
    assert_eq!(with(&gateway, "good").status, 200);
    gateway.reload(&text);
    assert_eq!(with(&gateway, "good").status, 200);
    assert_eq!(asked.count(), 1, "a reload that changes nothing forgets nothing");
    gateway.reload(&text.replace("gate way", "another"));
    assert_eq!(with(&gateway, "good").status, 200);
    assert_eq!(asked.count(), 2);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let connection = ConnectionInfo::plain("127.0.0.1:40000".parse().unwrap(), gateway.address);
    let text = b"GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer plain\r\n\r\n";
    let head = read_head(text, &HeadLimits::default()).unwrap();
    let moment = Moment { since_start: Duration::from_secs(1), unix_seconds: 1_700_000_000, unix_nanos: 0 };
    let told = runtime.block_on(explain(&gateway.shared.pipeline(), head, &connection, moment, b""));
    assert_eq!(told.steps[0].asks, "a token for read that `login`, which is asked, says is good");
    let End::Refuse(fault) = &told.end else { panic!("{:?}", told.end) };
    assert_eq!(fault.to_string(), "introspection_unavailable: nothing is asked for an explanation");
    assert_eq!(asked.count(), 2);
}

#[test]
fn a_server_that_closes_its_connections_is_asked_all_the_same() {
    let asked = Origin::respond(|request| Reply::ok(claims(&token_of(request)).to_string()).then_close());
    let origin = Origin::always(Reply::ok("in"));
    let gateway = Running::start(&file(&asked, &origin, "cache: { ttl: 0s }", ""));
    for number in 0..50 {
        assert_eq!(with(&gateway, "good").status, 200, "{number}");
    }
}
