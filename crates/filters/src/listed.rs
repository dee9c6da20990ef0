//! Lists in one field value, parted by commas (RFC 9110 section 5.6.1).

use std::borrow::Cow;

/// An item as it is told in a list. A comma in it, and blanks around it that services would take away, are escaped as in a
/// URL (RFC 3986 section 2.1): `acme,admin` would be two, one of which somebody else is.
pub(crate) fn item(text: &str) -> Cow<'_, str> {
    let bare = text.trim();
    if bare.len() == text.len() && !text.contains(',') {
        return Cow::Borrowed(text);
    }
    let (before, rest) = text.split_at(text.len().saturating_sub(text.trim_start().len()));
    let after = rest.get(bare.len()..).unwrap_or_default();
    Cow::Owned(format!("{}{}{}", escaped(before), bare.replace(',', "%2C"), escaped(after)))
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Whether a field value can hold the text.
pub(crate) fn fits_a_field(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && byte != 0x7f) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_services_would_part_or_trim_is_escaped() {
        for text in ["admin", "the admins", "CN=admins", "grün", "100%", ""] {
            assert_eq!(item(text), text);
            assert!(fits_a_field(text), "{text}");
        }
        for (text, told) in [
            ("acme,admin", "acme%2Cadmin"),
            ("CN=a,OU=it", "CN=a%2COU=it"),
            ("admin ", "admin%20"),
            ("\u{a0}admin\t", "%C2%A0admin%09"),
            ("a, b", "a%2C b"),
            (",", "%2C"),
            (" ", "%20"),
        ] {
            assert_eq!(item(text), told);
            assert!(fits_a_field(told));
        }
        assert!(!fits_a_field("a\r\nb") && !fits_a_field("a\u{7f}") && fits_a_field("a,b"));
    }
}
