//! Lengths of time as people write them: `500ms`, `5s`, `1m30s`, `2h`, `1d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::ParseError;
use crate::text_form::text_form;

/// A length of time in whole milliseconds, from 0 to one hundred years.
///
/// Written as whole numbers with units, the largest first: `500ms`, `5s`, `1m30s`, `2h`, `1d`.
/// The bound keeps every sum of a point in time and a `TimeSpan` representable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimeSpan {
    milliseconds: u64,
}

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const LONGEST: u64 = 36_525 * 86_400_000;

impl TimeSpan {
    /// No time at all.
    pub const ZERO: Self = Self { milliseconds: 0 };

    pub(crate) const EXPECTED: &str = "a length of time such as `500ms`, `5s`, `1m30s`, `2h` or `1d`";

    /// A span of `milliseconds`, at most one hundred years.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self { milliseconds: if milliseconds > LONGEST { LONGEST } else { milliseconds } }
    }

    /// A span of `seconds`, at most one hundred years.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1_000))
    }

    /// The same length as the standard library writes it.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// The length in whole milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.milliseconds
    }

    /// Whether the length is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.milliseconds == 0
    }
}

impl From<TimeSpan> for Duration {
    fn from(span: TimeSpan) -> Self {
        span.as_duration()
    }
}

impl FromStr for TimeSpan {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total: u64 = 0;
        if text.is_empty() {
            return Err(error("it is empty"));
        }
        while !rest.is_empty() {
            let (number, after) =
                split_number(rest).ok_or(error("a whole number must stand before each unit"))?;
            let unit_length = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_length);
            if unit.is_empty() {
                let decimal = after.starts_with('.');
                return Err(error(if decimal {
                    "fractions are written in a smaller unit"
                } else {
                    "the unit is missing"
                }));
            }
            if !UNITS.iter().any(|(name, _)| *name == unit) {
                return Err(error("the units are `d`, `h`, `m`, `s` and `ms`"));
            }
            let (_, factor) = units
                .find(|(name, _)| *name == unit)
                .ok_or(error("units go from the largest to the smallest, each once"))?;
            let too_long = || error("it is longer than one hundred years");
            let number: u64 = number.parse().map_err(|_| too_long())?;
            total = number
                .checked_mul(*factor)
                .and_then(|part| total.checked_add(part))
                .filter(|sum| *sum <= LONGEST)
                .ok_or_else(too_long)?;
            rest = after;
        }
        Ok(Self { milliseconds: total })
    }
}

/// Splits leading ASCII digits off; `None` when there are none.
pub(crate) fn split_number(text: &str) -> Option<(&str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (digits > 0).then(|| text.split_at(digits))
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milliseconds == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.milliseconds;
        for (unit, factor) in UNITS {
            let count = rest.checked_div(factor).unwrap_or(0);
            rest = rest.checked_rem(factor).unwrap_or(0);
            if count > 0 {
                write!(formatter, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

text_form! {
    TimeSpan, format: "torana-duration", pattern: r"^(\d+(ms|d|h|m|s))+$",
    description: "A length of time in whole numbers with units (d, h, m, s, ms), the largest first.",
    examples: ["500ms", "5s", "1m30s", "2h", "1d"]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_unit() {
        let millis = |text: &str| text.parse::<TimeSpan>().unwrap().as_millis();
        assert_eq!(millis("500ms"), 500);
        assert_eq!(millis("5s"), 5_000);
        assert_eq!(millis("1m30s"), 90_000);
        assert_eq!(millis("2h"), 7_200_000);
        assert_eq!(millis("1d2h3m4s5ms"), 93_784_005);
        assert_eq!(millis("0s"), 0);
    }

    #[test]
    fn says_what_is_wrong() {
        let problem = |text: &str| text.parse::<TimeSpan>().unwrap_err().problem();
        assert_eq!(problem(""), "it is empty");
        assert_eq!(problem("5"), "the unit is missing");
        assert_eq!(problem("1.5s"), "fractions are written in a smaller unit");
        assert_eq!(problem("5 s"), "the unit is missing");
        assert_eq!(problem("s"), "a whole number must stand before each unit");
        assert_eq!(problem("5sec"), "the units are `d`, `h`, `m`, `s` and `ms`");
        assert_eq!(problem("5s1m"), "units go from the largest to the smallest, each once");
        assert_eq!(problem("99999999999999999999s"), "it is longer than one hundred years");
        assert_eq!(problem("40000d"), "it is longer than one hundred years");
        assert!("-5s".parse::<TimeSpan>().is_err());
    }

    proptest! {
        #[test]
        fn display_parses_back(milliseconds in 0..=LONGEST) {
            let span = TimeSpan::from_millis(milliseconds);
            prop_assert_eq!(span.to_string().parse::<TimeSpan>().unwrap(), span);
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in ".{0,24}") {
            let _ = text.parse::<TimeSpan>();
        }
    }
}
