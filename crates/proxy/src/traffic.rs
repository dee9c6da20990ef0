//! What else happens to a route's requests: a part goes to another service, a copy is sent, a fault is made.

mod mirror;

pub(crate) use mirror::{Copies, copy};
pub use mirror::{Mirror, MirrorCounts};

use crate::affinity::{KeySource, key};
use crate::request_id::RequestIds;
use crate::upstream::UpstreamTimeouts;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use torana_fault::Fault;
use torana_filter::Exchange;
use torana_observe::RouteMetrics;
use torana_transport::{RequestBody, Timer, now};
use torana_types::Percent;

/// What else happens; nothing by default.
#[derive(Debug, Default)]
pub struct Traffic {
    /// A part goes to other services.
    pub split: Option<Split>,
    /// Copies are sent.
    pub mirror: Option<Mirror>,
    /// Faults are made.
    pub faults: Option<Faults>,
}

impl Traffic {
    /// Whether anything happens to a request before it is sent.
    pub(crate) const fn disturbs(&self) -> bool {
        self.mirror.is_some() || self.faults.is_some()
    }
}

/// A part of the requests goes to other services.
#[derive(Debug)]
pub struct Split {
    /// To which.
    pub arms: Vec<Arm>,
    /// What of a request decides; empty draws each.
    pub by: Vec<KeySource>,
}

/// A service that gets a part.
#[derive(Debug)]
pub struct Arm {
    /// Its number.
    pub upstream: usize,
    /// How much of all.
    pub share: Percent,
    /// How long it may take.
    pub timeouts: UpstreamTimeouts,
    /// Where its requests are counted.
    pub metrics: Arc<RouteMetrics>,
}

/// Faults on purpose.
#[derive(Debug)]
pub struct Faults {
    /// How long which part waits.
    pub delay: Option<(Duration, Percent)>,
    /// Which status which part gets.
    pub abort: Option<(u16, Percent)>,
    /// Only requests with this field.
    pub header: Option<String>,
}

/// Whether a random word falls into a share.
pub(crate) fn falls(word: u64, share: Percent) -> bool {
    point(word) < u64::from(share.as_hundredths())
}

/// A random word as a point from 0 to 9,999.
fn point(word: u64) -> u64 {
    let scaled = u128::from(word).wrapping_mul(10_000) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

impl Split {
    /// The service that gets a request instead of the route's own, and a cookie to set.
    pub(crate) fn choose<'s>(
        &'s self,
        exchange: &Exchange,
        ids: &RequestIds,
    ) -> (Option<&'s Arm>, Option<String>) {
        let key = key(&self.by, exchange, || ids.next());
        // Mixed, because an endpoint may be chosen by the same key.
        let word = key.hash.map_or_else(|| ids.word(), |hash| torana_balance::hash(&hash.to_le_bytes()));
        let mut left = point(word);
        for arm in &self.arms {
            match left.checked_sub(u64::from(arm.share.as_hundredths())) {
                Some(rest) => left = rest,
                None => return (Some(arm), key.set_cookie),
            }
        }
        (None, key.set_cookie)
    }
}

impl Faults {
    /// Waits, and gives the status that is to be answered, or does neither.
    ///
    /// # Errors
    /// The client went away while it waited.
    pub(crate) async fn meet(
        &self,
        exchange: &Exchange,
        body: &mut impl RequestBody,
        timer: &Timer,
        ids: &RequestIds,
    ) -> Result<Option<u16>, Fault> {
        if self.header.as_ref().is_some_and(|name| !exchange.request.fields.contains(name.as_str())) {
            return Ok(None);
        }
        if let Some((time, _)) = self.delay.filter(|(_, share)| falls(ids.word(), *share)) {
            let start = now();
            let end = start.checked_add(time).unwrap_or(start);
            poll_fn(|context| match timer.poll_deadline(context, end) {
                Poll::Ready(()) => Poll::Ready(Ok(())),
                Poll::Pending => body.poll_left(context).map(Err),
            })
            .await?;
        }
        Ok(self.abort.filter(|(_, share)| falls(ids.word(), *share)).map(|(status, _)| status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept() {
        let ids = RequestIds::default();
        let count =
            |percent| (0..10_000).filter(|_| falls(ids.word(), Percent::from_percent(percent))).count();
        assert_eq!((count(0), count(100)), (0, 10_000));
        assert!((800..1_200).contains(&count(10)), "{}", count(10));
    }
}
