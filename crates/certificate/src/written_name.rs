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
const ALIASES: [(&str, &str); 15] = [
    ("e", "Email"),
    ("s", "ST"),
    ("sp", "ST"),
    ("street", "streetAddress"),
    ("sn", "surname"),
    ("gn", "givenName"),
    ("t", "title"),
    ("userid", "uid"),
    ("jurisdictionl", "msJurisdictionLocality"),
    ("jurisdictionlocalityname", "msJurisdictionLocality"),
    ("jurisdictionst", "msJurisdictionStateOrProvince"),
    ("jurisdictionstateorprovincename", "msJurisdictionStateOrProvince"),
    ("jurisdictionc", "msJurisdictionCountry"),
    ("jurisdictioncountryname", "msJurisdictionCountry"),
    ("x500uniqueidentifier", "uniqueIdentifier"),
];

/// Common names that OpenSSL writes, of attributes that are described by their numbers. Its `uid`, which differs from `UID`
/// in case alone, is none: RFC 4514 knows no case in names, and `uid` is how userId is described.
const NUMBERED: [(&str, &str); 9] = [
    ("organizationidentifier", "2.5.4.97"),
    ("pseudonym", "2.5.4.65"),
    ("mail", "0.9.2342.19200300.100.1.3"),
    ("rfc822mailbox", "0.9.2342.19200300.100.1.3"),
    ("role", "2.5.4.72"),
    ("telephonenumber", "2.5.4.20"),
    ("houseidentifier", "2.5.4.51"),
    ("postofficebox", "2.5.4.18"),
    ("unstructuredaddress", "1.2.840.113549.1.9.8"),
];

/// Why something written is no name that could be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameProblem {
    /// It would be one, if this were known to be the name of an attribute.
    Unknown(String),
    /// It is none.
    NoName,
}

/// What each attribute is called in descriptions of certificates, by every name in lower case.
static KINDS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let registered = oid_registry().iter().filter_map(|(kind, entry)| {
        let name = oid2abbrev(kind, oid_registry()).ok()?;
        Some([(entry.sn().to_ascii_lowercase(), name), (name.to_ascii_lowercase(), name)])
    });
    let aliases = ALIASES.into_iter().chain(NUMBERED).map(|(alias, name)| (alias.to_owned(), name));
    registered.flatten().chain(aliases).collect()
});

/// Reads a distinguished name (RFC 4514 section 3) in the order in which it is written, and gives it as
/// [`subject`](crate::ClientCertificate::subject) has it. Blanks around commas and equals signs, the case of the names of
/// attributes, and values between quotes (RFC 2253 section 4) make no other name.
///
/// # Errors
/// It is none, or has an attribute that is not known.
pub fn distinguished_name(written: &str) -> Result<String, NameProblem> {
    let mut unknown = None;
    let name = described_name(written, &mut unknown).ok_or(NameProblem::NoName)?;
    unknown.map_or(Ok(name), |kind| Err(NameProblem::Unknown(kind)))
}

