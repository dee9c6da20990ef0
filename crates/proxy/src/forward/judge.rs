//! What a try tells about its endpoint and its service: to the breaker, to the endpoint's health, to the balancer
//! and to the bound of what the service can work on.
//!
//! The breaker judges a try when the head of its answer comes, because a body may stream for hours; when it fails
//! before, by why it failed. For the endpoint a good answer counts once all of it was delivered: one whose bodies
//! break off after good heads does not work. To both a client that goes away, a full pool, a kept-alive connection
//! that had just been closed and a request that was not acted on (a refused stream, a goodbye) say nothing; nor does
//! the end of a time that went to the client, to other tries or to a wait for a connection for the most part, nor the end
//! of a connection while the client was slow with a body: services have times for their clients too, and this one is ours.
//!
//! Balancer, bound and slow calls go by time, which runs from the end of the request: how slowly a client sends its
//! body is not the service's doing. To balancer and bound a try that is given up, however that comes about, has taken
//! at least so long since then. A service that hangs would otherwise look like one that is never asked.

mod blame;

use crate::resilience::{UpstreamBreaker, UpstreamHealth};
use crate::upstream::Upstream;
use blame::Kind;
use std::time::Duration;
use torana_balance::{AdaptiveLimit, Admission, Admitted, Finding, InFlight, Outcome};
use torana_fault::{Fault, Reason, Retry};
use torana_transport::{End, Queueing, Waits, Watch, nanos_since_start};

/// A client that is waited for so much longer than the service is slow enough for a service to lose its patience.
const SLOW_CLIENT: Duration = Duration::from_secs(1);

/// Judges one try.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    adaptive: Option<Admitted<'a>>,
    /// The bound that begins to count once the client has sent its body: how slow that is says nothing.
    awaited: Option<&'a AdaptiveLimit>,
    in_flight: Option<InFlight>,
    /// How long it waits for a connection that others use says nothing about the service.
    pub(super) queueing: Queueing,
    patience: Patience,
    /// When it began, unless it is the first try.
    begun: Option<u64>,
    /// Since when the service has had the whole request, until its answer begins.
    sent: Option<u64>,
    breaker: Option<(&'a UpstreamBreaker, Admission<'a>)>,
    health: Option<(&'a UpstreamHealth, usize)>,
    /// A good answer has begun.
    well: bool,
    /// An answer has begun.
    answered: bool,
    /// Whom the relay of its body waits for.
    pub(super) waits: Waits,
    /// The client was slow with the request's body.
    slow_upload: bool,
}

/// How long the client of a try is waited for altogether, and how long the try itself may take to the first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) total: Option<Duration>,
    pub(crate) try_for: Option<Duration>,
}

impl Patience {
    /// All tries together have this long, one may use it up.
    pub(crate) const fn whole(total: Duration) -> Self {
        Self { total: Some(total), try_for: None }
    }
}

