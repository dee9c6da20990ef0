//! `%uXXXX`, an escape of no standard that some services undo in queries and forms.

use std::io::Write as _;

/// What a text says to services that undo `%uXXXX`, a unit of UTF-16, too (.NET Framework, classic ASP, Perl's CGI): the same
/// with the escapes of RFC 3986 in its place. `None` where there is no such escape.
#[must_use]
pub fn without_wide_escapes(text: &[u8]) -> Option<Vec<u8>> {
    let is_wide = |at: usize| text.get(at..).is_some_and(|rest| unit(rest).is_some());
    memchr::memchr_iter(b'%', text).any(is_wide).then(|| narrowed(text))
}

fn narrowed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_mul(2));
    let mut units = Vec::new();
    let mut rest = text;
    loop {
        if let Some((unit, after)) = unit(rest) {
            units.push(unit);
            rest = after;
            continue;
        }
        for character in char::decode_utf16(units.drain(..)) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Nothing fails in memory.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        let Some((byte, after)) = rest.split_first() else { return out };
        out.push(*byte);
        rest = after;
    }
}

/// The unit that a text begins with, and what comes after it.
fn unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let [b'%', b'u' | b'U', digits @ ..] = text else { return None };
    let (digits, after) = digits.split_first_chunk::<4>()?;
    let value = digits
        .iter()
        .try_fold(0_u32, |value, digit| Some((value << 4) | char::from(*digit).to_digit(16)?))?;
    Some((u16::try_from(value).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::without_wide_escapes;

    #[test]
    fn what_is_no_wide_escape_stays_as_it_is() {
        for (text, narrow) in [
            ("%u0061dmin=1&b", Some("%61dmin=1&b")),
            ("a=%U0031%31", Some("a=%31%31")),
            ("%u00e9%u20AC", Some("%C3%A9%E2%82%AC")),
            ("%ud83d%ude00", Some("%F0%9F%98%80")),
            ("%ud83d.%ude00", Some("%EF%BF%BD.%EF%BF%BD")),
            ("%%u0026%u003d", Some("%%26%3D")),
            ("a=%u006", None),
            ("a=%u00g1", None),
            ("a=%25u0061", None),
            ("a=u0061&b=%61", None),
            ("", None),
        ] {
            let found = without_wide_escapes(text.as_bytes());
            assert_eq!(found.as_deref(), narrow.map(str::as_bytes), "{text}");
        }
    }
}
