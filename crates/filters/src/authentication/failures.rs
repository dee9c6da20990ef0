//! A limit on wrong credentials from one address.
//!
//! Only failures count, and only credentials that are not known yet are held up: a caller whose credential was
//! verified before from the same address is served even if others guess from there. What is known by its name only,
//! as of who signs, has a limit of its own then, so that a known name is not guessed for either.

mod turns;

pub(crate) use turns::Unbegun;
pub(super) use turns::{PATIENCE, UnderWay, too_many_at_once};

use super::address_key::{AddressKey, address_key};
use super::verified::{Shown, VerifiedThere};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use torana_fault::{Fault, Reason};
use torana_limit::{Ask, Budget, Gcra, Key, KeyedLimiter, Window};
use torana_types::Rate;
use turns::Turns;

/// Addresses that are remembered.
const ADDRESSES: u32 = 100_000;
const ADDRESS: u8 = 1;
/// An address, and what was shown there.
const SHOWN: u8 = 2;

/// Counts wrong credentials by client address, in a bounded table.
#[derive(Debug)]
pub struct FailureLimit {
    limiter: KeyedLimiter,
    verified: VerifiedThere,
    /// The latest wrong credential of all, in milliseconds since the start, rounded up; 0 when there was none.
    latest: AtomicU64,
    /// How many of an address may be wrong, and how long after the latest it is as if there had been none.
    most: u64,
    whole_after: Duration,
    turns: Turns,
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
            verified: VerifiedThere::new(),
            latest: AtomicU64::new(0),
            most: limit,
            whole_after: period,
            turns: Turns::default(),
        }
    }

    /// Whether the address may try another credential.
    pub(super) fn check(&self, address: IpAddr, now: Duration) -> Result<(), Fault> {
        self.left(address_key(address), now).map(|_| ())
    }

    /// Whether the address may try what it shows: always where that was verified there before and has not been
    /// wrong too often since.
    pub(super) fn check_shown(&self, address: IpAddr, shown: Shown<'_>, now: Duration) -> Result<(), Fault> {
        let key = address_key(address);
        match self.left(key, now) {
            Err(_) if self.verified.knows(key, shown) => {
                let both = [&key, shown.bytes()].concat();
                self.left_of(Key { kind: SHOWN, bytes: &both }, now).map(|_| ())
            }
            left => left.map(|_| ()),
        }
    }

    /// Remembers that what the address shows was verified.
    pub(super) fn note(&self, address: IpAddr, shown: Shown<'_>) {
        self.verified.note(address_key(address), shown);
    }

    /// Counts that what the address shows, which was verified there before, is wrong now.
    pub(super) fn count_shown(&self, address: IpAddr, shown: Shown<'_>, now: Duration) {
        let key = address_key(address);
        if self.verified.knows(key, shown) {
            let both = [&key, shown.bytes()].concat();
            self.limiter.take(Key { kind: SHOWN, bytes: &both }, now, Ask::exactly(1));
        }
    }

    /// How many more may be wrong.
    fn left(&self, key: AddressKey, now: Duration) -> Result<u64, Fault> {
        let latest = Duration::from_millis(self.latest.load(Ordering::Relaxed));
        // Where all is calm nobody is looked for.
        if latest.is_zero() || now > latest.saturating_add(self.whole_after) {
            return Ok(self.most);
        }
        self.left_of(Key { kind: ADDRESS, bytes: &key }, now)
    }

    fn left_of(&self, key: Key<'_>, now: Duration) -> Result<u64, Fault> {
        let view = self.limiter.look(key, now).view;
        if view.remaining > 0 {
            return Ok(view.remaining);
        }
        let wait = view.retry_after.as_secs().saturating_add(1);
        Err(Fault::new(Reason::AuthenticationLimited)
            .because("too many wrong credentials from this address")
            .with_field("Retry-After", wait.to_string()))
    }

    /// Takes back a credential that was counted for this request, and is a good one for another way.
    pub(super) fn take_back(&self, address: IpAddr, now: Duration) {
        let key = address_key(address);
        self.limiter.give_back(Key { kind: ADDRESS, bytes: &key }, now, now, 1);
    }

    /// Counts a wrong credential.
    pub(super) fn count(&self, address: IpAddr, now: Duration) {
        self.count_key(address_key(address), now);
    }

    fn count_key(&self, key: AddressKey, now: Duration) {
        let now_up = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.latest.fetch_max(now_up, Ordering::Relaxed);
        self.limiter.take(Key { kind: ADDRESS, bytes: &key }, now, Ask::exactly(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn limit(rate: &str) -> FailureLimit {
        FailureLimit::new(&rate.parse().unwrap())
    }

    #[tokio::test]
    async fn a_name_that_signed_well_here_may_go_on_until_it_is_wrong_too_often() {
        let limit = limit("2/hour");
        let may_try = |name: &[u8]| limit.check_shown(HERE, Shown::Text(name), Duration::ZERO).is_ok();
        limit.note(HERE, Shown::Text(b"alice"));
        limit.count(HERE, Duration::ZERO);
        limit.count(HERE, Duration::ZERO);
        assert_eq!((may_try(b"alice"), may_try(b"bob")), (true, false));
        for _ in 0..2 {
            limit.count_shown(HERE, Shown::Text(b"alice"), Duration::ZERO);
            limit.count_shown(HERE, Shown::Text(b"bob"), Duration::ZERO);
        }
        assert_eq!((may_try(b"alice"), may_try(b"bob")), (false, false));
    }

    #[test]
    fn an_address_is_held_up_until_its_guesses_are_forgotten_and_no_other_is() {
        let limit = limit("2/minute");
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
