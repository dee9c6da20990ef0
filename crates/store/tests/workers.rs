//! What workers that share the leases of a gateway ask the store together.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, reason = "a test")]

mod common;

use common::{daily, key, on_worker, store};
use std::sync::{Arc, Barrier};
use torana_limit::Ask;
use torana_store::{Decided, Mode, OnFailure, RedisStore, SharedLimit};
use torana_testkit::RedisServer;

const WORKERS: u64 = 4;
const COSTS: [u64; 2] = [1, 2];
/// Requests of each cost and worker.
const EACH: u64 = 25;

/// Lets the requests of one worker ask; gives how many passed.
async fn ask_all(limit: &Arc<SharedLimit>, all_have_asked: &Barrier) -> u64 {
    let ask = |cost| {
        let limit = Arc::clone(limit);
        tokio::task::spawn_local(async move { limit.decide(key("all"), Ask::exactly(cost)).await })
    };
    let requests: Vec<_> = (0..EACH).flat_map(|_| COSTS).map(ask).collect();
    // They come before this goes on, and wait for the one answer.
    tokio::task::yield_now().await;
    all_have_asked.wait();
    let mut passed = 0;
    for request in requests {
        match request.await.unwrap() {
            Decided::Granted(grant) => passed += u64::from(grant.granted > 0),
            other => panic!("{other:?}"),
        }
    }
    passed
}

/// Lets all requests of all workers wait for the answer to one; gives how many commands it takes until each has its own.
fn left_without(server: &mut RedisServer, store: &RedisStore, number: u32) -> u64 {
    let (whole, share) = (daily(1_000_000), daily(1));
    let name = format!("workers {number}");
    let limit = SharedLimit::new(store.clone(), &name, whole, share, Mode::Leased, OnFailure::Closed, 100);
    let step = Barrier::new(usize::try_from(WORKERS + 1).unwrap());
    let (passed, commands) = std::thread::scope(|scope| {
        let worker = || {
            on_worker(async {
                store.warm_up().await;
                step.wait();
                step.wait();
                ask_all(&limit, &step).await
            })
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        step.wait();
        server.pause();
        let before = store.usage().questions;
        step.wait();
        step.wait();
        server.resume();
        let passed: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        (passed, store.usage().questions - before)
    });
    assert_eq!(passed, WORKERS * EACH * COSTS.len() as u64);
    commands
}

#[test]
fn whom_an_answer_left_without_a_permit_each_worker_asks_for_once_for_each_cost() {
    let mut server = RedisServer::start();
    let store = store(&server);
    // The one that all waited for, the next lease, and of each worker one for each cost.
    let most = 2 + WORKERS * COSTS.len() as u64;
    // A worker may hear of the answer in two turns, and asks in both; that is rare.
    let commands: Vec<u64> = (0..20)
        .map(|number| left_without(&mut server, &store, number))
        .scan(false, |done, commands| {
            let last = std::mem::replace(done, commands <= most);
            (!last).then_some(commands)
        })
        .collect();
    assert!(commands.iter().any(|commands| *commands <= most), "{commands:?}");
}
