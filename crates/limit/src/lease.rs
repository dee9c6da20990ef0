//! One node's part of a budget that lies in a store: permits that were debited there *before* they are used
//! here, so that all nodes together never admit more than the budget, whatever becomes of messages and nodes.
//!
//! - **Until when.** The store says how long permits hold from the moment of its decision. That moment was
//!   after the question was sent, so counting from the sending, by this node's own clock, is never too long.
//!   Clocks of different machines are not compared.
//! - **Whose.** The request that asks has its own permits from the answer, as if it had asked alone, however late that
//!   comes: they count from the store's decision. Only the rest is kept.
//! - **How many.** What this node's requests would use in [`HORIZON`] or while permits hold, at most twice the last lease, and
//!   that when it was used up in less time. The store gives at most half of what is left, so leases shrink as the budget
//!   ends.
//! - **One by one.** Where permits cannot be kept (a small burst at a slow pace), or hold for less than two of the
//!   store's last round trip, each request asks for its own. So does one that has waited for another's answer,
//!   or long enough for its turn, and found no permit.
//! - **How often.** For leases a node asks [`ASKS_AT_ONCE`] times at once and [`ASKS_PER_SECOND`] a second for one
//!   caller, never more. A refusal is remembered for as long as the store said it would hold, and at most for [`IDLE`]
//!   (another node may return what it holds, and a limit be reset), for requests that cost as much or more.
//! - **What is left over.** Permits of a caller who has gone quiet are returned after [`IDLE`], where they can
//!   still be of use, and those that come too late to be kept at once; others end by themselves. Nothing is
//!   returned twice.
//!
//! Here is only the state; sending is the business of others.

use crate::budget::Grant;
use crate::gcra::{self, Gcra};
use crate::view::View;
use std::time::Duration;

/// For how much demand a lease is sized, where permits hold for as long.
pub const HORIZON: Duration = Duration::from_millis(50);
/// Over less, demand is not measured.
const SHORTEST: Duration = Duration::from_millis(1);
/// Questions to the store that one caller may cause at once.
pub const ASKS_AT_ONCE: u64 = 20;
/// Questions to the store that one caller may cause in each second.
pub const ASKS_PER_SECOND: u64 = 100;
/// Permits that hold for a shorter time need more questions than there are.
const BRIEF: Duration = Duration::from_millis(2_000 / ASKS_PER_SECOND);
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
    /// Ask the store for `want` permits, or at least `least`; what it says is the decision. See [`Lease::granted`].
    Ask {
        /// Permits for this request and those to come.
        want: u64,
        /// Permits for this request.
        least: u64,
    },
    /// Ask the store for this request alone; what it says is the decision. See [`Lease::told`].
    Own,
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
    /// When the store gave the permits that were used last.
    used: Duration,
    asking: bool,
    /// Questions that came to an end, and whether the last one was answered.
    answers: u64,
    heard: bool,
    asks: gcra::State,
    /// Until when requests that cost as much as the one that was refused are refused without a question, and until when
    /// they would be if nothing came back, as the store said.
    refused_until: Duration,
    refused_cost: u64,
    refused_for: Duration,
    /// What the store last said of the window that leaves least, and of all where that is told; and when it was asked.
    seen: (usize, View),
    seen_all: Box<[View]>,
    seen_at: Duration,
    /// The size of the last lease, when it came, and whether it was used up while it held.
    size: u64,
    size_since: Duration,
    used_up: bool,
    /// Permits cannot be kept: each request asks for its own.
    single: bool,
    /// They can, but end too soon for the pace of questions.
    brief: bool,
    /// When permits that came with the last answer end, and the longest that any held.
    ends: Duration,
    longest: Duration,
    /// What was demanded since then.
    demand: u64,
    demand_since: Duration,
    touched: Duration,
}

impl Lease {
    fn pace() -> Gcra {
        Gcra::new(ASKS_PER_SECOND, Duration::from_secs(1), ASKS_AT_ONCE)
    }

    /// Decides about a request that costs `cost`; `waited` when it has joined another's question already, or
    /// waited for its turn as long as it can.
    pub fn step(&mut self, now: Duration, cost: u64, waited: bool) -> Step {
        if self.pass(now, cost) {
            return Step::Pass;
        }
        if now < self.refused_until && cost >= self.refused_cost {
            return Step::Refuse;
        }
        if self.asking && !self.single && !waited {
            return Step::Join;
        }
        // Where nothing was left a moment ago, asking again brings nothing either. Who was not answered knows nothing.
        let spent = self.heard && self.seen.1.remaining < cost;
        if waited && spent {
            return Step::Refuse;
        }
        let (pace, asks) = (Self::pace(), self.asks);
        let alone = self.single || self.asking;
        if !alone && pace.available(asks, now) == 0 {
            if spent {
                return Step::Refuse;
            }
            // Who waits for its turn does so for an answer: where there was none, none is waited for.
            if self.heard && !self.brief && !waited {
                return Step::Wait(pace.view(asks, now, 1).retry_after);
            }
        }
        self.demand = self.demand.saturating_add(cost);
        if alone || pace.available(asks, now) == 0 {
            return Step::Own;
        }
        let want = self.size_for(now).max(cost);
        self.ask(now);
        Step::Ask { want, least: cost }
    }

    /// Uses a permit that is here. All that is decided while nobody can be asked.
    pub fn pass(&mut self, now: Duration, cost: u64) -> bool {
        self.expire(now);
        self.touched = now;
        let passes = self.take(now, cost);
        if passes {
            self.demand = self.demand.saturating_add(cost);
            self.used_up |= self.permits() == 0;
        }
        passes
    }

