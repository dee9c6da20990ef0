//! The limits at this moment, for people; and what an administrator or the end of the process does to them.

use crate::chores::Chores;
use crate::pipeline::Limiter;
use crate::shared::Shared;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use torana_filters::TopCaller;

/// How long a store may take to forget a limit, of some ten thousand callers a second; the admin page has half a minute for
/// its answer.
const PATIENCE: Duration = Duration::from_secs(25);
/// Callers that are shown.
const SHOWN: usize = 20;

/// What became of a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Every caller begins anew.
    Done,
    /// There is no such limit.
    Unknown,
    /// Here it is done; the store did not answer.
    StoreAway,
}

/// Every limit with what it has counted, as JSON.
#[must_use]
pub fn limits(shared: &Shared) -> Value {
    let pipeline = shared.pipeline();
    let shown =
        pipeline.limiters.iter().map(|limiter| (limiter.id.to_string(), Value::Object(limit(limiter))));
    Value::Object(shown.collect())
}

/// One limit, with those who ask most; `None`: there is none of that identifier.
#[must_use]
pub fn one_limit(shared: &Shared, id: &str) -> Option<Value> {
    let pipeline = shared.pipeline();
    let limiter = pipeline.limiters.iter().find(|limiter| &*limiter.id == id)?;
    let mut shown = limit(limiter);
    let top: Vec<Value> =
        limiter.state.top(SHOWN, shared.moment(Instant::now())).iter().map(caller).collect();
    shown.insert("top".into(), top.into());
    shown.insert("held".into(), limiter.state.held().into());
    Some(shown.into())
}

fn limit(limiter: &Limiter) -> Map<String, Value> {
    let (plan, usage) = (&limiter.plan, limiter.state.usage());
    let windows = plan.windows.iter().map(|window| {
        json!({
            "rate": window.rate.to_string(),
            "burst": window.burst.get(),
            "window": window.kind.name(),
        })
    });
    let by: Vec<String> = plan.by.iter().map(ToString::to_string).collect();
    let mode = match plan.sharing {
        None => "memory",
        Some(sharing) if sharing.leased => "leased",
        Some(_) => "exact",
    };
    let shown = json!({
        "windows": windows.collect::<Vec<_>>(),
        "concurrency": plan.concurrency,
        "by": by,
        "counted": mode,
        "shadow": plan.shadow,
        "callers": usage.keys,
        "allowed": usage.allowed,
        "refused": usage.denied,
        "would_refuse": usage.would_refuse,
        "under_way": usage.under_way,
        "without_store": usage.without_store,
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

fn caller(one: &TopCaller) -> Value {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "kind": one.kind,
        "who": one.name,
        "asked": one.asked,
        "at_most_others": one.error,
        "refused": one.refused,
        "remaining": one.view.map(|view| view.remaining),
        "reset_after_ms": one.view.map(|view| millis(view.reset_after)),
    })
}

/// Forgets what the callers of a limit have used, here and in the store.
pub async fn reset_limit(shared: &Shared, chores: &Chores, id: &str) -> Reset {
    let pipeline = shared.pipeline();
    let named = pipeline.limiters.iter().filter(|limiter| &*limiter.id == id);
    let states: Vec<_> = named.map(|limiter| Arc::clone(&limiter.state)).collect();
    if states.is_empty() {
        return Reset::Unknown;
    }
    let (told, done) = oneshot::channel();
    chores.begin(move || async move {
        let mut all = true;
        for state in states {
            all &= matches!(timeout(PATIENCE, state.reset()).await, Ok(Ok(())));
        }
        // Who asked may have gone.
        let _ = told.send(all);
    });
    if done.await.unwrap_or(false) { Reset::Done } else { Reset::StoreAway }
}

/// Returns what this gateway holds of shared limits, once its workers have ended; gives how many permits. What is
/// not returned in time ends by itself.
pub async fn return_leases(shared: &Shared, chores: &Chores, within: Duration) -> u64 {
    let limiters = shared.pipeline().limiters.clone();
    let (told, done) = oneshot::channel();
    chores.begin(move || async move {
        let mut returned = 0_u64;
        let all = async {
            let mut draining = JoinSet::new();
            for limiter in limiters {
                draining.spawn_local(async move { limiter.state.drain().await });
            }
            while let Some(one) = draining.join_next().await {
                returned = returned.saturating_add(one.unwrap_or(0));
            }
        };
        // Then the rest is left to end.
        let _ = timeout(within, all).await;
        let _ = told.send(returned);
    });
    done.await.unwrap_or(0)
}
