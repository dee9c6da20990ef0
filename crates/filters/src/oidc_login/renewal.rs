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

/// Renewals under way and of late with the second in which each began, by the refresh token that was used and
/// the second of the renewal before: a provider may give the same token again.
#[derive(Default)]
pub(super) struct Renewals(Mutex<HashMap<Name, (u64, Pending)>>);

fn name(token: &str, before: u64) -> Name {
    let mut name = Name::default();
    let text = format!("{before}\0{token}");
    name.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    name
}

impl Renewals {
    /// The renewal by this token, and when it began; `ask` begins it if nobody has.
    pub(super) fn of(
        &self,
        token: &str,
        before: u64,
        now: u64,
        ask: impl FnOnce() -> Pending,
    ) -> (u64, Pending) {
        let name = name(token, before);
        let is_late = |began: &u64| now >= began.saturating_add(REMEMBERED);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((began, pending)) = known.get(&name).filter(|(began, _)| !is_late(began)) {
            return (*began, pending.clone());
        }
        if known.len() >= MOST {
            known.retain(|_, (began, _)| !is_late(began));
        }
        let pending = ask();
        if known.len() < MOST {
            known.insert(name, (now, pending.clone()));
        }
        (now, pending)
    }

    /// Forgets a renewal that came to nothing, so that it may be tried again.
    pub(super) fn forget(&self, token: &str, before: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name(token, before));
    }
}

impl std::fmt::Debug for Renewals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Renewals").finish_non_exhaustive()
    }
}
