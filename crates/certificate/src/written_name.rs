//! Distinguished names as people write them, brought into the one spelling in which certificates are described.

use crate::certificate::text;
use crate::distinguished::escape;
use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::LazyLock;
use x509_parser::der_parser::oid::Oid;
use x509_parser::objects::{oid_registry, oid2abbrev};

/// Names of attributes that other programs write, and what they are called here.
const ALIASES: [(&str, &str); 8] = [
    ("e", "Email"),
    ("s", "ST"),
    ("sp", "ST"),
    ("street", "streetAddress"),
    ("sn", "surname"),
    ("gn", "givenName"),
    ("t", "title"),
    ("userid", "uid"),
];

/// What each attribute is called in descriptions of certificates, by every name in lower case.
static KINDS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let registered = oid_registry().iter().filter_map(|(kind, entry)| {
        let name = oid2abbrev(kind, oid_registry()).ok()?;
        Some([(entry.sn().to_ascii_lowercase(), name), (name.to_ascii_lowercase(), name)])
    });
    let aliases = ALIASES.into_iter().map(|(alias, name)| (alias.to_owned(), name));
    registered.flatten().chain(aliases).collect()
});

/// Reads a distinguished name (RFC 4514 section 3) in the order in which it is written, and gives it as
/// [`subject`](crate::ClientCertificate::subject) has it. Blanks around commas and equals signs, the case of the names of
/// attributes, and values between quotes (RFC 2253 section 4) make no other name. `None` where it is none.
#[must_use]
pub fn distinguished_name(written: &str) -> Option<String> {
    let mut rest = written.chars().peekable();
    let mut name = String::with_capacity(written.len());
    loop {
        let mut attribute = String::new();
        loop {
            match rest.next()? {
                '=' => break,
                character => attribute.push(character),
            }
        }
        name.push_str(&kind(attribute.trim_matches(' '))?);
        name.push('=');
        name.push_str(&value(&mut rest)?);
        match rest.next() {
            None => return Some(name),
            Some(',') => name.push_str(", "),
            Some('+') => name.push_str(" + "),
            Some(_) => return None,
        }
    }
}

/// What an attribute is called: by its name, or by its number as `1.2.3` and `OID.1.2.3`.
fn kind(written: &str) -> Option<String> {
    let lower = written.to_ascii_lowercase();
    if let Some(name) = KINDS.get(&lower) {
        return Some((*name).to_owned());
    }
    let number = lower.strip_prefix("oid.").unwrap_or(&lower);
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let kind: Oid<'_> = Some(number).filter(|number| number.bytes().all(plain))?.parse().ok()?;
    let known = oid2abbrev(&kind, oid_registry()).map(str::to_owned);
    Some(known.unwrap_or_else(|_| kind.to_id_string()))
}

/// A value up to what ends it, as it is described.
fn value(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    blanks(rest);
    match rest.peek() {
        Some('"') => quoted(rest),
        Some('#') => digits(rest),
        _ => plain(rest),
    }
}

fn plain(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut bytes = Vec::new();
    // Blanks before what ends a value are none of it, unless a backslash says so.
    let mut length = 0;
    while let Some(character) = rest.next_if(|next| !ends(*next)) {
        match character {
            '\\' => escaped(rest, &mut bytes)?,
            '"' | ';' | '<' | '>' => return None,
            other => put(other, &mut bytes),
        }
        if character != ' ' {
            length = bytes.len();
        }
    }
    bytes.truncate(length);
    described(bytes)
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    rest.next();
    let mut bytes = Vec::new();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => escaped(rest, &mut bytes)?,
            other => put(other, &mut bytes),
        }
    }
    blanks(rest);
    described(bytes)
}

/// The bytes of a value that is no text.
fn digits(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    rest.next();
    let mut digits = String::new();
    while let Some(character) = rest.next_if(|next| !ends(*next)) {
        digits.push(character.to_ascii_lowercase());
    }
    let digits = digits.trim_end_matches(' ');
    let whole = !digits.is_empty() && digits.len().is_multiple_of(2);
    (whole && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| format!("#{digits}"))
}

/// What stands behind a backslash: a byte in two hexadecimal digits, or a character that would mean something.
fn escaped(rest: &mut Peekable<Chars<'_>>, bytes: &mut Vec<u8>) -> Option<()> {
    let first = rest.next()?;
    if let Some(high) = first.to_digit(16) {
        let low = rest.next()?.to_digit(16)?;
        bytes.push(u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?);
    } else if matches!(first, ' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\') {
        put(first, bytes);
    } else {
        return None;
    }
    Some(())
}

const fn ends(character: char) -> bool {
    matches!(character, ',' | '+')
}

fn blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if_eq(&' ').is_some() {}
}

fn put(character: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn described(bytes: Vec<u8>) -> Option<String> {
    Some(escape(&text(&String::from_utf8(bytes).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_one() {
        for written in [
            "O=Example, CN=client-7",
            "O=Example,CN=client-7",
            "o=Example,cn=client-7",
            "O = Example, CN = client-7",
            " O=Example ,  CN=client-7 ",
            "organizationName=Example,commonName=client-7",
            "2.5.4.10=Example,OID.2.5.4.3=client-7",
            "O=\"Example\", CN=\"client-7\" ",
            "O=E\\78ample,CN=client-7",
        ] {
            assert_eq!(distinguished_name(written).as_deref(), Some("O=Example, CN=client-7"), "{written}");
        }
        for (written, read) in [
            ("CN=client-7, O=Example", "CN=client-7, O=Example"),
            ("CN=\"a, O=b\"", "CN=a\\, O=b"),
            ("cn=a\\, O=b", "CN=a\\, O=b"),
            ("CN=J\\C3\\B6rg", "CN=Jörg"),
            ("CN=a+ou=b", "CN=a + OU=b"),
            ("CN=\\ a\\ ", "CN=\\ a\\ "),
            ("CN=\\#a", "CN=\\#a"),
            ("CN=#0AfF", "CN=#0aff"),
            ("CN=", "CN="),
            ("CN=a=b", "CN=a=b"),
            (
                "emailAddress=a@b.test,E=a@b.test,email=a@b.test",
                "Email=a@b.test, Email=a@b.test, Email=a@b.test",
            ),
            ("UID=u, dc=Test, 1.2.3.4=x", "uid=u, DC=Test, 1.2.3.4=x"),
        ] {
            assert_eq!(distinguished_name(written).as_deref(), Some(read), "{written}");
            assert_eq!(distinguished_name(read).as_deref(), Some(read), "what is described is read as it is");
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        for written in [
            "",
            "client-7",
            "/O=Example/CN=client-7",
            "CN=a,",
            "CN=a, ",
            "CN=a+",
            "=a",
            "Nick=a",
            "CN=a;O=b",
            "CN=\"a",
            "CN=\"a\"b",
            "CN=a\\",
            "CN=a\\z",
            "CN=a\\4",
            "CN=\\C3",
            "CN=#",
            "CN=#0",
            "CN=#0g",
            "1..2=a",
            "CN=<a>",
        ] {
            assert_eq!(distinguished_name(written), None, "{written}");
        }
    }
}
