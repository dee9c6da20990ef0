//! Where requests go: hashes, sticky clients, zones, splits, mirrors, faults.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::collections::HashSet;
use std::time::{Duration, Instant};
use torana_testkit::{Client, Origin, Reply, Response, eventually};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(60);

fn named(names: &[&'static str]) -> Vec<Origin> {
    names.iter().map(|name| Origin::always(Reply::ok(*name))).collect()
}

fn urls(origins: &[Origin]) -> String {
    origins.iter().map(Origin::url).collect::<Vec<_>>().join(", ")
}

fn before(origins: &[Origin], keys: &str) -> Running {
    Running::start(&format!(
        "access_log: off
services: {{ a: {{ endpoints: [{}], {keys} }} }}
routes: [{{ service: a }}]
",
        urls(origins)
    ))
}

fn ask(gateway: &Running, head: &str) -> Response {
    gateway.ask(&format!("{head}\nHost: a"))
}

/// The answers to each head, each asked three times: always the same one.
fn homes(gateway: &Running, heads: &[String]) -> Vec<String> {
    let home = |head: &String| {
        let seen: HashSet<String> = (0..3).map(|_| ask(gateway, head).text()).collect();
        assert_eq!(seen.len(), 1, "{head}: {seen:?}");
        seen.into_iter().next().unwrap()
    };
    heads.iter().map(home).collect()
}

#[test]
fn requests_with_the_same_key_go_to_the_same_endpoint_and_move_only_when_it_is_gone() {
    let origins = named(&["one", "two", "three"]);
    for table in ["ring", "maglev"] {
        let keys =
            format!("balance: {{ hash: [{{ header: X-User }}, {{ argument: u }}, path], table: {table} }}");
        let gateway = before(&origins, &keys);
        let heads: Vec<String> = (0..30)
            .map(|user| match user % 3 {
                0 => format!("GET / HTTP/1.1\nX-User: u{user}"),
                1 => format!("GET /?u={user} HTTP/1.1"),
                _ => format!("GET /{user} HTTP/1.1"),
            })
            .collect();
        let full = homes(&gateway, &heads);
        assert_eq!(full.iter().collect::<HashSet<_>>().len(), 3, "{full:?}");
        origins[1].kill();
        let fewer = homes(&gateway, &heads);
        for (before, after) in full.iter().zip(&fewer) {
            assert!(if before == "two" { after != "two" } else { after == before }, "{before} {after}");
        }
        origins[1].restart();
        assert_eq!(homes(&gateway, &heads), full);
    }
}

#[test]
fn a_client_without_the_cookie_of_a_hash_is_given_one_and_stays() {
    let origins = named(&["one", "two", "three"]);
    let gateway = before(&origins, "balance: { hash: { cookie: home, cookie_path: /x } }");
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let first = ask(&gateway, "GET / HTTP/1.1");
        let set = first.header("Set-Cookie").unwrap().to_owned();
        assert!(set.ends_with("; Path=/x; HttpOnly; SameSite=Lax"), "{set}");
        let cookie = set.split(';').next().unwrap();
        let again = ask(&gateway, &format!("GET / HTTP/1.1\nCookie: {cookie}"));
        assert_eq!((again.text(), again.header("Set-Cookie")), (first.text(), None));
        seen.insert(first.text());
    }
    assert!(seen.len() > 1);
}

