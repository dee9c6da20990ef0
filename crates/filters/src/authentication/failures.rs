//! A limit on wrong credentials from one address.
//!
//! Only failures count, and only credentials that are not known yet are held up: a caller whose credential
//! was verified before is served even from an address that others guess from.

use crate::rate_limit::address_key;
use std::net::IpAddr;
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
}

impl FailureLimit {
    /// At most so many wrong credentials from one address.
    #[must_use]
    pub fn new(rate: &Rate) -> Self {
        let limit = u64::from(rate.limit().get());
        let gcra = Gcra::new(limit, rate.period().at_least().as_duration(), limit);
        Self { limiter: KeyedLimiter::new(Budget::new(Window::Gcra(gcra), Vec::new()), ADDRESSES) }
    }

    /// Whether the address may try another credential.
    pub(super) fn check(&self, address: IpAddr, now: Duration) -> Result<(), Fault> {
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
        let key = address_key(address);
        self.limiter.take(Key { kind: ADDRESS, bytes: &key }, now, Ask::exactly(1));
    }
}
