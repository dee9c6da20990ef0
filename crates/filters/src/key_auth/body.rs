//! A key in the body of a request: a member of a form (URL-encoded or multipart) or of a JSON object.
//!
//! A body of another type, of a coded one or one that is no such form has no key. What is taken out leaves the rest
//! as it came: pairs and parts byte for byte, the values of a JSON object too.

use crate::authentication::locations::{decoded, parameters, split};
use memchr::memmem;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use torana_http::{Fields, Known};

/// The form of a body in which a key may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// `application/x-www-form-urlencoded`.
    Pairs,
    /// `application/json`.
    Json,
    /// `multipart/form-data` (RFC 7578), with its boundary.
    Parts(Vec<u8>),
}

impl BodyForm {
    /// The form that a request says its body has.
    pub(super) fn of(fields: &Fields) -> Option<Self> {
        let mut types = fields.get_all(Known::ContentType);
        let (written, None) = (types.next()?, types.next()) else { return None };
        if fields.get(Known::ContentEncoding).is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        {
            return None;
        }
        let (media, parameters) = split(written, b';').unwrap_or((written, &[]));
        let media = media.trim_ascii();
        if media.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            Some(Self::Pairs)
        } else if media.eq_ignore_ascii_case(b"application/json") {
            Some(Self::Json)
        } else if media.eq_ignore_ascii_case(b"multipart/form-data") {
            let boundary =
                parameter(parameters, b"boundary").filter(|text| (1..=70).contains(&text.len()))?;
            Some(Self::Parts(boundary))
        } else {
            None
        }
    }

    /// Every value of that name.
    pub(super) fn values<'b>(&self, body: &'b [u8], name: &'b str) -> Vec<Cow<'b, [u8]>> {
        match self {
            Self::Pairs => parameters(body, name).collect(),
            Self::Json => {
                let members = serde_json::from_slice::<Members<'_>>(body).map(|members| members.0);
                let own = members.unwrap_or_default().into_iter().filter(|(key, _)| key == name);
                // A value that is no text is no key.
                own.filter_map(|(_, value)| serde_json::from_str::<String>(value.get()).ok())
                    .map(|text| Cow::Owned(text.into_bytes()))
                    .collect()
            }
            Self::Parts(boundary) => {
                let parts = parts(body, boundary).unwrap_or_default();
                let own = parts.into_iter().filter(|part| part.is_named(name.as_bytes()));
                own.map(|part| Cow::Borrowed(part.content)).collect()
            }
        }
    }

    /// The body without what has one of these names; `None` where nothing has.
    pub(super) fn without(&self, body: &[u8], names: &[String]) -> Option<Vec<u8>> {
        let hidden = |name: &[u8]| names.iter().any(|own| own.as_bytes() == name);
        match self {
            Self::Pairs => {
                let all = || body.split(|byte| *byte == b'&');
                let kept =
                    |pair: &&[u8]| !hidden(&decoded(split(pair, b'=').map_or(*pair, |(name, _)| name)));
                all().any(|pair| !kept(&pair)).then(|| all().filter(kept).collect::<Vec<_>>().join(&b"&"[..]))
            }
            Self::Json => {
                let Members(all) = serde_json::from_slice(body).ok()?;
                let count = all.len();
                let kept: Vec<_> = all.into_iter().filter(|(key, _)| !hidden(key.as_bytes())).collect();
                (kept.len() < count).then(|| {
                    let member = |(key, value): &(Cow<'_, str>, &RawValue)| {
                        format!("{}:{}", serde_json::Value::from(&**key), value.get())
                    };
                    format!("{{{}}}", kept.iter().map(member).collect::<Vec<_>>().join(",")).into_bytes()
                })
            }
            Self::Parts(boundary) => {
                let parts = parts(body, boundary)?;
                let own = |part: &Part<'_>| names.iter().any(|name| part.is_named(name.as_bytes()));
                if !parts.iter().any(own) {
                    return None;
                }
                let mut out = Vec::with_capacity(body.len());
                let mut from = 0;
                for part in parts.iter().filter(|part| own(part)) {
                    out.extend_from_slice(body.get(from..part.begins)?);
                    from = part.ends;
                }
                out.extend_from_slice(body.get(from..)?);
                Some(out)
            }
        }
    }
}

