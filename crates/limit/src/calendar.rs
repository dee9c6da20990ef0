//! Months and years of the proleptic Gregorian calendar in UTC, without leap seconds, as Unix time counts.
//!
//! Days from and to a civil date by shifting the year to begin in March, so that the leap day is its last.

use std::time::Duration;

const DAY: u64 = 86_400;
/// Days in 400 years.
const ERA: u64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const SHIFT: u64 = 719_468;

/// A period in which windows follow each other without gap, the first of them begun at or before 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// Of one length, aligned to 1970-01-01T00:00Z: seconds, minutes, hours and days are those of UTC.
    Span(Duration),
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// One window of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counts up by one from window to window.
    pub index: u64,
    /// When the next one begins, since 1970.
    pub end: Duration,
}

impl Period {
    /// The window that holds this time since 1970.
    #[must_use]
    pub fn place(self, now: Duration) -> Place {
        match self {
            Self::Span(_) => {
                let span = u64::try_from(self.length().as_nanos()).unwrap_or(u64::MAX);
                let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                let index = now.checked_div(span).unwrap_or(0);
                Place { index, end: self.end(index) }
            }
            Self::Month => {
                let (year, month) = month_of(now);
                let index = year.saturating_mul(12).saturating_add(month);
                Place { index, end: self.end(index) }
            }
            Self::Year => {
                let (year, _) = month_of(now);
                Place { index: year, end: self.end(year) }
            }
        }
    }

    /// When the window of this number ends and the next one begins, since 1970.
    #[must_use]
    pub fn end(self, index: u64) -> Duration {
        let next = index.saturating_add(1);
        match self {
            Self::Span(_) => {
                let span = u64::try_from(self.length().as_nanos()).unwrap_or(u64::MAX);
                Duration::from_nanos(next.saturating_mul(span))
            }
            Self::Month => month_start(next),
            Self::Year => month_start(next.saturating_mul(12)),
        }
    }

    /// About how long a window is; months are taken as 31 days, years as 366.
    #[must_use]
    pub fn length(self) -> Duration {
        match self {
            Self::Span(span) => span.max(Duration::from_nanos(1)),
            Self::Month => Duration::from_secs(31 * DAY),
            Self::Year => Duration::from_secs(366 * DAY),
        }
    }
}

/// The year, and the month from zero.
fn month_of(now: Duration) -> (u64, u64) {
    let days = (now.as_secs() / DAY).saturating_add(SHIFT);
    let (era, day_of_era) = (days / ERA, days % ERA);
    let leaps = (day_of_era / 1_460).saturating_add(day_of_era / 146_096);
    let year_of_era = day_of_era.saturating_add(day_of_era / 36_524).saturating_sub(leaps) / 365;
    let year_days = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4);
    let day_of_year = day_of_era.saturating_sub(year_days.saturating_sub(year_of_era / 100));
    let shifted = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    // March is shifted month 0.
    let month = if shifted < 10 { shifted.saturating_add(2) } else { shifted.saturating_sub(10) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(u64::from(month < 2));
    (year, month)
}

/// When a month begins; months are counted from January of the year 0.
fn month_start(index: u64) -> Duration {
    let (year, month) = (index / 12, index % 12);
    let year = year.saturating_sub(u64::from(month < 2));
    let shifted = if month < 2 { month.saturating_add(10) } else { month.saturating_sub(2) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = shifted.saturating_mul(153).saturating_add(2) / 5;
    let leaps = (year_of_era / 4).saturating_sub(year_of_era / 100);
    let days = era
        .saturating_mul(ERA)
        .saturating_add(year_of_era.saturating_mul(365))
        .saturating_add(leaps)
        .saturating_add(day_of_year)
        .saturating_sub(SHIFT);
    Duration::from_secs(days.saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Seconds at the start of a day, from the date.
    fn at(text: &str) -> u64 {
        humantime::parse_rfc3339(text).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn months_and_years_end_where_the_calendar_says() {
        let end = |period: Period, now: &str| period.place(Duration::from_secs(at(now))).end.as_secs();
        assert_eq!(end(Period::Month, "1970-01-01T00:00:00Z"), at("1970-02-01T00:00:00Z"));
        assert_eq!(end(Period::Month, "2024-02-29T23:59:59Z"), at("2024-03-01T00:00:00Z"));
        assert_eq!(end(Period::Month, "2026-12-31T23:59:59Z"), at("2027-01-01T00:00:00Z"));
        assert_eq!(end(Period::Year, "2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
        assert_eq!(end(Period::Year, "2000-06-15T12:00:00Z"), at("2001-01-01T00:00:00Z"));
        let day = Period::Span(Duration::from_secs(DAY));
        assert_eq!(end(day, "2026-11-24T17:00:00Z"), at("2026-11-25T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn windows_follow_each_other_without_gap(seconds in 0_u64..15_000_000_000) {
            for period in [Period::Month, Period::Year, Period::Span(Duration::from_secs(10))] {
                let place = period.place(Duration::from_secs(seconds));
                prop_assert!(place.end > Duration::from_secs(seconds));
                prop_assert!(place.end - Duration::from_secs(seconds) <= period.length());
                prop_assert_eq!(period.place(place.end).index, place.index + 1);
                let last = place.end - Duration::from_nanos(1);
                prop_assert_eq!(period.place(last).index, place.index);
            }
        }
    }
}
