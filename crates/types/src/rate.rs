//! Rates as people write them: `100/minute`, `20/s`, `5/10s`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::text_form::text_form;
use crate::{ParseError, TimeSpan};

/// A number of events in a period; neither is ever zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: NonZeroU32,
    period: RatePeriod,
}

/// The period of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RatePeriod {
    /// Of one length; never zero.
    Span(TimeSpan),
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl RatePeriod {
    /// The shortest that the period can be.
    #[must_use]
    pub const fn at_least(self) -> TimeSpan {
        match self {
            Self::Span(span) => span,
            Self::Month => TimeSpan::from_secs(28 * 86_400),
            Self::Year => TimeSpan::from_secs(365 * 86_400),
        }
    }
}

/// Spellings of one unit of time; the first of each length is the one shown.
const NAMED_PERIODS: [(&str, RatePeriod); 14] = [
    ("month", RatePeriod::Month),
    ("year", RatePeriod::Year),
    ("second", RatePeriod::Span(TimeSpan::from_secs(1))),
    ("minute", RatePeriod::Span(TimeSpan::from_secs(60))),
    ("hour", RatePeriod::Span(TimeSpan::from_secs(3_600))),
    ("day", RatePeriod::Span(TimeSpan::from_secs(86_400))),
    ("sec", RatePeriod::Span(TimeSpan::from_secs(1))),
    ("min", RatePeriod::Span(TimeSpan::from_secs(60))),
    ("ms", RatePeriod::Span(TimeSpan::from_millis(1))),
    ("s", RatePeriod::Span(TimeSpan::from_secs(1))),
    ("m", RatePeriod::Span(TimeSpan::from_secs(60))),
    ("h", RatePeriod::Span(TimeSpan::from_secs(3_600))),
    ("d", RatePeriod::Span(TimeSpan::from_secs(86_400))),
    ("hr", RatePeriod::Span(TimeSpan::from_secs(3_600))),
];

impl Rate {
    pub(crate) const EXPECTED: &str = "a rate such as `100/minute`, `20/s` or `5/10s`";

    /// `limit` events in each `period`; `None` when the period is zero.
    #[must_use]
    pub const fn new(limit: NonZeroU32, period: TimeSpan) -> Option<Self> {
        if period.is_zero() { None } else { Some(Self { limit, period: RatePeriod::Span(period) }) }
    }

    /// How many events fit in one period.
    #[must_use]
    pub const fn limit(self) -> NonZeroU32 {
        self.limit
    }

    /// The period.
    #[must_use]
    pub const fn period(self) -> RatePeriod {
        self.period
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        let (limit, period) = text.split_once('/').ok_or(error("the `/` before the period is missing"))?;
        let (limit, period) = (limit.trim(), period.trim());
        if !limit.bytes().all(|byte| byte.is_ascii_digit()) || limit.is_empty() {
            return Err(error("a whole number must stand before the `/`"));
        }
        let limit: u32 = limit.parse().map_err(|_| error("the number is larger than 4294967295"))?;
        let limit = NonZeroU32::new(limit).ok_or(error("the number must be at least 1"))?;
        let named = NAMED_PERIODS.iter().find(|(name, _)| *name == period).map(|(_, span)| *span);
        if let Some(period) = named {
            return Ok(Self { limit, period });
        }
        let message = "the period is `second`, `minute`, `hour`, `day`, `month`, `year` or a length of time";
        let period = period.parse().map_err(|_| error(message))?;
        Self::new(limit, period).ok_or(error("the period must be longer than zero"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED_PERIODS.iter().find(|(_, span)| *span == self.period) {
            Some((name, _)) => write!(formatter, "{}/{name}", self.limit),
            None => write!(formatter, "{}/{}", self.limit, self.period.at_least()),
        }
    }
}

text_form! {
    Rate, format: "torana-rate", pattern: r"^\s*\d+\s*/\s*(second|sec|minute|min|hour|hr|day|month|year|s|m|h|d|ms|(\d+(ms|d|h|m|s))+)\s*$",
    description: "How many in what period: `second`, `minute`, `hour`, `day`, `month`, `year` or any length of time.",
    examples: ["100/minute", "20/s", "5/10s"]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_names_letters_and_lengths() {
        let read = |text: &str| {
            let rate: Rate = text.parse().unwrap();
            (rate.limit().get(), rate.period().at_least().as_millis())
        };
        assert_eq!(read("100/minute"), (100, 60_000));
        assert_eq!(read("20/s"), (20, 1_000));
        assert_eq!(read("5/10s"), (5, 10_000));
        assert_eq!(read("7 / day"), (7, 86_400_000));
        assert_eq!("7/month".parse::<Rate>().unwrap().period(), RatePeriod::Month);
        assert_eq!("7/year".parse::<Rate>().unwrap().to_string(), "7/year");
    }

    #[test]
    fn says_what_is_wrong() {
        let problem = |text: &str| text.parse::<Rate>().unwrap_err().problem();
        assert_eq!(problem("100"), "the `/` before the period is missing");
        assert_eq!(problem("many/minute"), "a whole number must stand before the `/`");
        assert_eq!(problem("+1/minute"), "a whole number must stand before the `/`");
        assert_eq!(problem("0/minute"), "the number must be at least 1");
        assert_eq!(problem("1/0s"), "the period must be longer than zero");
        assert!(problem("1/fortnight").starts_with("the period is"));
    }

    proptest! {
        #[test]
        fn display_parses_back(limit in 1u32.., milliseconds in 1u64..1_000_000_000) {
            let limit = NonZeroU32::new(limit).unwrap();
            let rate = Rate::new(limit, TimeSpan::from_millis(milliseconds)).unwrap();
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }
    }
}
