//! A limit on wrong credentials from one address.
//!
//! Only failures count, and only credentials that are not known yet are held up: a caller whose credential
//! was verified before is served even from an address that others guess from.

use crate::rate_limit::address_key;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_limit::{Ask, Budget, Gcra, Key, KeyedLimiter, Window};
use torana_types::Rate;

/// Addresses that are remembered.
const ADDRESSES: u32 = 100_000;
const ADDRESS: u8 = 1;

/// Counts wrong credentials by client address, in a bounded table.
#[derive(Debug)]
pub struct FailureLimit {
    limiter: KeyedLimiter,
    /// The latest wrong credential of all, in milliseconds since the start, rounded up; 0 when there was none.
    latest: AtomicU64,
    /// How long after its latest wrong credential an address is as if there had been none.
    whole_after: Duration,
}

impl FailureLimit {
    /// At most so many wrong credentials from one address.
    #[must_use]
    pub fn new(rate: &Rate) -> Self {
        let limit = u64::from(rate.limit().get());
        let period = rate.period().at_least().as_duration();
        let gcra = Gcra::new(limit, period, limit);
        Self {
            limiter: KeyedLimiter::new(Budget::new(Window::Gcra(gcra), Vec::new()), ADDRESSES),
            latest: AtomicU64::new(0),
            whole_after: period,
        }
    }

    /// Whether the address may try another credential.
    pub(super) fn check(&self, address: IpAddr, now: Duration) -> Result<(), Fault> {
        let latest = Duration::from_millis(self.latest.load(Ordering::Relaxed));
        // Where all is calm nobody is looked for.
        if latest.is_zero() || now > latest.saturating_add(self.whole_after) {
            return Ok(());
        }
        let key = address_key(address);
        let view = self.limiter.look(Key { kind: ADDRESS, bytes: &key }, now).view;
        if view.remaining > 0 {
            return Ok(());
        }
        let wait = view.retry_after.as_secs().saturating_add(1);
        Err(Fault::new(Reason::AuthenticationLimited)
            .because("too many wrong credentials from this address")
            .with_field("Retry-After", wait.to_string()))
    }

    /// Counts a wrong credential.
    pub(super) fn count(&self, address: IpAddr, now: Duration) {
        let now_up = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.latest.fetch_max(now_up, Ordering::Relaxed);
        let key = address_key(address);
        self.limiter.take(Key { kind: ADDRESS, bytes: &key }, now, Ask::exactly(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_held_up_until_its_guesses_are_forgotten_and_no_other_is() {
        let limit = FailureLimit::new(&"2/minute".parse().unwrap());
        let (guesser, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.9".parse().unwrap());
        let at = Duration::from_secs;
        assert!(limit.check(guesser, at(0)).is_ok());
        limit.count(guesser, at(0));
        assert!(limit.check(guesser, at(0)).is_ok());
        limit.count(guesser, at(0));
        assert!(limit.check(guesser, at(1)).is_err() && limit.check(other, at(1)).is_ok());
        assert!(limit.check(guesser, at(31)).is_ok());
        limit.count(guesser, at(31));
        limit.count(other, at(40));
        assert!(limit.check(guesser, at(41)).is_err());
        assert!(limit.check(guesser, at(200)).is_ok() && limit.check(other, at(200)).is_ok());
        // An earlier time, as another worker may have it, takes nothing away.
        limit.count(guesser, at(201));
        limit.count(guesser, at(201));
        limit.count(other, at(100));
        assert!(limit.check(guesser, at(201)).is_err());
    }
}
