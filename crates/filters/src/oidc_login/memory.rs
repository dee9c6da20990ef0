//! What the gateway itself remembers of logins: those that came back, sessions that were ended, tokens that are renewed.

use super::once::Once;
use super::renewal::Renewals;
use super::session::Session;
use std::sync::atomic::{AtomicU64, Ordering};
use torana_plan::OidcLoginPlan;

/// What is remembered of the logins at one provider, for one client, in one cookie. Policies of the same login share it,
/// and it outlives a reload: a session that one of them has ended opens in none.
#[derive(Debug, Default)]
pub struct LoginMemory {
    /// States of logins that came back.
    pub(super) finished: Once,
    pub(super) renewals: Renewals,
    /// Sessions that were logged out.
    ended: Once,
    /// The longest that a session lasts in any of the policies, in seconds.
    longest: AtomicU64,
}

impl LoginMemory {
    /// A policy joins that takes sessions for so long.
    pub(super) fn join(&self, plan: &OidcLoginPlan) {
        self.longest.fetch_max(plan.lifetime.as_duration().as_secs().max(1), Ordering::Relaxed);
    }

    /// When a session that begins now is over in every policy.
    pub(super) fn last(&self, began: u64) -> u64 {
        began.saturating_add(self.longest.load(Ordering::Relaxed))
    }

    /// Ends a session, for as long as any policy would take it.
    pub(super) fn end(&self, session: &Session, now: u64) {
        let last = session.last.unwrap_or_else(|| self.last(session.began));
        self.ended.take(&session.key, last.saturating_add(1), now);
    }

    /// Whether a session was ended.
    pub(super) fn is_ended(&self, session: &Session, now: u64) -> bool {
        self.ended.is_taken(&session.key, now)
    }
}
