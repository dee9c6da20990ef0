//! Who was verified from which address, so that a limit on guesses from there does not hold them up.
//!
//! A table of fixed size, without locks: an address and what was shown there have a print of 64 bits that
//! nobody can foresee, at one of a few places. Only what was verified enters, and the newer takes the place of an older
//! one. A print that is found lets what is shown be judged and no more, so prints that meet by chance let nobody in.

use super::address_key::AddressKey;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use torana_credential::directory::KeyPrint;

/// Prints that are remembered: 512 KiB.
const PLACES: usize = 65_536;
/// Places that a print may stand at: half a cache line.
const CHOICES: usize = 4;

/// What an address shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'s> {
    /// A name, or the digest of a credential.
    Text(&'s [u8]),
    /// The print of a key, as good as random.
    Print(&'s KeyPrint),
}

impl<'s> Shown<'s> {
    pub(super) fn bytes(self) -> &'s [u8] {
        match self {
            Self::Text(text) => text,
            Self::Print(print) => print.as_bytes(),
        }
    }
}

#[derive(Debug)]
pub(super) struct VerifiedThere {
    /// Made for the first: a gateway that asks nobody who calls needs none.
    places: OnceLock<Box<[AtomicU64]>>,
    hasher: RandomState,
    secret: u64,
}

impl VerifiedThere {
    pub(super) fn new() -> Self {
        let hasher = RandomState::new();
        let secret = hasher.hash_one(PLACES);
        Self { places: OnceLock::new(), hasher, secret }
    }

    /// Remembers what was verified.
    pub(super) fn note(&self, address: AddressKey, shown: Shown<'_>) {
        let print = self.print(address, shown);
        let table = self.places.get_or_init(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect());
        let places = choices(table, print);
        if places.iter().any(|place| place.load(Ordering::Relaxed) == print) {
            return;
        }
        let free = places.iter().find(|place| place.load(Ordering::Relaxed) == 0);
        let oldest = || places.get(usize::try_from(print >> 62).unwrap_or(0));
        if let Some(place) = free.or_else(oldest) {
            place.store(print, Ordering::Relaxed);
        }
    }

    /// Whether this was verified when that address showed it.
    pub(super) fn knows(&self, address: AddressKey, shown: Shown<'_>) -> bool {
        let Some(table) = self.places.get() else { return false };
        let print = self.print(address, shown);
        choices(table, print).iter().any(|place| place.load(Ordering::Relaxed) == print)
    }

    fn print(&self, address: AddressKey, shown: Shown<'_>) -> u64 {
        match shown {
            Shown::Text(text) => {
                let mut hasher = self.hasher.build_hasher();
                hasher.write(&address);
                hasher.write(text);
                hasher.finish().max(1)
            }
            // Both halves of the product depend on what nobody knows.
            Shown::Print(print) => {
                let address = u64::from_le_bytes(address) ^ self.secret;
                let (low, high) = address.carrying_mul(print.half() | 1, 0);
                (low ^ high).max(1)
            }
        }
    }
}

/// Where a print may stand.
fn choices(table: &[AtomicU64], print: u64) -> &[AtomicU64] {
    let group = usize::try_from(print).unwrap_or(0) % (PLACES / CHOICES);
    let start = group.saturating_mul(CHOICES);
    table.get(start..start.saturating_add(CHOICES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_address_showed_is_not_known_of_another() {
        let verified = VerifiedThere::new();
        for number in 0..1000_u32 {
            verified.note([1; 8], Shown::Text(&number.to_le_bytes()));
        }
        let known = |address, from: u32| {
            (from..from + 1000)
                .filter(|number| verified.knows(address, Shown::Text(&number.to_le_bytes())))
                .count()
        };
        assert!(known([1; 8], 0) > 950);
        assert_eq!((known([2; 8], 0), known([1; 8], 1000)), (0, 0));
    }
}
