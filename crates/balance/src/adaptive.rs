//! A learnt bound of the requests that a service works on, shared by all workers and routes that use it.
//!
//! A request costs a few atomics and no lock; the lock of what is learnt is taken once a window, by whoever ends
//! it, and nobody waits for it. What a request teaches is the time until its answer began: from then on it does
//! not count as under way any more, so that streams may last. One that is no longer waited for, because its client
//! left, another try was quicker or its time was over, teaches that it took at least so long: without that a service
//! that hangs would look like one that is never asked. Less than the service takes without a queue says nothing, so
//! that clients who leave at once neither widen nor narrow what others get.

use crate::gradient::{Gradient, GradientSettings, WindowSample};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// A window with fewer samples says nothing yet.
const LEAST_SAMPLES: u64 = 10;

/// See the module.
#[derive(Debug)]
pub struct AdaptiveLimit {
    window_nanos: u64,
    limit: AtomicU32,
    under_way: AtomicU32,
    refused: AtomicU64,
    /// Of the window.
    most: AtomicU32,
    samples: AtomicU64,
    in_vain: AtomicU64,
    taken_nanos: AtomicU64,
    ends_at: AtomicU64,
    /// What the service takes without a queue; until that is known, a window.
    base_nanos: AtomicU64,
    learnt: Mutex<Gradient>,
}

/// A request under way; its place is given back when this is dropped.
#[derive(Debug)]
pub struct Admitted<'a> {
    limit: &'a AdaptiveLimit,
    began: u64,
}

impl AdaptiveLimit {
    /// A limit that has learnt nothing.
    #[must_use]
    pub fn new(settings: GradientSettings) -> Self {
        let gradient = Gradient::new(settings);
        let window_nanos = nanos(settings.window);
        Self {
            window_nanos,
            limit: AtomicU32::new(gradient.limit()),
            under_way: AtomicU32::new(0),
            refused: AtomicU64::new(0),
            most: AtomicU32::new(0),
            samples: AtomicU64::new(0),
            in_vain: AtomicU64::new(0),
            taken_nanos: AtomicU64::new(0),
            ends_at: AtomicU64::new(0),
            base_nanos: AtomicU64::new(window_nanos),
            learnt: Mutex::new(gradient),
        }
    }

