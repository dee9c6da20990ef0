//! The little DER (X.690) that is needed to see what a public key is: lengths are minimal, nothing is left
//! over. Keys themselves are read by the cryptographic library.

/// An element, and what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    /// The element itself, tag and length included.
    pub(super) whole: &'d [u8],
    pub(super) rest: &'d [u8],
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]`, constructed.
pub(super) const EXPLICIT_0: u8 = 0xa0;

/// The element at the beginning; nothing where there is none.
pub(super) fn element(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            if digits.first() == Some(&0) || length < 0x80 {
                return None;
            }
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = input.get(..input.len().saturating_sub(rest.len()))?;
    Some(Element { tag, content, whole, rest })
}

/// The element at the beginning, if it has that tag.
pub(super) fn expect(input: &[u8], tag: u8) -> Option<Element<'_>> {
    element(input).filter(|element| element.tag == tag)
}

/// The element that the input is as a whole, if it has that tag.
pub(super) fn only(input: &[u8], tag: u8) -> Option<&[u8]> {
    expect(input, tag).filter(|element| element.rest.is_empty()).map(|element| element.content)
}

/// A positive integer without its sign byte; nothing for zero, negative or padded ones.
pub(super) fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, rest @ ..] if rest.first().is_some_and(|byte| byte & 0x80 != 0) => Some(rest),
        [first, ..] if (1..0x80).contains(first) => Some(content),
        _ => None,
    }
}

/// Writes an element.
pub(super) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0).and_then(|first| length.get(first..));
    let digits = significant.unwrap_or_default();
    let mut out = vec![tag];
    match digits {
        [] => out.push(0),
        [short @ 0..=0x7f] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Writes a positive integer given without sign byte and leading zeros.
pub(super) fn write_positive(digits: &[u8]) -> Vec<u8> {
    if digits.first().is_some_and(|byte| byte & 0x80 != 0) {
        let mut signed = vec![0];
        signed.extend_from_slice(digits);
        return write(INTEGER, &signed);
    }
    write(INTEGER, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let written = write(SEQUENCE, &content);
            assert_eq!(only(&written, SEQUENCE), Some(&content[..]));
            assert_eq!(element(&written).unwrap().whole, written);
            assert_eq!(only(&written, INTEGER), None);
            assert_eq!(element(&written[..written.len() - 1]), None);
        }
        assert_eq!(write_positive(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(positive(&[0, 0x80]), Some(&[0x80][..]));
        for bad in [&[][..], &[0], &[0, 1], &[0x80]] {
            assert_eq!(positive(bad), None);
        }
        for bad in [&[0x30, 0x81, 0x05, 1, 2, 3, 4, 5][..], &[0x30, 0x80], &[0x30, 0x82, 0, 0x85], &[0x30]] {
            assert_eq!(element(bad), None);
        }
    }
}
