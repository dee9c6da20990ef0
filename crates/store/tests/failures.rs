//! What happens when a store is slow, gone, or back without its memory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use common::{PATIENCE, daily, hourly, key, on_worker, settings, store};
use std::sync::Arc;
use std::time::{Duration, Instant};
use torana_limit::{Ask, Budget, FixedWindow, Gcra, Period, Window};
use torana_store::{
    Decided, LimitStore, Mode, OnFailure, RedisStore, SharedLimit, Source, StoreAddress, StoreError,
    StoreSettings, StoredLimit, Topology,
};
use torana_testkit::{HeldPort, RedisSentinel, RedisServer};

/// Waits until the store answers again.
async fn back(store: &RedisStore, limit: &StoredLimit) {
    let end = Instant::now() + 2 * PATIENCE;
    while store.look(limit, key("anybody")).await.is_err() {
        assert!(Instant::now() < end, "the store does not come back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn quick(server: &RedisServer) -> StoreSettings {
    StoreSettings { timeout: Duration::from_millis(500), ..settings(server) }
}

fn shared(store: &RedisStore, mode: Mode, on_failure: OnFailure) -> Arc<SharedLimit> {
    SharedLimit::new(store.clone(), "shared", hourly(100), hourly(3), mode, on_failure, 1_000)
}

async fn passes(limit: &Arc<SharedLimit>) -> Option<bool> {
    match limit.decide(key("a"), Ask::exactly(1)).await {
        Decided::Granted(grant) => Some(grant.granted > 0),
        Decided::Uncounted => Some(true),
        Decided::Unavailable => None,
    }
}

#[test]
fn each_limit_does_what_it_was_told_when_there_never_was_a_store() {
    let nobody = HeldPort::free();
    let store = RedisStore::new(StoreSettings::single("127.0.0.1", nobody.port()));
    on_worker(async {
        for mode in [Mode::Exact, Mode::Leased] {
            let open = shared(&store, mode, OnFailure::Open);
            let closed = shared(&store, mode, OnFailure::Closed);
            let share = shared(&store, mode, OnFailure::LocalShare);
            for number in 0..5 {
                assert_eq!(passes(&open).await, Some(true));
                assert_eq!(passes(&closed).await, None);
                assert_eq!(passes(&share).await, Some(number < 3), "{number}");
            }
            assert_eq!(open.usage().without_store, 5);
        }
    });
}

#[test]
fn a_busy_caller_has_what_it_was_told_too_and_never_waits_while_the_store_is_away() {
    let mut server = RedisServer::start();
    let nobody = HeldPort::free();
    let never = RedisStore::new(StoreSettings::single("127.0.0.1", nobody.port()));
    let left = RedisStore::new(quick(&server));
    let probe = StoredLimit::new("anything", hourly(10));
    on_worker(async {
        back(&left, &probe).await;
        let kinds = [OnFailure::Open, OnFailure::Closed, OnFailure::LocalShare];
        let make = |store: &RedisStore, number: usize, kind| {
            let (whole, share) = (hourly(100_000), hourly(3));
            SharedLimit::new(store.clone(), &format!("{number}"), whole, share, Mode::Leased, kind, 1_000)
        };
        let limits = [&never, &left].map(|store| {
            kinds
                .iter()
                .enumerate()
                .map(|(number, kind)| (*kind, make(store, number, *kind)))
                .collect::<Vec<_>>()
        });
        // The store has said how much is left, and gave some of it.
        for (_, limit) in &limits[1] {
            for _ in 0..30 {
                assert_eq!(passes(limit).await, Some(true));
            }
        }
        server.kill();
        for (kind, limit) in limits.iter().flatten() {
            let end = Instant::now() + PATIENCE;
            while limit.usage().without_store == 0 {
                assert!(Instant::now() < end, "{kind:?}: nobody misses the store");
                passes(limit).await;
            }
            let mut passed = 0;
            for number in 0..1_000 {
                // At the first look.
                let decided = tokio::time::timeout(Duration::ZERO, passes(limit)).await;
                let decided = decided.unwrap_or_else(|_| panic!("{kind:?}: the {number}th has to wait"));
                passed += u64::from(decided == Some(true));
                assert_eq!(decided.is_none(), *kind == OnFailure::Closed, "{kind:?}: the {number}th");
            }
            // The first was the one that missed the store.
            let expected = match kind {
                OnFailure::Open => 1_000,
                OnFailure::Closed => 0,
                OnFailure::LocalShare => 2,
            };
            assert_eq!(passed, expected, "{kind:?}");
        }
    });
}

#[test]
fn what_responses_cost_is_owed_by_the_share_while_the_store_is_away() {
    let mut server = RedisServer::start();
    let store = RedisStore::new(quick(&server));
    let limit = StoredLimit::new("anything", hourly(10));
    on_worker(async {
        for mode in [Mode::Exact, Mode::Leased] {
            let share = shared(&store, mode, OnFailure::LocalShare);
            back(&store, &limit).await;
            let decide = async |name| match share.decide_from(key(name), Ask::exactly(1)).await {
                (Decided::Granted(grant), source) => (grant.granted, source),
                other => panic!("{other:?}"),
            };
            // The store let it through, and is gone when the response tells what it cost.
            let (passed, source) = decide("before").await;
            assert!(passed == 1 && !matches!(source, Source::Share(_)), "{source:?}");
            server.kill();
            share.charge(key("before"), 3, source);
            let end = Instant::now() + PATIENCE;
            let mut passed = 0;
            loop {
                let (granted, source) = decide("before").await;
                passed += granted;
                if granted == 0 && matches!(source, Source::Share(_)) {
                    break;
                }
                assert!(Instant::now() < end && passed < 60, "{mode:?}: {passed}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(share.usage().without_store <= 3, "{mode:?}: the share of three was not charged");
            // The share let it through: that is what owes it, however long the name.
            let long = "x".repeat(90);
            let (passed, source) = decide(&long).await;
            assert!(passed == 1 && matches!(source, Source::Share(_)), "{source:?}");
            share.charge(key(&long), 2, source);
            assert_eq!(decide(&long).await.0, 0, "{mode:?}");
            server.restart();
        }
    });
}

#[test]
fn a_paused_store_delays_a_few_requests_by_the_deadline_and_the_rest_not_at_all() {
    let mut server = RedisServer::start();
    let store = RedisStore::new(quick(&server));
    let limit = StoredLimit::new("paused", hourly(100_000));
    on_worker(async {
        back(&store, &limit).await;
        server.pause();
        let began = Instant::now();
        let mut late = 0;
        for _ in 0..1_000 {
            match store.take(&limit, key("a"), Ask::exactly(1)).await {
                Err(StoreError::Late) => late += 1,
                Err(StoreError::Unavailable) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(late, 3, "then the store is left alone");
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        server.resume();
        back(&store, &limit).await;
        let taken = store.take(&limit, key("b"), Ask::exactly(1)).await.unwrap();
        assert_eq!(taken.granted, 1);
    });
}

#[test]
fn while_it_is_away_a_worker_makes_few_trials_and_requests_make_none() {
    let mut server = RedisServer::start();
    let store = RedisStore::new(quick(&server));
    let limit = StoredLimit::new("trials", hourly(100_000));
    on_worker(async {
        back(&store, &limit).await;
        server.kill();
        let before = store.usage();
        let end = Instant::now() + Duration::from_millis(600);
        let mut refused = 0_u64;
        while Instant::now() < end {
            refused += u64::from(store.take(&limit, key("a"), Ask::exactly(1)).await.is_err());
            tokio::task::yield_now().await;
        }
        let usage = store.usage();
        assert!(refused > 100, "{refused}");
        let failures = usage.failures - before.failures;
        assert!(failures <= 16, "{failures} trials and questions");
        server.restart();
        back(&store, &limit).await;
    });
}

#[test]
fn a_server_that_has_lost_its_memory_is_not_asked_twice_for_the_same_window() {
    let mut server = RedisServer::start();
    let store = store(&server);
    let minute = Period::Span(Duration::from_secs(60));
    let fixed =
        StoredLimit::new("fixed", Budget::new(Window::Fixed(FixedWindow::new(10, minute)), Vec::new()));
    let pace = Gcra::new(10, Duration::from_secs(50), 10);
    let steady = StoredLimit::new("steady", Budget::new(Window::Gcra(pace), Vec::new()));
    let day = StoredLimit::new("day", daily(10));
    on_worker(async {
        let first = store.take(&fixed, key("a"), Ask::exactly(10)).await.unwrap();
        assert_eq!(store.take(&steady, key("a"), Ask::exactly(10)).await.unwrap().granted, 10);
        assert_eq!(store.take(&day, key("a"), Ask::exactly(10)).await.unwrap().granted, 10);
        server.restart();
        back(&store, &fixed).await;
        let second = store.take(&fixed, key("a"), Ask::exactly(1)).await.unwrap();
        let same_minute = first.at.as_secs() / 60 == second.at.as_secs() / 60;
        assert_eq!(second.granted, u64::from(!same_minute));
        assert_eq!(store.take(&steady, key("a"), Ask::exactly(2)).await.unwrap().granted, 0);
        // A long window cannot be closed for a day because of a restart: it begins anew.
        assert_eq!(store.take(&day, key("a"), Ask::exactly(10)).await.unwrap().granted, 10);
    });
}

#[test]
fn a_long_quota_survives_a_restart_when_the_store_keeps_it() {
    let mut server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = store(&server);
    let day = StoredLimit::new("day", daily(10));
    on_worker(async {
        assert_eq!(store.take(&day, key("a"), Ask::exactly(7)).await.unwrap().granted, 7);
        server.restart();
        back(&store, &day).await;
        let left = store.look(&day, key("a")).await.unwrap().view.remaining;
        // Unless midnight was just now.
        assert!(left == 3 || left == 10, "{left}");
        assert_eq!(store.take(&day, key("a"), Ask::exactly(left)).await.unwrap().granted, left);
    });
}

#[test]
fn permits_that_lie_idle_go_back_to_the_store() {
    let server = RedisServer::start();
    let store = store(&server);
    let make = || {
        SharedLimit::new(
            store.clone(),
            "idle",
            daily(1_000),
            daily(1),
            Mode::Leased,
            OnFailure::Closed,
            1_000,
        )
    };
    let (busy, probe) = (make(), StoredLimit::new("idle", daily(1_000).leased(Duration::from_millis(100))));
    on_worker(async {
        for _ in 0..100 {
            assert_eq!(passes(&busy).await, Some(true));
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let left = store.look(&probe, key("a")).await.unwrap().view.remaining;
            assert!(left <= 900, "more came back than was not used: {left}");
            if left == 900 {
                break;
            }
            assert!(Instant::now() < end, "only {left} are left");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..30 {
            assert_eq!(passes(&busy).await, Some(true));
        }
        let end = Instant::now() + PATIENCE;
        loop {
            busy.drain().await;
            let left = store.look(&probe, key("a")).await.unwrap().view.remaining;
            assert!(left <= 870, "more came back than was not used: {left}");
            // What was asked for beside the last request comes after it.
            if left == 870 {
                break;
            }
            assert!(Instant::now() < end, "only {left} are left");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn who_was_refused_finds_what_another_node_returns_and_a_reset_begins() {
    let server = RedisServer::start();
    let store = store(&server);
    let node = || {
        let (whole, share) = (daily(100), daily(1));
        SharedLimit::new(store.clone(), "returned", whole, share, Mode::Leased, OnFailure::Closed, 1_000)
    };
    let (quiet, refused) = (node(), node());
    on_worker(async {
        for _ in 0..10 {
            assert_eq!(passes(&quiet).await, Some(true));
        }
        let end = Instant::now() + 2 * PATIENCE;
        let (mut passed, mut turned_away) = (0, 0);
        while passed < 90 {
            match passes(&refused).await {
                Some(true) => passed += 1,
                Some(false) => turned_away += 1,
                None => panic!("the store is there"),
            }
            assert!(Instant::now() < end, "only {passed} of the 90 that the other has not used");
            if turned_away > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(passes(&refused).await, Some(false));
        quiet.reset().await.unwrap();
        while passes(&refused).await != Some(true) {
            assert!(Instant::now() < end, "what was begun anew at one node is used up at the other");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn a_request_that_goes_away_while_it_asks_leaves_nobody_waiting() {
    let mut server = RedisServer::start();
    let store = store(&server);
    let limit = shared(&store, Mode::Leased, OnFailure::Closed);
    on_worker(async {
        store.warm_up().await;
        server.pause();
        let gone = limit.decide(key("a"), Ask::exactly(1));
        assert!(tokio::time::timeout(Duration::from_millis(20), gone).await.is_err());
        server.resume();
        assert_eq!(passes(&limit).await, Some(true));
    });
}

#[test]
fn when_another_server_leads_the_sentinel_says_so_and_short_windows_stay_used_up() {
    let mut servers = RedisSentinel::start();
    let mut settings = StoreSettings { timeout: Duration::from_secs(5), ..settings(&servers.first) };
    let sentinels = vec![StoreAddress { host: "127.0.0.1".into(), port: servers.sentinel.port() }];
    settings.topology = Topology::Sentinel { master: "main".into(), sentinels };
    let store = RedisStore::new(settings);
    let steady = Gcra::new(10, Duration::from_secs(55), 10);
    let limit = StoredLimit::new("lead", Budget::new(Window::Gcra(steady), Vec::new()));
    on_worker(async {
        back(&store, &limit).await;
        assert_eq!(store.take(&limit, key("a"), Ask::exactly(10)).await.unwrap().granted, 10);
        servers.first.kill();
        let end = Instant::now() + 2 * PATIENCE;
        while store.look(&limit, key("anybody")).await.is_err() {
            assert!(Instant::now() < end, "nobody leads");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(store.take(&limit, key("a"), Ask::exactly(2)).await.unwrap().granted, 0);
        assert_eq!(
            store.take(&limit, key("new"), Ask::exactly(10)).await.unwrap().granted,
            0,
            "nor is it doubted less for others"
        );
    });
}
