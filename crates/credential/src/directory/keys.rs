//! Keys, each found by its print in one look-up however many there are.
//!
//! A key is kept as its print alone: SipHash-2-4 of 128 bits under a secret of this process. That is a function whose
//! values nobody can tell from random ones without the secret, so it says where in the table to look, which nobody can
//! choose, and which key it is: who does not know a key meets one of a million with a chance of 2^-108 a try. Prints
//! are compared in constant time. They mean nothing to another process. Who can read the memory of this one, its
//! secret included, could make a text with a known print; requests with their keys lie in that memory too.
//!
//! What a key is called where it has no name does not depend on the process, so that the logs of several gateways
//! agree: it is the beginning of the key's SHA-256.

use super::{Refusal, identity, short_name};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use siphasher::sip128::SipHasher24;
use std::sync::{Arc, LazyLock};
use torana_identity::{Consumer, CredentialKind, Identity};

/// What a key is known by in this process.
#[derive(Clone, Copy, Debug)]
pub struct KeyPrint([u8; 16]);

static PRINTS: LazyLock<SipHasher24> = LazyLock::new(|| {
    let mut secret = [0; 16];
    rand::fill(&mut secret).expect("the system gives random bytes, without which there is no TLS either");
    SipHasher24::new_with_key(&secret)
});

impl KeyPrint {
    /// The print of a key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(PRINTS.hash(key).as_bytes())
    }

    /// Its bytes, good as random to who does not know the secret.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Half of it, of which the place of the key says nothing.
    #[must_use]
    pub const fn half(&self) -> u64 {
        let [_, _, _, _, _, _, _, _, high @ ..] = self.0;
        u64::from_le_bytes(high)
    }

    const fn place(&self) -> u64 {
        let [low @ .., _, _, _, _, _, _, _, _] = self.0;
        u64::from_le_bytes(low)
    }
}

/// Keys and whose they are: places of half a line of the cache, at most half of them taken. A key stands at the first
/// free one from where its print says; a table that says elsewhere what is free would be waited for too.
#[derive(Default)]
pub(super) struct Keys {
    places: Vec<Option<ApiKey>>,
    count: usize,
}

#[repr(align(32))]
struct ApiKey {
    print: KeyPrint,
    /// The first second at which it is no longer good, since 1970-01-01 UTC.
    expires: u64,
    identity: Arc<Identity>,
}

const _: () = assert!(size_of::<Option<ApiKey>>() == 32);

impl Keys {
    /// Whose key it is, if it is good at `now`, in seconds since 1970-01-01 UTC.
    pub(super) fn find(&self, print: &KeyPrint, now: u64) -> Option<&Arc<Identity>> {
        let found = self.places.get(self.place(print)?)?.as_ref()?;
        (found.expires > now).then_some(&found.identity)
    }

    /// Where a key stands, or would: the first place from its own on that it has or that is free.
    fn place(&self, print: &KeyPrint) -> Option<usize> {
        let last = self.places.len().checked_sub(1)?;
        // Masked first: what is left fits however wide a place is.
        let mut place = usize::try_from(print.place() & last as u64).unwrap_or(0);
        // Half of the places are free, so one is found.
        while let Some(taken) = self.places.get(place)? {
            if verify_slices_are_equal(&taken.print.0, &print.0).is_ok() {
                break;
            }
            place = place.wrapping_add(1) & last;
        }
        Some(place)
    }

    pub(super) fn add(
        &mut self,
        key: &[u8],
        expires: u64,
        id: Option<&str>,
        consumer: &Arc<Consumer>,
    ) -> Result<(), Refusal> {
        if self.places.len() < self.count.saturating_add(1).saturating_mul(2) {
            self.grow();
        }
        let print = KeyPrint::of(key);
        let Some(free) = self.place(&print).and_then(|place| self.places.get_mut(place)) else {
            return Err(Refusal::TooMany("keys"));
        };
        if let Some(taken) = free {
            return Err(Refusal::taken("key", &taken.identity.consumer));
        }
        let name = id.map_or_else(|| short_name(digest(&SHA256, key).as_ref()), Into::into);
        let identity = Arc::new(identity(Some(consumer), CredentialKind::Key, name));
        *free = Some(ApiKey { print, expires, identity });
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Makes twice the places.
    fn grow(&mut self) {
        let wanted = self.places.len().saturating_mul(2).max(8);
        let empty = std::iter::repeat_with(|| None).take(wanted).collect();
        let known = std::mem::replace(&mut self.places, empty);
        for key in known.into_iter().flatten() {
            if let Some(free) = self.place(&key.print).and_then(|place| self.places.get_mut(place)) {
                *free = Some(key);
            }
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_however_many_there_are_and_no_other() {
        let mut keys = Keys::default();
        assert!(keys.find(&KeyPrint::of(b"0"), 0).is_none());
        let consumer = Arc::new(Consumer { id: "a".into(), ..Consumer::default() });
        let written = |number: u32| number.to_string().into_bytes();
        for number in 0..1000 {
            keys.add(&written(number), 10, Some(&number.to_string()), &consumer).unwrap();
            assert!(keys.add(&written(number / 2), 10, None, &consumer).is_err(), "{number}");
            assert!(keys.len() * 2 <= keys.places.len());
        }
        for number in 0..2000 {
            let found = keys.find(&KeyPrint::of(&written(number)), 9);
            let name = found.map(|identity| identity.credential.clone().unwrap().id.to_string());
            assert_eq!(name, (number < 1000).then(|| number.to_string()));
        }
        assert!(keys.find(&KeyPrint::of(b"7"), 10).is_none());
    }
}
