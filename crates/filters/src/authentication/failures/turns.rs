//! Whose verdict is awaited, and who waits for a turn.
//!
//! Where a verdict takes time, no more are awaited at once than may still be wrong; the others wait for their turn,
//! so that guessing side by side gains nothing and nobody is refused for what others may yet do. Where these wait for
//! somebody who gives no answer, that is said to those who have waited behind them too.

use super::FailureLimit;
use crate::authentication::address_key::{AddressKey, address_key};
use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use torana_fault::{Fault, Reason};

/// How long somebody waits for the verdicts on others from the same address, at least.
pub(in crate::authentication) const PATIENCE: Duration = Duration::from_secs(5);

/// Only addresses of requests that are here: their number is bounded with that of connections.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<AddressKey, Awaited>>);

/// Verdicts of one address that are not there yet.
#[derive(Debug, Default)]
struct Awaited {
    under_way: u64,
    /// How many verdicts were given since somebody is here, and how many ended without for want of an answer.
    given: u64,
    unanswered: u64,
    /// Who waits for a turn, and how they are told; made for the first.
    waiting: u64,
    turn: Option<Arc<Notify>>,
}

/// A credential whose verdict is awaited: it takes one of what may still be wrong until the verdict is counted.
#[derive(Debug)]
pub(crate) struct UnderWay {
    place: Place,
    /// When it began, where nobody may leave uncounted before the verdict.
    leaving_counts: Option<Duration>,
    /// Whether there is none, for want of an answer.
    unanswered: Cell<bool>,
}

/// Why nothing was begun.
#[derive(Debug)]
pub(crate) enum Unbegun {
    /// Too many were wrong, or verdicts are given and there are too many to be given.
    Limited(Fault),
    /// Verdicts on others are not given.
    Unanswered {
        /// Whether all that ended meanwhile have ended so, for want of an answer.
        silent: bool,
    },
}

impl Unbegun {
    /// The fault, by the way's own words where no verdicts are given.
    pub(crate) fn or(self, unavailable: impl FnOnce() -> Fault) -> Fault {
        match self {
            Self::Limited(fault) => fault,
            Self::Unanswered { .. } => unavailable(),
        }
    }
}

impl From<Fault> for Unbegun {
    fn from(fault: Fault) -> Self {
        Self::Limited(fault)
    }
}

/// What is said to those who have waited too long although others were judged.
pub(in crate::authentication) fn too_many_at_once() -> Fault {
    Fault::new(Reason::AuthenticationLimited)
        .because("too many credentials from this address are being verified")
}

impl UnderWay {
    /// The verdict is there and was counted, or there will be none.
    pub(in crate::authentication) fn settle(&mut self) {
        self.leaving_counts = None;
        let mut awaited = self.place.limit.awaited();
        if let Some(own) = awaited.get_mut(&self.place.key) {
            let count = if self.unanswered.get() { &mut own.unanswered } else { &mut own.given };
            *count = count.saturating_add(1);
        }
    }

    pub(in crate::authentication) fn note_unanswered(&self) {
        self.unanswered.set(true);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(now) = self.leaving_counts {
            self.place.limit.count_key(self.place.key, now);
        }
    }
}

/// A place among those of an address; given up when it is dropped, and the next one is told.
#[derive(Debug)]
struct Place {
    limit: Arc<FailureLimit>,
    key: AddressKey,
    waits: bool,
}

impl Place {
    fn waiting(limit: &Arc<FailureLimit>, key: AddressKey) -> Self {
        let mut awaited = limit.awaited();
        let own = awaited.entry(key).or_default();
        own.waiting = own.waiting.saturating_add(1);
        Self { limit: Arc::clone(limit), key, waits: true }
    }

    /// Goes from waiting to being under way if there is room; what tells that there may be, if not.
    fn enter(&mut self, now: Duration) -> Result<Option<Arc<Notify>>, Fault> {
        let mut awaited = self.limit.awaited();
        // Under the lock: whoever left it before has counted its verdict.
        let left = self.limit.left(self.key, now)?;
        let own = awaited.entry(self.key).or_default();
        let free = left.saturating_sub(own.under_way);
        if free == 0 {
            return Ok(Some(Arc::clone(own.turn.get_or_insert_default())));
        }
        own.waiting = own.waiting.saturating_sub(1);
        own.under_way = own.under_way.saturating_add(1);
        self.waits = false;
        if let Some(turn) = own.turn.as_ref().filter(|_| free > 1 && own.waiting > 0) {
            turn.notify_one();
        }
        Ok(None)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut awaited = self.limit.awaited();
        let Some(own) = awaited.get_mut(&self.key) else { return };
        let count = if self.waits { &mut own.waiting } else { &mut own.under_way };
        *count = count.saturating_sub(1);
        if own.under_way == 0 && own.waiting == 0 {
            awaited.remove(&self.key);
        } else if let Some(turn) = &own.turn {
            turn.notify_one();
        }
    }
}

