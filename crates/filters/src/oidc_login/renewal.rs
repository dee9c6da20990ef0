//! Renewing tokens: requests of one session that come side by side ask the provider once.
//!
//! Providers that exchange refresh tokens take a second use of one for theft. What one request has asked is
//! therefore shared with all that bring the same token, and remembered for a while, until the browser has
//! taken the new session over.

use super::provider::Pending;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a renewal is remembered, in seconds.
const REMEMBERED: u64 = 60;
/// Sessions that are renewed in that time. More are renewed too, but not shared.
const MOST: usize = 50_000;

type Name = [u8; 32];

/// Renewals under way and of late, by the refresh token that was used.
#[derive(Default)]
pub(super) struct Renewals(Mutex<HashMap<Name, (u64, Pending)>>);

impl Renewals {
    /// The renewal by this token; `ask` begins it if nobody has.
    pub(super) fn of(&self, token: &str, now: u64, ask: impl FnOnce() -> Pending) -> Pending {
        let mut name = Name::default();
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pending)) = known.get(&name).filter(|(until, _)| *until > now) {
            return pending.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, (until, _)| *until > now);
        }
        let pending = ask();
        if known.len() < MOST {
            known.insert(name, (now.saturating_add(REMEMBERED), pending.clone()));
        }
        pending
    }

    /// Forgets a renewal that came to nothing, so that it may be tried again.
    pub(super) fn forget(&self, token: &str) {
        let mut name = Name::default();
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }
}

impl std::fmt::Debug for Renewals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Renewals").finish_non_exhaustive()
    }
}
