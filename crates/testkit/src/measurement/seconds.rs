//! Admissions by the second they fell into.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of UTC, by this machine's clock.
///
/// # Panics
/// The clock stands before 1970.
#[must_use]
pub fn utc() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

/// What was admitted in each second of UTC.
#[derive(Debug, Default)]
pub struct Seconds {
    within: BTreeMap<u64, u64>,
    /// What was asked for in one second and had in another, by the latter: it cannot be told to either.
    between: BTreeMap<u64, u64>,
}

impl Seconds {
    /// Notes an admission that was asked for and had at these times.
    pub fn note(&mut self, before: Duration, after: Duration) {
        let (before, after) = (before.as_secs(), after.as_secs());
        let counts = if before == after { &mut self.within } else { &mut self.between };
        *counts.entry(after).or_default() += 1;
    }

    /// Takes over what another has counted.
    pub fn add(&mut self, other: Self) {
        for (counts, others) in [(&mut self.within, other.within), (&mut self.between, other.between)] {
            for (second, count) in others {
                *counts.entry(second).or_default() += count;
            }
        }
    }

    /// All admissions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.within.values().chain(self.between.values()).sum()
    }

    /// The most that fell into one second.
    #[must_use]
    pub fn worst(&self) -> u64 {
        self.within.values().copied().max().unwrap_or(0)
    }

    /// How many seconds have any admission of their own.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.within.len() as u64
    }

    /// How many seconds there are from the first with an admission of its own to the last, both included.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.ends().map_or(0, |(first, last)| last - first + 1)
    }

    /// The share of a limit that was used in whole seconds, those without any admission included; at least, as what fell
    /// between two seconds is left out.
    #[must_use]
    pub fn used(&self, limit: u64) -> f64 {
        self.share(limit, false)
    }

    /// The same with what fell between two whole seconds.
    #[must_use]
    pub fn used_with_between(&self, limit: u64) -> f64 {
        self.share(limit, true)
    }

    fn ends(&self) -> Option<(u64, u64)> {
        Some((*self.within.keys().next()?, *self.within.keys().next_back()?))
    }

    /// The first second and the last are not whole ones.
    fn share(&self, limit: u64, with_between: bool) -> f64 {
        let Some((first, last)) = self.ends() else { return 0.0 };
        let within = self.within.range(first + 1..last.max(first + 1)).map(|(_, count)| count).sum::<u64>();
        let between = self.between.range(first + 2..last.max(first + 2)).map(|(_, count)| count).sum::<u64>();
        let used = if with_between { within + between } else { within };
        used as f64 / (limit * last.saturating_sub(first + 1).max(1)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn shares_are_of_whole_seconds_and_what_lies_between_is_told_apart() {
        let mut seconds = Seconds::default();
        // Second 1 and second 5 are the ends; of 2, 3 and 4 one is empty.
        for (before, after) in
            [(1_900, 1_950), (2_000, 2_001), (2_100, 2_200), (4_500, 4_999), (5_000, 5_001)]
        {
            seconds.note(at(before), at(after));
        }
        // Beyond an end on one side, inside, and beyond the other end.
        for (before, after) in [(1_990, 2_001), (2_990, 3_001), (4_990, 5_001)] {
            seconds.note(at(before), at(after));
        }
        assert_eq!((seconds.total(), seconds.worst(), seconds.count(), seconds.span()), (8, 2, 4, 5));
        assert!(
            (seconds.used(10) - 0.1).abs() < 1e-9
                && (seconds.used_with_between(10) - 4.0 / 30.0).abs() < 1e-9
        );
    }

    #[test]
    fn nothing_and_less_than_a_whole_second_use_nothing() {
        let mut seconds = Seconds::default();
        assert_eq!((seconds.span(), seconds.used(10) > 0.0), (0, false));
        for millis in [1_000, 2_000] {
            seconds.note(at(millis), at(millis));
            assert_eq!((seconds.used(10) > 0.0, seconds.used_with_between(10) > 0.0), (false, false));
        }
    }
}
