//! The limit on wrong credentials, as a way sees it while it verifies.

use super::FailureLimit;
use super::counting::Judging;
use super::failures::{PATIENCE, Unbegun, too_many_at_once};
use super::verified::Shown;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use torana_credential::directory::KeyPrint;
use torana_fault::Fault;
use torana_types::TimeSpan;

/// What a way may do while it verifies: only the slow part asks, so callers that are known never do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard<'a> {
    pub(super) failures: Option<&'a Arc<FailureLimit>>,
    pub(super) address: IpAddr,
    pub(super) now: Duration,
    /// What it notes of this request.
    pub(super) judging: &'a Judging,
}

impl Guard<'_> {
    /// Whether somebody at this address may try a credential that is not known yet.
    ///
    /// # Errors
    /// Too many were wrong.
    pub(crate) fn may_try(&self) -> Result<(), Fault> {
        self.failures.map_or(Ok(()), |failures| failures.check(self.address, self.now))
    }

    /// As [`may_try`](Self::may_try), for what is told by a key, the digest of a credential or the name of who
    /// signs: what was verified before when this address showed it is not held up by others there.
    ///
    /// # Errors
    /// Too many were wrong.
    pub(crate) fn may_try_shown(&self, shown: &[u8]) -> Result<(), Fault> {
        let shown = Shown::Text(shown);
        self.failures.map_or(Ok(()), |failures| failures.check_shown(self.address, shown, self.now))
    }

    /// As [`may_try_shown`](Self::may_try_shown), for a key.
    pub(crate) fn may_try_key(&self, key: &KeyPrint) -> Result<(), Fault> {
        let shown = Shown::Print(key);
        self.failures.map_or(Ok(()), |failures| failures.check_shown(self.address, shown, self.now))
    }

    /// Remembers that what is shown was verified.
    pub(crate) fn note_verified(&self, shown: &[u8]) {
        if let Some(failures) = self.failures {
            failures.note(self.address, Shown::Text(shown));
        }
    }

    /// Remembers that a key was verified.
    pub(crate) fn note_key(&self, key: &KeyPrint) {
        if let Some(failures) = self.failures {
            failures.note(self.address, Shown::Print(key));
        }
    }

    /// Counts that what is shown is wrong, against those who could show it before.
    pub(crate) fn note_wrong(&self, shown: &[u8]) {
        if let Some(failures) = self.failures {
            failures.count_shown(self.address, Shown::Text(shown), self.now);
        }
    }

    /// Notes that something is wrong, for which the refusal has another reason.
    pub(crate) fn note_wrong_too(&self) {
        self.judging.wrong.set(true);
    }

    /// Notes that what is shown cannot be what the way accepts, whatever is tried.
    pub(crate) fn note_no_guess(&self) {
        self.judging.no_guess.set(true);
    }

    /// Notes that what is shown is sealed by the gateway itself or is not: wrong or not, it counts nothing.
    pub(crate) fn note_sealed(&self) {
        self.judging.counts_nothing.set(true);
    }

    /// Notes that what is shown was given out by who signs or explains it, and is good elsewhere or at another time: it
    /// counts nothing.
    pub(crate) fn note_genuine(&self) {
        self.judging.counts_nothing.set(true);
    }

    /// Notes that who was asked has given no answer, so that nobody who waits behind is blamed for it.
    pub(crate) fn note_unanswered(&self) {
        if let Some(under_way) = self.judging.under_way.get() {
            under_way.note_unanswered();
        }
    }

    /// Waits until somebody at this address may ask who takes at most `timeout` to answer; who was verified there
    /// before does not wait for the verdicts on guesses.
    ///
    /// # Errors
    /// Too many were wrong, or the verdicts on others are not there in time.
    pub(crate) async fn begin_asking(&self, shown: Option<&[u8]>, timeout: TimeSpan) -> Result<(), Unbegun> {
        // Whoever is asked now has answered by then, or has not.
        let patience = PATIENCE.max(timeout.as_duration().saturating_add(Duration::from_secs(1)));
        self.begin(shown, false, patience).await
    }

    /// Waits until what somebody at this address shows may be computed, as [`begin_asking`](Self::begin_asking).
    /// Whoever leaves meanwhile is counted as wrong.
    ///
    /// # Errors
    /// Too many were wrong, or the verdicts on others are not there in time.
    pub(crate) async fn begin_computing(&self, shown: &[u8]) -> Result<(), Fault> {
        self.begin(Some(shown), true, PATIENCE).await.map_err(|unbegun| unbegun.or(too_many_at_once))
    }

    async fn begin(
        &self,
        shown: Option<&[u8]>,
        leaving_counts: bool,
        patience: Duration,
    ) -> Result<(), Unbegun> {
        if self.may_try().is_err() && shown.is_some_and(|shown| self.may_try_shown(shown).is_ok()) {
            return Ok(());
        }
        if let (Some(failures), None) = (self.failures, self.judging.under_way.get()) {
            let begun = failures.begin(self.address, self.now, leaving_counts, patience).await?;
            // The way is alone with its cell: nothing was set meanwhile.
            let _ = self.judging.under_way.set(begun);
        }
        Ok(())
    }
}
