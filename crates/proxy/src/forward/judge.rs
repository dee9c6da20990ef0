//! What a try tells about its endpoint and its service: to the breaker, and to the endpoint's health.
//!
//! The breaker judges a try when the head of its answer comes, because a body may stream for hours; when it fails
//! before, by why it failed. For the endpoint a good answer counts once all of it was delivered: one whose bodies
//! break off after good heads does not work. A client that goes away, a full pool and a kept-alive connection that
//! had just been closed say nothing.

use super::nanos_since_start;
use crate::resilience::{UpstreamBreaker, UpstreamHealth};
use crate::upstream::Upstream;
use std::time::Duration;
use torana_balance::{AdaptiveLimit, Admission, Admitted, Finding, Outcome};
use torana_fault::{Fault, Reason, Retry};

/// Judges one try.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    adaptive: Option<Admitted<'a>>,
    /// The bound that begins to count once the client has sent its body: how slow that is says nothing.
    awaited: Option<&'a AdaptiveLimit>,
    breaker: Option<(&'a UpstreamBreaker, Admission<'a>)>,
    health: Option<(&'a UpstreamHealth, usize)>,
    /// A good answer has begun.
    well: bool,
}

/// What kind of failure a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connection,
    Timeout,
}

impl<'a> Judge<'a> {
    /// Asks the breaker, and the bound of what the service can work on.
    ///
    /// # Errors
    /// It is open: [`Reason::BreakerOpen`] with `Retry-After`; or the bound is reached:
    /// [`Reason::ServiceSaturated`].
    pub(crate) fn admit(upstream: &'a Upstream, body_is_whole: bool) -> Result<Self, Fault> {
        let breaker = match &upstream.breaker {
            Some(rules) => Some((rules, rules.breaker.admit(nanos_since_start).map_err(refusal)?)),
            None => None,
        };
        let (adaptive, awaited) = match &upstream.adaptive {
            Some(limit) if body_is_whole => {
                (Some(limit.admit(nanos_since_start()).ok_or_else(saturated)?), None)
            }
            Some(limit) if limit.is_full() => return Err(saturated()),
            Some(limit) => (None, Some(&**limit)),
            None => (None, None),
        };
        Ok(Self { adaptive, awaited, breaker, health: None, well: false })
    }

    /// One who has nothing to tell, in place of one that judges elsewhere.
    pub(super) const fn silent() -> Self {
        Self { adaptive: None, awaited: None, breaker: None, health: None, well: false }
    }

    /// The endpoint is chosen.
    pub(crate) const fn at(&mut self, upstream: &'a Upstream, index: usize) {
        if let Some(health) = &upstream.health {
            self.health = Some((health, index));
        }
    }

    /// The service has, or gets now, the whole request.
    pub(super) fn sent(&mut self) {
        if let Some(limit) = self.awaited.take() {
            self.adaptive = Some(limit.begin(nanos_since_start()));
        } else if let Some(admitted) = &mut self.adaptive {
            admitted.begin(nanos_since_start());
        }
    }

    /// The head of an answer came, this long after the request began to be sent.
    pub(crate) fn head(&mut self, status: u16, latency: Duration, now_nanos: u64) {
        if let Some(admitted) = self.adaptive.take() {
            admitted.answered(nanos_since_start());
        }
        if let Some((rules, admission)) = self.breaker.take() {
            let outcome = if rules.statuses.contains(status) {
                Outcome::Failure
            } else if rules.slow_after.is_some_and(|bound| latency >= bound) {
                Outcome::Slow
            } else {
                Outcome::Success
            };
            admission.record(outcome, now_nanos);
        }
        if let Some((health, index)) = self.health {
            if health.bad.contains(status) {
                health.panel.asked(index, Finding::BadStatus, || now_nanos);
            } else if health.good.contains(status) {
                self.well = true;
            }
        }
    }

    /// The whole answer was delivered, or its connection has left HTTP.
    pub(crate) fn delivered(&self) {
        if let Some((health, index)) = self.health.filter(|_| self.well) {
            health.panel.asked(index, Finding::Success, nanos_since_start);
        }
    }

    /// The try failed. `uploaded`: the whole request was sent, so that only the service can be late.
    pub(crate) fn fault(&mut self, fault: &Fault, uploaded: bool) {
        let adaptive = self.adaptive.take();
        let Some(kind) = kind(fault, uploaded) else { return };
        // A connection that fails says nothing about how much the service can do.
        if let (Some(admitted), Kind::Timeout) = (adaptive, kind) {
            admitted.answered(nanos_since_start());
        }
        if let Some((rules, admission)) = self.breaker.take() {
            let counts = match kind {
                Kind::Connection => rules.connections,
                Kind::Timeout => rules.timeouts,
            };
            if counts {
                admission.record(Outcome::Failure, nanos_since_start());
            }
        }
        if let Some((health, index)) = self.health {
            let finding = match kind {
                Kind::Connection => Finding::ConnectFailed,
                Kind::Timeout => Finding::TimedOut,
            };
            health.panel.asked(index, finding, nanos_since_start);
        }
    }
}

fn kind(fault: &Fault, uploaded: bool) -> Option<Kind> {
    match fault.reason {
        _ if fault.retry == Retry::IfReused => None,
        Reason::UpstreamConnectFailed
        | Reason::UpstreamTlsFailed
        | Reason::UpstreamClosed
        | Reason::UpstreamMalformed
        | Reason::UpstreamHeadTooLarge => Some(Kind::Connection),
        Reason::UpstreamConnectTimeout | Reason::UpstreamIdleTimeout => Some(Kind::Timeout),
        Reason::UpstreamFirstByteTimeout | Reason::TotalTimeout => uploaded.then_some(Kind::Timeout),
        _ => None,
    }
}

fn saturated() -> Fault {
    Fault::new(Reason::ServiceSaturated).with_field("Retry-After", "1".into())
}

fn refusal(refused: torana_balance::Refused) -> Fault {
    // Rounded up: asking a moment too early would be refused again.
    let seconds =
        refused.retry_after.as_secs().saturating_add(u64::from(refused.retry_after.subsec_nanos() > 0));
    Fault::new(Reason::BreakerOpen).with_field("Retry-After", seconds.max(1).to_string())
}
