//! Statuses as people write them: `503`, `5xx`, `500-504`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::ParseError;
use crate::text_form::text_form;

/// A status code, a class of them, or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    pub(crate) const EXPECTED: &str = "a status such as `503`, `5xx` or `500-504`";

    /// The codes that an answer may come with: three digits (RFC 9112 section 4). RFC 9110 gives no meaning to those from
    /// 600 on, and there are services that send them.
    pub const CODES: RangeInclusive<u16> = 100..=999;

    /// One status. What is no status code becomes 0, see [`Self::is_valid`].
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let status = u16::try_from(number).ok().filter(|status| Self::CODES.contains(status)).unwrap_or(0);
        Self { first: status, last: status }
    }

    /// From one status to another, both included.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// Whether it stands for status codes.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.first >= *Self::CODES.start() && self.first <= self.last && self.last <= *Self::CODES.end()
    }

    /// The statuses.
    #[must_use]
    pub const fn statuses(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl FromStr for StatusRange {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().map_err(|_| error("one digit must stand before `xx`"))?;
            if !(1..=9).contains(&class) {
                return Err(error("the classes are `1xx` to `9xx`"));
            }
            let first = class.saturating_mul(100);
            return Ok(Self { first, last: first.saturating_add(99) });
        }
        let status = |text: &str| text.parse::<u16>().map_err(|_| error("it is not a number"));
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: status(first)?, last: status(last)? };
        if range.is_valid() { Ok(range) } else { Err(error("statuses go from 100 to 999")) }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first, self.last);
        if first == last {
            write!(formatter, "{first}")
        } else if first.checked_rem(100) == Some(0) && last == first.saturating_add(99) {
            write!(formatter, "{}xx", first / 100)
        } else {
            write!(formatter, "{first}-{last}")
        }
    }
}

text_form!(
    StatusRange,
    format: "torana-status",
    pattern: "^([1-9]xx|[1-9][0-9]{2}(-[1-9][0-9]{2})?)$",
    description: "A status such as `503`, `5xx` or `500-504`.",
    examples: ["503", "5xx", "500-504"],
    also_number: from_number
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_classes_and_ranges_are_read_and_shown() {
        for text in ["503", "5xx", "500-504", "100-599", "600-999", "9xx"] {
            let range: StatusRange = text.parse().unwrap();
            assert!(range.is_valid());
            assert_eq!(range.to_string(), text);
        }
        assert_eq!("4xx".parse::<StatusRange>().unwrap().statuses(), 400..=499);
        for text in ["", "xx", "0xx", "10xx", "99", "1000", "504-500", "5x", "-1", "500-", "600-1000"] {
            assert!(text.parse::<StatusRange>().is_err(), "{text}");
        }
        assert!(StatusRange::from_number(999).is_valid() && !StatusRange::from_number(1_000).is_valid());
        assert!(StatusRange::from_number(404).is_valid() && !StatusRange::from_number(70_000).is_valid());
    }
}
