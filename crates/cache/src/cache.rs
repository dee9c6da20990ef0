//! A store that workers share.

use crate::store::{Entry, Store};
use crate::{Fields, Standing, Terms, Variant};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A power of two. URLs share a count of what was forgotten; where two do, an answer is not kept that could have been.
const TURNS: usize = 1024;

/// Answers that are kept, bounded by bytes. Locked only for as long as one of them is looked up or exchanged.
#[derive(Debug)]
pub struct Cache<T> {
    store: Mutex<Store<T>>,
    /// How often something was forgotten, by the hash of its URL.
    turns: Box<[AtomicU32]>,
    hasher: RandomState,
    /// How many answers there are, for those who look without the lock: where there are none nothing is to be forgotten.
    kept: AtomicUsize,
    /// Bytes of answers that are on their way here.
    under_way: AtomicUsize,
    bound: usize,
}

/// When a request was sent: an answer is not kept when what it answers was forgotten since, or a change that the
/// answer may not show would go unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u32);

impl<T> Cache<T> {
    /// An empty one of at most so many bytes.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self {
            store: Mutex::new(Store::new(bound)),
            turns: (0..TURNS).map(|_| AtomicU32::new(0)).collect(),
            hasher: RandomState::new(),
            kept: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            bound,
        }
    }

    /// Bytes of all that is kept, and how many answers that are.
    pub fn usage(&self) -> (usize, usize) {
        let store = self.lock();
        (store.bytes(), store.len())
    }

    /// Now, for a request for that URL.
    pub fn mark(&self, url: &[u8]) -> Mark {
        Mark(self.turn(url).map_or(0, |turn| turn.load(Ordering::Acquire)))
    }

    /// What may be given for a request at that moment, and how it stands.
    pub fn find(
        &self,
        url: &[u8],
        request: &(impl Fields + ?Sized),
        shows_somebody: bool,
        now: Duration,
    ) -> Option<(Arc<T>, Standing)> {
        if self.is_empty() {
            return None;
        }
        self.locked(|store| store.find(url, request, shows_somebody, now))
    }

    /// Whether a new answer on these terms is to be kept: a copy that is younger than a second is left, unless it is
    /// for other callers.
    pub fn wants(&self, url: &[u8], request: &(impl Fields + ?Sized), terms: &Terms, now: Duration) -> bool {
        self.lock().wants(url, request, terms, now)
    }

    /// Keeps an answer of that many bytes in place of those to the same question.
    pub fn insert(
        &self,
        (url, mark): (&[u8], Mark),
        request: &(impl Fields + ?Sized),
        (variant, terms): (Variant, Terms),
        (value, weight): (T, usize),
        now: Duration,
    ) {
        let entry = Entry { variant, terms, kept: now, value: Arc::new(value) };
        self.locked(|store| {
            // Asked under the lock under which it is counted.
            if self.mark(url) == mark {
                store.insert(url, request, entry, weight);
            }
        });
    }

    /// Forgets what the request would be given: the service has said something else since.
    pub fn forget_answer(&self, url: &[u8], request: &(impl Fields + ?Sized), shows_somebody: bool) {
        // Nearly always so where a service lets nothing be kept, and then workers wait for no lock.
        if self.is_empty() {
            return;
        }
        self.locked(|store| {
            if store.forget_answer(url, request, shows_somebody) {
                self.count(url);
            }
        });
    }

    /// Forgets every answer to the URL, also those that are on their way.
    pub fn forget(&self, url: &[u8]) {
        self.locked(|store| {
            self.count(url);
            store.forget(url);
        });
    }

    /// Room for an answer that is on its way here. All together have as much as the cache itself.
    pub fn room(&self) -> Room<'_> {
        Room { under_way: &self.under_way, bound: self.bound, taken: 0 }
    }

    /// Does something to the store. What it removes is freed when the lock is free again.
    fn locked<R>(&self, act: impl FnOnce(&mut Store<T>) -> R) -> R {
        let mut store = self.lock();
        let done = act(&mut store);
        let gone = store.take_gone();
        self.kept.store(store.len(), Ordering::Release);
        drop(store);
        drop(gone);
        done
    }

    fn is_empty(&self) -> bool {
        self.kept.load(Ordering::Acquire) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Store<T>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, url: &[u8]) -> Option<&AtomicU32> {
        let place = self.hasher.hash_one(url) & (TURNS as u64).wrapping_sub(1);
        self.turns.get(usize::try_from(place).unwrap_or(0))
    }

    fn count(&self, url: &[u8]) {
        if let Some(turn) = self.turn(url) {
            turn.fetch_add(1, Ordering::Release);
        }
    }
}

