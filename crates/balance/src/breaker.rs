//! The circuit breaker of a service: it stops asking a service that fails, and asks again with a few trials.
//!
//! ```text
//! closed --(rules met)--> open --(open_for passed, next request)--> half-open --(all trials well)--> closed
//!                          ^                                            |
//!                          +-------------(one trial bad)----------------+
//! ```
//! While it is half open exactly `trials` requests are let through until their outcome is known; all others
//! are refused at once. A trial that ends without an outcome (its client went away) gives its place back, and one
//! whose client is slow to send its body loses it after a second to the next who asks: how long a client takes
//! must not decide when all others are served again.
//!
//! One breaker is shared by all workers and all routes that use the service. A closed breaker costs one
//! atomic load for a request and no clock; the lock is taken only by transitions and by trials.
//! An outcome counts only in the period in which its request was admitted: what was sent before the breaker
//! opened says nothing about the trials.
//!
//! Sources: Nygard, "Release It!" (2007); the window, minimum volume and slow calls follow resilience4j.

mod window;

use crate::change::{BreakerCause, BreakerChange, Changes};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use window::Window;

/// What a half-open breaker tells those whom it refuses.
const TRYING: Duration = Duration::from_secs(1);
/// For how long a trial keeps its place while its client sends the body.
const UPLOADING: Duration = Duration::from_secs(1);

/// What shapes a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerSettings {
    /// Opens after this many failures in a row.
    pub failures: Option<NonZeroU32>,
    /// Opens by shares of the recent past.
    pub window: Option<WindowSettings>,
    /// How long it stays open.
    pub open_for: Duration,
    /// How many requests try the service before it closes again.
    pub trials: NonZeroU32,
}

/// Opens by shares of the recent past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSettings {
    /// How far back is looked.
    pub length: Duration,
    /// With fewer calls in the window nothing is concluded.
    pub minimum_calls: u32,
    /// Percent of calls that fail, from which it opens.
    pub failure_percent: Option<u32>,
    /// Percent of calls that are slow, from which it opens.
    pub slow_percent: Option<u32>,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// Well, but it took longer than it should.
    Slow,
    /// Badly.
    Failure,
}

/// What a breaker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets all requests through.
    Closed,
    /// Refuses all.
    Open,
    /// Lets trials through and refuses the rest.
    HalfOpen,
}

impl BreakerState {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The name in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Refused without asking the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When asking again makes sense.
    pub retry_after: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    /// The state in the lowest two bits, above it the number of transitions so far.
    phase: AtomicU64,
    /// While open: the caller's nanoseconds at which trials may begin.
    open_until: AtomicU64,
    consecutive: AtomicU32,
    window: Option<Window>,
    trials: Mutex<Trials>,
    /// How often each state was entered.
    entered: [AtomicU64; 3],
    refused: AtomicU64,
    changes: Changes<BreakerChange>,
}

#[derive(Debug, Default)]
struct Trials {
    begun: u32,
    succeeded: u32,
    /// Those whose clients still send their bodies, the oldest first: their numbers, and when they began.
    uploading: VecDeque<(u64, u64)>,
    /// The number of the last upload.
    number: u64,
}

impl Trials {
    /// Takes a place; one whose client takes too long gives way.
    fn take_place(&mut self, most: NonZeroU32, now: u64) -> bool {
        if self.begun < most.get() {
            self.begun = self.begun.saturating_add(1);
            return true;
        }
        let patience = u64::try_from(UPLOADING.as_nanos()).unwrap_or(u64::MAX);
        self.uploading.pop_front_if(|(_, began)| began.saturating_add(patience) <= now).is_some()
    }

    fn begin_upload(&mut self, now: u64) -> u64 {
        self.number = self.number.wrapping_add(1);
        self.uploading.push_back((self.number, now));
        self.number
    }

    /// Whether it still had its place.
    fn end_upload(&mut self, number: u64) -> bool {
        let place = self.uploading.iter().position(|(uploading, _)| *uploading == number);
        place.is_some_and(|place| self.uploading.remove(place).is_some())
    }
}

/// A phase: which state, and how many transitions led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Phase(u64);