impl<'a> Judge<'a> {
    /// Asks the breaker, and the bound of what the service can work on.
    ///
    /// # Errors
    /// It is open: [`Reason::BreakerOpen`] with `Retry-After`; or the bound is reached:
    /// [`Reason::ServiceSaturated`].
    pub(crate) fn admit(
        upstream: &'a Upstream,
        patience: Patience,
        body_is_whole: bool,
    ) -> Result<Self, Fault> {
        let breaker = match &upstream.breaker {
            Some(rules) => {
                Some((rules, rules.breaker.admit(body_is_whole, nanos_since_start).map_err(refusal)?))
            }
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
        let mut judge = Self::new(patience);
        (judge.adaptive, judge.awaited, judge.breaker) = (adaptive, awaited, breaker);
        Ok(judge)
    }

    /// One who has nothing to tell, in place of one that judges elsewhere.
    pub(super) fn silent() -> Self {
        Self::new(Patience { total: None, try_for: None })
    }

    fn new(patience: Patience) -> Self {
        Self {
            adaptive: None,
            awaited: None,
            in_flight: None,
            queueing: Queueing::default(),
            patience,
            begun: None,
            sent: None,
            breaker: None,
            health: None,
            well: false,
            answered: false,
            waits: Waits::default(),
            slow_upload: false,
        }
    }

    /// The endpoint is chosen. It counts as in use until this is dropped.
    pub(crate) fn at(&mut self, upstream: &'a Upstream, index: usize) {
        self.in_flight = upstream.balancer.begin(index);
        if let Some(health) = &upstream.health {
            self.health = Some((health, index));
        }
    }

    /// It is not the first try: what the others took is not its time.
    pub(crate) fn begins_late(&mut self) {
        self.begun = Some(nanos_since_start());
    }

    /// The service has, or gets now, the whole request.
    pub(crate) fn sent(&mut self) {
        self.sent_at(nanos_since_start());
    }

    /// As [`Judge::sent`], then.
    pub(super) fn sent_at(&mut self, then: u64) {
        if let Some(limit) = self.awaited.take() {
            self.adaptive = Some(limit.begin(then));
        } else if let Some(admitted) = &mut self.adaptive {
            admitted.begin(then);
        }
        if let Some((_, admission)) = &mut self.breaker {
            admission.sent();
        }
        self.sent = Some(then);
    }

    /// The head of an answer came. `could_answer`: since when the service could have answered, by
    /// [`nanos_since_start`], where it did before it had the whole request.
    pub(crate) fn head(&mut self, status: u16, could_answer: u64, now_nanos: u64) {
        let latency = now_nanos.saturating_sub(self.sent.take().unwrap_or(could_answer));
        self.answered = true;
        if let Some(admitted) = self.adaptive.take() {
            admitted.answered(now_nanos);
        }
        if let Some(in_flight) = &self.in_flight {
            in_flight.record(latency, now_nanos);
        }
        if let Some((rules, admission)) = self.breaker.take() {
            let is_slow = |bound: Duration| u128::from(latency) >= bound.as_nanos();
            let outcome = if rules.statuses.contains(status) {
                Outcome::Failure
            } else if rules.slow_after.is_some_and(is_slow) {
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

    /// Nothing is judged any more, and the endpoint stays in use until this is dropped.
    pub(super) fn into_in_use(mut self) -> Option<InFlight> {
        self.in_flight.take()
    }

    /// The whole answer was delivered, or its connection has left HTTP.
    pub(crate) fn delivered(&self) {
        if let Some((health, index)) = self.health.filter(|_| self.well) {
            health.panel.asked(index, Finding::Success, nanos_since_start);
        }
    }

    /// Whom the relay of the request's body has waited for.
    pub(super) fn uploaded(&mut self, waits: &Waits) {
        self.slow_upload = waits.more_for(End::Source) >= SLOW_CLIENT;
    }

    /// The try failed. `uploaded`: the client has sent the whole request, so that only the service can be late.
    pub(crate) fn fault(&mut self, fault: &Fault, uploaded: bool) {
        let kind = self.kind(fault, uploaded);
        if kind == Some(Kind::Connection) || fault.retry == Retry::IfReused {
            // A connection that fails says nothing about how much the service can do.
            (self.adaptive, self.sent) = (None, None);
        }
        if let Some(Kind::Timeout) = kind
            && let Some(admitted) = self.adaptive.take()
        {
            // Also one that was still waiting for a connection.
            admitted.waited_in_vain(nanos_since_start());
        }
        self.given_up();
        let Some(kind) = kind else { return };
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

impl Judge<'_> {
    /// Nobody waits for an answer any more.
    fn given_up(&mut self) {
        let Some(sent) = self.sent.take() else { return };
        let now = nanos_since_start();
        if let Some(admitted) = self.adaptive.take() {
            admitted.waited_in_vain(now);
        }
        if let Some(in_flight) = &self.in_flight {
            in_flight.record_at_least(now.saturating_sub(sent), now);
        }
    }
}

impl Drop for Judge<'_> {
    fn drop(&mut self) {
        self.given_up();
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

impl Watch for Judge<'_> {
    fn queueing(&self) -> &Queueing {
        &self.queueing
    }

    fn sent(&mut self) {
        Judge::sent(self);
    }

    fn head(&mut self, status: u16) {
        let now = nanos_since_start();
        Judge::head(self, status, now, now);
        // Nobody's client: the gateway takes what comes.
        self.waits.turn_to(End::Source);
    }

    fn cut_off(&mut self) {
        // How long it may be is our bound.
        self.health = None;
    }
}
