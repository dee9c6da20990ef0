//! Renewing tokens: requests of one session that come side by side ask the provider once.
//!
//! Providers that exchange refresh tokens take a second use of one for theft. What one request has asked is
//! therefore shared with all that bring the same token, and remembered for a while, until the browser has
//! taken the new session over and no answer that began before can bring the old one back.

use super::memory::LoginMemory;
use super::provider::Pending;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use torana_filter::Overtaken;

/// How long a renewal is remembered at least, in seconds.
const REMEMBERED: u64 = 60;
/// How long it is after the old session's tokens have expired, which it does not outlast otherwise, in seconds.
const AFTERWARDS: u64 = 300;
/// The most seconds until then that are waited for.
const LONGEST: u64 = 3600;
/// Sessions that are renewed in that time. More are renewed too, but not shared.
const MOST: usize = 50_000;

type Name = [u8; 32];

/// Renewals under way and of late, by the refresh token that was used and the second of the renewal before: a provider may
/// give the same token again.
#[derive(Default)]
pub(super) struct Renewals(Mutex<HashMap<Name, Known>>);

struct Known {
    began: u64,
    /// From when on it is forgotten.
    until: u64,
    pending: Pending,
}

/// A session goes out of date once it is renewed.
#[derive(Debug)]
pub(super) struct Renewed {
    memory: Arc<LoginMemory>,
    name: Name,
    now: u64,
}

impl Renewed {
    /// What overtakes a session with this token, last renewed then.
    pub(super) fn overtaking(
        memory: &Arc<LoginMemory>,
        token: &str,
        before: u64,
        now: u64,
    ) -> Arc<dyn Overtaken> {
        Arc::new(Self { memory: Arc::clone(memory), name: name(token, before), now })
    }
}

impl Overtaken for Renewed {
    fn is_overtaken(&self) -> bool {
        self.memory.renewals.knows(&self.name, self.now)
    }
}

fn name(token: &str, before: u64) -> Name {
    let mut name = Name::default();
    let text = format!("{before}\0{token}");
    name.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    name
}

impl Renewals {
    /// The renewal by this token, and when it began; `ask` begins it if nobody has. What the old session has expires at
    /// `expires`.
    pub(super) fn of(
        &self,
        token: &str,
        before: u64,
        now: u64,
        expires: u64,
        ask: impl FnOnce() -> Pending,
    ) -> (u64, Pending) {
        let name = name(token, before);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&name).filter(|known| now < known.until) {
            return (known.began, known.pending.clone());
        }
        if known.len() >= MOST {
            known.retain(|_, known| now < known.until);
        }
        if known.len() >= MOST {
            known.retain(|_, known| now < known.began.saturating_add(REMEMBERED));
        }
        let pending = ask();
        if known.len() < MOST {
            let until = expires.clamp(now, now.saturating_add(LONGEST)).saturating_add(AFTERWARDS);
            known.insert(name, Known { began: now, until, pending: pending.clone() });
        }
        (now, pending)
    }

    /// Whether a renewal of this name is under way or was of late.
    fn knows(&self, name: &Name, now: u64) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).is_some_and(|known| now < known.until)
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
