//! Which endpoints serve: what probes and requests say about each, and what that means for the service.
//!
//! An endpoint is out of service for either of two reasons. **Probes** (active checks) fail: it is out until
//! enough of them succeed. **Requests** (passive checks) fail: it is ejected for a time that grows with each
//! ejection in a row, whatever probes find meanwhile, or, where no time is set, until they succeed. Counters are of results in a row: a success ends the count of
//! failures, a failure that of successes (Kong's semantics; the growing time and the largest ejected share
//! are Envoy's outlier detection).
//!
//! All of it is atomics, shared by workers and probers, kept by the endpoint's identity. While nothing is
//! wrong with any endpoint of a service a request pays two loads ([`Alarm`]).
//!
//! It is kept over reloads, so a configuration may find what it could not take back: failing probes where it has
//! none, ejections where it has none or for good where it sets a time. [`Panel`] looks past the first and gives the
//! last that time.

mod alarm;
mod counts;
mod survey;

use crate::change::{Changes, HealthCause, HealthChange};
pub use alarm::{Alarm, Calm};
use counts::Counts;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
pub use survey::{Panel, Survey};

/// Results in a row until an endpoint changes sides; 0 switches a counter off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Thresholds {
    /// Successes until it serves again.
    pub successes: u8,
    /// Bad statuses until it does not.
    pub statuses: u8,
    /// Connections that failed until it does not.
    pub connects: u8,
    /// Timeouts until it does not.
    pub timeouts: u8,
}

/// What a probe or a request found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It answered well.
    Success,
    /// It answered badly.
    BadStatus,
    /// No connection, or it broke.
    ConnectFailed,
    /// No answer in time.
    TimedOut,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Success => "successes",
            Self::BadStatus => "bad answers",
            Self::ConnectFailed => "failed connections",
            Self::TimedOut => "timeouts",
        })
    }
}

impl Thresholds {
    /// The threshold that a finding counts towards.
    const fn of(self, finding: Finding) -> u8 {
        match finding {
            Finding::Success => self.successes,
            Finding::BadStatus => self.statuses,
            Finding::ConnectFailed => self.connects,
            Finding::TimedOut => self.timeouts,
        }
    }
}

/// How endpoints that fail requests are ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EjectionSettings {
    /// When.
    pub thresholds: Thresholds,
    /// How long the first time; `None` until probes succeed.
    pub eject_for: Option<Duration>,
    /// How long at most, when it grows.
    pub at_most: Duration,
    /// Percent of the service's weight that may be ejected at once. One endpoint may always be, but never the last
    /// that serves; 100 ejects that too.
    pub max_percent: u32,
}

/// Why an endpoint is out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// Its probes fail.
    Probes,
    /// Requests to it failed.
    Ejected,
}

impl Out {
    /// The name in logs and pages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Probes => "its probes fail",
            Self::Ejected => "requests to it failed",
        }
    }
}

/// Until when who waits for probes is ejected.
const UNTIL_PROBES: u64 = u64::MAX;

/// One endpoint's health, shared by all who use or probe it.
#[derive(Debug)]
pub struct EndpointHealth {
    alarm: Arc<Alarm>,
    /// Until when it is ejected, in the caller's nanoseconds; 0 is not, [`UNTIL_PROBES`].
    ejected_until: AtomicU64,
    failing: AtomicBool,
    by_requests: Counts,
    by_probes: Counts,
    /// Ejections in a row.
    row: AtomicU32,
    /// When it came into service, for slow start; 0 has always been.
    since: AtomicU64,
    ejections: AtomicU64,
    /// It was ejected, and nobody has noted yet that its time is over.
    away: AtomicBool,
    changes: Changes<HealthChange>,
}

impl EndpointHealth {
    /// A healthy endpoint. `since` is when it joined a service that was there before; 0 with it.
    #[must_use]
    pub fn new(alarm: Arc<Alarm>, since: u64) -> Arc<Self> {
        Self::told(alarm, since, Changes::default())
    }

    /// The same, whose changes are told.
    #[must_use]
    pub fn told(alarm: Arc<Alarm>, since: u64, changes: Changes<HealthChange>) -> Arc<Self> {
        if since > 0 {
            alarm.raise();
        }
        Arc::new(Self {
            alarm,
            ejected_until: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            by_requests: Counts::default(),
            by_probes: Counts::default(),
            row: AtomicU32::new(0),
            since: AtomicU64::new(since),
            ejections: AtomicU64::new(0),
            away: AtomicBool::new(false),
            changes,
        })
    }

    /// The last time it left or came back into service, if there was one.
    #[must_use]
    pub fn last_change(&self) -> Option<HealthChange> {
        self.changes.last()
    }

