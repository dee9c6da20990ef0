//! Limits that several gateways share, on whole gateways in process and a real server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

#[path = "yaml.rs"]
mod yaml;

use std::time::Duration;
use torana_testkit::{
    Authority, Client, Gate, HeldPort, Origin, RedisServer, Reply, eventually, not_at_midnight, side_by_side,
    temp_dir,
};
use yaml::Running;

const PATIENCE: Duration = Duration::from_secs(30);

fn file(store: &str, limit: &str) -> String {
    format!(
        "access_log: off
store: {store}
policies: {{ rate_limit: {limit} }}
routes: [{{ path: /, respond: {{ status: 204 }} }}]
"
    )
}

fn passed(gateways: &[&Running], requests: usize) -> usize {
    gateways.iter().cycle().take(requests).filter(|gateway| gateway.get("/").status == 204).count()
}

#[test]
fn gateways_together_admit_what_the_limit_says_in_every_mode() {
    let server = RedisServer::start();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 5s, gateways: 2 }}", server.port());
    for mode in ["exact", "leased", "local"] {
        // The same limit counts on, however it is asked for.
        assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
        let text = file(&store, &format!("{{ limit: 20/hour, by: everybody, mode: {mode} }}"));
        let (one, two) = (Running::start(&text), Running::with_workers(&text, 2));
        assert_eq!(passed(&[&one, &two], 60), 20, "{mode}");
        let refused = one.get("/");
        assert_eq!(refused.status, 429);
        assert!(refused.header("Retry-After").is_some());
        assert_eq!(refused.header("RateLimit-Remaining"), Some("0"), "{mode}");
        if mode == "exact" {
            // What one gateway alone admits after that is nothing: neither knows more than the store.
            let third = Running::start(&text);
            assert_eq!(passed(&[&third], 3), 0);
        }
    }
}

