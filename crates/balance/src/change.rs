//! What has changed, why and when, for logs and pages: told once for each change, kept until the next.
//!
//! Nothing of this is touched while nothing changes, so it costs requests nothing.

use crate::breaker::BreakerState;
use crate::health::{Finding, Out};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

type Listener<C> = Box<dyn Fn(&C) + Send + Sync>;

/// The last change, and who is told of each.
pub struct Changes<C> {
    listener: Option<Listener<C>>,
    last: Mutex<Option<C>>,
}

impl<C> Default for Changes<C> {
    fn default() -> Self {
        Self { listener: None, last: Mutex::default() }
    }
}

impl<C: Clone> Changes<C> {
    /// Tells each change to `listener`, on the thread that made it and outside of all locks.
    pub fn told_to(listener: impl Fn(&C) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Box::new(listener)), last: Mutex::default() }
    }

    /// The last change, if there was one.
    pub fn last(&self) -> Option<C> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note(&self, change: C) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(change.clone());
        if let Some(listener) = &self.listener {
            listener(&change);
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Changes<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Changes").field("last", &self.last).finish_non_exhaustive()
    }
}

/// A breaker has entered another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerChange {
    /// The state before.
    pub from: BreakerState,
    /// The state now.
    pub to: BreakerState,
    /// Why.
    pub why: BreakerCause,
    /// When, in the caller's nanoseconds.
    pub at_nanos: u64,
}

/// Why a breaker has entered another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerCause {
    /// So many failures in a row.
    Row(u32),
    /// So many failures among so many calls of the recent past.
    Failures(u64, u64),
    /// So many slow ones among so many calls of the recent past.
    Slow(u64, u64),
    /// It was open for as long as it should be.
    TimeOver,
    /// A trial failed, or was slow.
    TrialFailed,
    /// So many trials went well.
    TrialsWell(u32),
}

impl fmt::Display for BreakerCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(1) => formatter.write_str("a failure"),
            Self::Row(count) => write!(formatter, "{count} failures in a row"),
            Self::Failures(count, calls) => write!(formatter, "{count} of {calls} calls failed"),
            Self::Slow(count, calls) => write!(formatter, "{count} of {calls} calls were slow"),
            Self::TimeOver => formatter.write_str("it was open for its time"),
            Self::TrialFailed => formatter.write_str("a trial failed"),
            Self::TrialsWell(1) => formatter.write_str("a trial went well"),
            Self::TrialsWell(count) => write!(formatter, "{count} of {count} trials went well"),
        }
    }
}

/// An endpoint has left or come back into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// Why it was out before; `None`: it was in service.
    pub from: Option<Out>,
    /// Why it is out now; `None`: it is in service.
    pub to: Option<Out>,
    /// What has led to it.
    pub why: HealthCause,
    /// When, in the caller's nanoseconds.
    pub at_nanos: u64,
}

/// Why an endpoint has left or come back into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthCause {
    /// So many probes in a row found this.
    Probes(Finding, u8),
    /// So many requests in a row found this; it is out for so long, or until probes find that it works.
    Requests(Finding, u8, Option<Duration>),
    /// It was ejected for as long as it should be.
    TimeOver,
    /// An operator's word.
    Restored,
    /// The configuration in force does not look at what it was out for.
    Reloaded,
}

impl fmt::Display for HealthCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probes(finding, count) => write!(formatter, "{finding} of probes in a row: {count}"),
            Self::Requests(finding, count, Some(time)) => {
                write!(formatter, "{finding} of requests in a row: {count}; out for {} s", time.as_secs_f32())
            }
            Self::Requests(finding, count, None) => {
                write!(formatter, "{finding} of requests in a row: {count}; out until probes go well")
            }
            Self::TimeOver => formatter.write_str("it was out for its time"),
            Self::Restored => formatter.write_str("it was put back by hand"),
            Self::Reloaded => formatter.write_str("the new configuration does not look at why it was out"),
        }
    }
}