impl Phase {
    const fn state(self) -> BreakerState {
        match self.0 & 3 {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    const fn next(self, state: BreakerState) -> Self {
        Self((self.0 >> 2).wrapping_add(1) << 2 | state as u64)
    }

    const fn change(self, to: BreakerState, why: BreakerCause, at_nanos: u64) -> BreakerChange {
        BreakerChange { from: self.state(), to, why, at_nanos }
    }
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self::told(settings, Changes::default())
    }

    /// The same, whose changes are told.
    #[must_use]
    pub fn told(settings: BreakerSettings, changes: Changes<BreakerChange>) -> Self {
        Self {
            changes,
            settings,
            phase: AtomicU64::new(0),
            open_until: AtomicU64::new(0),
            consecutive: AtomicU32::new(0),
            window: settings.window.map(|window| Window::new(window.length)),
            trials: Mutex::default(),
            entered: Default::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Lets a request through, or not. `whole`: all of it has come from the client, else [`Admission::sent`] tells
    /// when the service has it. `now_nanos` is asked for the clock only when the breaker is not closed.
    ///
    /// # Errors
    /// The breaker is open, or half open and its trials are under way.
    pub fn admit(&self, whole: bool, now_nanos: impl FnOnce() -> u64) -> Result<Admission<'_>, Refused> {
        let phase = self.phase();
        if phase.state() == BreakerState::Closed {
            return Ok(Admission { breaker: self, phase, open: true, upload: None });
        }
        let now = now_nanos();
        let admitted = self.try_trial(phase, whole, now);
        if admitted.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    fn try_trial(&self, phase: Phase, whole: bool, now: u64) -> Result<Admission<'_>, Refused> {
        if phase.state() == BreakerState::Open {
            let left = self.open_until.load(Ordering::Acquire).saturating_sub(now);
            if left > 0 {
                return Err(Refused { retry_after: Duration::from_nanos(left) });
            }
        }
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        let mut phase = self.phase();
        let (mut changed, mut upload) = (None, None);
        if phase.state() == BreakerState::Open && self.open_until.load(Ordering::Acquire) <= now {
            *trials = Trials { number: trials.number, ..Trials::default() };
            changed = Some(phase.change(BreakerState::HalfOpen, BreakerCause::TimeOver, now));
            phase = self.enter(phase, BreakerState::HalfOpen);
        }
        match phase.state() {
            BreakerState::Closed => {}
            BreakerState::HalfOpen if trials.take_place(self.settings.trials, now) => {
                upload = (!whole).then(|| trials.begin_upload(now));
            }
            BreakerState::HalfOpen => return Err(Refused { retry_after: TRYING }),
            BreakerState::Open => {
                let left = self.open_until.load(Ordering::Acquire).saturating_sub(now);
                return Err(Refused { retry_after: Duration::from_nanos(left) });
            }
        }
        drop(trials);
        changed.into_iter().for_each(|change| self.changes.note(change));
        Ok(Admission { breaker: self, phase, open: true, upload })
    }

    /// The last change of its state, if there was one.
    #[must_use]
    pub fn last_change(&self) -> Option<BreakerChange> {
        self.changes.last()
    }

    /// The state as of the last request; an open breaker whose time is over still says open.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.phase().state()
    }

    /// How often a state was entered since the start.
    #[must_use]
    pub fn entered(&self, state: BreakerState) -> u64 {
        self.entered.get(state as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Requests refused since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn phase(&self) -> Phase {
        Phase(self.phase.load(Ordering::Acquire))
    }

    /// Enters a state. Only under the lock.
    fn enter(&self, from: Phase, state: BreakerState) -> Phase {
        let next = from.next(state);
        self.phase.store(next.0, Ordering::Release);
        if let Some(count) = self.entered.get(state as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        next
    }

    /// Opens, unless the phase has passed meanwhile.
    fn open(&self, from: Phase, why: BreakerCause, now_nanos: u64) {
        let lock = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        if self.phase() != from {
            return;
        }
        let length = u64::try_from(self.settings.open_for.as_nanos()).unwrap_or(u64::MAX);
        self.open_until.store(now_nanos.saturating_add(length), Ordering::Release);
        self.enter(from, BreakerState::Open);
        drop(lock);
        self.changes.note(from.change(BreakerState::Open, why, now_nanos));
    }

    fn record_closed(&self, phase: Phase, outcome: Outcome, now_nanos: u64) {
        let failed = outcome == Outcome::Failure;
        let mut bad = None;
        if let Some(most) = self.settings.failures {
            if failed {
                let row = self.consecutive.fetch_add(1, Ordering::AcqRel).saturating_add(1);
                bad = (row >= most.get()).then_some(BreakerCause::Row(row));
            } else if self.consecutive.load(Ordering::Relaxed) != 0 {
                self.consecutive.store(0, Ordering::Release);
            }
        }
        if let (Some(window), Some(rule)) = (&self.window, self.settings.window) {
            window.add(now_nanos, failed, outcome == Outcome::Slow);
            // A good call cannot be the one that meets a rule.
            if outcome != Outcome::Success && bad.is_none() {
                let counts = window.counts(now_nanos);
                if counts.calls >= u64::from(rule.minimum_calls.max(1)) {
                    if reaches(counts.failures, counts.calls, rule.failure_percent) {
                        bad = Some(BreakerCause::Failures(counts.failures, counts.calls));
                    } else if reaches(counts.slow, counts.calls, rule.slow_percent) {
                        bad = Some(BreakerCause::Slow(counts.slow, counts.calls));
                    }
                }
            }
        }
        if let Some(why) = bad {
            self.open(phase, why, now_nanos);
        }
    }

    fn record_trial(&self, phase: Phase, outcome: Outcome, now_nanos: u64) {
        let slow_counts = self.settings.window.is_some_and(|window| window.slow_percent.is_some());
        if outcome == Outcome::Failure || outcome == Outcome::Slow && slow_counts {
            self.open(phase, BreakerCause::TrialFailed, now_nanos);
            return;
        }
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        if self.phase() != phase {
            return;
        }
        trials.succeeded = trials.succeeded.saturating_add(1);
        if trials.succeeded >= self.settings.trials.get() {
            self.consecutive.store(0, Ordering::Release);
            if let Some(window) = &self.window {
                window.clear();
            }
            let why = BreakerCause::TrialsWell(trials.succeeded);
            self.enter(phase, BreakerState::Closed);
            drop(trials);
            self.changes.note(phase.change(BreakerState::Closed, why, now_nanos));
        }
    }
}

/// Whether `part` of `whole` is at least that many percent.
fn reaches(part: u64, whole: u64, percent: Option<u32>) -> bool {
    percent.is_some_and(|percent| {
        part > 0 && part.saturating_mul(100) >= whole.saturating_mul(u64::from(percent))
    })
}

/// A request that was let through. Dropped without an outcome it counts for nothing.
#[derive(Debug)]
#[must_use = "without an outcome the breaker learns nothing"]
pub struct Admission<'a> {
    breaker: &'a Breaker,
    phase: Phase,
    /// It may still count.
    open: bool,
    /// The number of a trial whose client has not sent everything.
    upload: Option<u64>,
}

impl Admission<'_> {
    /// The service has the whole request.
    pub fn sent(&mut self) {
        let Some(number) = self.upload.take() else { return };
        let mut trials = self.breaker.trials.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has lost its place is no trial any more.
        self.open = self.breaker.phase() == self.phase && trials.end_upload(number);
    }

    /// Tells how the call went.
    pub fn record(mut self, outcome: Outcome, now_nanos: u64) {
        self.sent();
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        if self.breaker.phase() != self.phase {
            return;
        }
        match self.phase.state() {
            BreakerState::Closed => self.breaker.record_closed(self.phase, outcome, now_nanos),
            BreakerState::HalfOpen => self.breaker.record_trial(self.phase, outcome, now_nanos),
            BreakerState::Open => {}
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.sent();
        if !self.open || self.phase.state() != BreakerState::HalfOpen {
            return;
        }
        let mut trials = self.breaker.trials.lock().unwrap_or_else(PoisonError::into_inner);
        if self.breaker.phase() == self.phase {
            trials.begun = trials.begun.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
