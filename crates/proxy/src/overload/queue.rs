//! How long work waits for its turn on a worker.
//!
//! A task asks to be woken every few milliseconds. By how much it is late is how long anything waited that became
//! ready on this worker when it did: connections to accept, heads to read, answers to relay.
//!
//! That is the wait of requests, and not an estimate of it. A worker is one thread with one queue, first come first
//! served: the event loop tells at the same time of sockets and of timers, timers last, and puts what is ready at the
//! queue's end. So the task waits as long as a request that arrived at that moment, a hundred moments a second are
//! looked at instead of every request, and requests pay nothing. What is added is a millisecond at most, by which timers
//! are rounded up. Not in it are the wait of a request behind earlier ones of its own connection, which is not the
//! worker's, and that of connections which the kernel holds: a turn takes 128 of them, so that each is told from others
//! by its address before many more are in.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{Instant, sleep, sleep_until};
use torana_limit::{Importance, Pressure, QueueDelay, sheds};
use torana_transport::later;

/// Between two measurements.
const TICK: Duration = Duration::from_millis(10);
/// How often is looked whether anything is to be measured.
const LOOK: Duration = Duration::from_secs(1);

/// What a worker knows of its queue. Written by that worker alone, read by whoever shows it.
#[derive(Debug, Default)]
pub(crate) struct WorkerQueue {
    level: AtomicU16,
    delay_nanos: AtomicU64,
    /// Of the runtime that the worker is.
    runtime: Option<RuntimeMetrics>,
}

impl WorkerQueue {
    /// The queue of the thread that this is called on.
    pub(crate) fn of_this_thread() -> Self {
        Self { runtime: Handle::try_current().ok().map(|runtime| runtime.metrics()), ..Self::default() }
    }

    /// Tasks that have not ended.
    pub(crate) fn tasks(&self) -> usize {
        self.runtime.as_ref().map_or(0, RuntimeMetrics::num_alive_tasks)
    }

    /// Whether a request is shed. `random` is asked only under pressure.
    pub(crate) fn sheds(&self, importance: Importance, random: impl FnOnce() -> u64) -> Option<u64> {
        let level = self.level.load(Ordering::Relaxed);
        if level == 0 {
            return None;
        }
        let random = random();
        sheds(level, importance, random).then_some(random)
    }

    /// The pressure: 1 sheds all of the least important class, 2 all of the next too, and so on.
    pub(crate) fn pressure(&self) -> f64 {
        f64::from(self.level.load(Ordering::Relaxed)) / 256.0
    }

    /// The last delay.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay_nanos.load(Ordering::Relaxed))
    }

    /// Measures for as long as the worker runs. `rules` says by what, now.
    pub(crate) async fn watch(&self, rules: impl Fn() -> Option<QueueDelay>) {
        let start = Instant::now();
        let mut pressure = Pressure::default();
        loop {
            let Some(rules) = rules() else {
                pressure = Pressure::default();
                self.tell(&pressure, Duration::ZERO);
                sleep(LOOK).await;
                continue;
            };
            let now = Instant::now();
            let due = later(now, TICK);
            sleep_until(due).await;
            let now = Instant::now();
            let delay = now.duration_since(due);
            pressure.measure(now.duration_since(start), delay, &rules);
            self.tell(&pressure, delay);
        }
    }

    fn tell(&self, pressure: &Pressure, delay: Duration) {
        self.level.store(pressure.level(), Ordering::Relaxed);
        self.delay_nanos.store(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
