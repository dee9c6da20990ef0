//! Amounts of bytes as people write them: `64KiB`, `10MB`, `1024`.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text_form::text_form;
use crate::time_span::split_number;

/// An amount of bytes. `kB`, `MB`, `GB` count in thousands; `KiB`, `MiB`, `GiB` in 1024s (IEC 80000-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize {
    bytes: u64,
}

/// Units from the largest to the smallest; written without regard to case.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    pub(crate) const EXPECTED: &str = "an amount of bytes such as `64KiB`, `10MB` or `4096`";

    /// `bytes` bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// `kibibytes` times 1024 bytes.
    #[must_use]
    pub const fn from_kib(kibibytes: u64) -> Self {
        Self { bytes: kibibytes.saturating_mul(1 << 10) }
    }

    /// `mebibytes` times 1024 times 1024 bytes.
    #[must_use]
    pub const fn from_mib(mebibytes: u64) -> Self {
        Self { bytes: mebibytes.saturating_mul(1 << 20) }
    }

    /// The amount in bytes.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.bytes
    }

    /// The amount in bytes, or the largest `usize` where that is smaller.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |problem| ParseError::new(Self::EXPECTED, problem);
        let (number, unit) = split_number(text).ok_or(error("it must begin with a whole number"))?;
        let number: u64 = number.parse().map_err(|_| error("it is too large"))?;
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        if unit.is_empty() {
            return Ok(Self::from_bytes(number));
        }
        if unit.starts_with('.') {
            return Err(error("fractions are written in a smaller unit"));
        }
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .ok_or(error("the units are `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB` and `TiB`"))?;
        number.checked_mul(*factor).map(Self::from_bytes).ok_or(error("it is too large"))
    }
}

impl fmt::Display for ByteSize {
    /// The unit that gives the smallest whole number; a plain number when only bytes do.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |factor: u64| self.bytes.checked_rem(factor) == Some(0) && factor > 1;
        match UNITS.iter().find(|(_, factor)| self.bytes > 0 && exact(*factor)) {
            Some((unit, factor)) => {
                write!(formatter, "{}{unit}", self.bytes.checked_div(*factor).unwrap_or(0))
            }
            None => write!(formatter, "{}", self.bytes),
        }
    }
}

text_form! {
    ByteSize, format: "torana-byte-size", pattern: r"^\d+ ?([kKmMgGtT][iI]?)?[bB]?$",
    description: "An amount of bytes: a plain number, or one with a unit (kB, MB, GB count in thousands; KiB, MiB, GiB in 1024s).",
    examples: ["64KiB", "10MB", "4096"], also_number: from_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_both_families_of_units() {
        let bytes = |text: &str| text.parse::<ByteSize>().unwrap().as_u64();
        assert_eq!(bytes("4096"), 4096);
        assert_eq!(bytes("64KiB"), 65_536);
        assert_eq!(bytes("64 kib"), 65_536);
        assert_eq!(bytes("10MB"), 10_000_000);
        assert_eq!(bytes("7B"), 7);
    }

    #[test]
    fn says_what_is_wrong() {
        let problem = |text: &str| text.parse::<ByteSize>().unwrap_err().problem();
        assert_eq!(problem("big"), "it must begin with a whole number");
        assert_eq!(problem("1.5MB"), "fractions are written in a smaller unit");
        assert!(problem("64k").starts_with("the units are"));
        assert_eq!(problem("99999999999TiB"), "it is too large");
    }

    #[test]
    fn a_number_in_a_file_is_an_amount_of_bytes() {
        assert_eq!(serde_json::from_str::<ByteSize>("512").unwrap().as_u64(), 512);
        assert!(serde_json::from_str::<ByteSize>("-1").is_err());
    }

    #[test]
    fn shows_the_unit_that_was_meant() {
        assert_eq!(ByteSize::from_kib(64).to_string(), "64KiB");
        assert_eq!(ByteSize::from_bytes(10_000_000).to_string(), "10MB");
        assert_eq!(ByteSize::from_bytes(0).to_string(), "0");
    }

    proptest! {
        #[test]
        fn display_parses_back(bytes: u64) {
            let size = ByteSize::from_bytes(bytes);
            prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
        }
    }
}
