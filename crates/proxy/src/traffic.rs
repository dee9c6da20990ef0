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
use torana_transport::{RequestBody, Timer, after};
use torana_types::Percent;

/// All of a share, in hundredths of a percent.
const WHOLE: u64 = 10_000;

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
    /// The hash of its name, which stays over reloads.
    pub identity: u64,
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
    within(word, WHOLE)
}

/// A random word as a number below `bound`.
fn within(word: u64, bound: u64) -> u64 {
    let scaled = u128::from(word).wrapping_mul(u128::from(bound)) >> 64;
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
        let arm = key.hash.map_or_else(|| self.draw(ids.word()), |hash| self.of_caller(hash));
        (arm, key.set_cookie)
    }

    /// The service for a random word.
    fn draw(&self, word: u64) -> Option<&Arm> {
        let mut left = point(word);
        self.arms.iter().find(|arm| match left.checked_sub(u64::from(arm.share.as_hundredths())) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }

    /// The service for whoever has that hash.
    fn of_caller(&self, hash: u64) -> Option<&Arm> {
        self.arms.get(place(self.arms.iter().map(|arm| (arm.identity, arm.share)), hash)?)
    }
}

/// Which of the shares has the caller of that hash, each with the identity of whose it is. One after another takes its part
/// of those whom none before it has taken, by a hash of its own: when a share grows, all of its callers stay, and those
/// of the others but for the ones whom it takes.
fn place(shares: impl IntoIterator<Item = (u64, Percent)>, hash: u64) -> Option<usize> {
    let mut left = WHOLE;
    shares.into_iter().position(|(identity, share)| {
        let share = u64::from(share.as_hundredths());
        // Mixed, because an endpoint may be chosen by the same key.
        let word = torana_balance::hash(&(hash ^ identity).to_le_bytes());
        let takes = within(word, left) < share;
        left = left.saturating_sub(share);
        takes
    })
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
            let end = after(time);
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

    #[test]
    fn callers_keep_their_side_when_a_share_grows_or_goes() {
        let callers: Vec<u64> =
            (0..20_000_u64).map(|number| torana_balance::hash(&number.to_le_bytes())).collect();
        let name = |name: &str| torana_balance::hash(name.as_bytes());
        let (canary, beta) = (name("canary"), name("beta"));
        let sides = |shares: &[(u64, u32)]| -> Vec<Option<u64>> {
            let arms = || shares.iter().map(|(identity, share)| (*identity, Percent::from_percent(*share)));
            let side = |hash: &u64| place(arms(), *hash).map(|index| shares[index].0);
            callers.iter().map(side).collect()
        };
        let count = |sides: &[Option<u64>], side| sides.iter().filter(|other| **other == side).count();
        let stay = |before: &[Option<u64>], after: &[Option<u64>], side| {
            before.iter().zip(after).filter(|(before, after)| **before == side && before == after).count()
        };
        let before = sides(&[(canary, 5), (beta, 5)]);
        for (side, percent) in [(Some(canary), 5), (Some(beta), 5), (None, 90)] {
            let count = count(&before, side);
            assert!((percent * 180..percent * 220).contains(&count), "{percent} %: {count}");
        }
        for (after, side, percent) in [
            (sides(&[(canary, 10), (beta, 5)]), Some(beta), 10),
            (sides(&[(canary, 5), (beta, 10)]), Some(canary), 0),
            (sides(&[(beta, 5)]), Some(beta), 10),
        ] {
            let (had, stay) = (count(&before, side), stay(&before, &after, side));
            assert!(stay * 100 >= had * (100 - percent), "{stay} of {had}");
        }
        let grown = sides(&[(canary, 10), (beta, 5)]);
        assert_eq!(stay(&before, &grown, Some(canary)), count(&before, Some(canary)));
        let moved =
            |(before, after): &(&Option<u64>, &Option<u64>)| **before == Some(beta) && before != after;
        assert!(before.iter().zip(&grown).filter(moved).all(|(_, after)| *after == Some(canary)));
        assert!(sides(&[(canary, 60), (beta, 40)]).iter().all(Option::is_some), "all of it is shared out");
    }
}