    /// Notes that it has come back by itself, if it has. Costs a load.
    fn note_return(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::AcqRel) {
            let at_nanos = self.ejected_until.load(Ordering::Acquire);
            let from = Some(Out::Ejected);
            self.changes.note(HealthChange { from, to: None, why: HealthCause::TimeOver, at_nanos });
        }
    }

    /// The alarm of its service.
    #[must_use]
    pub const fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    /// Why it is out of service, if it is, whatever the configuration. [`Panel::out_of`] knows that.
    #[must_use]
    pub fn out(&self, now_nanos: u64) -> Option<Out> {
        if self.failing.load(Ordering::Acquire) {
            return Some(Out::Probes);
        }
        (self.ejected_until.load(Ordering::Acquire) > now_nanos).then_some(Out::Ejected)
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Whether it is ejected. Who waits for probes since before ejections had a time has that from now on.
    fn is_ejected(&self, eject_for: Option<Duration>, now_nanos: u64) -> bool {
        let until = self.ejected_until.load(Ordering::Acquire);
        let Some(time) = eject_for.filter(|_| until == UNTIL_PROBES) else { return until > now_nanos };
        let until = now_nanos.saturating_add(nanos(time));
        let set = (Ordering::AcqRel, Ordering::Acquire);
        if self.ejected_until.compare_exchange(UNTIL_PROBES, until, set.0, set.1).is_ok() {
            self.since.store(until, Ordering::Release);
        }
        true
    }

    /// Ejections since the start.
    #[must_use]
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// Notes a probe's result; tells whether it changed sides.
    pub fn probed(&self, finding: Finding, thresholds: Thresholds, now_nanos: u64) -> bool {
        if !self.by_probes.note(finding, thresholds) {
            return false;
        }
        self.by_probes.clear();
        let from = self.out(now_nanos);
        let why = HealthCause::Probes(finding, thresholds.of(finding));
        if finding == Finding::Success {
            self.failing.store(false, Ordering::Release);
            // An ejection for a time ends when that is over: requests have found what probes do not see.
            let _waits_no_more =
                self.ejected_until.compare_exchange(UNTIL_PROBES, 0, Ordering::AcqRel, Ordering::Relaxed);
            return self.changed(from, why, now_nanos);
        }
        let changed = !self.failing.swap(true, Ordering::AcqRel);
        self.alarm.raise();
        if changed {
            self.changes.note(HealthChange { from, to: Some(Out::Probes), why, at_nanos: now_nanos });
        }
        changed
    }

    /// Other probes ask from now on: what was found in a row before counts for nothing.
    pub fn probed_anew(&self) {
        self.by_probes.clear();
    }

    /// Notes that it is out for another reason than before, or back in service; `true` if so.
    fn changed(&self, from: Option<Out>, why: HealthCause, now_nanos: u64) -> bool {
        let to = self.out(now_nanos);
        if from == to {
            return false;
        }
        if to.is_none() {
            self.away.store(false, Ordering::Release);
            self.by_requests.clear();
            self.since.store(now_nanos.max(1), Ordering::Release);
            self.alarm.raise();
        }
        self.changes.note(HealthChange { from, to, why, at_nanos: now_nanos });
        true
    }

    /// Notes a request's result; `true` when the endpoint should be ejected now. Costs two loads for a
    /// success after successes.
    #[must_use]
    pub fn asked(&self, finding: Finding, thresholds: Thresholds) -> bool {
        self.by_requests.note(finding, thresholds) && finding != Finding::Success
    }

    /// Ejects it; tells for how long, or `None` until probes find that it works. Only under the alarm's lock.
    fn eject(&self, settings: &EjectionSettings, now_nanos: u64) -> Option<Duration> {
        let before = self.ejected_until.load(Ordering::Acquire);
        let until = settings.eject_for.map_or(UNTIL_PROBES, |first| {
            let (first, most) = (nanos(first), nanos(settings.at_most));
            // It has served well for as long as it may be out: the row has ended.
            let rested = before == 0 || now_nanos > before.saturating_add(most);
            let row = if rested { 1 } else { self.row.load(Ordering::Relaxed).saturating_add(1) };
            self.row.store(row, Ordering::Relaxed);
            now_nanos.saturating_add(first.saturating_mul(u64::from(row)).min(most.max(first)))
        });
        self.by_requests.clear();
        // Probes begin to count anew: what they saw before does not bring it back.
        self.by_probes.clear();
        self.since.store(until, Ordering::Release);
        self.ejected_until.store(until, Ordering::Release);
        self.ejections.fetch_add(1, Ordering::Relaxed);
        self.away.store(true, Ordering::Release);
        self.alarm.raise();
        settings.eject_for.map(|_| Duration::from_nanos(until.saturating_sub(now_nanos)))
    }

    /// Puts it back into service, whatever was found (an operator's word).
    pub fn restore(&self, now_nanos: u64) {
        let from = self.out(now_nanos);
        self.away.store(false, Ordering::Release);
        self.failing.store(false, Ordering::Release);
        self.ejected_until.store(0, Ordering::Release);
        self.by_requests.clear();
        self.by_probes.clear();
        self.since.store(now_nanos.max(1), Ordering::Release);
        self.alarm.raise();
        if from.is_some() {
            let why = HealthCause::Restored;
            self.changes.note(HealthChange { from, to: None, why, at_nanos: now_nanos });
        }
    }

    /// Forgets what nobody could take back any more: there are no probes now, no ejections.
    fn forget(&self, probes: bool, ejection: bool, now_nanos: u64) {
        let from = self.out(now_nanos);
        if probes {
            self.failing.store(false, Ordering::Release);
            self.by_probes.clear();
        }
        if ejection {
            self.ejected_until.store(0, Ordering::Release);
            self.by_requests.clear();
        }
        self.changed(from, HealthCause::Reloaded, now_nanos);
    }

    /// How far it is into its slow start, from 0 to 1; `None` when that is over.
    fn warmth(&self, now_nanos: u64, slow_start_nanos: u64) -> Option<f64> {
        let since = self.since.load(Ordering::Acquire);
        let age = now_nanos.saturating_sub(since);
        if since == 0 || age >= slow_start_nanos {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "a share does not need more than 53 bits")]
        Some(age as f64 / slow_start_nanos as f64)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