/// Reads a name to its end; the first attribute that is not known is noted.
fn described_name(written: &str, unknown: &mut Option<String>) -> Option<String> {
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
        let attribute = attribute.trim_matches(' ');
        match kind(attribute) {
            Some(kind) => name.push_str(&kind),
            None if is_descriptor(attribute) => {
                unknown.get_or_insert_with(|| attribute.to_owned());
            }
            None => return None,
        }
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

/// Whether an attribute could be called so (RFC 4512 section 1.4).
fn is_descriptor(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(plain)
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
            assert_eq!(distinguished_name(written).as_deref(), Ok("O=Example, CN=client-7"), "{written}");
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
            assert_eq!(distinguished_name(written).as_deref(), Ok(read), "{written}");
            assert_eq!(distinguished_name(read).as_deref(), Ok(read), "what is described is read as it is");
        }
    }

    /// What `openssl x509 -noout -subject` writes of a certificate, and with `-nameopt oneline,oid`.
    #[test]
    fn what_openssl_writes_is_read() {
        let names = "C = ES, O = Bank, organizationIdentifier = PSDES-BDE-3DFD21, jurisdictionC = ES, jurisdictionST = s, \
            jurisdictionL = l, pseudonym = p, mail = a@b.test, role = r, telephoneNumber = 1, houseIdentifier = h, \
            postOfficeBox = b, unstructuredAddress = ua, unstructuredName = un, x500UniqueIdentifier = x, dnQualifier = q, \
            serialNumber = 7, generationQualifier = g, initials = i, name = n, businessCategory = bc, postalCode = pc, \
            street = st, title = t, description = d, DC = dc, UID = u, emailAddress = e@f.test, GN = gn, SN = sn, CN = tpp";
        let numbers = "2.5.4.6 = ES, 2.5.4.10 = Bank, 2.5.4.97 = PSDES-BDE-3DFD21, 1.3.6.1.4.1.311.60.2.1.3 = ES, \
            1.3.6.1.4.1.311.60.2.1.2 = s, 1.3.6.1.4.1.311.60.2.1.1 = l, 2.5.4.65 = p, 0.9.2342.19200300.100.1.3 = a@b.test, \
            2.5.4.72 = r, 2.5.4.20 = 1, 2.5.4.51 = h, 2.5.4.18 = b, 1.2.840.113549.1.9.8 = ua, 1.2.840.113549.1.9.2 = un, \
            2.5.4.45 = x, 2.5.4.46 = q, 2.5.4.5 = 7, 2.5.4.44 = g, 2.5.4.43 = i, 2.5.4.41 = n, 2.5.4.15 = bc, \
            2.5.4.17 = pc, 2.5.4.9 = st, 2.5.4.12 = t, 2.5.4.13 = d, 0.9.2342.19200300.100.1.25 = dc, \
            0.9.2342.19200300.100.1.1 = u, 1.2.840.113549.1.9.1 = e@f.test, 2.5.4.42 = gn, 2.5.4.4 = sn, 2.5.4.3 = tpp";
        let read = distinguished_name(names).unwrap();
        assert_eq!(distinguished_name(numbers).as_ref(), Ok(&read));
        assert!(read.starts_with("C=ES, O=Bank, 2.5.4.97=PSDES-BDE-3DFD21, "), "{read}");
    }

    #[test]
    fn other_names_stand_for_what_is_described() {
        for (alias, name) in ALIASES.into_iter().chain(NUMBERED) {
            assert_eq!(alias, alias.to_ascii_lowercase());
            assert_eq!(kind(name).as_deref(), Some(name), "as it is described");
        }
    }

    /// OpenSSL calls the second of them `uid`, and the first `UID`.
    #[test]
    fn a_user_is_no_unique_identifier() {
        let user = Ok("uid=7".to_owned());
        for written in ["UID = 7", "uid = 7", "userId=7", "0.9.2342.19200300.100.1.1 = 7"] {
            assert_eq!(distinguished_name(written), user, "{written}");
        }
        let number = "0.9.2342.19200300.100.1.44=7";
        assert_eq!(distinguished_name(number).as_deref(), Ok(number));
    }

    #[test]
    fn what_would_be_a_name_says_what_is_not_known() {
        for written in ["Nick=a", "CN=a, Nick = b, Nack=c", "CN=a + Nick=b"] {
            assert_eq!(distinguished_name(written), Err(NameProblem::Unknown("Nick".into())), "{written}");
        }
        for written in ["Nick=a,", "Nick=a;O=b", "Ni ck=a", "-a=b", "1a=b"] {
            assert_eq!(distinguished_name(written), Err(NameProblem::NoName), "{written}");
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
            assert_eq!(distinguished_name(written), Err(NameProblem::NoName), "{written}");
        }
    }
}
