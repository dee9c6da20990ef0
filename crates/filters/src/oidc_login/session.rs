//! A session: what the browser keeps for the gateway, sealed, and what it means.

use crate::authentication::cache::Weight;
use crate::jwt::{Verified, Vouched};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use torana_filter::{Claims, Json};
use torana_plan::OidcLoginPlan;

/// What is sealed in the browser. Times are seconds since 1970-01-01 UTC.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Told when it was ended by a logout.
    pub(super) key: String,
    /// The ID token, verified when it came.
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<String>,
    /// When the caller logged in.
    pub(super) began: u64,
    /// When it is over in every policy of its login, by what they said when it began: one that lets sessions last longer
    /// since then lets others, because a logout is remembered until this. Sessions of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<u64>,
    /// When the gateway last saw it, within a tenth of what it may be idle.
    pub(super) seen: u64,
    /// When the tokens came, and from when on they are not good, where they are renewed.
    pub(super) renewed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<u64>,
}

/// What is to be done about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is over.
    Over,
    /// The tokens have to be renewed before it goes on.
    Expired,
    /// The tokens are worth renewing.
    Ageing,
    /// It is to be noted that it was used.
    Used,
    /// It is as it should be.
    Fresh,
}

impl Session {
    pub(super) fn state(&self, plan: &OidcLoginPlan, now: u64) -> State {
        let after = |from: u64, span: u64| now >= from.saturating_add(span);
        let idle = plan.idle.as_duration().as_secs();
        if now >= self.ends(plan) || after(self.seen, idle.max(1)) {
            return State::Over;
        }
        if let Some(expires) = self.expires.filter(|_| self.refresh.is_some()) {
            // The last fifth of their time is for renewing them.
            let margin = expires.saturating_sub(self.renewed) / 5;
            if now >= expires {
                return State::Expired;
            }
            if now >= expires.saturating_sub(margin) {
                return State::Ageing;
            }
        }
        if after(self.seen, idle / 10) && now > self.seen { State::Used } else { State::Fresh }
    }

    /// How many seconds the browser is to keep it.
    pub(super) fn keep_for(&self, plan: &OidcLoginPlan, now: u64) -> u64 {
        let left = self.ends(plan).saturating_sub(now);
        left.min(plan.idle.as_duration().as_secs()).max(1)
    }

    /// When it is over, whatever happens.
    pub(super) fn ends(&self, plan: &OidcLoginPlan) -> u64 {
        let ends = self.began.saturating_add(plan.lifetime.as_duration().as_secs().max(1));
        self.last.map_or(ends, |last| ends.min(last))
    }
}

/// A session that was opened.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) claims: Arc<Verified>,
}

impl Weight for Opened {
    fn weight(&self) -> usize {
        let session = &self.session;
        let more =
            [&session.access, &session.refresh].into_iter().flatten().map(String::capacity).sum::<usize>();
        let texts = session.id.capacity().saturating_add(session.key.capacity()).saturating_add(more);
        size_of::<Self>().saturating_add(texts).saturating_add(self.claims.weight())
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl Opened {
    /// Reads what its ID token says; that was verified before it was sealed.
    pub(super) fn new(session: Session, plan: &OidcLoginPlan) -> Option<Self> {
        let claims = claims(&session.id)?;
        let issuer = claims.get("iss").and_then(Json::as_str).unwrap_or_default().into();
        let claims = Verified::new(claims, &plan.id_token, &Vouched::Login, issuer, 0).ok()?;
        Some(Self { session, claims: Arc::new(claims) })
    }
}

/// The claims of a token, unverified.
pub(super) fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    Claims::read(URL_SAFE_NO_PAD.decode(payload).ok()?)
}
