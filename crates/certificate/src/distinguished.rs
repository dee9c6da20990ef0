//! Distinguished names as text in which two names never look the same.

use crate::certificate::text;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

/// `O=Example, CN=client-7`, in the order of the certificate. What would end a value stands behind a backslash
/// (RFC 4514 section 2.4): `CN=a\\, O=b` is one attribute. A value that is no text is `#` and its bytes in
/// hexadecimal.
pub(crate) fn name(name: &X509Name<'_>) -> String {
    let part = |attribute: &AttributeTypeAndValue<'_>| {
        let kind = attribute.attr_type();
        let kind = oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned);
        format!("{kind}={}", value(attribute))
    };
    let parts = name.iter_rdn().map(|one| one.iter().map(part).collect::<Vec<_>>().join(" + "));
    parts.collect::<Vec<_>>().join(", ")
}

/// The common name, where there is exactly one that is text.
pub(crate) fn common_name(name: &X509Name<'_>) -> Option<String> {
    let mut names = name.iter_common_name();
    let only = names.next()?;
    if names.next().is_some() {
        return None;
    }
    only.as_str().ok().map(text).filter(|name| !name.is_empty())
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> String {
    let Ok(plain) = attribute.as_str() else {
        let digits: String = attribute.as_slice().iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("#{digits}");
    };
    escape(&text(plain))
}

/// A value in which nothing can be taken for its end.
pub(crate) fn escape(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for (place, character) in plain.char_indices() {
        let begins = place == 0 && matches!(character, '#' | ' ');
        let ends = character == ' ' && place.saturating_add(1) == plain.len();
        if begins || ends || matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