impl FailureLimit {
    /// How many verdicts on others of the address were given since somebody waits there, and how many were not for
    /// want of an answer.
    fn ended(&self, key: AddressKey) -> (u64, u64) {
        self.awaited().get(&key).map_or((0, 0), |own| (own.given, own.unanswered))
    }

    /// Waits until one more credential of the address may be verified. `leaving_counts`: one who leaves before
    /// the verdict is counted as wrong, because verifying goes on without.
    ///
    /// # Errors
    /// Too many were wrong, or the verdicts on others are not there in time.
    pub(in crate::authentication) async fn begin(
        self: &Arc<Self>,
        address: IpAddr,
        now: Duration,
        leaving_counts: bool,
        patience: Duration,
    ) -> Result<UnderWay, Unbegun> {
        let (began, key) = (Instant::now(), address_key(address));
        let mut place = Place::waiting(self, key);
        let (given, unanswered) = self.ended(key);
        loop {
            let waited = began.elapsed();
            let now = now.saturating_add(waited);
            let Some(turn) = place.enter(now)? else {
                let leaving_counts = leaving_counts.then_some(now);
                return Ok(UnderWay { place, leaving_counts, unanswered: Cell::new(false) });
            };
            if tokio::time::timeout(patience.saturating_sub(waited), turn.notified()).await.is_ok() {
                continue;
            }
            // Nobody who waits is forgotten, so these have only grown.
            return Err(match self.ended(key) {
                (now_given, now_unanswered) if now_given > given && now_unanswered == unanswered => {
                    Unbegun::Limited(too_many_at_once())
                }
                (now_given, now_unanswered) => {
                    Unbegun::Unanswered { silent: now_unanswered > unanswered && now_given == given }
                }
            });
        }
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<AddressKey, Awaited>> {
        self.turns.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn limit(rate: &str) -> Arc<FailureLimit> {
        Arc::new(FailureLimit::new(&rate.parse().unwrap()))
    }

    async fn waits(mut future: Pin<&mut impl Future>) -> bool {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn who_leaves_before_the_verdict_is_counted_only_where_that_is_said() {
        let limit = limit("1/hour");
        let begin = |leaving_counts| limit.begin(HERE, Duration::ZERO, leaving_counts, PATIENCE);
        drop(begin(false).await.unwrap());
        let mut judged = begin(true).await.unwrap();
        judged.settle();
        drop(judged);
        assert!(limit.check(HERE, Duration::ZERO).is_ok());
        drop(begin(true).await.unwrap());
        assert!(limit.check(HERE, Duration::ZERO).is_err());
        assert!(limit.awaited().is_empty());
    }

    #[tokio::test]
    async fn a_place_that_is_given_up_goes_to_who_waits_and_a_failure_refuses_them() {
        let limit = limit("1/hour");
        let begin = || limit.begin(HERE, Duration::ZERO, false, PATIENCE);
        let first = begin().await.unwrap();
        let (mut second, mut third, mut gone) = (pin!(begin()), pin!(begin()), Box::pin(begin()));
        assert!(waits(gone.as_mut()).await);
        assert!(waits(second.as_mut()).await);
        assert!(waits(third.as_mut()).await);
        // One who waits no longer takes no place with it.
        drop(first);
        drop(gone);
        let begun = second.await.unwrap();
        assert!(waits(third.as_mut()).await);
        limit.count(HERE, Duration::ZERO);
        drop(begun);
        assert!(matches!(third.await, Err(Unbegun::Limited(_))));
        assert!(limit.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_in_vain_is_told_what_became_of_those_before() {
        let limit = limit("1/hour");
        let begin = || limit.begin(HERE, Duration::ZERO, false, PATIENCE);
        for (ends, expected) in [
            (&[][..], Some(false)),
            (&[false], Some(true)),
            (&[false, false], Some(true)),
            (&[true, false], Some(false)),
            (&[true], None),
        ] {
            let mut under_way = begin().await.unwrap();
            let mut next: Vec<_> = ends.iter().map(|_| Box::pin(begin())).collect();
            for one in &mut next {
                assert!(waits(one.as_mut()).await);
            }
            let mut waiting = pin!(begin());
            assert!(waits(waiting.as_mut()).await);
            for (answered, next) in ends.iter().zip(next) {
                if !answered {
                    under_way.note_unanswered();
                }
                under_way.settle();
                drop(under_way);
                under_way = next.await.unwrap();
            }
            let told = match waiting.await.unwrap_err() {
                Unbegun::Unanswered { silent } => Some(silent),
                Unbegun::Limited(_) => None,
            };
            assert_eq!(told, expected, "{ends:?}");
        }
        assert!(limit.awaited().is_empty());
    }
}
