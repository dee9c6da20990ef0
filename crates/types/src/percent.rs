//! Shares of a hundred as people write them: `20%`, `0.5%`.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text_form::text_form;

/// A share from 0% to 100%, exact to a hundredth of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent {
    hundredths: u32,
}

const WHOLE: u32 = 10_000;

impl Percent {
    pub(crate) const EXPECTED: &str = "a share such as `20%` or `0.5%`";

    /// That many percent, at most 100.
    #[must_use]
    pub const fn from_percent(percent: u32) -> Self {
        let hundredths = percent.saturating_mul(100);
        Self { hundredths: if hundredths > WHOLE { WHOLE } else { hundredths } }
    }

    /// In hundredths of a percent, from 0 to 10,000.
    #[must_use]
    pub const fn as_hundredths(self) -> u32 {
        self.hundredths
    }

    /// In whole percent, rounded up, so that a share above nothing stays above nothing.
    #[must_use]
    pub const fn as_percent(self) -> u32 {
        self.hundredths.div_ceil(100)
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.hundredths == 0
    }
}

impl FromStr for Percent {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        let number = text.strip_suffix('%').ok_or(error("the `%` is missing"))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(part) || number.ends_with('.') {
            return Err(error("a number must stand before the `%`"));
        }
        if part.len() > 2 {
            return Err(error("it has more than two decimal places"));
        }
        let whole: u32 = whole.parse().map_err(|_| error("a number must stand before the `%`"))?;
        let part: u32 = format!("{part:0<2}").parse().map_err(|_| error("it is not a number"))?;
        let hundredths = whole.saturating_mul(100).saturating_add(part);
        if hundredths > WHOLE {
            return Err(error("it is above 100%"));
        }
        Ok(Self { hundredths })
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.hundredths / 100, self.hundredths % 100);
        match (part, part % 10) {
            (0, _) => write!(formatter, "{whole}%"),
            (_, 0) => write!(formatter, "{whole}.{}%", part / 10),
            _ => write!(formatter, "{whole}.{part:02}%"),
        }
    }
}

text_form!(
    Percent,
    format: "torana-percent",
    pattern: r"^[0-9]+(\.[0-9]{1,2})?%$",
    description: "A share such as `20%` or `0.5%`.",
    examples: ["20%", "0.5%"]
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", "%", "20", "-1%", "100.01%", "1.%", ".5%", "1.234%", "1e2%", "4294967297%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!("0.05%".parse::<Percent>().unwrap().as_hundredths(), 5);
        assert_eq!("0.05%".parse::<Percent>().unwrap().as_percent(), 1);
        assert_eq!(Percent::from_percent(1_000).to_string(), "100%");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_was_written(hundredths in 0_u32..=10_000) {
            let percent = Percent { hundredths };
            prop_assert_eq!(percent.to_string().parse::<Percent>().unwrap(), percent);
        }
    }
}
