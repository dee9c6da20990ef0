//! Finding the first byte of a kind, eight bytes at a time.
//!
//! A byte's high bit in the mask says that it is meant. Subtracting borrows only from bytes above the first that is
//! meant, so the lowest bit of a mask is right, and nothing else of it is looked at.

const HIGH: u64 = every(0x80);
/// Values that are short, in bytes.
const SHORT: usize = 16;

/// The same byte eight times.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Of masks whose high bits say which bytes are meant, those of bytes of ASCII.
const fn of_ascii(mask: u64, word: u64) -> u64 {
    mask & !word & HIGH
}

const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(every(bound))
}

const fn equal(word: u64, byte: u8) -> u64 {
    (word ^ every(byte)).wrapping_sub(every(1))
}

fn first(bytes: &[u8], mask: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, rest) = bytes.as_chunks();
    let mut at = 0_usize;
    for word in words {
        let found = mask(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at.wrapping_add(found.trailing_zeros() as usize / 8));
        }
        at = at.wrapping_add(8);
    }
    // A byte alone is a word whose other bytes come after it.
    rest.iter().position(|byte| mask(u64::from(*byte)) & 0x80 != 0).map(|place| at.wrapping_add(place))
}

/// The first such byte, which is of ASCII.
pub(super) fn byte(bytes: &[u8], sought: u8) -> Option<usize> {
    first(bytes, |word| of_ascii(equal(word, sought), word))
}

/// The first control character: what no field value may hold, but for tabs.
pub(super) fn control(bytes: &[u8]) -> Option<usize> {
    let mask = |word| of_ascii(below(word, b' ') | equal(word, 0x7f), word);
    // Most are found at once; what is long is looked through sixteen bytes at a time.
    let Some((start, rest)) = bytes.split_at_checked(SHORT) else { return first(bytes, mask) };
    if let Some(place) = first(start, mask) {
        return Some(place);
    }
    let (blocks, _) = rest.as_chunks::<16>();
    let is_clean =
        |block: &[u8; 16]| !block.iter().fold(false, |found, byte| found | byte.is_ascii_control());
    let clean = blocks.iter().take_while(|block| is_clean(block)).count().wrapping_mul(16);
    let found = first(rest.get(clean..).unwrap_or_default(), mask);
    found.map(|place| SHORT.wrapping_add(clean).wrapping_add(place))
}

/// The first byte that a request target may not hold: what is not visible ASCII, and `#`.
pub(super) fn end_of_target(bytes: &[u8]) -> Option<usize> {
    let ascii = |word| of_ascii(below(word, b'!') | equal(word, 0x7f) | equal(word, b'#'), word);
    first(bytes, |word| ascii(word) | word & HIGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_found_wherever_it_stands() {
        let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        for sought in 0..=u8::MAX {
            for length in 1..40 {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = sought;
                    let found = |is: bool| is.then_some(place);
                    assert_eq!(
                        control(&bytes),
                        found(sought.is_ascii_control()),
                        "{sought} at {place} of {length}"
                    );
                    assert_eq!(
                        end_of_target(&bytes),
                        found(!visible(sought)),
                        "{sought} at {place} of {length}"
                    );
                    if sought.is_ascii() && sought != b'a' {
                        assert_eq!(byte(&bytes, sought), Some(place));
                    }
                }
            }
        }
    }

    #[test]
    fn of_several_the_first_is_found() {
        for first in 0..40 {
            for second in first..40 {
                let mut bytes = [b':' + 1; 40];
                (bytes[first], bytes[second]) = (b':', b':');
                assert_eq!(byte(&bytes, b':'), Some(first));
                bytes.fill(b' ');
                (bytes[second], bytes[first]) = (b'\n', b'\r');
                assert_eq!(control(&bytes), Some(first));
            }
        }
    }
}
