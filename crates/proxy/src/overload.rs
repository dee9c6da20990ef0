//! What keeps the whole process within what it can bear: connections, waiting work, buffered bodies.
//!
//! One for the process; the bounds are those of the pipeline in force. A request meets one relaxed load of its own
//! worker's pressure, which is zero unless [`OverloadRules::queue_delay`] is given and work waits.

mod queue;
mod show;

pub(crate) use queue::WorkerQueue;
pub use show::overload;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use torana_fault::{Fault, Reason};
use torana_limit::{ConnectionCaps, Connections, Importance, Memory, QueueDelay};

/// The bounds in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadRules {
    /// Of connections.
    pub connections: ConnectionCaps,
    /// When work waits too long, if that is looked at.
    pub queue_delay: Option<QueueDelay>,
    /// Bytes of bodies that are held.
    pub buffered_bytes: usize,
}

/// The state of the process.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) connections: Arc<Connections>,
    pub(crate) memory: Arc<Memory>,
    workers: Mutex<Vec<Weak<WorkerQueue>>>,
    shed: [AtomicU64; Importance::ALL.len()],
}

impl Overload {
    pub(crate) fn new(rules: &OverloadRules) -> Self {
        Self {
            connections: Arc::default(),
            memory: Memory::new(rules.buffered_bytes),
            workers: Mutex::default(),
            shed: Default::default(),
        }
    }

    /// Takes over the bounds of a new pipeline that are not read from it each time.
    pub(crate) fn apply(&self, rules: &OverloadRules) {
        self.memory.set_ceiling(rules.buffered_bytes);
    }

    /// The queue of one more worker, to be asked for on its thread, which is seen in the metrics for as long as that holds it.
    pub(crate) fn worker(&self) -> Arc<WorkerQueue> {
        let queue = Arc::new(WorkerQueue::of_this_thread());
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|known| known.strong_count() > 0);
        workers.push(Arc::downgrade(&queue));
        queue
    }

    fn workers(&self) -> Vec<Arc<WorkerQueue>> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().filter_map(Weak::upgrade).collect()
    }

    /// The fault for a request that is shed; `random` spreads when clients come again.
    pub(crate) fn shed(&self, importance: Importance, random: u64) -> Fault {
        if let Some(count) = self.shed.get(importance.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let wait = (random >> 8) % 3;
        Fault::new(Reason::Overloaded)
            .because("requests wait too long before a worker gets to them")
            .with_field("Retry-After", wait.saturating_add(1).to_string())
    }
}

/// The fault where a body cannot be held.
pub(crate) fn memory_full() -> Fault {
    Fault::new(Reason::MemoryFull)
        .because("`limits.buffered_bytes` is reached")
        .with_field("Retry-After", "1".into())
}
