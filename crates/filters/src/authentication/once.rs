//! Signatures that were accepted, each remembered until it ends, so that none is accepted twice.
//!
//! Only verified signatures enter. When all places hold signatures that are still good, new ones are refused:
//! forgetting one would let it in again. One caller takes at most as many places as are left for the others, so
//! that none can use them up. The memory is this process's alone and begins anew with another plan.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use torana_credential::signature::Refusal;
use torana_fault::{Fault, Reason};
use torana_filter::Identity;

/// Whose places a caller takes: the consumer's, however many keys it has.
pub(crate) fn holder(identity: &Identity) -> &str {
    identity.record.as_ref().map_or(&*identity.consumer, |record| &*record.id)
}

/// Of what a signature covers.
pub(crate) type Print = [u8; 32];

/// What was seen, and until which second since 1970-01-01 UTC it is remembered.
#[derive(Debug)]
pub(crate) struct Once {
    seen: Mutex<Seen>,
    most: usize,
}

/// Why a signature is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was noted before.
    Again,
    /// Nothing more can be noted.
    Full,
}

impl Refused {
    /// What a caller gets: a signature that comes again is wrong; that there is no place is not the caller's doing.
    pub(crate) fn fault(self, invalid: impl FnOnce(Refusal) -> Fault) -> Fault {
        match self {
            Self::Again => invalid(Refusal::Invalid("the signature was used before")),
            Self::Full => {
                Fault::new(Reason::AuthenticationLimited).because("too many signatures are remembered")
            }
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    /// Until when each is remembered, and whose it is.
    until: HashMap<Print, (u64, Arc<str>)>,
    /// How many of them are whose.
    held: HashMap<Arc<str>, usize>,
    /// When the first of them ends: before that there is nothing to forget.
    first_end: u64,
}

impl Seen {
    fn has_no_place_for(&self, who: &str, most: usize) -> bool {
        let own = self.held.get(who).copied().unwrap_or_default();
        own >= most.saturating_sub(self.until.len())
    }

    fn forget(&mut self, now: u64) {
        self.until.retain(|_, (until, _)| *until > now);
        self.first_end = self.until.values().map(|(until, _)| *until).min().unwrap_or(u64::MAX);
        self.held.clear();
        for (_, who) in self.until.values() {
            let held = self.held.entry(Arc::clone(who)).or_default();
            *held = held.saturating_add(1);
        }
    }
}

impl Once {
    /// Remembers at most so many.
    pub(crate) fn new(most: u32) -> Self {
        Self { seen: Mutex::default(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Notes a signature of `who` that is good before the second `end`.
    ///
    /// # Errors
    /// It was noted before, or there is no place for it.
    pub(crate) fn note(&self, print: Print, who: &str, end: u64, now: u64) -> Result<(), Refused> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.until.get(&print).is_some_and(|(until, _)| *until > now) {
            return Err(Refused::Again);
        }
        // One that has ended takes no place beside its own successor.
        if seen.first_end <= now && (seen.until.contains_key(&print) || seen.has_no_place_for(who, self.most))
        {
            seen.forget(now);
        }
        if seen.has_no_place_for(who, self.most) {
            return Err(Refused::Full);
        }
        seen.first_end = if seen.until.is_empty() { end } else { seen.first_end.min(end) };
        let known = seen.held.get_key_value(who).map(|(known, _)| Arc::clone(known));
        let who = known.unwrap_or_else(|| who.into());
        let held = seen.held.entry(Arc::clone(&who)).or_default();
        *held = held.saturating_add(1);
        seen.until.insert(print, (end, who));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_once_until_it_ends_and_their_number_is_bounded() {
        let once = Once::new(6);
        let note = |byte: u8, end, now| once.note([byte; 32], "a", end, now);
        assert_eq!(note(1, 10, 0), Ok(()));
        assert_eq!(note(1, 10, 9), Err(Refused::Again));
        assert_eq!(note(1, 20, 10), Ok(()));
        assert_eq!(note(2, 30, 10), Ok(()));
        assert_eq!(note(3, 30, 10), Ok(()));
        assert_eq!(note(4, 30, 19), Err(Refused::Full), "all are good still");
        assert_eq!(note(4, 30, 20), Ok(()), "the first has ended");
        assert_eq!(note(2, 30, 29), Err(Refused::Again));
    }

    #[test]
    fn nobody_takes_the_places_of_the_others() {
        let once = Once::new(100);
        let mut number = 0_u32;
        let mut flood = |who: &str| {
            let mut taken = 0;
            for _ in 0..1000 {
                number += 1;
                let mut print = Print::default();
                print[..4].copy_from_slice(&number.to_le_bytes());
                taken += u32::from(once.note(print, who, 10, 0).is_ok());
            }
            taken
        };
        assert_eq!([flood("a"), flood("b"), flood("a"), flood("c")], [50, 25, 0, 13]);
        assert!(once.seen.lock().unwrap().until.len() <= 100);
    }
}
