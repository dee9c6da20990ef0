//! Lists in one field value, parted by commas (RFC 9110 section 5.6.1).

/// Whether an item is still one where services part the list: it holds no comma, and no blanks around it that they would
/// take away. `acme,admin` would be two, one of which somebody else is.
pub(crate) fn stays_one(item: &str) -> bool {
    !item.contains(',') && item.trim() == item
}

/// Whether a field value can hold the text.
pub(crate) fn fits_a_field(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && byte != 0x7f) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_services_would_part_or_trim_is_no_item() {
        for item in ["admin", "the admins", "CN=admins", "grün"] {
            assert!(stays_one(item) && fits_a_field(item), "{item}");
        }
        for item in ["acme,admin", "admin ", "\u{a0}admin", "a, b", ","] {
            assert!(!stays_one(item), "{item}");
        }
        assert!(!fits_a_field("a\r\nb") && !fits_a_field("a\u{7f}") && fits_a_field("a,b"));
    }
}