    /// Uses permits of one grant that still hold.
    fn take(&mut self, now: Duration, cost: u64) -> bool {
        let holds = |lot: &&mut Lot| lot.permits >= cost && now < lot.deadline;
        let Some(lot) = [&mut self.now, &mut self.next].into_iter().find(holds) else { return cost == 0 };
        lot.permits = lot.permits.saturating_sub(cost);
        self.used = lot.taken;
        true
    }

    /// How many permits to ask for although there are some, so that requests need not wait; the store must
    /// then be asked.
    pub fn refill(&mut self, now: Duration) -> Option<u64> {
        self.expire(now);
        let due = self.size > 1
            && !(self.asking || self.single)
            && self.permits() <= self.size / 2
            && now >= self.refused_until;
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
        let since = now.saturating_sub(self.demand_since).max(SHORTEST).as_nanos();
        let demand = u128::from(self.demand).saturating_mul(self.horizon(now).as_nanos()).checked_div(since);
        let demand = u64::try_from(demand.unwrap_or(0)).unwrap_or(LARGEST);
        // Doubling lets a lease grow within few questions from one to any demand, and one measurement over a very short
        // time may not ask for more.
        let twice = self.size.saturating_mul(2).clamp(1, LARGEST);
        let early = self.used_up && now.saturating_sub(self.size_since) < self.horizon(now);
        if early { twice } else { demand.min(twice) }
    }

    /// For how long permits that come now are of use, as far as is known: some end with the window, as those before.
    fn horizon(&self, now: Duration) -> Duration {
        let left = self.ends.saturating_sub(now);
        let left = if left.is_zero() { self.longest } else { left.min(self.longest) };
        left.clamp(SHORTEST, HORIZON)
    }

    /// The store has answered a question that was sent at `sent` by a request that has `own` of the permits already,
    /// or by none. What does not come into the lease goes back.
    #[must_use]
    pub fn granted(&mut self, now: Duration, sent: Duration, own: u64, grant: &Grant) -> Option<Returned> {
        self.asking = false;
        self.answers = self.answers.wrapping_add(1);
        self.note(now, sent, own.max(1), grant);
        self.expire(now);
        (self.demand, self.demand_since, self.used_up) = (own.min(grant.granted), sent, false);
        if grant.granted == 0 {
            return None;
        }
        (self.size, self.size_since) = (grant.granted, now);
        let permits = grant.granted.saturating_sub(own);
        let deadline = sent.saturating_add(grant.hold);
        let mut over = Lot { permits, deadline, taken: grant.at };
        if now < deadline {
            // One that is empty too: what was used of it may come back.
            if self.now.permits == 0 {
                self.now = std::mem::take(&mut over);
            } else if self.next.permits == 0 {
                self.next = std::mem::take(&mut over);
            } else if permits > 0 {
                // The oldest makes room.
                std::mem::swap(&mut self.next, &mut over);
                std::mem::swap(&mut self.now, &mut over);
            }
        }
        self.used_up = self.permits() == 0;
        (over.permits > 0).then_some(Returned { permits: over.permits, taken: over.taken })
    }

    /// The store has answered a request that asked at `sent` for itself alone, and wanted `cost`.
    pub fn told(&mut self, now: Duration, sent: Duration, cost: u64, grant: &Grant) {
        self.note(now, sent, cost, grant);
    }

    /// What any answer says of the budget, and of the way to the store.
    fn note(&mut self, now: Duration, sent: Duration, least: u64, grant: &Grant) {
        self.single = grant.hold <= now.saturating_sub(sent).saturating_mul(2);
        (self.brief, self.heard) = (grant.hold < BRIEF, true);
        (self.ends, self.longest) = (sent.saturating_add(grant.hold), self.longest.max(grant.hold));
        (self.seen, self.seen_at) = ((grant.window, grant.view), sent);
        self.seen_all = grant.all.as_slice().into();
        if grant.granted == 0 {
            (self.refused_for, self.refused_cost) = (sent.saturating_add(grant.view.retry_after), least);
            self.refused_until = self.refused_for.min(now.saturating_add(IDLE));
        }
    }

    /// The store did not answer. What it may have given is lost, not used.
    pub fn failed(&mut self) {
        (self.asking, self.heard) = (false, false);
        self.answers = self.answers.wrapping_add(1);
    }

    /// The question under way, if there is one; those before and after it have other numbers.
    #[must_use]
    pub fn question(&self) -> Option<u64> {
        self.asking.then_some(self.answers)
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
        self.used
    }

    /// Puts permits back that were used and turned out not to be needed, if those they came with still hold.
    /// `false`: they go back to the store.
    pub fn put_back(&mut self, now: Duration, lot: Duration, permits: u64) -> bool {
        let holds = |one: &&mut Lot| now < one.deadline && one.taken == lot;
        let Some(lot) = [&mut self.now, &mut self.next].into_iter().find(holds) else { return false };
        lot.permits = lot.permits.saturating_add(permits);
        true
    }

    /// How many permits are held.
    #[must_use]
    pub const fn permits(&self) -> u64 {
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
        let permits = [&self.now, &self.next].iter().any(|lot| lot.permits > 0 && now < lot.deadline);
        quiet && !permits && !self.asking
    }

    /// What a caller may be told: what the store said last, and what is here. Which window leaves least comes first.
    #[must_use]
    pub fn view(&self, now: Duration) -> (usize, View) {
        let (window, seen) = self.seen;
        let view = self.since(&seen, now);
        let refused = now < self.refused_until;
        let retry_after = if refused { self.refused_for.saturating_sub(now) } else { view.retry_after };
        (window, View { retry_after, ..view })
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
mod tests;