    /// A place for a request, unless as many are under way as the service can work on.
    #[must_use]
    pub fn admit(&self, now_nanos: u64) -> Option<Admitted<'_>> {
        let limit = self.limit.load(Ordering::Relaxed);
        let entered = self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |under_way| {
            (under_way < limit).then(|| under_way.saturating_add(1))
        });
        match entered {
            Ok(before) => {
                let now = before.saturating_add(1);
                if now > self.most.load(Ordering::Relaxed) {
                    self.most.fetch_max(now, Ordering::Relaxed);
                }
                Some(Admitted { limit: self, began: now_nanos })
            }
            Err(_) => {
                // All of it is wanted, whatever was under way.
                self.most.fetch_max(limit, Ordering::Relaxed);
                self.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// A place for a request that the service works on already, whatever else is under way.
    #[must_use]
    pub fn begin(&self, now_nanos: u64) -> Admitted<'_> {
        let now = self.under_way.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.most.fetch_max(now, Ordering::Relaxed);
        Admitted { limit: self, began: now_nanos }
    }

    /// Whether a request finds no place; counted as one that did not.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let limit = self.limit();
        let full = self.under_way() >= limit;
        if full {
            self.most.fetch_max(limit, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        full
    }

    /// The limit now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Requests under way.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Requests that found no place.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn waited_in_vain(&self, taken: u64, now: u64) {
        if taken >= self.base_nanos.load(Ordering::Relaxed) {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
            self.count(taken, now);
        }
    }

    fn count(&self, taken: u64, now: u64) {
        self.taken_nanos.fetch_add(taken, Ordering::Relaxed);
        let samples = self.samples.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if samples < LEAST_SAMPLES || now < self.ends_at.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut learnt) = self.learnt.try_lock() else { return };
        // Somebody else may have ended it just before.
        if now < self.ends_at.load(Ordering::Relaxed) {
            return;
        }
        let first = self.ends_at.swap(now.saturating_add(self.window_nanos), Ordering::Relaxed) == 0;
        let (samples, taken) =
            (self.samples.swap(0, Ordering::Relaxed), self.taken_nanos.swap(0, Ordering::Relaxed));
        let in_vain = self.in_vain.swap(0, Ordering::Relaxed).saturating_mul(2) > samples;
        let most = self.most.swap(self.under_way(), Ordering::Relaxed);
        let mean = taken.checked_div(samples).filter(|_| !first);
        let Some(mean) = mean else { return };
        let (taken, now) = (Duration::from_nanos(mean), Duration::from_nanos(now));
        learnt.learn(&WindowSample { taken, in_vain, most_under_way: most, now });
        self.limit.store(learnt.limit(), Ordering::Relaxed);
        if let Some(base) = learnt.base() {
            self.base_nanos.store(nanos(base), Ordering::Relaxed);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Admitted<'_> {
    /// The service has the request from here on: what it took until now is not its doing.
    pub const fn begin(&mut self, now_nanos: u64) {
        self.began = now_nanos;
    }

    /// The answer has begun. Requests that say nothing about the service's speed are only dropped.
    pub fn answered(self, now_nanos: u64) {
        self.limit.count(now_nanos.saturating_sub(self.began), now_nanos);
    }

    /// The answer is no longer waited for: it would have taken longer.
    pub fn waited_in_vain(self, now_nanos: u64) {
        self.limit.waited_in_vain(now_nanos.saturating_sub(self.began), now_nanos);
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.limit.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(start: u32) -> GradientSettings {
        GradientSettings {
            min: 2,
            max: 100,
            start,
            headroom_percent: 25,
            window: Duration::from_millis(100),
            remeasure: Duration::from_secs(1_000),
        }
    }

    #[test]
    fn no_more_are_under_way_than_the_limit_and_places_come_back() {
        let limit = AdaptiveLimit::new(settings(2));
        let first = limit.admit(0).unwrap();
        let _second = limit.admit(0).unwrap();
        assert!(limit.admit(0).is_none());
        drop(first);
        assert!(limit.admit(0).is_some());
        assert_eq!((limit.limit(), limit.under_way(), limit.refused()), (2, 1, 1));
    }

    #[test]
    fn answers_that_take_longer_shrink_it_to_its_least_and_quick_ones_let_it_grow() {
        let (limit, mut now) = (AdaptiveLimit::new(settings(50)), 0);
        assert!(answer_after(&limit, &mut now, 20, 200) > 90);
        assert!(answer_after(&limit, &mut now, 500, 60) < 10);
        assert!(answer_after(&limit, &mut now, 20, 400) > 90);
        assert_eq!(limit.under_way(), 0);
    }

    /// Clients take all the places there are, again and again, and leave after so long. Gives the limit afterwards.
    fn leave_after(limit: &AdaptiveLimit, now: &mut u64, millis: u64, rounds: u32) -> u32 {
        for _ in 0..rounds {
            let admitted: Vec<_> = std::iter::from_fn(|| limit.admit(*now)).collect();
            *now += millis * 1_000_000;
            admitted.into_iter().for_each(|one| one.waited_in_vain(*now));
        }
        limit.limit()
    }

    fn answer_after(limit: &AdaptiveLimit, now: &mut u64, millis: u64, rounds: u32) -> u32 {
        for _ in 0..rounds {
            let admitted: Vec<_> = std::iter::from_fn(|| limit.admit(*now)).collect();
            *now += millis * 1_000_000;
            admitted.into_iter().for_each(|one| one.answered(*now));
        }
        limit.limit()
    }

    #[test]
    fn a_service_that_hangs_until_its_clients_leave_gets_little_and_recovers() {
        let (limit, mut now) = (AdaptiveLimit::new(settings(50)), 0);
        assert!(answer_after(&limit, &mut now, 20, 200) > 90);
        assert!(leave_after(&limit, &mut now, 2_000, 8) <= 5, "{}", limit.limit());
        assert!(answer_after(&limit, &mut now, 20, 400) > 90, "{}", limit.limit());
    }

    #[test]
    fn also_one_that_has_hung_since_the_start() {
        let (limit, mut now) = (AdaptiveLimit::new(settings(50)), 0);
        assert!(leave_after(&limit, &mut now, 2_000, 8) <= 5, "{}", limit.limit());
    }

    #[test]
    fn clients_who_leave_before_an_answer_could_have_come_change_nothing() {
        let (limit, mut now) = (AdaptiveLimit::new(settings(50)), 0);
        leave_after(&limit, &mut now, 1, 500);
        assert_eq!(limit.limit(), 50, "nothing is known yet");
        let learnt = answer_after(&limit, &mut now, 20, 200);
        assert_eq!(leave_after(&limit, &mut now, 10, 500), learnt);
    }

    #[test]
    fn answers_outweigh_a_few_who_leave() {
        let (limit, mut now) = (AdaptiveLimit::new(settings(50)), 0);
        answer_after(&limit, &mut now, 20, 200);
        for _ in 0..200 {
            let mut admitted: Vec<_> = std::iter::from_fn(|| limit.admit(now)).collect();
            now += 20_000_000;
            let leaving = admitted.split_off(admitted.len() * 9 / 10);
            admitted.into_iter().for_each(|one| one.answered(now));
            leaving.into_iter().for_each(|one| one.waited_in_vain(now));
        }
        assert!(limit.limit() > 90, "{}", limit.limit());
    }

    #[test]
    fn threads_never_exceed_it() {
        let limit = AdaptiveLimit::new(GradientSettings { max: 4, ..settings(4) });
        let worst = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (limit, worst) = (&limit, &worst);
                scope.spawn(move || {
                    for number in 0..2_000_u64 {
                        let now = (number * 8 + thread) * 1_000_000;
                        let Some(place) = limit.admit(now) else { continue };
                        worst.fetch_max(limit.under_way(), Ordering::Relaxed);
                        place.answered(now + 1_000_000);
                    }
                });
            }
        });
        assert!(worst.into_inner() <= 4);
        assert_eq!(limit.under_way(), 0);
    }

    #[test]
    fn who_only_waits_for_its_body_holds_no_place_and_teaches_nothing_of_that_time() {
        let limit = AdaptiveLimit::new(settings(2));
        assert!(!limit.is_full());
        let first = limit.begin(0);
        let (second, third) = (limit.begin(0), limit.begin(0));
        assert_eq!((limit.under_way(), limit.is_full()), (3, true), "the service has them, bound or not");
        drop((first, second, third));
        let (limit, second) = (AdaptiveLimit::new(settings(20)), 1_000_000_000);
        for turn in 1..=200 {
            let mut admitted = limit.admit(turn).unwrap();
            admitted.begin(turn * second);
            admitted.answered(turn * second + 1_000_000);
        }
        assert!(limit.limit() >= 20, "what took a millisecond each is not slow: {}", limit.limit());
    }
}