#[test]
fn what_responses_cost_is_owed_so_the_rate_holds_here_and_in_the_store() {
    const COST: u64 = 20;
    let origin = Origin::always(Reply::ok("done").header("X-Cost", &COST.to_string()));
    // A lease may hold so many permits, each for a request of that cost.
    side_by_side([("local", 0), ("exact", 0), ("leased", 10)], |(mode, held)| {
        let server = RedisServer::start();
        let text = format!(
            "access_log: off
store: {{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}
services: {{ origin: {{ endpoints: [{{ url: \"{}\" }}] }} }}
policies:
  rate_limit: {{ limit: 20/s, by: everybody, mode: {mode}, cost: {{ response_header: X-Cost }} }}
routes: [{{ path: /, service: origin }}]
",
            server.port(),
            origin.url()
        );
        let gateway = Running::start(&text);
        let mut client = Client::connect(gateway.address);
        let (began, mut passed) = (std::time::Instant::now(), 0_u64);
        while began.elapsed() < Duration::from_millis(2_500) {
            let answer = client.exchange("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n");
            assert!(matches!(answer.status, 200 | 429), "{mode}: {}", answer.status);
            assert!(answer.header("X-Cost").is_none());
            passed += u64::from(answer.status == 200);
        }
        let grown = u64::try_from(began.elapsed().as_millis()).unwrap() * 20 / 1_000;
        assert!(passed >= 2 || held > 0, "{mode}: {passed}");
        assert!(passed * COST <= 20 + grown + COST + held * COST, "{mode}: {passed} in {grown}");
    });
}

#[test]
fn what_a_response_cost_is_charged_to_the_key_that_the_request_took_from() {
    let server = RedisServer::start();
    let origin = Origin::always(Reply::ok("done").header("X-Cost", "5"));
    for mode in ["local", "exact"] {
        // What the path, the host and the credential were is no more when the response comes.
        let text = format!(
            "access_log: off
store: {{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}
consumers: [{{ username: ada, keys: [\"${{env:KEY}}\"] }}]
services: {{ origin: {{ endpoints: [{{ url: \"{}\" }}], host: rewrite }} }}
routes:
- path: /tenants/{{tenant}}/*
  service: origin
  strip_prefix: /tenants
  policies:
    key_auth: {{ headers: [apikey] }}
    rate_limits:
      tenant: {{ limit: 6/hour, by: {{ parameter: tenant }}, mode: {mode}, cost: {{ response_header: X-Cost }} }}
      key: {{ limit: 7/hour, by: {{ header: apikey }}, mode: {mode}, cost: {{ response_header: X-Cost }}, headers: draft }}
      host: {{ limit: 8/hour, by: {{ header: host }}, mode: {mode}, cost: {{ response_header: X-Cost }}, headers: draft }}
",
            server.port(),
            origin.url()
        );
        let gateway = Running::start(&text);
        let ask = || {
            let head =
                format!("GET /tenants/red/x HTTP/1.1\r\nHost: api.test\r\napikey: {}\r\n\r\n", yaml::SECRET);
            Client::connect(gateway.address).exchange(&head)
        };
        let first = ask();
        assert_eq!((first.status, first.header("X-Cost")), (200, None), "{mode}: {}", first.text());
        let second = ask();
        assert_eq!(second.status, 200, "{mode}");
        assert_eq!(second.header("RateLimit-Remaining"), Some("0"), "{mode}: five are charged and two taken");
        let told = second.header_all("RateLimit").join(", ");
        assert!(told.contains("r=1;") && told.contains("r=2;"), "{mode}: {told}");
        let third = ask();
        assert_eq!(third.status, 429, "{mode}");
    }
}

#[test]
fn clients_who_ask_in_the_same_moment_have_a_place_each_in_one_count() {
    not_at_midnight();
    let server = RedisServer::start();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}", server.port());
    let text = file(&store, "{ limit: 100/day, by: everybody, mode: exact, when_store_fails: closed }");
    let gateways = [Running::start(&text), Running::with_workers(&text, 2)];
    let asking = |gateway: &Running| -> Vec<_> {
        let mut client = Client::connect(gateway.address);
        let answers = (0..10).map(|_| client.exchange("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"));
        answers
            .map(|answer| (answer.status, answer.header("RateLimit-Remaining").map(str::to_owned)))
            .collect()
    };
    let answers: Vec<(u16, Option<String>)> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            gateways.iter().cycle().take(32).map(|gateway| scope.spawn(|| asking(gateway))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let mut left: Vec<u64> = Vec::new();
    for (status, remaining) in answers {
        let remaining: u64 = remaining.unwrap().parse().unwrap();
        match status {
            204 => left.push(remaining),
            429 => assert_eq!(remaining, 0),
            other => panic!("{other}"),
        }
    }
    left.sort_unstable();
    assert_eq!(left, (0..100).collect::<Vec<_>>());
}

#[test]
fn without_the_store_a_gateway_starts_and_each_limit_does_what_it_was_told() {
    let mut server = RedisServer::start();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 200ms, gateways: 2 }}", server.port());
    server.kill();
    let start = |policy: &str| {
        Running::start(&file(
            &store,
            &format!("{{ limit: 6/hour, by: everybody, when_store_fails: {policy} }}"),
        ))
    };
    let (open, closed, share) = (start("open"), start("closed"), start("local_share"));
    assert_eq!(passed(&[&open], 9), 9);
    assert_eq!(passed(&[&share], 9), 3, "half of the limit, because there are two gateways");
    let refused = closed.get("/");
    assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
    assert!(refused.text().contains("limit_store_unavailable"), "{}", refused.text());
    server.restart();
    eventually(PATIENCE, || closed.get("/").status == 204);
}

#[test]
fn a_share_of_less_than_one_request_lets_nothing_pass_rather_than_one_at_each_gateway() {
    let nobody = HeldPort::free();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 200ms, gateways: 3 }}", nobody.port());
    for (limit, status) in [("2/hour", 503), ("{ rate: 9/hour, burst: 2 }", 503), ("3/hour", 204)] {
        let text =
            file(&store, &format!("{{ limit: {limit}, by: everybody, when_store_fails: local_share }}"));
        assert_eq!(Running::start(&text).get("/").status, status, "{limit}");
    }
}

#[test]
fn a_client_that_holds_back_its_body_does_not_choose_when_its_request_counts() {
    let text = "access_log: off
consumers: [{ username: ada, keys: [\"${env:KEY}\"] }]
policies:
  key_auth: { headers: [], body: [apikey] }
  rate_limit: { limit: { rate: 5/s, burst: 1 }, by: consumer }
routes: [{ path: /, respond: { status: 204 } }]
";
    let gateway = Running::start(text);
    let body = format!("{{\"apikey\":\"{}\"}}", yaml::SECRET);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // Heads come more slowly than the limit allows, and then all bodies at once.
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect(gateway.address);
        client.send(&head);
        clients.push(client);
        std::thread::sleep(Duration::from_millis(250));
    }
    let began = std::time::Instant::now();
    clients.iter_mut().for_each(|client| {
        client.send(&body);
    });
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.read_response().status).collect();
    let grown = began.elapsed().as_millis() / 200;
    let passed = statuses.iter().filter(|status| **status == 204).count() as u128;
    assert!(passed >= 1 && statuses.iter().all(|status| matches!(status, 204 | 429)), "{statuses:?}");
    assert!(passed <= 1 + grown, "{statuses:?}");
}

#[test]
fn a_reload_keeps_the_connection_and_another_store_is_another_count() {
    let (first, second) = (RedisServer::start(), RedisServer::start());
    let store =
        |server: &RedisServer| format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}", server.port());
    let limit = "{ limit: 5/hour, by: everybody, mode: exact }";
    let mut gateway = Running::start(&file(&store(&first), limit));
    assert_eq!(passed(&[&gateway], 4), 4);
    let connections = |server: &RedisServer| {
        let said = server.command(&["CLIENT", "LIST", "TYPE", "normal"]);
        said.lines().filter(|line| line.contains("cmd=eval")).count()
    };
    assert_eq!(connections(&first), 1);
    gateway.reload(&format!("{}# nothing changed\n", file(&store(&first), limit)));
    assert_eq!(passed(&[&gateway], 4), 1);
    assert_eq!(connections(&first), 1);
    gateway.reload(&file(&store(&second), limit));
    assert_eq!(passed(&[&gateway], 9), 5);
    // Nobody is connected to a store that nobody needs.
    eventually(PATIENCE, || connections(&first) == 0);
    assert_eq!(connections(&second), 1);
    gateway.reload(&here("{ limit: 5/hour, by: everybody }"));
    eventually(PATIENCE, || connections(&second) == 0);
    assert_eq!(gateway.get("/").status, 204);
}

/// Limits in memory alone.
fn here(limit: &str) -> String {
    format!(
        "access_log: off\npolicies: {{ rate_limit: {limit} }}\nroutes: [{{ path: /, respond: {{ status: 204 }} }}]\n"
    )
}

#[test]
fn a_reload_that_changes_nothing_that_shapes_a_limit_forgets_no_count() {
    let text = |rest: &str| here(&format!("{{ limit: 3/hour, by: address, {rest} }}"));
    let mut gateway = Running::start(&text("headers: standard"));
    assert_eq!(passed(&[&gateway], 5), 3);
    let changes = [
        "headers: draft",
        "headers: kong, cost: 2",
        "missing: skip",
        "ipv6_prefix: 48",
        "max_keys: 5",
        "concurrency: 5",
        "count_refused: true",
        "shadow: true",
        "shadow: false",
    ];
    for change in changes {
        gateway.reload(&text(change));
        let status = if change == "shadow: true" { 204 } else { 429 };
        assert_eq!(gateway.get("/").status, status, "{change}");
    }
    let shown = torana_proxy::limits(&gateway.shared);
    assert_eq!((&shown["global"]["allowed"], &shown["global"]["would_refuse"]), (&3.into(), &1.into()));
    gateway.reload(&here("{ limit: 4/hour, by: address }"));
    assert_eq!(passed(&[&gateway], 5), 4, "the rate is another one");
    gateway.reload(&here("{ limit: 4/hour, by: everybody }"));
    assert_eq!(passed(&[&gateway], 5), 4, "so is who is counted");
}

#[test]
fn requests_under_way_keep_their_places_over_a_reload() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::respond(move |request| match &*request.target {
        "/held" => Reply::ok("at last").after(&held),
        _ => Reply::ok("at once"),
    });
    let text = |limit: &str| {
        format!(
            "access_log: off
services: {{ origin: {{ endpoints: [\"{}\"] }} }}
policies: {{ rate_limit: {{ by: everybody, {limit} }} }}
routes: [{{ path: /*, service: origin }}]
",
            origin.url()
        )
    };
    let mut gateway = Running::start(&text("concurrency: 1"));
    let mut client = Client::connect(gateway.address).deadline(PATIENCE * 4);
    client.send("GET /held HTTP/1.1\r\nHost: api.test\r\n\r\n");
    eventually(PATIENCE, || origin.count() == 1);
    assert_eq!(gateway.get("/").status, 429);
    gateway.reload(&text("concurrency: 1, headers: draft, limit: 100/hour"));
    assert_eq!(gateway.get("/").status, 429);
    gateway.reload(&text("concurrency: 2"));
    assert_eq!(gateway.get("/").status, 200);
    gateway.reload(&text("concurrency: 1"));
    assert_eq!(gateway.get("/").status, 429);
    gate.open();
    assert_eq!(client.read_response().text(), "at last");
    eventually(PATIENCE, || gateway.get("/").status == 200);
}

#[test]
fn the_share_of_a_gateway_without_its_store_is_one_share_over_reloads() {
    let away = HeldPort::free();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", gateways: 2 }}", away.port());
    let text = |rest: &str| file(&store, &format!("{{ limit: 6/hour, by: everybody, {rest} }}"));
    let mut gateway = Running::start(&text("mode: exact"));
    assert_eq!(passed(&[&gateway], 5), 3);
    gateway.reload(&text("mode: leased, headers: draft"));
    assert_eq!(gateway.get("/").status, 429);
    gateway.reload(&text("when_store_fails: closed"));
    assert_eq!(gateway.get("/").status, 503);
    gateway.reload(&text("when_store_fails: local_share"));
    assert_eq!(gateway.get("/").status, 429);
}

#[test]
fn the_share_goes_by_one_clock_whatever_becomes_of_the_store() {
    let away = HeldPort::free();
    let text = |timeout: &str| {
        let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: {timeout} }}", away.port());
        file(&store, "{ limit: 6/s, by: everybody }")
    };
    let mut gateway = Running::start(&text("100ms"));
    // A clock that began with the second store would be so far behind.
    std::thread::sleep(Duration::from_secs(3));
    assert!(passed(&[&gateway], 12) >= 6);
    gateway.reload(&text("101ms"));
    eventually(Duration::from_secs(2), || gateway.get("/").status == 204);
}

#[test]
fn gateways_count_together_behind_tls_and_with_the_wrong_authority_nothing_passes() {
    let folder = temp_dir();
    let (authority, stranger) = (Authority::default(), Authority::named("somebody who is not trusted"));
    let (cert, key) = authority.issue(&["localhost"]).write(folder.path(), "server");
    let held = HeldPort::free();
    let port = held.port();
    let (port_text, cert, key) = (port.to_string(), cert.display().to_string(), key.display().to_string());
    let tls = ["--tls-port", &port_text, "--tls-cert-file", &cert, "--tls-key-file", &key];
    let rest = ["--tls-ca-cert-file", &cert, "--tls-auth-clients", "no"];
    let server = RedisServer::start_with(&[&tls[..], &rest].concat());
    let user = "on >pass-word ~torana:* resetchannels -@all +eval +evalsha +get +set +time +info +ping +scan +unlink";
    let command: Vec<&str> = ["ACL", "SETUSER", "gateway"].into_iter().chain(user.split(' ')).collect();
    assert!(server.command(&command).starts_with("+OK"));
    let start = |authority: &Authority| {
        let store = format!(
            "{{ url: \"rediss://localhost:{port}\", ca: ca.pem, username: gateway, password: pass-word, timeout: 5s }}"
        );
        let limit = "{ limit: 20/hour, by: everybody, mode: exact, when_store_fails: closed }";
        let resolver = yaml::resolver().with_file("ca.pem", &authority.pem);
        Running::with_resolver(&file(&store, limit), 1, resolver)
    };
    let (one, two) = (start(&authority), start(&authority));
    assert_eq!(passed(&[&one, &two], 60), 20);
    let refused = start(&stranger).get("/");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("limit_store_unavailable"), "{}", refused.text());
    assert!(!refused.text().contains("certificate"), "what exactly was wrong is not for clients");
}

#[test]
fn what_one_shared_limit_refuses_is_taken_from_no_other() {
    not_at_midnight();
    let server = RedisServer::start();
    for mode in ["exact", "leased"] {
        assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
        let text = |narrow: &str| {
            format!(
                "access_log: off
store: {{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}
policies:
  rate_limits:
    a: {{ limit: 12/day, window: fixed, by: everybody, mode: {mode} }}
    {narrow}
routes: [{{ path: /, respond: {{ status: 204 }} }}]
",
                server.port()
            )
        };
        let mut gateway = Running::start(&text("b: { limit: 3/hour, by: address, mode: local }"));
        assert_eq!(passed(&[&gateway], 30), 3, "{mode}");
        gateway.reload(&text("b: off"));
        // What goes back to the store is under way for a moment.
        let mut passed = 3;
        eventually(PATIENCE, || {
            passed += usize::from(gateway.get("/").status == 204);
            passed == 12
        });
        assert!((0..20).all(|_| gateway.get("/").status == 429), "{mode}: not one more than the limit");
    }
}

#[test]
fn leases_go_back_when_the_gateway_ends() {
    not_at_midnight();
    let server = RedisServer::start();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}", server.port());
    let text = file(&store, "{ limit: 1000/day, by: everybody, mode: leased }");
    let first = Running::start(&text);
    let mut asked = 0_u64;
    let end = std::time::Instant::now() + PATIENCE;
    // A request just before, so that nothing has gone back by itself, until something is held.
    loop {
        asked += 20;
        assert_eq!(passed(&[&first], 20), 20);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let back = torana_proxy::return_leases(&first.shared, first.chores(), PATIENCE);
        if runtime.block_on(back) > 0 {
            break;
        }
        assert!(std::time::Instant::now() < end && asked < 900, "nothing was ever held");
    }
    let second = Running::start(&text);
    let left: u64 = second.get("/").header("RateLimit-Remaining").unwrap().parse().unwrap();
    assert_eq!(left, 1_000 - asked - 1);
}

#[test]
fn leases_go_back_when_the_limit_leaves_the_configuration_though_its_ledgers_stay() {
    not_at_midnight();
    let server = RedisServer::start();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}", server.port());
    let text = |keys, mode| {
        file(&store, &format!("{{ limit: 100000/day, by: everybody, mode: {mode}, max_keys: {keys} }}"))
    };
    let mut gateway = Running::start(&text(1_000, "leased"));
    let exact = Running::start(&text(1_000, "exact"));
    let mut asked = 0;
    for keys in [2_000, 3_000, 1_000] {
        asked += passed(&[&gateway], 60);
        gateway.reload(&text(keys, "leased"));
        let mut left = 0;
        eventually(PATIENCE, || {
            asked += 1;
            left = exact.get("/").header("RateLimit-Remaining").unwrap().parse().unwrap();
            assert!(left <= 100_000 - asked, "{left} are left of {asked}");
            left == 100_000 - asked
        });
    }
}

#[test]
fn a_reset_forgets_here_and_in_the_store() {
    let server = RedisServer::start();
    let store = format!("{{ url: \"redis://127.0.0.1:{}\", timeout: 5s }}", server.port());
    for mode in ["exact", "leased"] {
        let gateway =
            Running::start(&file(&store, &format!("{{ limit: 5/hour, by: address, mode: {mode} }}")));
        assert_eq!(passed(&[&gateway], 20), 5, "{mode}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reset = |id| runtime.block_on(torana_proxy::reset_limit(&gateway.shared, gateway.chores(), id));
        assert_eq!(reset("other"), torana_proxy::Reset::Unknown);
        assert_eq!(reset("global"), torana_proxy::Reset::Done);
        assert!(!server.command(&["KEYS", "torana:limit:*"]).contains("torana:limit"), "{mode}");
        assert_eq!(passed(&[&gateway], 20), 5, "{mode}");
        assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
    }
}