/// The members of an object in order, one that is there twice too.
struct Members<'b>(Vec<(Cow<'b, str>, &'b RawValue)>);

impl<'de: 'b, 'b> Deserialize<'de> for Members<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(key), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// One part of a form, with its place in the body from its delimiter to the next.
struct Part<'b> {
    begins: usize,
    ends: usize,
    head: &'b [u8],
    content: &'b [u8],
}

impl Part<'_> {
    /// Whether it is the value, not a file, of that name.
    fn is_named(&self, wanted: &[u8]) -> bool {
        let mut lines = self.head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let disposition = lines.find_map(|line| {
            let (name, value) = split(line, b':')?;
            name.eq_ignore_ascii_case(b"content-disposition").then_some(value)
        });
        let Some((kind, parameters)) = disposition.and_then(|value| split(value, b';')) else { return false };
        kind.trim_ascii().eq_ignore_ascii_case(b"form-data")
            && parameter(parameters, b"name").is_some_and(|name| name == wanted)
            && parameter(parameters, b"filename").is_none()
    }
}

/// The parts between the delimiters (RFC 2046 section 5.1.1); `None` where the last one is missing.
fn parts<'b>(body: &'b [u8], boundary: &[u8]) -> Option<Vec<Part<'b>>> {
    let delimiter = [b"--", boundary].concat();
    let is_line = |at: &usize| *at == 0 || body.get(..*at).is_some_and(|before| before.ends_with(b"\r\n"));
    let mut places = memmem::find_iter(body, &delimiter).filter(is_line);
    let mut begins = places.next()?;
    let mut parts = Vec::new();
    loop {
        let after = body.get(begins.checked_add(delimiter.len())?..)?;
        if after.starts_with(b"--") {
            return Some(parts);
        }
        let ends = places.next()?;
        let from = body.len().checked_sub(after.len())?;
        let whole = body.get(from..ends.checked_sub(2)?)?.strip_prefix(b"\r\n")?;
        // A part without fields begins with the empty line.
        let (head, content) = match whole.strip_prefix(b"\r\n") {
            Some(content) => (&b""[..], content),
            None => {
                let at = memmem::find(whole, b"\r\n\r\n")?;
                (whole.get(..at)?, whole.get(at.checked_add(4)?..)?)
            }
        };
        parts.push(Part { begins, ends, head, content });
        begins = ends;
    }
}

/// A parameter of a field (RFC 9110 section 5.6.6), without its quotes.
fn parameter(mut text: &[u8], wanted: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (name, rest) = split(text, b'=')?;
        let rest = rest.trim_ascii_start();
        let (value, after) = match rest.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
                (rest.get(..end)?.trim_ascii().to_vec(), rest.get(end..)?)
            }
        };
        let name = name.trim_ascii();
        let name = name.strip_prefix(b";").unwrap_or(name).trim_ascii();
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        text = after;
    }
}