/// What an answer that is on its way takes; given back when dropped.
#[derive(Debug)]
pub struct Room<'a> {
    under_way: &'a AtomicUsize,
    bound: usize,
    taken: usize,
}

impl Room<'_> {
    /// Takes so much more; `false` when there is not so much.
    pub fn take(&mut self, bytes: usize) -> bool {
        let all = self.under_way.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.taken = self.taken.saturating_add(bytes);
        all <= self.bound
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.under_way.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Audience;

    type Lines = [(&'static str, &'static str)];
    const NOBODY: &Lines = &[];

    fn keep(cache: &Cache<u8>, mark: Mark) {
        let terms = Terms {
            audience: Audience::Everybody,
            lifetime: Duration::from_secs(1),
            grace: Duration::ZERO,
            age: Duration::ZERO,
            since: Duration::ZERO,
        };
        let variant = Variant::of(NOBODY, NOBODY, []).unwrap();
        cache.insert((b"/", mark), NOBODY, (variant, terms), (1, 1), Duration::ZERO);
    }

    #[test]
    fn what_was_asked_before_a_change_is_not_kept_after_it() {
        let cache = Cache::new(10_000);
        let before = cache.mark(b"/");
        cache.forget(b"/");
        keep(&cache, before);
        assert_eq!(cache.usage(), (0, 0));
        let before = cache.mark(b"/");
        cache.forget_answer(b"/", NOBODY, true);
        keep(&cache, before);
        assert_eq!(cache.usage().1, 1, "nothing was there");
        let before = cache.mark(b"/");
        cache.forget_answer(b"/", NOBODY, true);
        keep(&cache, before);
        assert_eq!(cache.usage().1, 0);
    }

    /// Looks at the cache's lock when it is freed.
    struct Freed(std::sync::Weak<Cache<Self>>);

    impl Drop for Freed {
        fn drop(&mut self) {
            let Some(cache) = self.0.upgrade() else { return };
            assert!(cache.store.try_lock().is_ok(), "others wait meanwhile");
        }
    }

    #[test]
    fn what_goes_is_freed_when_others_may_look_again() {
        let cache = Arc::new(Cache::new(10_000));
        let keep = |url: &[u8], weight| {
            let terms = Terms {
                audience: Audience::Everybody,
                lifetime: Duration::from_secs(1),
                grace: Duration::ZERO,
                age: Duration::ZERO,
                since: Duration::ZERO,
            };
            let variant = Variant::of(NOBODY, NOBODY, []).unwrap();
            let value = Freed(Arc::downgrade(&cache));
            cache.insert((url, cache.mark(url)), NOBODY, (variant, terms), (value, weight), Duration::ZERO);
        };
        for url in [b"/a", b"/b"] {
            keep(url, 6_000);
            assert_eq!(cache.usage().1, 1, "one makes room for the other");
        }
        keep(b"/b", 5_000);
        assert!(cache.find(b"/b", NOBODY, true, Duration::from_secs(9)).is_none());
        keep(b"/b", 5_000);
        cache.forget_answer(b"/b", NOBODY, true);
        keep(b"/b", 5_000);
        cache.forget(b"/b");
        assert_eq!(cache.usage(), (0, 0));
    }

    #[test]
    fn where_nothing_is_kept_nobody_waits_for_the_lock() {
        let cache = Cache::<u8>::new(10_000);
        let held = cache.lock();
        cache.forget_answer(b"/", NOBODY, true);
        assert!(cache.find(b"/", NOBODY, true, Duration::ZERO).is_none());
        drop(held);
        keep(&cache, cache.mark(b"/"));
        assert!(cache.find(b"/", NOBODY, true, Duration::ZERO).is_some());
        cache.forget_answer(b"/", NOBODY, true);
        assert!(cache.is_empty());
    }

    #[test]
    fn what_is_on_its_way_is_bounded_too() {
        let cache = Cache::<u8>::new(10);
        let (mut first, mut second) = (cache.room(), cache.room());
        assert!(first.take(6));
        assert!(!second.take(5));
        drop(second);
        assert!(first.take(4));
        assert!(!cache.room().take(1));
        drop(first);
        assert!(cache.room().take(10));
    }
}
