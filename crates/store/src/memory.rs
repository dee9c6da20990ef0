//! A store in the memory of one process.

use crate::StoreError;
use crate::limits::{LimitStore, StoredLimit};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use torana_limit::{Ask, Grant, Key, KeyedLimiter, Returned};

/// Callers that each limit remembers.
const MAX_KEYS: u32 = 100_000;

/// By identity and shape.
type Limits = HashMap<(Box<str>, Box<str>), Arc<KeyedLimiter>>;

/// A store in memory: the same answers as a server's, from the bounded tables of `torana-limit`. Gateways of
/// one process that share it count together.
#[derive(Debug, Default)]
pub struct MemoryStore {
    limits: Mutex<Limits>,
}

impl MemoryStore {
    fn limiter(&self, limit: &StoredLimit) -> Arc<KeyedLimiter> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (limit.id().into(), limit.shape().into());
        let make = || Arc::new(KeyedLimiter::new(limit.budget().clone(), MAX_KEYS));
        Arc::clone(limits.entry(name).or_insert_with(make))
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl LimitStore for MemoryStore {
    async fn take(&self, limit: &StoredLimit, key: Key<'_>, ask: Ask) -> Result<Grant, StoreError> {
        Ok(self.limiter(limit).take(key, now(), ask))
    }

    async fn charge(&self, limit: &StoredLimit, key: Key<'_>, cost: u64) -> Result<(), StoreError> {
        self.limiter(limit).charge(key, now(), cost);
        Ok(())
    }

    async fn give_back(&self, limit: &StoredLimit, key: Key<'_>, back: Returned) -> Result<(), StoreError> {
        self.limiter(limit).give_back(key, now(), back.taken, back.permits);
        Ok(())
    }

    async fn look(&self, limit: &StoredLimit, key: Key<'_>) -> Result<Grant, StoreError> {
        Ok(self.limiter(limit).look(key, now()))
    }

    async fn reset(&self, limit: &StoredLimit) -> Result<(), StoreError> {
        self.limiter(limit).clear();
        Ok(())
    }
}
