//! What a store far away, or one whose connections break, does to limits.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;
#[path = "common/scripted.rs"]
mod scripted;
#[path = "common/slow.rs"]
mod slow;

use common::{PATIENCE, daily, hourly, key, on_worker, store};
use scripted::Forgetful;
use slow::{changing_way, slow_way};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use torana_limit::{Ask, Budget, Gcra, Returned, SlidingWindow, Window};
use torana_store::{
    Decided, LimitStore, Mode, OnFailure, RedisStore, SharedLimit, StoreAddress, StoreError, StoreSettings,
    StoredLimit, Topology,
};
use torana_testkit::RedisServer;

/// Each of so many clients asks so often; how many requests passed.
async fn passed(limit: &Arc<SharedLimit>, clients: usize, each: usize) -> usize {
    let asking = (0..clients).map(|_| {
        let limit = Arc::clone(limit);
        tokio::task::spawn_local(async move {
            let mut passed = 0;
            for _ in 0..each {
                match limit.decide(key("all"), Ask::exactly(1)).await {
                    Decided::Granted(grant) => passed += usize::from(grant.granted == 1),
                    other => panic!("{other:?}"),
                }
                tokio::task::yield_now().await;
            }
            passed
        })
    });
    let mut passed = 0;
    for task in asking.collect::<Vec<_>>() {
        passed += task.await.unwrap();
    }
    passed
}

#[test]
fn leases_of_a_store_whose_answers_take_longer_than_permits_hold_serve_everybody() {
    let server = RedisServer::start();
    let second = Duration::from_secs(1);
    let windows = [
        // Permits would hold for 4 ms, for 10 ms, and to the end of a twentieth of a second.
        ("few", Window::Gcra(Gcra::new(1_000, second, 20)), 5, 4),
        ("many", Window::Gcra(Gcra::new(20_000, second, 1_000)), 40, 20),
        ("sliding", Window::Sliding(SlidingWindow::new(20_000, second)), 40, 20),
    ];
    for (name, window, clients, each) in windows {
        let settings = StoreSettings {
            timeout: PATIENCE,
            ..StoreSettings::single("127.0.0.1", slow_way(server.port(), Duration::from_millis(12)))
        };
        let budget = Budget::new(window, Vec::new());
        let share = budget.clone();
        let store = RedisStore::new(settings);
        let limit =
            SharedLimit::new(store.clone(), name, budget, share, Mode::Leased, OnFailure::Closed, 100);
        on_worker(async {
            store.warm_up().await;
            // No more than there is at once.
            let asking = tokio::time::timeout(PATIENCE, passed(&limit, clients, each));
            assert_eq!(asking.await, Ok(clients * each), "{name}");
        });
        let questions = store.usage().questions;
        assert!(questions <= (clients * each) as u64 + 2, "{name}: {questions} questions");
    }
}

