//! A key in the body of a request: a member of a form (URL-encoded or multipart) or of a JSON object.
//!
//! Services read broken forms each in their own way, so that a key could be one thing to the gateway and another to
//! them. What has more than one reading is refused, not taken for a form without a key. What is taken out leaves the
//! rest as it came: pairs and parts byte for byte, the values of a JSON object too.

mod multipart;

use crate::authentication::locations::{alike_in, shown_in, split, without};
pub(crate) use multipart::parts;
use multipart::{is_named, parameters_of};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use torana_http::{Fields, Known};

/// The form of a body in which a key may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyForm {
    /// `application/x-www-form-urlencoded`.
    Pairs,
    /// `application/json`.
    Json,
    /// `multipart/form-data` (RFC 7578), with its boundary.
    Parts(Vec<u8>),
}

/// A body is not what its type says, or means different things to different readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A value in a body that may be a key to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown<'b> {
    /// Whether it has one of the names that are looked for, not only one that services may take for it.
    pub(super) is_own: bool,
    pub(super) value: Cow<'b, [u8]>,
}

impl BodyForm {
    /// The form that a request says its body has; none for another type or a coded body.
    pub(crate) fn of(fields: &Fields) -> Result<Option<Self>, Unreadable> {
        let mut types = fields.get_all(Known::ContentType);
        let Some(written) = types.next() else { return Ok(None) };
        let mut codings = fields.get_all(Known::ContentEncoding);
        if codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")) {
            return Ok(None);
        }
        let form = Self::named(written);
        match types.next() {
            None => form,
            // Services differ in which of several counts.
            Some(_) => Err(Unreadable),
        }
    }

    fn named(written: &[u8]) -> Result<Option<Self>, Unreadable> {
        let (media, parameters) = split(written, b';').unwrap_or((written, &[]));
        let media = media.trim_ascii();
        if media.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            Ok(Some(Self::Pairs))
        } else if media.eq_ignore_ascii_case(b"application/json") {
            Ok(Some(Self::Json))
        } else if media.eq_ignore_ascii_case(b"multipart/form-data") {
            let all = parameters_of(parameters)?;
            let own = all.into_iter().find(|(name, _)| name == b"boundary").map(|(_, boundary)| boundary);
            own.filter(|text| (1..=70).contains(&text.len()))
                .map(|text| Some(Self::Parts(text)))
                .ok_or(Unreadable)
        } else {
            Ok(None)
        }
    }

    /// Every value that has one of these names, or one that services may take for it.
    pub(super) fn values<'b>(
        &self,
        body: &'b [u8],
        names: &'b [String],
    ) -> Result<Vec<Shown<'b>>, Unreadable> {
        let is_own = |key: &[u8]| names.iter().any(|name| name.as_bytes() == key);
        match self {
            Self::Pairs => {
                let own = names.iter().flat_map(|name| shown_in(body, name));
                let alike = names.iter().flat_map(|name| alike_in(body, name));
                let shown = |is_own| move |value| Shown { is_own, value };
                Ok(own.map(shown(true)).chain(alike.map(shown(false))).collect())
            }
            Self::Json => {
                let named = members(body)?.into_iter().filter(|(key, _)| is_member(key, names));
                let shown = named.map(|(key, value)| (is_own(key.as_bytes()), value.get()));
                // A value that is no text is no key, but under the key's name it may be one to somebody else.
                shown
                    .filter(|(is_own, value)| *is_own || value.starts_with('"'))
                    .map(|(is_own, value)| {
                        let text: String = serde_json::from_str(value).map_err(|_| Unreadable)?;
                        Ok(Shown { is_own, value: Cow::Owned(text.into_bytes()) })
                    })
                    .collect()
            }
            Self::Parts(boundary) => {
                let named = parts(body, boundary)?.into_iter().filter(|part| is_named(&part.name, names));
                named
                    .map(|part| match part {
                        part if part.is_file => Err(Unreadable),
                        part => Ok(Shown { is_own: is_own(&part.name), value: Cow::Borrowed(part.content) }),
                    })
                    .collect()
            }
        }
    }

    /// The body without what has one of these names; `None` where nothing has.
    pub(super) fn without(&self, body: &[u8], names: &[String]) -> Result<Option<Vec<u8>>, Unreadable> {
        match self {
            Self::Pairs => Ok(without(body, |name| is_named(name, names))),
            Self::Json => {
                let all = members(body)?;
                let count = all.len();
                let kept: Vec<_> = all.into_iter().filter(|(key, _)| !is_member(key, names)).collect();
                let member = |(key, value): &Member<'_>| {
                    format!("{}:{}", serde_json::Value::from(&**key), value.get())
                };
                let join =
                    || format!("{{{}}}", kept.iter().map(member).collect::<Vec<_>>().join(",")).into_bytes();
                Ok((kept.len() < count).then(join))
            }
            Self::Parts(boundary) => {
                let parts = parts(body, boundary)?;
                let mut out = Vec::with_capacity(body.len());
                let mut from = 0;
                for part in parts.iter().filter(|part| is_named(&part.name, names)) {
                    out.extend_from_slice(body.get(from..part.place.start).unwrap_or_default());
                    from = part.place.end;
                }
                out.extend_from_slice(body.get(from..).unwrap_or_default());
                Ok((from > 0).then_some(out))
            }
        }
    }
}

/// Whether services may take a member for one of these: some ignore case, and for some of them `ſ` is an `s` and the sign
/// of Kelvin a `k` (Go's `encoding/json`).
fn is_member(key: &str, names: &[String]) -> bool {
    fn folded(text: &str) -> impl Iterator<Item = char> {
        text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
    }
    names.iter().any(|name| {
        name.eq_ignore_ascii_case(key)
            || (!(name.is_ascii() && key.is_ascii()) && folded(name).eq(folded(key)))
    })
}

/// The name of a member and what is written behind it.
type Member<'b> = (Cow<'b, str>, &'b RawValue);

/// The members of an object in order, one that is there twice too.
struct Members<'b>(Vec<Member<'b>>);

/// None of what is no object.
fn members(body: &[u8]) -> Result<Vec<Member<'_>>, Unreadable> {
    let trimmed = body.trim_ascii();
    if trimmed.starts_with(b"{") {
        return serde_json::from_slice::<Members<'_>>(body).map(|members| members.0).map_err(|_| Unreadable);
    }
    if !trimmed.is_empty() {
        let _: &RawValue = serde_json::from_slice(body).map_err(|_| Unreadable)?;
    }
    Ok(Vec::new())
}

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
                while let Some((Key(key), value)) = map.next_entry::<Key<'_>, &RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A member's name, which is its own only where it has escapes.
struct Key<'b>(Cow<'b, str>);

impl<'de: 'b, 'b> Deserialize<'de> for Key<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests;
