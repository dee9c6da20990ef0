//! One suite for every store, and what is asked of a server beyond it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{PATIENCE, daily, hourly, key, on_worker, settings, store};
use std::time::Duration;
use torana_limit::{Ask, Budget, FixedWindow, Gcra, Grant, Period, Returned, SlidingWindow, Window};
use torana_store::{
    Decided, LimitStore, MemoryStore, Mode, OnFailure, RedisStore, SharedLimit, StoreError, StoredLimit,
};
use torana_testkit::{HeldPort, RedisCluster, RedisServer, eventually, not_at_midnight};
use torana_types::Secret;

/// What every store does.
async fn suite(store: &impl LimitStore) {
    not_at_midnight();
    let limit = StoredLimit::new("suite", hourly(5));
    for left in (0..5).rev() {
        let grant = store.take(&limit, key("a"), Ask::exactly(1)).await.unwrap();
        assert_eq!((grant.granted, grant.view.remaining, grant.view.limit), (1, left, 5));
    }
    let refused = store.take(&limit, key("a"), Ask::exactly(1)).await.unwrap();
    assert_eq!(refused.granted, 0);
    assert!(refused.view.retry_after > Duration::from_secs(600), "{refused:?}");
    assert!(refused.view.reset_after > Duration::from_secs(3_500));
    assert_eq!(
        store.take(&limit, key("b"), Ask::exactly(5)).await.unwrap().granted,
        5,
        "others have their own"
    );
    let other = StoredLimit::new("other", hourly(5));
    assert_eq!(
        store.take(&other, key("a"), Ask::exactly(5)).await.unwrap().granted,
        5,
        "and other limits too"
    );

    let hour = Window::Fixed(FixedWindow::new(8, Period::Span(Duration::from_secs(86_400))));
    let sliding = Window::Sliding(SlidingWindow::new(100, Duration::from_secs(3_600)));
    let minute = Window::Gcra(Gcra::new(5, Duration::from_secs(3_600), 5));
    let both = StoredLimit::new("both", Budget::new(minute, vec![hour, sliding]));
    let details = Ask { details: true, ..Ask::exactly(3) };
    assert_eq!(store.take(&both, key("a"), details).await.unwrap().granted, 3);
    let refused = store.take(&both, key("a"), details).await.unwrap();
    assert_eq!((refused.granted, refused.window), (0, 0));
    let left: Vec<u64> = refused.all.iter().map(|view| view.remaining).collect();
    assert_eq!(left, [2, 5, 97], "what one refuses is not taken from the others");

    let owing = StoredLimit::new("owed", hourly(5));
    let day = StoredLimit::new("day", daily(100));
    let given: Vec<u64> = {
        let mut given = Vec::new();
        for _ in 0..3 {
            given.push(store.take(&day, key("a"), Ask::up_to(80, 1)).await.unwrap().granted);
        }
        given
    };
    assert_eq!(given, [50, 25, 12], "a lease gets half of what is left");
    store.charge(&owing, key("a"), 12).await.unwrap();
    let refused = store.take(&owing, key("a"), Ask::exactly(1)).await.unwrap();
    // Five in an hour: seven are owed, and one has to come.
    assert!(refused.granted == 0 && refused.view.retry_after > Duration::from_secs(95 * 60), "{refused:?}");
    let taken = store.look(&day, key("a")).await.unwrap().at;
    store.give_back(&day, key("a"), Returned { permits: 20, taken }).await.unwrap();
    assert_eq!(store.look(&day, key("a")).await.unwrap().view.remaining, 33);
    let charge = Ask { charge_refused: true, ..Ask::exactly(40) };
    assert_eq!(store.take(&day, key("a"), charge).await.unwrap().granted, 0);
    assert_eq!(store.look(&day, key("a")).await.unwrap().view.remaining, 0);
    store.reset(&day).await.unwrap();
    assert_eq!(store.look(&day, key("a")).await.unwrap().view.remaining, 100);
    assert_eq!(store.take(&both, key("a"), Ask::exactly(3)).await.unwrap().granted, 0, "other limits stay");
}

#[test]
fn memory_counts_as_every_store_does() {
    on_worker(suite(&MemoryStore::default()));
}

