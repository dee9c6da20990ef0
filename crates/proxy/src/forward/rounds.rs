//! Tries one after the other.

use super::Call;
use super::choose::{By, nobody, pick, pick_resting};
use super::judge::Judge;
use super::retry::{Chances, Next, is_shed};
use super::terms::Terms;
use crate::upstream::UpstreamEndpoint;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use torana_balance::Tried;
use torana_fault::Fault;
use torana_filter::Attempt;
use torana_http::RequestHead;
use torana_transport::{RequestBody, after};

/// The rounds of one request: what chances are left, who was asked, and what came of it.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    call: &'a Call<'a>,
    pub(super) chances: Chances<'a>,
    pub(super) tried: Tried,
    /// Why the last try has failed: that says more than that nobody is asked any more.
    last: Option<Fault>,
    /// None that was asked has had the request.
    unsent: bool,
}

/// Whom a round asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen<'a> {
    pub(super) by: By,
    pub(super) attempt: Attempt<'a>,
    pub(super) endpoint: &'a UpstreamEndpoint,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(call: &'a Call<'a>, request: &RequestHead) -> Self {
        let chances = Chances::new(call, request);
        Self { call, chances, tried: Tried::default(), last: None, unsent: true }
    }

    /// Begins a round: asks whether the service may be asked.
    ///
    /// # Errors
    /// As [`Judge::admit`]; if a try has failed before, that.
    pub(super) fn begin(&mut self, whole: bool) -> Result<Judge<'a>, Fault> {
        self.chances.begun = self.chances.begun.saturating_add(1);
        Judge::admit(self.call.upstream, self.call.patience(), whole)
            .map_err(|refused| self.last.take().unwrap_or(refused))
    }

    /// Chooses an endpoint, by which the round is judged.
    ///
    /// # Errors
    /// There is none; if a try has failed before, that.
    pub(super) fn choose(&mut self, judge: &mut Judge<'a>) -> Result<Chosen<'a>, Fault> {
        let (call, number) = (self.call, self.chances.begun);
        let key = call.key.unwrap_or(call.random.rotate_left(number.wrapping_mul(17)));
        let by = By { key, random: call.random, preferred: call.preferred };
        let picked = pick(call.upstream, by, &self.tried).or_else(|| self.anybody_again(by));
        let earlier = self.last.take();
        let Some((index, endpoint)) = picked else {
            return Err(earlier.unwrap_or_else(|| nobody(call.upstream)));
        };
        if number > 1 {
            judge.begins_late();
        }
        judge.at(call.upstream, index);
        let attempt = Attempt { number, endpoint: index, authority: &endpoint.authority };
        Ok(Chosen { by, attempt, endpoint })
    }

    /// When every endpoint in service was tried, those that are ejected for a time are, where none of the tries has reached
    /// one; and then all of them again.
    fn anybody_again(&mut self, by: By) -> Option<(usize, &'a UpstreamEndpoint)> {
        let upstream = self.call.upstream;
        if self.tried.is_empty() {
            return None;
        }
        if let Some(resting) = pick_resting(upstream, by, &self.tried).filter(|_| self.unsent) {
            return Some(resting);
        }
        self.tried = Tried::default();
        pick(upstream, by, &self.tried)
    }

    /// The round's try has failed, and another one follows.
    pub(super) fn failed(&mut self, fault: Fault) {
        self.last = Some(fault);
    }

    /// Ends a round, and waits for the next one where that does not go elsewhere.
    ///
    /// # Errors
    /// There is none: the time is over, the client gone, or the pool full.
    pub(super) async fn rest(
        &mut self,
        terms: &Terms<'_>,
        chosen: &Chosen<'_>,
        next: Next,
        body: &mut impl RequestBody,
    ) -> Result<(), Fault> {
        self.tried.insert(chosen.attempt.endpoint);
        self.unsent &= next == Next::Elsewhere && !self.last.as_ref().is_some_and(is_shed);
        let upstream = self.call.upstream;
        if next == Next::Elsewhere && pick(upstream, chosen.by, &self.tried).is_some() {
            return Ok(());
        }
        // Who has waited in a queue in vain does not join it anew.
        if let Some(fault) = self.last.take_if(|fault| fault.reason.is_full_pool()) {
            return Err(fault);
        }
        let retry = self.chances.counted().saturating_sub(1);
        let wait = upstream.retries.backoff.delay(retry, self.call.random.rotate_left(retry));
        terms.bounded(pause(self.call, body, wait)).await
    }
}

/// Waits, unless the client goes away.
async fn pause(call: &Call<'_>, body: &mut impl RequestBody, wait: Duration) -> Result<(), Fault> {
    let end = after(wait);
    poll_fn(|context| match call.timer.poll_deadline(context, end) {
        Poll::Ready(()) => Poll::Ready(Ok(())),
        Poll::Pending => body.poll_left(context).map(Err),
    })
    .await
}
