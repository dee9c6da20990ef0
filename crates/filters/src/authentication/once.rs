//! Signatures that were accepted, each remembered until it ends, so that none is accepted twice.
//!
//! Only verified signatures enter. When all places hold signatures that are still good, new ones are refused:
//! forgetting one would let it in again. The memory is this process's alone and begins anew with another plan.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use torana_credential::signature::Refusal;
use torana_fault::{Fault, Reason};

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
    until: HashMap<Print, u64>,
    /// When the first of them ends: before that there is nothing to forget.
    first_end: u64,
}

impl Once {
    /// Remembers at most so many.
    pub(crate) fn new(most: u32) -> Self {
        Self { seen: Mutex::default(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Notes a signature that is good before the second `end`.
    ///
    /// # Errors
    /// It was noted before, or there is no place for it.
    pub(crate) fn note(&self, print: Print, end: u64, now: u64) -> Result<(), Refused> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.until.get(&print).is_some_and(|until| *until > now) {
            return Err(Refused::Again);
        }
        if seen.until.len() >= self.most && seen.first_end <= now {
            seen.until.retain(|_, until| *until > now);
            seen.first_end = seen.until.values().copied().min().unwrap_or(u64::MAX);
        }
        if seen.until.len() >= self.most {
            return Err(Refused::Full);
        }
        seen.first_end = if seen.until.is_empty() { end } else { seen.first_end.min(end) };
        seen.until.insert(print, end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_once_until_it_ends_and_their_number_is_bounded() {
        let once = Once::new(3);
        assert_eq!(once.note([1; 32], 10, 0), Ok(()));
        assert!(once.note([1; 32], 10, 9).is_err());
        assert_eq!(once.note([1; 32], 20, 10), Ok(()));
        assert_eq!(once.note([2; 32], 30, 10), Ok(()));
        assert_eq!(once.note([3; 32], 30, 10), Ok(()));
        assert!(once.note([4; 32], 30, 19).is_err(), "all are good still");
        assert_eq!(once.note([4; 32], 30, 20), Ok(()), "the first has ended");
        assert!(once.note([2; 32], 30, 29).is_err());
    }
}
