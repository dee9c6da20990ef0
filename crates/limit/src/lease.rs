//! One node's part of a budget that lies in a store: permits that were debited there *before* they are used
//! here, so that all nodes together never admit more than the budget, whatever becomes of messages and nodes.
//!
//! - **Until when.** The store says how long permits hold from the moment of its decision. That moment was
//!   after the question was sent, so counting from the sending, by this node's own clock, is never too long.
//!   Clocks of different machines are not compared.
//! - **How many.** What this node's requests would use in [`HORIZON`], at least twice the last lease when that
//!   was used up early. The store gives at most half of what is left, so leases shrink as the budget ends.
//! - **One by one.** Where permits cannot be kept (a small burst at a slow pace) each request asks for its own.
//! - **How often.** Else a node asks [`ASKS_AT_ONCE`] times at once and [`ASKS_PER_SECOND`] a second for one caller,
//!   never more. A refusal is remembered for as long as the store said it would hold.
//! - **What is left over.** Permits of a caller who has gone quiet are returned after [`IDLE`], where they can
//!   still be of use; others end by themselves. Nothing is returned twice.
//!
//! Here is only the state; sending is the business of others.

use crate::budget::Grant;
use crate::gcra::{self, Gcra};
use crate::view::View;
use std::time::Duration;

/// For how much demand a lease is sized.
pub const HORIZON: Duration = Duration::from_millis(50);
/// Questions to the store that one caller may cause at once.
pub const ASKS_AT_ONCE: u64 = 20;
/// Questions to the store that one caller may cause in each second.
pub const ASKS_PER_SECOND: u64 = 100;
/// Permits that were not touched for so long are returned.
pub const IDLE: Duration = Duration::from_millis(500);
/// The largest lease.
const LARGEST: u64 = 1 << 30;

/// What a request has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on; a permit was used.
    Pass,
    /// The budget is used up, as far as is known here.
    Refuse,
    /// Somebody is asking the store already: wait for the answer, then try again.
    Join,
    /// The store may be asked again only then.
    Wait(Duration),
    /// Ask the store for `want` permits, or at least `least`, then try again.
    Ask {
        /// Permits for this request and those to come.
        want: u64,
        /// Permits for this request.
        least: u64,
    },
}

/// Permits that go back to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Returned {
    /// How many.
    pub permits: u64,
    /// When the store gave them, by its clock.
    pub taken: Duration,
}

/// Permits of one grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lot {
    permits: u64,
    deadline: Duration,
    taken: Duration,
}

/// One caller's permits on one node. All times are of one clock of this node that never goes back, except
/// where it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    now: Lot,
    next: Lot,
    asking: bool,
    asks: gcra::State,
    refused_until: Duration,
    /// What the store last said of the window that leaves least, and of all where that is told; and when it was asked.
    seen: (usize, View),
    seen_all: Box<[View]>,
    seen_at: Duration,
    /// The size of the last lease, and whether it was used up while it held.
    size: u64,
    used_up: bool,
    /// Permits cannot be kept: each request asks for its own, and only as many are admitted as the limit has.
    single: bool,
    /// What was demanded since then.
    demand: u64,
    demand_since: Duration,
    touched: Duration,
}

impl Lease {
    fn pace() -> Gcra {
        Gcra::new(ASKS_PER_SECOND, Duration::from_secs(1), ASKS_AT_ONCE)
    }

    /// Decides about a request that costs `cost`.
    pub fn step(&mut self, now: Duration, cost: u64) -> Step {
        self.expire(now);
        self.touched = now;
        if self.now.permits >= cost {
            self.demand = self.demand.saturating_add(cost);
            self.now.permits = self.now.permits.saturating_sub(cost);
            self.used_up |= self.permits() == 0;
            return Step::Pass;
        }
        if self.asking {
            return Step::Join;
        }
        if now < self.refused_until {
            return Step::Refuse;
        }
        let (pace, asks) = (Self::pace(), self.asks);
        if !self.single && pace.available(asks, now) == 0 {
            let wait = pace.view(asks, now, 1).retry_after;
            // Where nothing was left a moment ago, waiting brings nothing either.
            return if self.seen.1.remaining < cost { Step::Refuse } else { Step::Wait(wait) };
        }
        self.demand = self.demand.saturating_add(cost);
        let want = self.size_for(now).max(cost);
        self.ask(now);
        Step::Ask { want, least: cost }
    }

    /// How many permits to ask for although there are some, so that requests need not wait; the store must
    /// then be asked.
    pub fn refill(&mut self, now: Duration) -> Option<u64> {
        self.expire(now);
        let due =
            self.size > 1 && !self.asking && self.permits() <= self.size / 2 && now >= self.refused_until;
        // The last questions are kept for requests that have no permit.
        if !due || Self::pace().available(self.asks, now) <= ASKS_AT_ONCE / 2 {
            return None;
        }
        let want = self.size_for(now);
        (want > 0).then(|| {
            self.ask(now);
            want
        })
    }

    fn ask(&mut self, now: Duration) {
        Self::pace().commit(&mut self.asks, now, 1);
        self.asking = true;
    }

