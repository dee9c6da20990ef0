//! Lines in the log about what strangers do: as many as a person can read, and then how many there would have been.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines there are at most in a while, and how long that is.
const MOST: u32 = 10;
const WHILE: Duration = Duration::from_secs(10);

/// Decides which of many equal events get a line.
#[derive(Debug, Default)]
pub(crate) struct Sparing(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    count: u32,
    unsaid: u64,
}

impl Sparing {
    /// Whether what happens now gets a line; then, how many had none since the last one that had.
    pub(crate) fn says(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.is_none_or(|since| now.saturating_duration_since(since) >= WHILE) {
            (told.since, told.count) = (Some(now), 0);
        }
        if told.count >= MOST {
            told.unsaid = told.unsaid.saturating_add(1);
            return None;
        }
        told.count = told.count.saturating_add(1);
        Some(std::mem::take(&mut told.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_no_more() {
        let (sparing, start) = (Sparing::default(), Instant::now());
        let said = (0..1000).filter(|_| sparing.says(start) == Some(0)).count();
        assert_eq!(said, MOST as usize);
        assert_eq!(sparing.says(start + WHILE - Duration::from_millis(1)), None);
        assert_eq!(sparing.says(start + WHILE), Some(1000 - u64::from(MOST) + 1));
        assert_eq!(sparing.says(start + WHILE), Some(0));
    }
}
