//! Texts in field values, also in lists parted by commas (RFC 9110 section 5.6.1).

use std::borrow::Cow;
use std::fmt::Write;

/// A text as it is told in a field. Blanks around it, which services would take away, and what no field can hold are escaped
/// as in a URL (RFC 3986 section 2.1).
pub(crate) fn told(text: &str) -> Cow<'_, str> {
    escaped(text, is_control)
}

/// An item as it is told in a list: as a text, and with its commas escaped too, because `acme,admin` would be two, one of
/// which somebody else is.
pub(crate) fn item(text: &str) -> Cow<'_, str> {
    escaped(text, |one| one == ',' || is_control(one))
}

const fn is_control(one: char) -> bool {
    one < ' ' || one == '\u{7f}'
}

fn escaped(text: &str, is_escaped: fn(char) -> bool) -> Cow<'_, str> {
    let bare = text.trim();
    if bare.len() == text.len() && !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let start = text.len().saturating_sub(text.trim_start().len());
    let inner = start..start.saturating_add(bare.len());
    let mut told = String::with_capacity(text.len().saturating_add(8));
    for (at, one) in text.char_indices() {
        if inner.contains(&at) && !is_escaped(one) {
            told.push(one);
            continue;
        }
        for byte in one.encode_utf8(&mut [0; 4]).bytes() {
            // A text takes whatever is written to it.
            let _ = write!(told, "%{byte:02X}");
        }
    }
    Cow::Owned(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_services_would_part_or_trim_and_what_no_field_holds_is_escaped() {
        for text in ["admin", "the admins", "CN=admins", "grün", "100%", ""] {
            assert_eq!((item(text), told(text)), (text.into(), text.into()));
        }
        for (text, as_item, as_text) in [
            ("acme,admin", "acme%2Cadmin", "acme,admin"),
            ("CN=a,OU=it", "CN=a%2COU=it", "CN=a,OU=it"),
            ("admin ", "admin%20", "admin%20"),
            ("\u{a0}admin\t", "%C2%A0admin%09", "%C2%A0admin%09"),
            ("a, b", "a%2C b", "a, b"),
            (",", "%2C", ","),
            (" ", "%20", "%20"),
            ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
            ("a\u{7f}\tb", "a%7F%09b", "a%7F%09b"),
            ("\0", "%00", "%00"),
        ] {
            assert_eq!((&*item(text), &*told(text)), (as_item, as_text));
        }
    }
}
