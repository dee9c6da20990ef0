//! The directory in force, which can be exchanged under those who use it.
//!
//! Who uses it looks it up for each request, without a lock. What was verified by it is good only for its
//! generation.

use super::Directory;
use arc_swap::{ArcSwap, Guard};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Consumers, as they are now. Two are the same when exchanging one exchanges the other.
#[derive(Debug)]
pub struct Consumers {
    current: ArcSwap<Directory>,
    generation: AtomicU64,
    /// What a plan has found that is not in force yet.
    planned: Mutex<Option<Arc<Directory>>>,
}

impl Consumers {
    /// With this directory in force.
    #[must_use]
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { current: ArcSwap::new(directory), generation: AtomicU64::new(0), planned: Mutex::default() }
    }

    /// The directory in force, to be looked at and let go.
    pub fn load(&self) -> Guard<Arc<Directory>> {
        self.current.load()
    }

    /// The directory in force, to be held for longer.
    #[must_use]
    pub fn load_full(&self) -> Arc<Directory> {
        self.current.load_full()
    }

    /// Changes with every exchange. Read before the directory, it is never newer than that.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Notes what will be in force if the plan is.
    pub fn plan(&self, directory: Arc<Directory>) {
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory);
    }

    /// What will be in force: what was planned, else what is.
    #[must_use]
    pub fn planned(&self) -> Arc<Directory> {
        let planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        planned.clone().unwrap_or_else(|| self.load_full())
    }

    /// Brings in force what was planned, if anything was.
    pub fn commit(&self) {
        let planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(directory) = planned {
            self.replace(directory);
        }
    }

    /// Brings another directory in force, unless it is the same, and forgets what was planned.
    pub fn replace(&self, directory: Arc<Directory>) {
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if *self.load_full() == *directory {
            return;
        }
        self.current.store(directory);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

impl Default for Consumers {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl PartialEq for Consumers {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Consumers {}

impl Hash for Consumers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Builder, KeyPrint};
    use torana_identity::Consumer;

    fn directory(key: &str) -> Arc<Directory> {
        let mut builder = Builder::default();
        let consumer = Consumer { id: "a".into(), ..Consumer::default() };
        builder.consumer(consumer, &key).unwrap();
        builder.key(key.as_bytes(), u64::MAX, None).unwrap();
        Arc::new(builder.build())
    }

    fn knows(directory: &Directory, key: &str) -> bool {
        directory.by_print(&KeyPrint::of(key.as_bytes()), 0).is_some()
    }

    #[test]
    fn an_exchange_is_seen_and_one_for_the_same_is_none() {
        let consumers = Consumers::new(directory("old"));
        consumers.replace(directory("old"));
        assert_eq!(consumers.generation(), 0);
        consumers.plan(directory("new"));
        assert!(knows(&consumers.planned(), "new"));
        assert!(knows(&consumers.load(), "old") && consumers.generation() == 0);
        consumers.commit();
        assert_eq!(consumers.generation(), 1);
        let now = consumers.load();
        assert!(knows(&now, "new") && !knows(&now, "old"));
    }
}
