//! Renewing tokens: requests of one session that come side by side ask the provider once.
//!
//! Providers that exchange refresh tokens take a second use of one for theft. What one request has asked is
//! therefore shared with all that bring the same token, and remembered for a while, until the browser has
//! taken the new session over and no answer that began before can bring the old one back.

use super::memory::LoginMemory;
use super::provider::Pending;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use torana_filter::Overtaken;

/// How long a renewal is remembered at least, in seconds.
const REMEMBERED: u64 = 60;
/// How long it is after the old session's tokens have expired, which it does not outlast otherwise, in seconds.
const AFTERWARDS: u64 = 300;
/// The most seconds until then that are waited for.
const LONGEST: u64 = 3600;
/// Sessions that are renewed in that time. More are renewed too, but not shared.
const MOST: usize = 50_000;

type Name = [u8; 32];

/// Renewals under way and of late, by the refresh token that was used and the second of the renewal before: a provider may
/// give the same token again.
#[derive(Default)]
pub(super) struct Renewals(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    known: HashMap<Name, Known>,
    /// What was remembered, in order, by number. One that is late goes with those before it: at the most [`LONGEST`] after
    /// its time, and at once where the provider's tokens all last as long.
    queue: VecDeque<(u64, Name)>,
    /// The number of the next.
    next: u64,
}

struct Known {
    number: u64,
    began: u64,
    /// From when on it is forgotten.
    until: u64,
    pending: Pending,
}

/// A session goes out of date once it is renewed.
#[derive(Debug)]
pub(super) struct Renewed {
    memory: Arc<LoginMemory>,
    name: Name,
    now: u64,
}

impl Renewed {
    /// What overtakes a session with this token, last renewed then.
    pub(super) fn overtaking(
        memory: &Arc<LoginMemory>,
        token: &str,
        before: u64,
        now: u64,
    ) -> Arc<dyn Overtaken> {
        Arc::new(Self { memory: Arc::clone(memory), name: name(token, before), now })
    }
}

impl Overtaken for Renewed {
    fn is_overtaken(&self) -> bool {
        self.memory.renewals.knows(&self.name, self.now)
    }
}

fn name(token: &str, before: u64) -> Name {
    let mut name = Name::default();
    let text = format!("{before}\0{token}");
    name.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    name
}

impl Renewals {
    /// The renewal by this token, and when it began; `ask` begins it if nobody has. What the old session has expires at
    /// `expires`.
    pub(super) fn of(
        &self,
        token: &str,
        before: u64,
        now: u64,
        expires: u64,
        ask: impl FnOnce() -> Pending,
    ) -> (u64, Pending) {
        let name = name(token, before);
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget_late(now);
        if let Some(known) = remembered.known.get(&name).filter(|known| now < known.until) {
            return (known.began, known.pending.clone());
        }
        let pending = ask();
        let until = expires.clamp(now, now.saturating_add(LONGEST)).saturating_add(AFTERWARDS);
        let number = remembered.next;
        remembered.remember(name, Known { number, began: now, until, pending: pending.clone() });
        (now, pending)
    }

    /// Whether a renewal of this name is under way or was of late.
    fn knows(&self, name: &Name, now: u64) -> bool {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.known.get(name).is_some_and(|known| now < known.until)
    }

    /// Forgets a renewal that came to nothing, so that it may be tried again: not the next one, which whoever waited for
    /// the same may have begun by then.
    pub(super) fn forget(&self, token: &str, before: u64, pending: &Pending) {
        let name = name(token, before);
        let known = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).known;
        if known.get(&name).is_some_and(|known| known.pending.same_channel(pending)) {
            known.remove(&name);
        }
    }
}

impl Remembered {
    /// Forgets the first ones, as far as they are late or no longer there.
    fn forget_late(&mut self, now: u64) {
        while self.first().is_some_and(|first| first.is_none_or(|first| first.until <= now)) {
            self.forget_first();
        }
    }

    /// One more, where there is room: the oldest makes some once its time is over.
    fn remember(&mut self, name: Name, known: Known) {
        if self.known.len() >= MOST {
            let is_over = |first: &Known| first.began.saturating_add(REMEMBERED) <= known.began;
            if self.first().flatten().is_some_and(is_over) {
                self.forget_first();
            }
        }
        if self.known.len() >= MOST {
            return;
        }
        if self.queue.len() >= MOST.saturating_mul(2) {
            // Half of them and more came to nothing.
            let Self { known, queue, .. } = self;
            queue.retain(|(number, name)| known.get(name).is_some_and(|known| known.number == *number));
        }
        self.next = self.next.wrapping_add(1);
        self.queue.push_back((known.number, name));
        self.known.insert(name, known);
    }

