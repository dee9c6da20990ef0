//! What may happen once: a login that comes back, a session that was ended.
//!
//! Only what this gateway has sealed itself gets in. Another instance does not know of it: there the provider
//! refuses a code that was used before, and a session that was ended lives as long as it would have.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What is remembered at the most.
const MOST: usize = 100_000;

/// Names, each until a second since 1970-01-01 UTC.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<HashMap<Box<str>, u64>>);

impl Once {
    /// Notes a name; `false` where it was noted before.
    pub(super) fn take(&self, name: &str, until: u64, now: u64) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(name).is_some_and(|until| *until > now) {
            return false;
        }
        if known.len() >= MOST {
            known.retain(|_, until| *until > now);
        }
        if known.len() >= MOST {
            let mut keep = false;
            known.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        known.insert(name.into(), until);
        true
    }

    /// Whether a name was noted.
    pub(super) fn is_taken(&self, name: &str, now: u64) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).is_some_and(|until| *until > now)
    }

    /// It did not happen after all.
    pub(super) fn give_back(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once_until_its_time() {
        let once = Once::default();
        assert!(once.take("a", 10, 0));
        assert!(!once.take("a", 10, 9) && once.is_taken("a", 9) && !once.is_taken("a", 10));
        assert!(once.take("a", 20, 10));
        once.give_back("a");
        assert!(once.take("a", 20, 10));
        for number in 0..2 * MOST {
            once.take(&number.to_string(), 20, 10);
        }
        assert!(once.0.lock().unwrap().len() <= MOST);
    }
}