#[test]
fn a_server_counts_as_every_store_does() {
    for server in [RedisServer::start(), RedisServer::valkey()] {
        on_worker(suite(&store(&server)));
        let keys = server.command(&["KEYS", "*"]);
        for line in keys.split("\r\n").filter(|line| line.starts_with("torana")) {
            // Nothing stays for ever.
            let left = server.command(&["PTTL", line]);
            let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
            assert!(left > 0, "{line} {left}");
        }
        assert!(keys.contains("torana:limit:"), "{keys}");
    }
}

fn cluster_store(cluster: &RedisCluster) -> RedisStore {
    let mut settings = settings(&cluster.servers[0]);
    settings.topology = torana_store::Topology::Cluster(
        cluster
            .servers
            .iter()
            .map(|s| torana_store::StoreAddress { host: "127.0.0.1".into(), port: s.port() })
            .collect(),
    );
    RedisStore::new(settings)
}

fn sizes(cluster: &RedisCluster) -> Vec<u64> {
    let size = |server: &RedisServer| {
        let size = server.command(&["DBSIZE"]);
        size.trim_start_matches(':').trim().parse::<u64>().unwrap()
    };
    cluster.servers.iter().map(size).collect()
}

#[test]
fn a_cluster_counts_as_every_store_does_wherever_a_key_lies() {
    let cluster = RedisCluster::start();
    let store = cluster_store(&cluster);
    on_worker(async {
        let limit = StoredLimit::new("spread", hourly(2));
        for number in 0..60 {
            let name = format!("caller {number}");
            assert_eq!(store.take(&limit, key(&name), Ask::exactly(2)).await.unwrap().granted, 2);
            assert_eq!(store.take(&limit, key(&name), Ask::exactly(1)).await.unwrap().granted, 0);
        }
        assert!(sizes(&cluster).iter().all(|size| *size > 0), "{:?}", sizes(&cluster));
        suite(&store).await;
    });
}

#[test]
fn a_limit_that_is_reset_is_forgotten_by_every_server_of_a_cluster() {
    let cluster = RedisCluster::start();
    let store = cluster_store(&cluster);
    on_worker(async {
        let (limit, other) = (StoredLimit::new("spread", hourly(2)), StoredLimit::new("other", hourly(2)));
        store.take(&other, key("caller"), Ask::exactly(1)).await.unwrap();
        // More on each server than one step of a scan looks at.
        for number in 0..1_800 {
            store.take(&limit, key(&format!("caller {number}")), Ask::exactly(1)).await.unwrap();
        }
        assert!(sizes(&cluster).iter().all(|size| *size > 500), "{:?}", sizes(&cluster));
        store.reset(&limit).await.unwrap();
        assert_eq!(sizes(&cluster).iter().sum::<u64>(), 1, "all but that of the other limit");
    });
}

