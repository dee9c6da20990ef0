//! Moments and spans: RFC 3339, CEL's durations, and the fields of a date in UTC.
//!
//! Dates are computed with the proleptic Gregorian calendar, in days since 1970-01-01, in eras of 400 years
//! that begin on 1 March, so that the leap day is the last of a year.

const DAY: i64 = 86_400_000;

/// Milliseconds since 1970-01-01 UTC of `2026-12-31T23:59:59.5+01:00`.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut date = date.split('-');
    let year = digits(date.next()?, 4)?;
    let month = digits(date.next()?, 2).filter(|month| (1..=12).contains(month))?;
    let day = digits(date.next()?, 2).filter(|day| (1..=days_of(year, month)).contains(day))?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let mut time = time.split(':');
    let hour = digits(time.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = digits(time.next()?, 2).filter(|minute| *minute < 60)?;
    // A leap second counts as the second after it.
    let second = digits(time.next()?, 2).filter(|second| *second <= 60)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|character: char| !character.is_ascii_digit())?;
            let (fraction, zone) = rest.split_at_checked(end)?;
            if fraction.is_empty() || fraction.len() > 9 {
                return None;
            }
            let padded = format!("{fraction:0<3}");
            (digits(padded.get(..3)?, 3)?, zone)
        }
        None => (0, rest),
    };
    let offset = offset(zone)?;
    let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    days(year, month, day)
        .checked_mul(DAY)?
        .checked_add(seconds.checked_mul(1000)?)?
        .checked_add(fraction)?
        .checked_sub(offset)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Milliseconds of `Z`, `+01:00`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60_000)?.checked_mul(sign)
}

/// Milliseconds of `1h30m`, `1.5s`, `-250ms`.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !(character.is_ascii_digit() || character == '.'))?;
        let (number, after) = rest.split_at_checked(end)?;
        let unit_end = after.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total = total.checked_add(scaled(number, unit)?)?;
        rest = after;
    }
    total.checked_mul(sign)
}

/// A decimal number times the unit, cut off below a millisecond.
fn scaled(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part: i64 = fraction.parse().ok()?;
        total = total.checked_add(part.checked_mul(unit)?.checked_div(scale)?)?;
    }
    Some(total)
}

fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the date.
#[allow(clippy::arithmetic_side_effects, reason = "years have four digits")]
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9).rem_euclid(12);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A moment, taken apart. All but `year` and `month` count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    pub(crate) day_of_month: i64,
    pub(crate) day_of_year: i64,
    /// 0 is Sunday.
    pub(crate) day_of_week: i64,
    pub(crate) hours: i64,
    pub(crate) minutes: i64,
    pub(crate) seconds: i64,
    pub(crate) milliseconds: i64,
}

/// Takes milliseconds since 1970-01-01 UTC apart.
#[allow(clippy::arithmetic_side_effects, reason = "a 64-bit number of milliseconds is far below 2^63 days")]
pub(crate) fn fields(milliseconds: i64) -> Fields {
    let day = milliseconds.div_euclid(DAY);
    let of_day = milliseconds.rem_euclid(DAY);
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * from_march + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Fields {
        year,
        month,
        day_of_month: from_march - (153 * month_from_march + 2) / 5,
        day_of_year: day - days(year, 1, 1),
        day_of_week: (day + 4).rem_euclid(7),
        hours: of_day / 3_600_000,
        minutes: of_day / 60_000 % 60,
        seconds: of_day / 1_000 % 60,
        milliseconds: of_day % 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_any_zone() {
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(timestamp("2026-11-24T22:00:00.25Z"), Some(1_795_557_600_250));
        assert_eq!(timestamp("2026-11-24T23:00:00+01:00"), timestamp("2026-11-24T22:00:00Z"));
        assert_eq!(timestamp("1969-12-31T23:59:59Z"), Some(-1000));
        for wrong in [
            "",
            "2026-11-24",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:\u{e4}Z",
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        ] {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_are_read() {
        assert_eq!(duration("1h30m"), Some(5_400_000));
        assert_eq!(duration("1.5s"), Some(1_500));
        assert_eq!(duration("-250ms"), Some(-250));
        for wrong in ["", "-", "5", "s", "1.s.", "1d", "1h-1m", "9999999999999h", "1..5s", "."] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_has_the_fields_that_lead_back_to_it() {
        let mut expected_weekday = 4; // 1970-01-01 was a Thursday.
        for day in 0..146_097_i64 {
            let fields = fields(day * DAY + 1);
            assert_eq!(days(fields.year, fields.month, fields.day_of_month + 1), day);
            assert_eq!(fields.day_of_week, expected_weekday);
            assert!((0..366).contains(&fields.day_of_year));
            expected_weekday = (expected_weekday + 1) % 7;
        }
        let before = fields(-1);
        assert_eq!((before.year, before.month, before.day_of_month, before.hours), (1969, 12, 30, 23));
        fields(i64::MIN);
        fields(i64::MAX);
    }
}
