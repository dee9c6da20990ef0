//! What the health of its endpoints means for a service: who serves, whether anybody does.

use super::{Alarm, Calm, EjectionSettings, EndpointHealth, Finding, Out, nanos};
use crate::change::{HealthCause, HealthChange};
use crate::choice::remix;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The endpoints of one balancer with their health: same order, same indices.
#[derive(Debug)]
pub struct Panel {
    /// Each endpoint's health and weight.
    pub endpoints: Box<[(Arc<EndpointHealth>, u32)]>,
    /// The service's alarm.
    pub alarm: Arc<Alarm>,
    /// Since when these endpoints are quiet.
    pub calm: Calm,
    /// Whether probes ask the endpoints. Where none do, what they found before counts for nothing.
    pub probed: bool,
    /// How requests eject endpoints, if they do.
    pub ejection: Option<EjectionSettings>,
    /// Below this percent of the weight in service, health is ignored: what is left could not carry the
    /// load. 0 never ignores it.
    pub panic_percent: u32,
    /// At or below this percent of the weight in service, nobody serves, whatever `panic_percent` says above it. 0:
    /// only when nothing is left and health is not ignored then.
    pub minimum_percent: u32,
    /// For how long an endpoint that comes back, or new, gets less than its share.
    pub slow_start: Duration,
}

/// What holds for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Every endpoint serves its share.
    Quiet,
    /// Some do not: ask [`Panel::serves`].
    Mixed,
    /// So few are left that health is ignored.
    Panic,
    /// So few are left that nobody serves.
    Down,
}

impl Panel {
    /// Looks at all endpoints, if there is reason to.
    #[must_use]
    pub fn survey(&self, now_nanos: impl FnOnce() -> u64) -> Survey {
        let count = self.alarm.count();
        if self.calm.holds(count) {
            return Survey::Quiet;
        }
        let now = now_nanos();
        let (mut total, mut serving, mut quiet) = (0_u64, 0_u64, true);
        for (health, weight) in &self.endpoints {
            let weight = u64::from(*weight);
            total = total.saturating_add(weight);
            if self.why_out(health, now).is_none() {
                health.note_return();
                serving = serving.saturating_add(weight);
                quiet &= health.warmth(now, self.slow_start_nanos()).is_none();
            } else {
                quiet = false;
            }
        }
        let may_be_down = total > 0 && (self.minimum_percent > 0 || self.panic_percent == 0);
        if may_be_down && hundredfold(serving) <= percents(total, self.minimum_percent) {
            return Survey::Down;
        }
        if hundredfold(serving) < percents(total, self.panic_percent) {
            return Survey::Panic;
        }
        if quiet {
            self.calm.note(count);
            return Survey::Quiet;
        }
        Survey::Mixed
    }

    /// Whether an endpoint is in service.
    #[must_use]
    pub fn is_in(&self, index: usize, now_nanos: u64) -> bool {
        self.out_of(index, now_nanos).is_none()
    }

    /// Why an endpoint is out of service, if it is.
    #[must_use]
    pub fn out_of(&self, index: usize, now_nanos: u64) -> Option<Out> {
        self.endpoints.get(index).and_then(|(health, _)| self.why_out(health, now_nanos))
    }

    fn why_out(&self, health: &EndpointHealth, now_nanos: u64) -> Option<Out> {
        if self.probed && health.is_failing() {
            return Some(Out::Probes);
        }
        let ejection = self.ejection.as_ref()?;
        health.is_ejected(ejection.eject_for, now_nanos).then_some(Out::Ejected)
    }

    /// Whether an endpoint is out for no more than a time, because of how requests ended: nothing says that it fails now.
    #[must_use]
    pub fn is_resting(&self, index: usize, now_nanos: u64) -> bool {
        let for_a_time = self.ejection.as_ref().is_some_and(|ejection| ejection.eject_for.is_some());
        for_a_time && self.out_of(index, now_nanos) == Some(Out::Ejected)
    }

