//! Where the representations of header compression end (RFC 7541 section 6), without reading them.

/// The length of the representation that stands first. `None`: it is cut, or has an integer that the library does not
/// take.
pub(super) fn representation(block: &[u8]) -> Option<usize> {
    match *block.first()? {
        // An indexed field.
        0x80.. => Some(integer(block, 7)?.1),
        0x40.. => literal(block, 6),
        0x20.. => Some(integer(block, 5)?.1),
        _ => literal(block, 4),
    }
}

/// The length of the changes of the table's size that a block begins with.
pub(super) fn size_updates(block: &[u8]) -> usize {
    let mut length = 0_usize;
    while let Some(rest) = block.get(length..)
        && matches!(rest.first(), Some(0x20..0x40))
        && let Some(update) = representation(rest)
    {
        length = length.saturating_add(update);
    }
    length
}

/// Whether a block that begins like this has a `:status` first that is certainly that of no interim response.
pub(super) fn begins_final(start: &[u8]) -> bool {
    match start.get(size_updates(start)..) {
        Some([0x88..=0x8e, ..]) => true,
        // A literal whose name is that of an entry for `:status`; its value begins with `1`, as text or in the code of
        // Huffman, where 1 has the five bits 00001.
        Some([0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e, length, first, ..]) => match *length {
            0 | 0x80 => false,
            0x81.. => first >> 3 != 1,
            _ => *first != b'1',
        },
        _ => false,
    }
}

/// A field that names itself or is named by an entry of the tables.
fn literal(block: &[u8], prefix: u32) -> Option<usize> {
    let (name, mut length) = integer(block, prefix)?;
    if name == 0 {
        length = length.saturating_add(string(block.get(length..)?)?);
    }
    Some(length.saturating_add(string(block.get(length..)?)?))
}

/// The length of a string with what says it (RFC 7541 section 5.2).
fn string(bytes: &[u8]) -> Option<usize> {
    let (content, said) = integer(bytes, 7)?;
    let length = said.saturating_add(content);
    (length <= bytes.len()).then_some(length)
}

/// An integer (RFC 7541 section 5.1) and its length; of at most five bytes, as the library has it.
fn integer(bytes: &[u8], prefix: u32) -> Option<(usize, usize)> {
    let (first, rest) = bytes.split_first()?;
    let most = (1_usize << prefix).saturating_sub(1);
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, 1));
    }
    for (place, byte) in (0_u32..4).zip(rest) {
        value = value.saturating_add((usize::from(*byte) & 0x7f) << place.saturating_mul(7));
        if byte & 0x80 == 0 {
            return Some((value, usize::try_from(place).unwrap_or_default().saturating_add(2)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_representation_ends_where_its_last_string_does() {
        let long = [&[0x00, 1, b'a', 0x7f, 0x81, 0x01][..], &[b'x'; 256]].concat();
        for whole in [
            &b"\x82"[..],
            b"\xff\x80\x01",
            b"\x41\x03abc",
            b"\x40\x01a\x82xx",
            b"\x0f\x14\x01a",
            b"\x10\x01a\x00",
            b"\x3f\xe1\x1f",
            b"\x20",
            &long,
        ] {
            let behind = [whole, b"\x84"].concat();
            assert_eq!(representation(&behind), Some(whole.len()), "{whole:?}");
            for cut in 0..whole.len() {
                assert_eq!(representation(&whole[..cut]), None, "{whole:?} at {cut}");
            }
        }
        assert_eq!(representation(b"\xff\x80\x80\x80\x80\x01"), None, "six bytes");
    }

    #[test]
    fn only_a_status_that_is_seen_to_be_final_is() {
        for last in [
            &b"\x88"[..],
            b"\x8e\x11",
            b"\x20\x3f\xe1\x1f\x88",
            b"\x48\x03404",
            b"\x08\x03201",
            b"\x1e\x03503",
            b"\x48\x82\x64\x02",
            b"\x48\x82\x10\x01",
        ] {
            assert!(begins_final(last), "{last:x?}");
        }
        for other in [
            &b""[..],
            b"\x20",
            b"\x48",
            b"\x48\x03",
            b"\x48\x03103",
            b"\x48\x00404",
            // 100 and 103 in the code of Huffman.
            b"\x48\x82\x08\x01",
            b"\x08\x83\x08\x19\x7f",
            b"\x84\x88",
            b"\xbe",
            b"\x00\x07:status\x03200",
        ] {
            assert!(!begins_final(other), "{other:x?}");
        }
    }
}