    /// The first of the queue, if any: nothing where it is no longer remembered.
    fn first(&self) -> Option<Option<&Known>> {
        let (number, name) = self.queue.front()?;
        Some(self.known.get(name).filter(|known| known.number == *number))
    }

    fn forget_first(&mut self) {
        if self.first().flatten().is_some()
            && let Some((_, name)) = self.queue.front()
        {
            self.known.remove(name);
        }
        self.queue.pop_front();
    }
}

impl std::fmt::Debug for Renewals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Renewals").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::watch;

    const EXPIRES: u64 = 60;

    fn begin(renewals: &Renewals, token: &str, now: u64) -> (u64, Pending) {
        renewals.of(token, 0, now, now + EXPIRES, || watch::channel(None).1)
    }

    fn renew(renewals: &Renewals, token: &str, now: u64) -> u64 {
        begin(renewals, token, now).0
    }

    fn fail(renewals: &Renewals, token: &str) {
        renewals.forget(token, 0, &begin(renewals, token, 1000).1);
    }

    fn counts(renewals: &Renewals) -> (usize, usize) {
        let remembered = renewals.0.lock().unwrap();
        (remembered.known.len(), remembered.queue.len())
    }

    #[test]
    fn what_is_late_is_forgotten_with_the_next_renewal() {
        let renewals = Renewals::default();
        for number in 0..1000 {
            renew(&renewals, &number.to_string(), 1000 + number / 100);
        }
        assert_eq!(counts(&renewals), (1000, 1000));
        assert_eq!(renew(&renewals, "500", 1020), 1005);
        assert_eq!(renew(&renewals, "more", 1004 + EXPIRES + AFTERWARDS), 1004 + EXPIRES + AFTERWARDS);
        assert_eq!(counts(&renewals), (501, 501));
        renew(&renewals, "last", 5000);
        assert_eq!(counts(&renewals), (1, 1));
    }

    #[test]
    fn what_came_to_nothing_makes_room_and_is_no_longer_in_the_way() {
        let renewals = Renewals::default();
        renew(&renewals, "before", 1000);
        for _ in 0..3 * MOST {
            fail(&renewals, "again");
        }
        assert!(counts(&renewals).0 == 1 && counts(&renewals).1 <= 2 * MOST);
        renew(&renewals, "again", 1000);
        for _ in 0..2 * MOST {
            fail(&renewals, "another");
        }
        assert!(counts(&renewals).0 == 2 && counts(&renewals).1 < 2 * MOST);
        fail(&renewals, "again");
        assert_eq!(renew(&renewals, "again", 1001), 1001);
        assert_eq!(renew(&renewals, "again", 1001 + EXPIRES), 1001);
    }

    #[test]
    fn who_hears_late_that_a_renewal_came_to_nothing_leaves_the_next_one_alone() {
        let renewals = Renewals::default();
        let (_, first) = begin(&renewals, "token", 1000);
        renewals.forget("token", 0, &first);
        let (_, next) = begin(&renewals, "token", 1001);
        renewals.forget("token", 0, &first);
        assert_eq!(renew(&renewals, "token", 1002), 1001);
        renewals.forget("token", 0, &next);
        assert_eq!(renew(&renewals, "token", 1002), 1002);
    }

    #[test]
    fn the_oldest_makes_room_one_by_one_once_its_time_is_over() {
        let renewals = Renewals::default();
        for number in 0..MOST {
            renew(&renewals, &number.to_string(), 1000);
        }
        renew(&renewals, "too many", 1000 + REMEMBERED - 1);
        assert_eq!(
            renew(&renewals, "too many", 1000 + REMEMBERED),
            1000 + REMEMBERED,
            "not remembered before"
        );
        assert_eq!(counts(&renewals), (MOST, MOST));
        assert_eq!(renew(&renewals, "1", 1000 + REMEMBERED), 1000);
        assert_eq!(renew(&renewals, "0", 1000 + REMEMBERED), 1000 + REMEMBERED);
    }
}