    fn size_for(&self, now: Duration) -> u64 {
        if self.single {
            return 0;
        }
        let since = now.saturating_sub(self.demand_since).max(Duration::from_millis(1)).as_nanos();
        let demand = u128::from(self.demand).saturating_mul(HORIZON.as_nanos()).checked_div(since);
        let demand = u64::try_from(demand.unwrap_or(0)).unwrap_or(LARGEST);
        // Doubling lets a lease grow within few questions from one to any demand.
        let twice = if self.used_up { self.size.saturating_mul(2) } else { 0 };
        // One measurement over a very short time may not ask for more than four times as much.
        let most = self.size.saturating_mul(4).max(1);
        demand.min(most).max(twice).min(LARGEST)
    }

    /// The store has answered a question that was sent at `sent`. Permits that cannot be kept (a grant whose
    /// `hold` is zero) are for the request that asked, and do not come here.
    pub fn granted(&mut self, now: Duration, sent: Duration, grant: &Grant) {
        self.asking = false;
        self.single = grant.hold.is_zero();
        self.expire(now);
        (self.seen, self.seen_at) = ((grant.window, grant.view), sent);
        self.seen_all = grant.all.as_slice().into();
        (self.demand, self.demand_since, self.used_up) = (0, sent, false);
        if grant.granted == 0 {
            self.refused_until = sent.saturating_add(grant.view.retry_after);
            return;
        }
        self.size = grant.granted;
        if self.single {
            // The request that asked has them already.
            return;
        }
        let deadline = sent.saturating_add(grant.hold);
        let lot = Lot { permits: grant.granted, deadline, taken: grant.at };
        if self.now.permits == 0 {
            self.now = lot;
        } else {
            self.next = lot;
        }
    }

    /// The store did not answer. What it may have given is lost, not used.
    pub fn failed(&mut self) {
        self.asking = false;
    }

    fn expire(&mut self, now: Duration) {
        for _ in 0..2 {
            if self.now.permits == 0 || now >= self.now.deadline {
                self.now = std::mem::take(&mut self.next);
            }
        }
    }

    /// Which permits were used last: when the store gave them, by its clock.
    #[must_use]
    pub const fn lot(&self) -> Duration {
        self.now.taken
    }

    /// Puts permits back that were used and turned out not to be needed, if those they came with still hold.
    /// `false`: they go back to the store.
    pub fn put_back(&mut self, now: Duration, lot: Duration, permits: u64) -> bool {
        let holds = now < self.now.deadline && self.now.taken == lot;
        if holds {
            self.now.permits = self.now.permits.saturating_add(permits);
        }
        holds
    }

    const fn permits(&self) -> u64 {
        self.now.permits.saturating_add(self.next.permits)
    }

    /// Permits that nobody has wanted for [`IDLE`], or, with `end`, all that are left. They are no longer here.
    pub fn give_back(&mut self, now: Duration, end: bool) -> Option<Returned> {
        self.expire(now);
        let idle = now.saturating_sub(self.touched) >= IDLE;
        if !(idle || end) || self.now.permits == 0 {
            return None;
        }
        let lot = std::mem::replace(&mut self.now, std::mem::take(&mut self.next));
        Some(Returned { permits: lot.permits, taken: lot.taken })
    }

    /// Whether there are permits to look after.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.permits() > 0
    }

    /// Whether nothing is lost by forgetting this lease: no permit, no question, no refusal.
    #[must_use]
    pub fn is_empty(&self, now: Duration) -> bool {
        let quiet = now.saturating_sub(self.touched) >= IDLE && now >= self.refused_until;
        let permits = self.now.permits > 0 && now < self.now.deadline || self.next.permits > 0;
        quiet && !permits && !self.asking
    }

    /// What a caller may be told: what the store said last, and what is here. Which window leaves least comes first.
    #[must_use]
    pub fn view(&self, now: Duration) -> (usize, View) {
        let (window, seen) = self.seen;
        (window, View { retry_after: self.refused_until.saturating_sub(now), ..self.since(&seen, now) })
    }

    /// The same of every window, as far as the store was asked for that.
    #[must_use]
    pub fn views(&self, now: Duration) -> Vec<View> {
        self.seen_all.iter().map(|seen| self.since(seen, now)).collect()
    }

    fn since(&self, seen: &View, now: Duration) -> View {
        let since = now.saturating_sub(self.seen_at);
        View {
            limit: seen.limit,
            remaining: seen.remaining.saturating_add(self.permits()),
            retry_after: seen.retry_after.saturating_sub(since),
            reset_after: seen.reset_after.saturating_sub(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_put_back_only_where_they_came_from_and_while_they_hold() {
        let at = Duration::from_millis;
        let mut lease = Lease::default();
        assert!(matches!(lease.step(at(0), 1), Step::Ask { .. }));
        let grant = |taken| Grant { granted: 2, hold: at(100), at: at(taken), ..Grant::default() };
        lease.granted(at(1), at(0), &grant(7_000));
        assert_eq!((lease.step(at(2), 2), lease.lot()), (Step::Pass, at(7_000)));
        // The last permit is used up, and comes back all the same.
        assert!(lease.put_back(at(3), at(7_000), 2) && lease.holds());
        assert!(!lease.put_back(at(3), at(6_000), 2), "of another grant");
        assert!(!lease.put_back(at(100), at(7_000), 2), "they have ended");
        assert_eq!(lease.step(at(4), 2), Step::Pass);
        assert_ne!(lease.step(at(5), 1), Step::Pass);
    }
}
