//! A digest of what was asked: what is remembered is found by it, so that no credential is kept.

use aws_lc_rs::digest::{Context, SHA256};

/// The SHA-256 of parts.
pub(crate) type Printed = [u8; 32];

/// Takes parts one after the other. Each is led by its length, so that no two lists of parts are alike.
#[derive(Clone)]
pub(crate) struct Print(Context);

impl Print {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn part(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    pub(crate) fn parts<'p>(&mut self, parts: impl Iterator<Item = &'p [u8]>) {
        let mut count: u64 = 0;
        for part in parts {
            count = count.saturating_add(1);
            self.part(part);
        }
        self.0.update(&count.to_le_bytes());
    }

    pub(crate) fn end(self) -> Printed {
        let mut printed = Printed::default();
        printed.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        printed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> Printed {
        let mut print = Print::new();
        print.parts(parts.iter().map(|part| part.as_bytes()));
        print.end()
    }

    #[test]
    fn where_a_part_ends_matters() {
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        let all = [of(&[]), of(&[""]), of(&["abc"]), of(&["ab", "c"]), of(&["a", "bc"]), of(&["abc", ""])];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[place + 1..].contains(one), "{place}");
        }
    }
}