#[test]
fn what_is_given_back_over_a_cluster_connection_that_breaks_is_not_sent_again() {
    let server = Forgetful::start();
    let place = StoreAddress { host: "127.0.0.1".into(), port: server.port };
    let store = RedisStore::new(StoreSettings {
        topology: Topology::Cluster(vec![place]),
        timeout: PATIENCE,
        ..StoreSettings::single("127.0.0.1", server.port)
    });
    let limit = StoredLimit::new("cluster", hourly(10));
    on_worker(async {
        store.warm_up().await;
        let back = Returned { permits: 1, taken: Duration::from_secs(1) };
        store.give_back(&limit, key("a"), back).await.unwrap_err();
        assert_eq!(server.asked(), ["back"], "it may have been done");
        // A worker whose store was lost asks again when there is a new connection.
        let taken = async {
            while store.take(&limit, key("a"), Ask::exactly(1)).await.is_ok() || server.asked().len() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.unwrap();
        let asked = server.asked();
        assert!(asked[1..].iter().all(|operation| operation == "take"), "{asked:?}");
    });
}

#[test]
fn what_is_given_after_those_who_asked_have_left_goes_back() {
    let server = RedisServer::start();
    let way = slow_way(server.port(), Duration::from_millis(300));
    let (slow, quick) = (RedisStore::new(StoreSettings::single("127.0.0.1", way)), store(&server));
    let limit = StoredLimit::new("late", daily(1_000));
    let take = async |caller, ask| slow.take(&limit, key(caller), ask).await;
    on_worker(async {
        let connected = async {
            while take("somebody", Ask::exactly(1)).await != Err(StoreError::Late) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, connected).await.unwrap();
        // Two of these are one command, and by then the store is left alone.
        let (batch, one, another) = tokio::join!(
            take("batch", Ask::up_to(400, 1)),
            take("one", Ask::exactly(2)),
            take("another", Ask::exactly(2)),
        );
        for (caller, taken) in [("batch", batch), ("one", one), ("another", another)] {
            // A machine that is busy enough hears the answer first.
            let kept = taken.as_ref().map_or(0, |grant| grant.granted);
            assert!(kept > 0 || taken == Err(StoreError::Late), "{taken:?}");
            let back = async {
                let taken = || server.command(&["DBSIZE"]).trim() == ":4";
                let left = async || quick.look(&limit, key(caller)).await.unwrap().view.remaining;
                while !taken() || left().await != 1_000 - kept {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, back).await.is_ok(), "{caller} has lost permits");
        }
    });
}

/// Asks until permits are held that nobody uses; how many.
async fn hold(limit: &Arc<SharedLimit>, probe: &StoredLimit) -> u64 {
    let holding = async {
        loop {
            limit.decide(key("a"), Ask::exactly(1)).await;
            // What was asked before has been answered when this is.
            let answered = limit.store().look(probe, key("a")).await.is_ok();
            let held = limit.held();
            if answered && held > 0 {
                return held;
            }
        }
    };
    tokio::time::timeout(PATIENCE, holding).await.unwrap()
}

fn leased_daily(store: &RedisStore, id: &str) -> (Arc<SharedLimit>, StoredLimit) {
    let (mode, on_failure) = (Mode::Leased, OnFailure::Closed);
    let limit = SharedLimit::new(store.clone(), id, daily(100_000), daily(1), mode, on_failure, 100);
    let probe = StoredLimit::new(id, limit.budget().clone());
    (limit, probe)
}

#[test]
fn what_is_held_goes_back_by_a_thread_that_takes_longer_to_connect_than_an_answer_may_take() {
    let server = RedisServer::start();
    let later = Arc::new(AtomicU64::new(0));
    let way = changing_way(server.port(), &later);
    let (limit, probe) = leased_daily(&RedisStore::new(StoreSettings::single("127.0.0.1", way)), "distant");
    let left = || on_worker(async { store(&server).look(&probe, key("a")).await.unwrap().view.remaining });
    let held = on_worker(hold(&limit, &probe));
    let before = left();
    later.store(60, Ordering::Relaxed);
    let drain = || on_worker(async { tokio::time::timeout(PATIENCE, limit.drain()).await });
    let returned = std::thread::scope(|scope| scope.spawn(drain).join().unwrap());
    assert_eq!((returned, left()), (Ok(held), before + held));
}

#[test]
fn what_is_held_goes_back_where_an_idle_connection_was_closed() {
    let server = RedisServer::start();
    let (limit, probe) = leased_daily(&store(&server), "closed");
    on_worker(async {
        let held = hold(&limit, &probe).await;
        assert!(server.command(&["CLIENT", "KILL", "TYPE", "normal"]).starts_with(':'));
        assert_eq!(tokio::time::timeout(PATIENCE, limit.drain()).await, Ok(held));
    });
}

#[test]
fn a_limit_of_many_callers_is_reset_over_a_long_way_and_at_once_where_it_is_used() {
    let mut server = RedisServer::start();
    let (limit, probe) = leased_daily(
        &RedisStore::new(StoreSettings::single(
            "127.0.0.1",
            slow_way(server.port(), Duration::from_millis(30)),
        )),
        "many",
    );
    let quick = store(&server);
    on_worker(async {
        let taking: Vec<_> = (0..3_000)
            .map(|number| {
                let (quick, probe) = (quick.clone(), probe.clone());
                tokio::task::spawn_local(async move {
                    quick.take(&probe, key(&format!("caller {number}")), Ask::exactly(1)).await
                })
            })
            .collect();
        for taken in taking {
            assert_eq!(taken.await.unwrap().unwrap().granted, 1);
        }
        // One after another they would take a minute and a half.
        assert_eq!(tokio::time::timeout(PATIENCE, limit.reset()).await, Ok(Ok(())));
        assert_eq!(server.command(&["DBSIZE"]).trim(), ":0");
        limit.decide(key("a"), Ask::exactly(1)).await;
        assert_eq!(limit.usage().leases, 1);
        server.pause();
        let reset = tokio::time::timeout(Duration::from_millis(1), limit.reset());
        assert!(reset.await.is_err());
        assert_eq!(limit.usage().leases, 0, "that does not wait for the store");
    });
}