#[test]
fn a_sticky_client_stays_also_while_its_endpoint_is_drained_and_moves_when_that_is_gone() {
    let origins = named(&["one", "two"]);
    let text = |weight: u32| {
        format!(
            "access_log: off
services:
  a:
    endpoints: [{{ url: {}, weight: {weight} }}, {{ url: {}, weight: 1 }}]
    retries: {{ attempts: 2 }}
    balance: {{ sticky: {{ cookie: node, secret: \"${{env:KEY}}\", keep: 1h }} }}
routes: [{{ service: a }}]
",
            origins[0].url(),
            origins[1].url()
        )
    };
    let mut gateway = Running::start(&text(1));
    let first =
        (0..10).map(|_| ask(&gateway, "GET / HTTP/1.1")).find(|answer| answer.text() == "one").unwrap();
    let set = first.header("Set-Cookie").unwrap().to_owned();
    assert!(set.ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"), "{set}");
    let head = format!("GET / HTTP/1.1\nCookie: x=1; {}", set.split(';').next().unwrap());
    let stays = |gateway: &Running| {
        (0..6).all(|_| {
            let answer = ask(gateway, &head);
            answer.text() == "one" && answer.header("Set-Cookie").is_none()
        })
    };
    assert!(stays(&gateway));
    gateway.reload(&text(0));
    assert!(stays(&gateway), "drained: it keeps who has it");
    assert!((0..6).all(|_| ask(&gateway, "GET / HTTP/1.1").text() == "two"), "and gets nobody new");
    origins[0].kill();
    let moved = ask(&gateway, &head);
    assert_eq!(moved.text(), "two");
    assert!(moved.header("Set-Cookie").is_some_and(|value| value != set));
    let forged = ask(&gateway, "GET / HTTP/1.1\nCookie: node=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(forged.header("Set-Cookie").is_some());
}

#[test]
fn the_own_zone_comes_first_while_enough_of_it_is_left() {
    let origins = named(&["near", "near", "far"]);
    let endpoint = |number: usize, zone: &str| format!("{{ url: {}, zone: {zone} }}", origins[number].url());
    let text = format!(
        "access_log: off
services:
  a:
    endpoints: [{}, {}, {}]
    balance: {{ zone: {{ own: z1, at_least: 50% }} }}
    health: {{ probes: {{ interval: 20ms, timeout: 10s, healthy_after: 1, unhealthy_after: 1 }} }}
routes: [{{ service: a }}]
",
        endpoint(0, "z1"),
        endpoint(1, "z1"),
        endpoint(2, "z2")
    );
    let gateway = Running::start(&text);
    let far = || (0..8).filter(|_| ask(&gateway, "GET / HTTP/1.1").text() == "far").count();
    assert_eq!(far(), 0);
    origins[0].kill();
    assert_eq!(far(), 0, "half of the zone is enough");
    origins[1].kill();
    eventually(PATIENCE, || far() == 8);
}

fn two_services(route: &str, origins: &[Origin]) -> Running {
    Running::start(&format!(
        "access_log: off
services:
  main: {{ endpoints: [{}] }}
  other: {{ endpoints: [{}], host: rewrite }}
routes: [{{ path: /*, service: main, {route} }}]
",
        origins[0].url(),
        origins[1].url()
    ))
}

#[test]
fn a_split_keeps_its_share_and_callers_keep_their_side() {
    let origins = named(&["main", "canary"]);
    let gateway = two_services("split: { to: { other: 25% } }", &origins);
    let mut client = Client::connect(gateway.address);
    let canary =
        (0..400).filter(|_| client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").text() == "canary").count();
    assert!((60..=140).contains(&canary), "{canary} of 400");
    let line = format!(
        "torana_requests_total{{route=\"/*\",service=\"other\",status=\"200\",reason=\"\"}} {canary}\n"
    );
    // The last one is counted after its client has the answer.
    eventually(PATIENCE, || gateway.metrics.render().contains(&line));
    let gateway = two_services("split: { to: { other: 50% }, by: { header: X-User } }", &origins);
    let heads: Vec<String> = (0..40).map(|user| format!("GET / HTTP/1.1\nX-User: {user}")).collect();
    let sides = homes(&gateway, &heads);
    assert_eq!(sides.iter().collect::<HashSet<_>>().len(), 2);
    let gateway = two_services("split: { to: { other: 100% } }", &origins);
    assert!((0..5).all(|_| ask(&gateway, "GET / HTTP/1.1").text() == "canary"));
}

#[test]
fn a_mirror_sees_copies_and_nobody_waits_for_it() {
    let main = Origin::respond(|request| Reply::ok(request.body.clone()));
    let mirror = Origin::always(Reply::hang());
    let origins = [main, mirror];
    let gateway = two_services("mirror: { service: other, body: 4, at_once: 2, timeout: 30s }", &origins);
    let mut client = Client::connect(gateway.address);
    let start = Instant::now();
    for body in ["abcd", "abcde", "x", "y"] {
        let length = body.len();
        let request =
            format!("POST /p?q=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Length: {length}\r\n\r\n{body}");
        assert_eq!(client.exchange(request).text(), body);
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    let copies = origins[1].wait_for(2, PATIENCE);
    let bodies: HashSet<String> = copies.iter().map(|copy| copy.body_text().to_string()).collect();
    assert_eq!(bodies, HashSet::from(["abcd".to_owned(), "x".to_owned()]), "too long, and too many at once");
    let copy = &copies[0];
    assert_eq!(
        (copy.method.as_str(), copy.target.as_str(), copy.header("X-A")),
        ("POST", "/p?q=1", Some("1"))
    );
    assert_eq!(copy.header("Host"), Some(&*origins[1].addr().to_string()));
    assert_eq!(origins[0].count(), 4);
    let page = gateway.metrics.render();
    assert!(page.contains("torana_mirrored_total{route=\"/*\",result=\"skipped\"} 2"), "{page}");
}

#[test]
fn bodies_that_come_slowly_are_no_way_to_more_copies_at_once() {
    let origins = [Origin::always(Reply::ok("main")), Origin::always(Reply::hang())];
    let gateway = two_services("mirror: { service: other, body: 4, at_once: 1, timeout: 30s }", &origins);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    }
    // One is waited for, and the others go without a copy.
    let skipped = "torana_mirrored_total{route=\"/*\",result=\"skipped\"} 2";
    eventually(PATIENCE, || gateway.metrics.render().contains(skipped));
    for client in &mut clients {
        assert_eq!(client.send("abcd").read_response().text(), "main");
    }
    origins[1].wait_for(1, PATIENCE);
    assert_eq!(origins[1].count(), 1);
}

#[test]
fn faults_are_made_as_asked_and_told_apart_from_real_ones() {
    let origins = named(&["main", "other"]);
    let route = "faults: { abort: { status: 503 }, delay: { for: 50ms }, header: X-Fault }";
    let gateway = two_services(route, &origins);
    let start = Instant::now();
    let answer = ask(&gateway, "GET / HTTP/1.1\nX-Fault: yes");
    assert!(answer.status == 503 && start.elapsed() >= Duration::from_millis(50));
    assert!(answer.text().contains("injected_fault"), "{}", answer.text());
    assert_eq!(ask(&gateway, "GET / HTTP/1.1").text(), "main");
    assert_eq!(origins[0].count(), 1);
}

#[test]
fn with_too_few_in_service_all_zones_are_asked() {
    let (own, far) = (Origin::always(Reply::status(500)), Origin::always(Reply::ok("far")));
    let gateway = Running::start(&format!(
        "access_log: off
services:
  a:
    endpoints: [{{ url: {}, zone: z1 }}, {{ url: {}, zone: z2 }}]
    retries: {{ attempts: 1 }}
    balance: {{ zone: {{ own: z1 }} }}
    health: {{ ejection: {{ failures: 1, for: 1h, max_share: 100% }}, panic_below: 60% }}
routes: [{{ service: a }}]
",
        own.url(),
        far.url()
    ));
    assert_eq!(ask(&gateway, "GET / HTTP/1.1").status, 500);
    let answers: HashSet<u16> = (0..20).map(|_| ask(&gateway, "GET / HTTP/1.1").status).collect();
    assert_eq!(answers, HashSet::from([200, 500]), "health is ignored, for whichever zone");
}

#[test]
fn answers_to_copies_are_thrown_away_however_long_they_are() {
    let origins = [Origin::always(Reply::ok("main")), Origin::always(Reply::ok(vec![b'x'; 3 << 20]))];
    let gateway = two_services("mirror: { service: other, timeout: 30s }", &origins);
    assert_eq!(ask(&gateway, "GET / HTTP/1.1").text(), "main");
    let sent = "torana_mirrored_total{route=\"/*\",result=\"sent\"} 1";
    let is = torana_testkit::within(PATIENCE, || gateway.metrics.render().contains(sent));
    assert!(is, "{}", gateway.metrics.render());
}