    /// This configuration is in force from now on: what only an earlier one could take back is taken back.
    pub fn take_over(&self, now_nanos: u64) {
        for (health, _) in &self.endpoints {
            if !self.probed || self.ejection.is_none() {
                health.forget(!self.probed, self.ejection.is_none(), now_nanos);
            }
            let _bounded = self.why_out(health, now_nanos);
        }
    }

    /// Whether an endpoint takes this request: it is in service, and while it starts slowly only a part of
    /// the requests, drawn by the request's random word. When nobody does, ask [`Panel::is_in`] alone.
    #[must_use]
    pub fn serves(&self, index: usize, now_nanos: u64, random: u64) -> bool {
        let Some((health, _)) = self.endpoints.get(index) else { return true };
        if self.why_out(health, now_nanos).is_some() {
            return false;
        }
        health.warmth(now_nanos, self.slow_start_nanos()).is_none_or(|warmth| {
            #[allow(clippy::cast_precision_loss, reason = "a share does not need more than 53 bits")]
            let drawn = remix(random ^ (index as u64)) as f64 / u64::MAX as f64;
            // A tenth at once, so that the endpoint gets warm at all.
            drawn < warmth.max(0.1)
        })
    }

    /// Notes how a request went; `true` when its endpoint was ejected for it.
    pub fn asked(&self, index: usize, finding: Finding, now_nanos: impl FnOnce() -> u64) -> bool {
        let Some(ejection) = &self.ejection else { return false };
        let Some((health, _)) = self.endpoints.get(index) else { return false };
        if !health.asked(finding, ejection.thresholds) {
            return false;
        }
        let now = now_nanos();
        let one_at_a_time = self.alarm.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.why_out(health, now).is_some() || !self.may_eject(index, ejection, now) {
            return false;
        }
        let time = health.eject(ejection, now);
        drop(one_at_a_time);
        let why = HealthCause::Requests(finding, ejection.thresholds.of(finding), time);
        health.changes.note(HealthChange { from: None, to: Some(Out::Ejected), why, at_nanos: now });
        true
    }

    /// Whether that much more may be ejected. What serves besides is what is left: not what is ejected already, nor
    /// what fails its probes, nor what has no weight. What is both counts as ejected: it still is when its probes succeed.
    fn may_eject(&self, index: usize, ejection: &EjectionSettings, now: u64) -> bool {
        if ejection.max_percent >= 100 {
            return true;
        }
        let (mut total, mut this, mut ejected, mut left) = (0_u64, 0_u64, 0_u64, 0_u64);
        for (number, (health, weight)) in self.endpoints.iter().enumerate() {
            let weight = u64::from(*weight);
            total = total.saturating_add(weight);
            if number == index {
                this = weight;
            } else if health.is_ejected(ejection.eject_for, now) {
                ejected = ejected.saturating_add(weight);
            } else if !(self.probed && health.is_failing()) {
                left = left.saturating_add(weight);
            }
        }
        let is_first = ejected == 0 && ejection.max_percent > 0;
        left > 0
            && (is_first
                || hundredfold(ejected.saturating_add(this)) <= percents(total, ejection.max_percent))
    }

    /// How many endpoints are out, by reason: probes, ejected.
    #[must_use]
    pub fn out(&self, now_nanos: u64) -> (usize, usize) {
        let count = |why| {
            self.endpoints.iter().filter(|(health, _)| self.why_out(health, now_nanos) == Some(why)).count()
        };
        (count(Out::Probes), count(Out::Ejected))
    }

    fn slow_start_nanos(&self) -> u64 {
        nanos(self.slow_start)
    }
}

/// A weight, to be compared with [`percents`] of another.
const fn hundredfold(weight: u64) -> u64 {
    weight.saturating_mul(100)
}

/// So many percent of a weight, a hundredfold.
fn percents(weight: u64, percent: u32) -> u64 {
    weight.saturating_mul(u64::from(percent))
}
