//! What a byte may be part of, looked up in one table.

/// `tchar` of RFC 9110 section 5.6.2.
const TOKEN: u8 = 1;
/// Of a host name: `unreserved` of RFC 3986 section 2.3.
const HOST: u8 = 2;
/// Of a name as they are usually written: a letter, a digit or a hyphen.
const PLAIN: u8 = 4;
/// Of a method as it is taken here: of a token, and no lower-case letter.
const METHOD: u8 = 8;

static KINDS: [u8; 256] = kinds();

#[allow(clippy::indexing_slicing, reason = "runs at compile time only")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        let both = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let token = both
            || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'^' | b'`' | b'|');
        kinds[byte as usize] = if token { TOKEN } else { 0 }
            | if both { HOST } else { 0 }
            | if byte.is_ascii_alphanumeric() || byte == b'-' { PLAIN } else { 0 }
            | if token && !byte.is_ascii_lowercase() { METHOD } else { 0 };
        byte = byte.wrapping_add(1);
    }
    kinds
}

fn kinds_of(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Whether bytes are a token, and whether one is in it that names seldom have. Looks at all of them whatever comes.
pub(crate) fn token(bytes: &[u8]) -> Option<Token> {
    let kinds = bytes.iter().fold(TOKEN | PLAIN, |kinds, byte| kinds & kinds_of(*byte));
    let is_token = kinds & TOKEN != 0 && !bytes.is_empty();
    is_token.then_some(Token { is_plain: kinds & PLAIN != 0 })
}

/// What is to be known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Letters, digits and hyphens alone.
    pub(crate) is_plain: bool,
}

/// Whether bytes are letters, digits and hyphens alone. Looks at all of them whatever comes.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(PLAIN, |kinds, byte| kinds & kinds_of(*byte)) != 0
}

/// Whether bytes are a token, and whether no lower-case letter is in it. Looks at all of them whatever comes; of no
/// bytes both hold.
pub(crate) fn method(bytes: &[u8]) -> (bool, bool) {
    let kinds = bytes.iter().fold(TOKEN | METHOD, |kinds, byte| kinds & kinds_of(*byte));
    (kinds & TOKEN != 0, kinds & METHOD != 0)
}

/// Whether a token may hold it (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    kinds_of(byte) & TOKEN != 0
}

/// Whether a host name may hold it (RFC 3986 section 3.2.2, without escapes and sub-delimiters).
pub(crate) fn is_of_host(byte: u8) -> bool {
    kinds_of(byte) & HOST != 0
}

/// A byte that a field value may hold: visible, space, tab, obs-text (RFC 9110 section 5.5).
pub(crate) const fn is_value(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(byte), token, "{byte}");
            let plain = byte.is_ascii_alphanumeric() || byte == b'-';
            let expected = token.then_some(Token { is_plain: plain });
            assert_eq!(super::token(&[b'a', byte, b'b']), expected, "{byte}");
            assert_eq!(is_plain(&[b'a', byte, b'b']), plain, "{byte}");
            assert_eq!(method(&[b'A', byte]), (token, token && !byte.is_ascii_lowercase()), "{byte}");
            assert_eq!(is_of_host(byte), byte.is_ascii_alphanumeric() || b"-._~".contains(&byte), "{byte}");
        }
    }
}
