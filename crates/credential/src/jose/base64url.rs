//! Base64url without padding (RFC 7515 section 2), in its one canonical form: no foreign characters, no padding, no bits
//! that are left over. Four characters are looked up in four tables whose entries stand where their bits belong, which
//! takes half of what a general engine takes; a test holds that both decode alike.

/// Set in the entries of what is no character of the alphabet; above all bits of four characters.
const FOREIGN: u32 = 1 << 31;

/// The bits of each character as the first, second, third and fourth of four.
static TABLES: [[u32; 256]; 4] = [table(18), table(12), table(6), table(0)];

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "runs at compile time only")]
const fn table(shift: u32) -> [u32; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut table = [FOREIGN; 256];
    let mut value = 0_u8;
    while value < 64 {
        table[alphabet[value as usize] as usize] = (value as u32) << shift;
        value += 1;
    }
    table
}

/// The bytes; nothing where the text is not canonical.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; decoded_len(text)];
    decode_into(text, &mut bytes)?;
    Some(bytes)
}

/// How many bytes the text stands for.
pub(super) const fn decoded_len(text: &[u8]) -> usize {
    // Three quarters, rounded down.
    (text.len() / 4).saturating_mul(3).saturating_add((text.len() % 4).saturating_mul(3) / 4)
}

/// Decodes into the beginning of a place; tells how many bytes. Nothing where the text is not canonical, or the place too
/// small.
pub(super) fn decode_into(text: &[u8], place: &mut [u8]) -> Option<usize> {
    let [first, second, third, fourth] = &TABLES;
    let of = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(FOREIGN);
    let length = decoded_len(text);
    let (groups, end) = place.get_mut(..length)?.as_chunks_mut::<3>();
    let (quads, rest) = text.as_chunks::<4>();
    let mut seen = 0;
    for ([a, b, c, d], group) in quads.iter().zip(groups) {
        let bits = of(first, *a) | of(second, *b) | of(third, *c) | of(fourth, *d);
        seen |= bits;
        let [_, bytes @ ..] = bits.to_be_bytes();
        *group = bytes;
    }
    // What is left over of the last character is zero.
    let (bits, left_over) = match rest {
        [] => (0, 0),
        [a, b] => (of(first, *a) | of(second, *b), 0xffff),
        [a, b, c] => (of(first, *a) | of(second, *b) | of(third, *c), 0xff),
        _ => return None,
    };
    let [_, bytes @ ..] = bits.to_be_bytes();
    end.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    ((seen | bits) & FOREIGN == 0 && bits & left_over == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    fn agree(text: &[u8]) {
        assert_eq!(decode(text), URL_SAFE_NO_PAD.decode(text).ok(), "{}", text.escape_ascii());
    }

    #[test]
    fn every_end_and_every_byte_means_what_the_engine_says() {
        for length in 0..9 {
            for byte in 0..=u8::MAX {
                for place in 0..length {
                    let mut text = vec![b'A'; length];
                    text[place] = byte;
                    agree(&text);
                }
            }
        }
        let mut small = [0; 2];
        assert_eq!(decode_into(b"AAAA", &mut small), None);
        assert_eq!(decode_into(b"AQI", &mut small), Some(2));
        assert_eq!(small, [1, 2]);
    }

    proptest! {
        #[test]
        fn any_text_means_what_the_engine_says(text in "[A-Za-z0-9_=+/-]{0,40}", bytes: Vec<u8>) {
            agree(text.as_bytes());
            agree(&bytes);
            prop_assert_eq!(decode(URL_SAFE_NO_PAD.encode(&bytes).as_bytes()), Some(bytes));
        }
    }
}
