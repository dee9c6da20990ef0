//! Whether a fault is the service's.

use super::{Judge, SLOW_CLIENT};
use std::time::Duration;
use torana_fault::{Fault, Reason, Retry};
use torana_transport::{End, nanos_at, nanos_since_start};

/// What kind of failure a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connection,
    Timeout,
}

impl Judge<'_> {
    /// What kind of failure of the service it is, if it is one. `uploaded`: the client has sent the whole request.
    pub(super) fn kind(&self, fault: &Fault, uploaded: bool) -> Option<Kind> {
        match fault.reason {
            _ if fault.retry == Retry::IfReused => None,
            // It was not acted on: the stream was refused, or the connection has said goodbye.
            Reason::UpstreamReset | Reason::UpstreamClosed if fault.retry == Retry::Yes => None,
            Reason::UpstreamReset | Reason::UpstreamClosed if self.was_held_up(uploaded) => None,
            Reason::UpstreamConnectFailed
            | Reason::UpstreamTlsFailed
            | Reason::UpstreamClosed
            | Reason::UpstreamReset
            | Reason::UpstreamMalformed
            | Reason::UpstreamHeadTooLarge => Some(Kind::Connection),
            // An answer that began before the end of the request may wait for the rest of that.
            Reason::UpstreamIdleTimeout if self.answered => uploaded.then_some(Kind::Timeout),
            Reason::UpstreamConnectTimeout | Reason::UpstreamIdleTimeout => Some(Kind::Timeout),
            Reason::UpstreamFirstByteTimeout | Reason::TotalTimeout => {
                let is_late = if self.answered {
                    self.waits.is_for_source()
                } else if fault.reason == Reason::TotalTimeout {
                    self.had_half_of(self.patience.total)
                } else {
                    self.had_half_of(self.patience.try_for)
                };
                (uploaded && is_late).then_some(Kind::Timeout)
            }
            _ => None,
        }
    }

    /// Whether the client was slow to send the rest of its body, or is to take the answer.
    fn was_held_up(&self, uploaded: bool) -> bool {
        !uploaded && self.slow_upload || self.waits.more_for(End::Sink) >= SLOW_CLIENT
    }

    /// Whether the service was waited for, for at least half of a time that is over. The rest went to other tries, to
    /// those who used its connections, or to a client that was slow to send its body: it might have answered.
    fn had_half_of(&self, time: Option<Duration>) -> bool {
        let since = self.sent.or_else(|| self.queueing.left().map(nanos_at)).or(self.begun);
        !self.queueing.is_waiting()
            && since.zip(time).is_none_or(|(since, time)| {
                let had = u128::from(nanos_since_start().saturating_sub(since));
                had.saturating_mul(2) >= time.as_nanos()
            })
    }
}