#[test]
fn a_server_of_a_cluster_that_hangs_is_away_for_its_own_callers_alone() {
    let mut cluster = RedisCluster::start();
    let mut settings = cluster_store(&cluster).settings().clone();
    settings.timeout = Duration::from_millis(400);
    let store = RedisStore::new(settings);
    let limit = StoredLimit::new("hanging", hourly(100_000));
    let take = async |caller: &String| store.take(&limit, key(caller), Ask::exactly(1)).await;
    on_worker(async {
        let (mut of_first, mut of_others) = (Vec::new(), Vec::new());
        for number in 0.. {
            let caller = format!("caller {number}");
            let before = sizes(&cluster);
            while take(&caller).await.is_err() {}
            if sizes(&cluster)[0] > before[0] {
                of_first.push(caller);
            } else {
                of_others.push(caller);
            }
            if of_first.len() >= 5 && of_others.len() >= 10 {
                break;
            }
        }
        cluster.servers[0].pause();
        let mut failed = Vec::new();
        for caller in of_first.iter().cycle() {
            failed.push(take(caller).await.unwrap_err());
            if failed.ends_with(&[StoreError::Unavailable]) {
                break;
            }
        }
        assert_eq!(failed[..3], vec![StoreError::Late; 3], "{failed:?}");
        assert_eq!(failed.len(), 4, "then it is left alone");
        for caller in of_others.iter().cycle().take(200) {
            let taken = take(caller).await;
            // This machine may be slow for a moment, but nobody is refused for it.
            assert!(taken.is_ok() || taken == Err(StoreError::Late), "{taken:?}");
        }
        cluster.servers[0].resume();
        let back = async {
            while take(&of_first[0]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, back).await.unwrap();
    });
}

#[test]
fn a_key_that_moves_to_another_server_of_a_cluster_is_followed() {
    let cluster = RedisCluster::start();
    let store = cluster_store(&cluster);
    let limit = StoredLimit::new("moving", hourly(5));
    let take = async |cost| store.take(&limit, key("a"), Ask::exactly(cost)).await.unwrap().granted;
    let part = |answer: String, number: usize| answer.split("\r\n").nth(number).unwrap().to_owned();
    on_worker(async {
        assert_eq!(take(1).await, 1);
        let holder = sizes(&cluster).iter().position(|size| *size == 1).unwrap();
        let (from, to) = (&cluster.servers[holder], &cluster.servers[(holder + 1) % 3]);
        let name = part(from.command(&["KEYS", "*"]), 2);
        let slot = part(from.command(&["CLUSTER", "KEYSLOT", &name]), 0).trim_start_matches(':').to_owned();
        let id = |server: &RedisServer| part(server.command(&["CLUSTER", "MYID"]), 1);
        let set = |server: &RedisServer, how: &str, node: &str| {
            assert!(server.command(&["CLUSTER", "SETSLOT", &slot, how, node]).starts_with("+OK"));
        };
        // On its way: whoever does not have it any more says who may.
        set(to, "IMPORTING", &id(from));
        set(from, "MIGRATING", &id(to));
        assert_eq!(from.command(&["DEL", &name]).trim(), ":1");
        assert_eq!(take(5).await, 5);
        assert_eq!(
            (part(from.command(&["DBSIZE"]), 0), part(to.command(&["DBSIZE"]), 0)),
            (":0".into(), ":1".into())
        );
        let taken = store.look(&limit, key("a")).await.unwrap().at;
        store.give_back(&limit, key("a"), Returned { permits: 1, taken }).await.unwrap();
        // Arrived.
        cluster.servers.iter().rev().for_each(|server| set(server, "NODE", &id(to)));
        let left = store.look(&limit, key("a")).await.unwrap().view.remaining;
        assert_eq!(left, 1, "what came back was seen to, once");
    });
}

#[test]
fn names_of_keys_hold_nothing_of_the_caller() {
    let server = RedisServer::start();
    let mut settings = settings(&server);
    settings.key = Some(Secret::new("a key for names"));
    let store = RedisStore::new(settings);
    let limit = StoredLimit::new("route/GET /private", hourly(5));
    on_worker(async { store.take(&limit, key("sk_live_token"), Ask::exactly(1)).await.unwrap() });
    let keys = server.command(&["KEYS", "*"]);
    assert!(keys.contains("torana:limit:"));
    assert!(!keys.contains("sk_live") && !keys.contains("private"), "{keys}");
    // Under another key the same caller has another name.
    let other = common::store(&server);
    on_worker(async { other.take(&limit, key("sk_live_token"), Ask::exactly(1)).await.unwrap() });
    assert_eq!(server.command(&["DBSIZE"]).trim(), ":2");
}

#[test]
fn a_user_with_only_the_rights_that_are_documented_is_enough() {
    let rights = "on >pass-word ~torana:* resetchannels -@all +eval +evalsha +get +set +time +info +ping +scan +unlink";
    let mut command = vec!["ACL", "SETUSER", "gateway"];
    command.extend(rights.split(' '));
    for server in [RedisServer::start(), RedisServer::valkey()] {
        assert!(server.command(&command).starts_with("+OK"));
        let mut allowed = settings(&server);
        allowed.username = Some("gateway".into());
        allowed.password = Some(Secret::new("pass-word"));
        let mut wrong = allowed.clone();
        wrong.password = Some(Secret::new("wrong"));
        wrong.timeout = Duration::from_millis(200);
        on_worker(async {
            suite(&RedisStore::new(allowed)).await;
            let limit = StoredLimit::new("suite", hourly(5));
            let refused = RedisStore::new(wrong).take(&limit, key("a"), Ask::exactly(1)).await;
            assert!(refused.is_err(), "{refused:?}");
        });
    }
}

#[test]
fn what_a_response_cost_is_charged_to_the_ledger_that_the_request_took_from_however_long_its_key_is() {
    // More than are asked for one by one while the test waits; none grows again meanwhile.
    const MANY: u64 = 1_000_000;
    let server = RedisServer::start();
    let budget = Budget::new(Window::Gcra(Gcra::new(1, Duration::from_secs(60), MANY)), Vec::new());
    let share = budget.clone();
    let limit = SharedLimit::new(store(&server), "costs", budget, share, Mode::Exact, OnFailure::Closed, 100);
    let granted = async |caller: &str| match limit.decide_from(key(caller), Ask::exactly(1)).await {
        (Decided::Granted(grant), source) => (grant.granted, source),
        other => panic!("{other:?}"),
    };
    on_worker(async {
        for length in [20, 64, 65, 5_000] {
            let caller = "x".repeat(length);
            let (passed, source) = granted(&caller).await;
            assert_eq!(passed, 1);
            limit.charge(key(&caller), MANY, source);
            let charged = async { while granted(&caller).await.0 == 1 {} };
            let charged = tokio::time::timeout(PATIENCE, charged).await;
            assert!(charged.is_ok(), "a key of {length} bytes was not charged");
        }
    });
    assert_eq!(server.command(&["DBSIZE"]).trim(), ":4");
}

#[test]
fn a_server_that_forgets_its_scripts_is_told_again() {
    let server = RedisServer::start();
    let store = store(&server);
    let limit = StoredLimit::new("scripts", hourly(3));
    on_worker(async {
        assert_eq!(store.take(&limit, key("a"), Ask::exactly(1)).await.unwrap().granted, 1);
        assert!(server.command(&["SCRIPT", "FLUSH"]).starts_with("+OK"));
        assert_eq!(store.take(&limit, key("a"), Ask::exactly(1)).await.unwrap().granted, 1);
        let asked = store.usage().questions;
        assert_eq!(store.take(&limit, key("a"), Ask::exactly(1)).await.unwrap().granted, 1);
        assert_eq!(store.usage().questions, asked + 1, "by its hash alone");
    });
}

/// Asks for what is given for each, all in one turn, and brings the answers in their order.
async fn at_once(store: &RedisStore, limit: &StoredLimit, asks: &[(&'static str, Ask)]) -> Vec<Grant> {
    let ask = |(caller, ask): &(&'static str, Ask)| {
        let (store, limit, caller, ask) = (store.clone(), limit.clone(), *caller, *ask);
        tokio::task::spawn_local(async move { store.take(&limit, key(caller), ask).await.unwrap() })
    };
    let mut grants = Vec::new();
    for task in asks.iter().map(ask).collect::<Vec<_>>() {
        grants.push(task.await.unwrap());
    }
    grants
}

#[test]
fn requests_of_the_same_moment_are_one_command_and_each_is_told_its_own() {
    const LIMIT: u64 = 500;
    let server = RedisServer::start();
    let store = store(&server);
    // None grows again while the test waits.
    let pace = Gcra::new(LIMIT, Duration::from_secs(86_400), LIMIT);
    let limit = StoredLimit::new("together", Budget::new(Window::Gcra(pace), Vec::new()));
    let (grants, commands) = on_worker(async {
        store.warm_up().await;
        let before = store.usage().questions;
        let grants = at_once(&store, &limit, &[("all", Ask::exactly(1)); 1_000]).await;
        (grants, store.usage().questions - before)
    });
    // A turn has an end, and the script is not known at first.
    assert!(commands <= 40, "{commands}");
    let passed: Vec<u64> =
        grants.iter().filter(|grant| grant.granted == 1).map(|grant| grant.view.remaining).collect();
    assert_eq!(passed, (0..LIMIT).rev().collect::<Vec<_>>(), "as if one after another");
    let refused: Vec<_> = grants.iter().filter(|grant| grant.granted == 0).collect();
    assert_eq!(refused.len(), 500);
    for refused in refused {
        let view = refused.view;
        assert_eq!(view.remaining, 0);
        // A day's five-hundredth part, less what has passed since.
        assert!(view.retry_after > Duration::from_secs(120) && view.retry_after < Duration::from_secs(173));
    }
    let clients = server.command(&["INFO", "stats"]);
    let opened = clients.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    // One for the store; the others are this test's own questions.
    assert!(opened.trim().parse::<u64>().unwrap() <= 4, "{opened}");
}

#[test]
fn a_moment_of_different_callers_and_costs_is_decided_as_if_one_after_another() {
    let server = RedisServer::start();
    let store = store(&server);
    let whole = Window::Fixed(FixedWindow::new(20, Period::Span(Duration::from_secs(86_400))));
    let pace = Window::Gcra(Gcra::new(15, Duration::from_secs(86_400), 15));
    on_worker(async {
        moment(&store, "one window", Budget::new(whole, Vec::new())).await;
        moment(&store, "two windows", Budget::new(pace, vec![whole])).await;
    });
}

async fn moment(store: &RedisStore, name: &str, budget: Budget) {
    not_at_midnight();
    let most = budget.windows().map(Window::most).min().unwrap();
    let limit = StoredLimit::new(name, budget);
    let mut asks = Vec::new();
    for _ in 0..12 {
        asks.extend([("a", Ask::exactly(1)), ("b", Ask::exactly(3)), ("a", Ask::exactly(2))]);
    }
    let charged = Ask { charge_refused: true, ..Ask::exactly(30) };
    asks.extend([("c", charged), ("c", Ask::exactly(1)), ("d", Ask::up_to(10, 1)), ("d", Ask::up_to(10, 1))]);
    let grants = at_once(store, &limit, &asks).await;
    let granted =
        |grant: &Grant, ask: &Ask| grant.granted == 0 || (ask.least..=ask.want).contains(&grant.granted);
    assert!(grants.iter().zip(&asks).all(|(grant, (_, ask))| granted(grant, ask)), "{grants:?}");
    let taken = |caller: &str| {
        let of_caller = asks.iter().zip(&grants).filter(|((name, _), _)| *name == caller);
        of_caller.map(|(_, grant)| grant.granted).sum::<u64>()
    };
    let left = async |caller| store.look(&limit, key(caller)).await.unwrap().view.remaining;
    // Costs of two and three leave what they cannot use.
    assert!(taken("a") <= most && taken("a") + 1 >= most, "{}", taken("a"));
    assert_eq!(taken("b"), most / 3 * 3);
    assert_eq!((left("a").await, left("b").await), (most - taken("a"), most % 3));
    // Whichever of the two came first, the one that was refused was charged.
    assert_eq!(left("c").await, 0);
    // The second lease is given half of what the first has left.
    assert_eq!(taken("d"), most / 2 + (most - most / 2) / 2);
    assert_eq!(left("d").await, most - taken("d"));
}

#[test]
fn a_ledger_that_cannot_be_read_is_no_matter_for_those_who_ask_at_the_same_moment() {
    let server = RedisServer::start();
    let store = store(&server);
    not_at_midnight();
    let second = Window::Fixed(FixedWindow::new(9, Period::Span(Duration::from_secs(86_400))));
    let pace = Window::Gcra(Gcra::new(9, Duration::from_secs(86_400), 9));
    let budgets = [
        ("pace", Budget::new(pace, Vec::new())),
        ("window", Budget::new(second, Vec::new())),
        ("both", Budget::new(pace, vec![second])),
    ];
    on_worker(async {
        for (name, budget) in budgets {
            let limit = StoredLimit::new(name, budget);
            let at_once = async |callers: &[&'static str]| {
                let ask = |caller: &&'static str| {
                    let (store, limit, caller) = (store.clone(), limit.clone(), *caller);
                    tokio::task::spawn_local(
                        async move { store.take(&limit, key(caller), Ask::exactly(1)).await },
                    )
                };
                let mut told = Vec::new();
                for task in callers.iter().map(ask).collect::<Vec<_>>() {
                    told.push(task.await.unwrap());
                }
                told
            };
            assert!(server.command(&["FLUSHALL"]).starts_with("+OK"));
            assert!(at_once(&["broken"]).await[0].is_ok());
            let keys = server.command(&["KEYS", "*"]);
            let ledger = keys.lines().find(|line| line.starts_with("torana:")).unwrap();
            // Something else than a ledger is there, by its kind or by its bytes.
            for [word, rest @ ..] in [["SADD", "no", "ledger"], ["SET", "short", "GET"]] {
                assert!(!server.command(&["DEL", ledger]).starts_with('-'));
                assert!(!server.command(&[&[word, ledger], &rest[..]].concat()).starts_with('-'));
                let before = store.usage().questions;
                let told = at_once(&["one", "broken", "another", "broken", "one"]).await;
                assert_eq!(store.usage().questions, before + 1, "in one command");
                let passed: Vec<bool> = told.iter().map(Result::is_ok).collect();
                assert_eq!(passed, [true, false, true, false, true], "{name} {word}");
                let failed = store.usage().failures;
                // However often in a row, the store is there for others.
                for _ in 0..5 {
                    assert_eq!(at_once(&["broken"]).await, [Err(StoreError::Unreadable)], "{name} {word}");
                }
                assert_eq!(store.usage().failures, failed + 5);
                assert!(at_once(&["somebody else"]).await[0].is_ok(), "{name} {word}");
            }
            let left =
                at_once(&["one", "another"]).await.into_iter().map(|told| told.unwrap().view.remaining);
            assert_eq!(left.collect::<Vec<_>>(), [4, 6], "{name}: and nobody was charged for the broken one");
        }
    });
}

#[test]
fn a_server_without_room_is_taken_to_be_away_until_it_has_some() {
    let server = RedisServer::start();
    let store = store(&server);
    let limit = StoredLimit::new("full", hourly(100));
    on_worker(async {
        store.warm_up().await;
        assert!(store.take(&limit, key("a"), Ask::exactly(1)).await.is_ok());
        assert!(server.command(&["CONFIG", "SET", "maxmemory", "1"]).starts_with("+OK"));
        let refused = store.take(&limit, key("a"), Ask::exactly(1)).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let mut last = refused;
        for _ in 0..3 {
            last = store.take(&limit, key("a"), Ask::exactly(1)).await;
        }
        assert_eq!(last, Err(StoreError::Unavailable));
        assert!(server.command(&["CONFIG", "SET", "maxmemory", "0"]).starts_with("+OK"));
        let back = async {
            while store.take(&limit, key("a"), Ask::exactly(1)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, back).await.unwrap();
    });
}

#[test]
fn callers_for_whose_leases_there_is_no_room_have_what_the_limit_says_and_no_more() {
    let server = RedisServer::start();
    // One lease a shard of the table, and many more callers.
    let limit =
        SharedLimit::new(store(&server), "full", daily(3), daily(3), Mode::Leased, OnFailure::Closed, 1);
    on_worker(async {
        for turn in 0..5 {
            for caller in 0..300 {
                let decided = limit.decide(key(&format!("caller {caller}")), Ask::exactly(1)).await;
                let Decided::Granted(grant) = decided else { panic!("{decided:?}") };
                assert_eq!(grant.granted, u64::from(turn < 3), "{caller} for the {turn}th time");
            }
        }
    });
    assert!(limit.usage().leases <= 64, "{:?}", limit.usage());
}

#[test]
fn who_goes_away_while_all_wait_takes_nobody_with_it() {
    let mut server = RedisServer::start();
    let store = store(&server);
    let limit = StoredLimit::new("gone", hourly(100));
    on_worker(async {
        store.take(&limit, key("warm"), Ask::exactly(1)).await.unwrap();
        server.pause();
        let before = store.usage().questions;
        let tasks: Vec<_> = (0..30)
            .map(|_| {
                let (store, limit) = (store.clone(), limit.clone());
                tokio::task::spawn_local(async move { store.take(&limit, key("all"), Ask::exactly(1)).await })
            })
            .collect();
        let sent = async {
            while store.usage().questions == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, sent).await.unwrap();
        for task in tasks.iter().step_by(3) {
            task.abort();
        }
        server.resume();
        let mut left = Vec::new();
        for (number, task) in tasks.into_iter().enumerate() {
            match task.await {
                Ok(grant) => left.push(grant.unwrap().view.remaining),
                Err(error) => assert!(error.is_cancelled() && number % 3 == 0),
            }
        }
        assert_eq!((left.len(), store.usage().questions), (20, before + 1));
        assert!(left.is_sorted_by(|one, next| one > next), "{left:?}");
        assert_eq!(store.look(&limit, key("all")).await.unwrap().view.remaining, 70, "lost, not used");
    });
}

#[test]
fn what_looks_like_one_server_and_is_several_is_asked_for_one_caller_at_a_time() {
    // Its port and ten thousand more, which it would take by itself, may be none.
    let bus = HeldPort::free();
    let bus = bus.port().to_string();
    let server = RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    let mut words = vec!["CLUSTER", "ADDSLOTS"];
    words.extend(slots.iter().map(String::as_str));
    assert!(server.command(&words).starts_with("+OK"));
    eventually(PATIENCE, || server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let store = store(&server);
    let limit = StoredLimit::new("apart", hourly(2));
    on_worker(async {
        let callers = ["a", "b", "c", "d", "e"].map(|caller| (caller, Ask::exactly(2)));
        for granted in [2, 0] {
            let grants = at_once(&store, &limit, &callers).await;
            assert!(grants.iter().all(|grant| grant.granted == granted), "{grants:?}");
        }
        assert_eq!(store.usage().failures, 0);
    });
}
