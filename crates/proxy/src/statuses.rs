//! A set of status codes: one bit each.

use torana_types::StatusRange;

/// The words of the set; codes go to 999.
const WORDS: usize = 16;

/// A set of status codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Statuses([u64; WORDS]);

impl Statuses {
    /// All the statuses of these ranges.
    pub fn of<'a>(ranges: impl IntoIterator<Item = &'a StatusRange>) -> Self {
        let mut set = Self::default();
        for status in ranges.into_iter().flat_map(|range| range.statuses()) {
            if let Some(word) = set.0.get_mut(usize::from(status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        set
    }

    /// Whether the status is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.get(usize::from(status / 64)).is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// Whether no status is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_in_and_nothing_else() {
        let ranges =
            [StatusRange::new(500, 504), StatusRange::from_number(429), StatusRange::from_number(999)];
        let set = Statuses::of(&ranges);
        let inside: Vec<u16> = (0..=u16::MAX).filter(|status| set.contains(*status)).collect();
        assert_eq!(inside, [429, 500, 501, 502, 503, 504, 999]);
        assert!(Statuses::of(&[]).is_empty() && !set.is_empty());
    }
}
