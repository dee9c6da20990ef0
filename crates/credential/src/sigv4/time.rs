//! `20130524T000000Z`.

use crate::request::http_date;

/// A point in time as signatures write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// `YYYYMMDD'T'HHMMSS'Z'`.
    text: String,
    /// Seconds since 1970-01-01 UTC.
    seconds: u64,
}

impl Timestamp {
    /// Reads the basic form of ISO 8601 that AWS uses.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
            return None;
        }
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to)?;
            if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<u64>().ok() } else { None }
        };
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days(year, month, day)?;
        let minutes = days.checked_mul(24)?.checked_add(hour)?.checked_mul(60)?.checked_add(minute)?;
        let seconds = minutes.checked_mul(60)?.checked_add(second)?;
        Some(Self { text: text.to_owned(), seconds })
    }

    /// Reads an HTTP date, as `Date` has it.
    #[must_use]
    pub fn from_http_date(value: &[u8]) -> Option<Self> {
        let seconds = http_date(value)?;
        let text = write(seconds)?;
        Some(Self { text, seconds })
    }

    /// As signatures write it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The day alone.
    #[must_use]
    pub fn day(&self) -> &str {
        self.text.get(..8).unwrap_or_default()
    }

    /// Seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn length(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 || day > length(year, month) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: u64 = (1..month).map(|month| length(year, month)).sum();
    years.checked_add(months)?.checked_add(day)?.checked_sub(1)
}

fn write(seconds: u64) -> Option<String> {
    let (mut left, in_day) = (seconds.checked_div(86_400)?, seconds.checked_rem(86_400)?);
    let mut year = 1970;
    while left >= if is_leap(year) { 366 } else { 365 } {
        left = left.checked_sub(if is_leap(year) { 366 } else { 365 })?;
        year = year.checked_add(1).filter(|year| *year < 10_000)?;
    }
    let mut month = 1;
    while left >= length(year, month) {
        left = left.checked_sub(length(year, month))?;
        month = month.checked_add(1)?;
    }
    let day = left.checked_add(1)?;
    let (hour, minute, second) =
        (in_day.checked_div(3600)?, in_day.checked_div(60)?.checked_rem(60)?, in_day.checked_rem(60)?);
    Some(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_by_the_calendar() {
        for (text, seconds) in [
            ("19700101T000000Z", 0),
            ("20130524T000000Z", 1_369_353_600),
            ("20240229T235959Z", 1_709_251_199),
            ("20000301T000000Z", 951_868_800),
        ] {
            assert_eq!(Timestamp::parse(text).map(|time| time.seconds()), Some(seconds), "{text}");
            assert_eq!(write(seconds).as_deref(), Some(text));
        }
        for wrong in [
            "",
            "20130524",
            "20130524T000000",
            "20130524t000000Z",
            "20230229T000000Z",
            "20131324T000000Z",
            "20130524T240000Z",
            "20130524T006000Z",
            "20130500T000000Z",
            "+0130524T000000Z",
            "19690101T000000Z",
        ] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
        let date = Timestamp::from_http_date(b"Fri, 24 May 2013 00:00:00 GMT").unwrap();
        assert_eq!((date.text(), date.day()), ("20130524T000000Z", "20130524"));
    }
}
