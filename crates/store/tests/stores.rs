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
use torana_limit::{Ask, Budget, FixedWindow, Gcra, Period, Returned, SlidingWindow, Window};
use torana_store::{Decided, LimitStore, MemoryStore, Mode, OnFailure, RedisStore, SharedLimit, StoredLimit};
use torana_testkit::{RedisCluster, RedisServer};
use torana_types::Secret;

/// What every store does.
async fn suite(store: &impl LimitStore) {
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

    let day = StoredLimit::new("day", daily(100));
    let given: Vec<u64> = {
        let mut given = Vec::new();
        for _ in 0..3 {
            given.push(store.take(&day, key("a"), Ask::up_to(80, 1)).await.unwrap().granted);
        }
        given
    };
    assert_eq!(given, [50, 25, 12], "a lease gets half of what is left");
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
    let server = RedisServer::start();
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

fn cluster_store(cluster: &RedisCluster) -> RedisStore {
    let mut settings = settings(&cluster.servers[0]);
    settings.topology = torana_store::Topology::Cluster(
        cluster
            .servers
            .iter()
            .map(|s| torana_store::Place { host: "127.0.0.1".into(), port: s.port() })
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
    let server = RedisServer::start();
    let rights = "on >pass-word ~torana:* resetchannels -@all +eval +evalsha +get +set +time +info +ping +scan +unlink";
    let mut command = vec!["ACL", "SETUSER", "gateway"];
    command.extend(rights.split(' '));
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

#[test]
fn what_a_response_cost_is_charged_to_the_ledger_that_the_request_took_from_however_long_its_key_is() {
    // More than are asked for one by one while the test waits; none grows again meanwhile.
    const MANY: u64 = 1_000_000;
    let server = RedisServer::start();
    let budget = Budget::new(Window::Gcra(Gcra::new(1, Duration::from_secs(60), MANY)), Vec::new());
    let share = budget.clone();
    let limit = SharedLimit::new(store(&server), "costs", budget, share, Mode::Exact, OnFailure::Closed, 100);
    let granted = async |caller: &str| match limit.decide(key(caller), Ask::exactly(1)).await {
        Decided::Granted(grant) => grant.granted,
        other => panic!("{other:?}"),
    };
    on_worker(async {
        for length in [20, 64, 65, 5_000] {
            let caller = "x".repeat(length);
            assert_eq!(granted(&caller).await, 1);
            limit.charge(key(&caller), MANY);
            let charged = async { while granted(&caller).await == 1 {} };
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

#[test]
fn requests_at_the_same_time_are_pipelined_and_none_is_counted_twice_or_missed() {
    let server = RedisServer::start();
    let store = store(&server);
    let limit = StoredLimit::new("pipeline", hourly(500));
    let passed = on_worker(async {
        let mut tasks = Vec::new();
        for _ in 0..1_000 {
            let (store, limit) = (store.clone(), limit.clone());
            tasks.push(tokio::task::spawn_local(async move {
                store.take(&limit, key("all"), Ask::exactly(1)).await.unwrap().granted
            }));
        }
        let mut passed = 0;
        for task in tasks {
            passed += task.await.unwrap();
        }
        passed
    });
    assert_eq!(passed, 500);
    let clients = server.command(&["INFO", "stats"]);
    let opened = clients.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    // One for the store; the others are this test's own questions.
    assert!(opened.trim().parse::<u64>().unwrap() <= 4, "{opened}");
}
