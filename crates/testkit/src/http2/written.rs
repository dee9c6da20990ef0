//! In which way the fields of a head are written (RFC 7541 section 6). Names and values are passed over.

/// A representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// By its place in a table.
    Indexed,
    /// As a literal that the table remembers.
    Remembered,
    /// As a literal that the table does not remember.
    Literal,
    /// As a literal that nobody on the way may remember either.
    NeverIndexed,
}

/// The representations in a head, or `None` where it is cut.
#[must_use]
pub fn written(mut block: &[u8]) -> Option<Vec<Written>> {
    let mut all = Vec::new();
    while let Some(&first) = block.first() {
        let (prefix, kind) = match first {
            0x80.. => (7, Some(Written::Indexed)),
            0x40.. => (6, Some(Written::Remembered)),
            // The new size of a table.
            0x20.. => (5, None),
            0x10.. => (4, Some(Written::NeverIndexed)),
            _ => (4, Some(Written::Literal)),
        };
        let name = integer(&mut block, prefix)?;
        let strings = match kind {
            None | Some(Written::Indexed) => 0,
            Some(_) if name == 0 => 2,
            Some(_) => 1,
        };
        for _ in 0..strings {
            let length = integer(&mut block, 7)?;
            block = block.get(length..)?;
        }
        all.extend(kind);
    }
    Some(all)
}

/// An integer in the last bits of a byte and what follows (RFC 7541 section 5.1).
fn integer(block: &mut &[u8], prefix: u8) -> Option<usize> {
    let most = (1_usize << prefix) - 1;
    let (&first, mut rest) = block.split_first()?;
    let mut number = usize::from(first) & most;
    let mut shift = 0;
    while number >= most {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        number += usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    *block = rest;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_representation_is_told_from_the_others() {
        // RFC 7541 appendix C.2, the new size of a table, and a name of 130 bytes.
        let long = [&[0, 0x7f, 3][..], &[b'n'; 130], &[0]].concat();
        for (block, kind) in [
            (&b"\x40\x0acustom-key\x0dcustom-header"[..], Written::Remembered),
            (b"\x04\x0c/sample/path", Written::Literal),
            (b"\x10\x08password\x06secret", Written::NeverIndexed),
            (b"\x82", Written::Indexed),
            (b"\x20\x82", Written::Indexed),
            (b"\x3f\xe1\x1f\x1f\x12\x01a", Written::NeverIndexed),
            (&long, Written::Literal),
        ] {
            assert_eq!(written(block), Some(vec![kind]), "{block:?}");
            assert_eq!(written(&[block, b"\x82"].concat()), Some(vec![kind, Written::Indexed]), "{block:?}");
            if block != b"\x82" && block != b"\x20\x82" {
                assert_eq!(written(&block[..block.len() - 1]), None, "{block:?}");
            }
        }
    }
}