/// A quoted text up to its end, and what comes after.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, text.get(at.checked_add(1)?..)?)),
            b'\\' => value.push(*bytes.next()?.1),
            other => value.push(*other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(content_type: &str) -> Option<BodyForm> {
        let mut fields = Fields::default();
        fields.append(Known::ContentType, content_type.as_bytes()).unwrap();
        BodyForm::of(&fields)
    }

    fn found(content_type: &str, body: &str) -> Vec<String> {
        let form = form(content_type).unwrap();
        form.values(body.as_bytes(), "apikey")
            .iter()
            .map(|value| String::from_utf8_lossy(value).into())
            .collect()
    }

    fn hidden(content_type: &str, body: &str) -> Option<String> {
        let names = ["apikey".to_owned()];
        form(content_type)
            .unwrap()
            .without(body.as_bytes(), &names)
            .map(|body| String::from_utf8(body).unwrap())
    }

    const PAIRS: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json; charset=utf-8";
    const PARTS: &str = "multipart/form-data; boundary=\"a b\"";

    #[test]
    fn the_form_is_what_the_type_says() {
        assert_eq!(form(PAIRS), Some(BodyForm::Pairs));
        assert_eq!(form(JSON), Some(BodyForm::Json));
        assert_eq!(form(PARTS), Some(BodyForm::Parts(b"a b".to_vec())));
        assert_eq!(
            form("multipart/form-data; x=\"y;boundary=z\"; boundary=q"),
            Some(BodyForm::Parts(b"q".to_vec()))
        );
        for other in
            ["text/plain", "multipart/form-data", "multipart/form-data; boundary=", "application/jsonp"]
        {
            assert_eq!(form(other), None, "{other}");
        }
        let mut coded = Fields::default();
        coded.append(Known::ContentType, PAIRS.as_bytes()).unwrap();
        coded.append(Known::ContentEncoding, b"gzip").unwrap();
        assert_eq!(BodyForm::of(&coded), None);
    }

    #[test]
    fn a_pair_is_found_and_taken_out_alone() {
        assert_eq!(found(PAIRS, "a=%2f&api%6bey=one+two&b"), ["one two"]);
        assert_eq!(hidden(PAIRS, "a=%2f&api%6bey=one+two&b").as_deref(), Some("a=%2f&b"));
        assert_eq!(hidden(PAIRS, "apikey=1").as_deref(), Some(""));
        assert_eq!(hidden(PAIRS, "a=1&key=2"), None);
    }

    #[test]
    fn a_member_is_found_and_the_values_beside_it_stay() {
        let body = r#"{"n":1.50e400, "apikey" : "k\u0031","o":{"apikey":"inner"}}"#;
        assert_eq!(found(JSON, body), ["k1"]);
        assert_eq!(hidden(JSON, body).as_deref(), Some(r#"{"n":1.50e400,"o":{"apikey":"inner"}}"#));
        assert_eq!(found(JSON, r#"{"apikey":"a","apikey":"b"}"#), ["a", "b"]);
        assert_eq!(hidden(JSON, r#"{"apikey":"a","apikey":7}"#).as_deref(), Some("{}"));
        for other in
            ["", "[1]", "{\"apikey\":7}", "{\"apikey\":\"a\"} x", "{\"apikey\":\"a\"", "{\"other\":\"a\"}"]
        {
            assert_eq!(found(JSON, other), [""; 0], "{other}");
        }
    }

    #[test]
    fn a_part_is_found_and_taken_out_with_its_delimiter() {
        let file = "--a b\r\nContent-Disposition: form-data; name=\"apikey\"; filename=\"k\"\r\n\r\nfile\r\n";
        let own = "--a b\r\ncontent-disposition: FORM-DATA; name=apikey\r\nX: y\r\n\r\nse--a bcret\r\n";
        let other = "--a b\r\nContent-Disposition: form-data; name=\"say \\\"apikey\\\"\"\r\n\r\n\r\n";
        let end = "--a b--\r\n";
        let body = format!("{file}{own}{other}{end}");
        assert_eq!(found(PARTS, &body), ["se--a bcret"]);
        assert_eq!(hidden(PARTS, &body), Some(format!("{file}{other}{end}")));
        assert_eq!(hidden(PARTS, &format!("{file}{other}{end}")), None);
        for broken in
            [format!("{file}{own}"), own.replace("\r\n\r\n", "\r\n") + end, String::new(), "--a b".into()]
        {
            assert_eq!(found(PARTS, &broken), [""; 0], "{broken}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_is_too_strange(body in "(--a b(--)?|\r\n|[a-z:;=\"{}\\\\]|Content-Disposition: form-data; name=apikey){0,40}") {
            for content_type in [PAIRS, JSON, PARTS] {
                let form = form(content_type).unwrap();
                let names = ["apikey".to_owned()];
                if let Some(rest) = form.without(body.as_bytes(), &names) {
                    proptest::prop_assert!(form.values(&rest, "apikey").is_empty());
                } else {
                    proptest::prop_assert!(form.values(body.as_bytes(), "apikey").is_empty());
                }
            }
        }
    }
}
