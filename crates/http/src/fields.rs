//! An ordered multi-map of fields over one arena of bytes.
//!
//! The arena holds the head as it was received, then every edit in wire form. A field is sixteen bytes
//! that say where its name and value lie. Removing marks, adding appends, so untouched neighbours stay
//! contiguous and are written back as one copy.

use crate::bytes::{is_token, is_value};
use crate::name::{Known, KnownSet, Name};
use torana_fault::{Fault, Reason};

/// A name or value that cannot be a field (RFC 9110 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidField {
    /// The name is empty or not a token.
    #[error("the field name is not a token (RFC 9110 section 5.1)")]
    Name,
    /// The value holds a control character.
    #[error("the field value holds a control character (RFC 9110 section 5.5)")]
    Value,
}

impl From<InvalidField> for Fault {
    fn from(invalid: InvalidField) -> Self {
        Self::new(Reason::Internal).because(invalid.to_string())
    }
}

/// No number in [`Known`] reaches this one.
const OTHER: u8 = u8::MAX;
/// The field was removed.
const REMOVED: u8 = 1;
/// The line stands in the arena as `Name: value CR LF`, without other white space.
const CANONICAL: u8 = 2;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    name_start: u32,
    value_start: u32,
    value_len: u32,
    name_len: u16,
    known: u8,
    flags: u8,
}

const _: () = assert!(size_of::<Field>() == 16, "a field is an index entry, not a container");

/// The fields of one message, in order.
#[derive(Debug, Default)]
pub struct Fields {
    pub(crate) arena: Vec<u8>,
    list: Vec<Field>,
}

/// Where a piece of the arena lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self { start: clamp(start), len: clamp(len) }
    }
}

/// Heads are limited far below 4 GiB; what is not would only read as empty.
fn clamp(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Fields {
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.list.clear();
    }

    /// Takes a received head over, whose fields were indexed with [`Fields::index`].
    pub(crate) fn adopt(&mut self, received: &[u8]) {
        self.arena.clear();
        self.arena.extend_from_slice(received);
    }

    /// Adds a received field by where it lies in what is adopted, or in the arena.
    pub(crate) fn index(&mut self, name: Span, value: Span, known: Option<Known>, canonical: bool) {
        self.list.push(Field {
            name_start: name.start,
            value_start: value.start,
            value_len: value.len,
            name_len: u16::try_from(name.len).unwrap_or(u16::MAX),
            known: known.map_or(OTHER, |known| known as u8),
            flags: if canonical { CANONICAL } else { 0 },
        });
    }

    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        self.arena
            .get(span.start as usize..)
            .and_then(|tail| tail.get(..span.len as usize))
            .unwrap_or_default()
    }

    pub(crate) fn store(&mut self, bytes: &[u8]) -> Span {
        let span = Span::new(self.arena.len(), bytes.len());
        self.arena.extend_from_slice(bytes);
        span
    }

    fn name_of(&self, field: &Field) -> &[u8] {
        self.slice(Span { start: field.name_start, len: u32::from(field.name_len) })
    }

    fn value_of(&self, field: &Field) -> &[u8] {
        self.slice(Span { start: field.value_start, len: field.value_len })
    }

    fn matches(&self, field: &Field, name: Name<'_>) -> bool {
        field.flags & REMOVED == 0 && self.is_named(field, name)
    }

    /// Whether that is its name, also when it was removed.
    fn is_named(&self, field: &Field, name: Name<'_>) -> bool {
        match name {
            Name::Known(known) => field.known == known as u8,
            Name::Other(text) => {
                field.known == OTHER && self.name_of(field).eq_ignore_ascii_case(text.as_bytes())
            }
        }
    }

    /// Where the first value of a field lies.
    pub(crate) fn span_of(&self, known: Known) -> Option<Span> {
        let field = self.list.iter().find(|field| self.matches(field, Name::Known(known)))?;
        Some(Span { start: field.value_start, len: field.value_len })
    }

    /// The first value of a field.
    pub fn get<'a>(&self, name: impl Into<Name<'a>>) -> Option<&[u8]> {
        let name = name.into();
        self.list.iter().find(|field| self.matches(field, name)).map(|field| self.value_of(field))
    }

    /// The first value of a field, if it is UTF-8.
    pub fn get_str<'a>(&self, name: impl Into<Name<'a>>) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of a field, in order.
    pub fn get_all<'s, 'a: 's>(&'s self, name: impl Into<Name<'a>>) -> impl Iterator<Item = &'s [u8]> + 's {
        let name = name.into();
        self.list.iter().filter(move |field| self.matches(field, name)).map(|field| self.value_of(field))
    }

    /// Every value of a field, in order, also of those that were removed since. For fields that end at the
    /// gateway and are read there after hop-by-hop fields were removed, such as `Proxy-Authorization`.
    pub fn get_all_ever<'a>(&'a self, name: impl Into<Name<'a>>) -> impl Iterator<Item = &'a [u8]> {
        let name = name.into();
        self.list.iter().filter(move |field| self.is_named(field, name)).map(|field| self.value_of(field))
    }

    /// Whether a field is there.
    pub fn contains<'a>(&self, name: impl Into<Name<'a>>) -> bool {
        let name = name.into();
        self.list.iter().any(|field| self.matches(field, name))
    }

    /// Every field as name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.list
            .iter()
            .filter(|field| field.flags & REMOVED == 0)
            .map(|field| (self.name_of(field), self.value_of(field)))
    }

    /// Every field whose name is not well-known, as name and value, in order.
    pub fn others(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let others = self.list.iter().filter(|field| field.known == OTHER && field.flags & REMOVED == 0);
        others.map(|field| (self.name_of(field), self.value_of(field)))
    }

    /// Every field as name and value, in order; well-known names by number.
    pub fn named(&self) -> impl Iterator<Item = (Name<'_>, &[u8])> {
        self.list.iter().filter(|field| field.flags & REMOVED == 0).map(|field| {
            let name = match Known::from_number(field.known) {
                Some(known) => Name::Known(known),
                // A name is a token, which is ASCII.
                None => Name::Other(std::str::from_utf8(self.name_of(field)).unwrap_or_default()),
            };
            (name, self.value_of(field))
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.list.iter().filter(|field| field.flags & REMOVED == 0).count()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets a field, in place of all of that name.
    ///
    /// # Errors
    /// The name is not a token, or the value holds a control character; nothing has changed then.
    pub fn insert<'a>(&mut self, name: impl Into<Name<'a>>, value: &[u8]) -> Result<(), InvalidField> {
        let name = name.into();
        check(name, value)?;
        self.remove(name);
        self.push(name, value);
        Ok(())
    }

    /// Sets fields, in place of all whose names are in the set.
    ///
    /// # Errors
    /// A value holds a control character; nothing has changed then.
    pub fn replace(&mut self, set: KnownSet, fields: &[(Known, &[u8])]) -> Result<(), InvalidField> {
        if !fields.iter().all(|(_, value)| every(value, is_value)) {
            return Err(InvalidField::Value);
        }
        self.remove_known(set);
        for (name, value) in fields {
            self.push(Name::Known(*name), value);
        }
        Ok(())
    }

    /// Adds a field after all others, beside those of that name.
    ///
    /// # Errors
    /// The name is not a token, or the value holds a control character; nothing has changed then.
    pub fn append<'a>(&mut self, name: impl Into<Name<'a>>, value: &[u8]) -> Result<(), InvalidField> {
        let name = name.into();
        check(name, value)?;
        self.push(name, value);
        Ok(())
    }

    /// Adds all fields of another message after those here, as one copy.
    pub fn extend(&mut self, others: &Self) {
        let offset = clamp(self.arena.len());
        self.arena.extend_from_slice(&others.arena);
        self.list.extend(others.list.iter().map(|field| Field {
            name_start: field.name_start.saturating_add(offset),
            value_start: field.value_start.saturating_add(offset),
            ..*field
        }));
    }

    fn push(&mut self, name: Name<'_>, value: &[u8]) {
        let (known, prefix) = match name {
            Name::Known(known) => (Some(known), known.prefix()),
            Name::Other(text) => (None, text),
        };
        // Asked for once, then there is room for all pieces.
        self.arena.reserve(prefix.len().saturating_add(value.len()).saturating_add(4));
        let mut name_span = self.store(prefix.as_bytes());
        match known {
            Some(_) => name_span.len = name_span.len.saturating_sub(2),
            None => self.arena.extend_from_slice(b": "),
        }
        let value_span = self.store(value);
        self.arena.extend_from_slice(b"\r\n");
        self.index(name_span, value_span, known, true);
    }

    /// Adds a field whose value stands in the arena already, and so was checked.
    pub(crate) fn push_copy(&mut self, name: Known, value: Span) {
        let mut name_span = self.store(name.prefix().as_bytes());
        name_span.len = name_span.len.saturating_sub(2);
        let start = value.start as usize;
        let end = start.saturating_add(value.len as usize).min(self.arena.len());
        let value_span = Span::new(self.arena.len(), end.saturating_sub(start));
        self.arena.extend_from_within(start.min(end)..end);
        self.arena.extend_from_slice(b"\r\n");
        self.index(name_span, value_span, Some(name), true);
    }

    /// Removes every field of that name; tells whether there was one.
    pub fn remove<'a>(&mut self, name: impl Into<Name<'a>>) -> bool {
        let mut removed = false;
        match name.into() {
            Name::Known(known) => {
                for field in self.list.iter_mut().filter(|field| field.known == known as u8) {
                    removed |= field.flags & REMOVED == 0;
                    field.flags |= REMOVED;
                }
            }
            name @ Name::Other(_) => {
                for place in 0..self.list.len() {
                    let matches = self.list.get(place).is_some_and(|field| self.matches(field, name));
                    if let (true, Some(field)) = (matches, self.list.get_mut(place)) {
                        field.flags |= REMOVED;
                        removed = true;
                    }
                }
            }
        }
        removed
    }

    /// Whether a field is there whose name is in the set.
    #[must_use]
    pub fn contains_any(&self, set: KnownSet) -> bool {
        self.list.iter().any(|field| set.has_number(field.known) && field.flags & REMOVED == 0)
    }

    /// Removes every field whose name is in the set.
    pub fn remove_known(&mut self, set: KnownSet) {
        for field in self.list.iter_mut().filter(|field| set.has_number(field.known)) {
            field.flags |= REMOVED;
        }
    }

    /// Removes every field whose name is in the set, and of the names that are not well-known those that
    /// `goes` is true of.
    pub fn strip(&mut self, set: KnownSet, goes: impl Fn(&[u8]) -> bool) {
        let arena = &self.arena;
        for field in &mut self.list {
            let name = || arena.get(field.name_start as usize..)?.get(..usize::from(field.name_len));
            if set.has_number(field.known) || (field.known == OTHER && goes(name().unwrap_or_default())) {
                field.flags |= REMOVED;
            }
        }
    }

    /// Keeps the fields for which `keep(name, value)` is true; tells whether one was removed.
    /// Names that are not UTF-8 cannot occur: a name is a token, which is ASCII.
    pub fn retain(&mut self, mut keep: impl FnMut(Name<'_>, &[u8]) -> bool) -> bool {
        let mut removed = false;
        let (arena, list) = (&self.arena, &mut self.list);
        let piece = |start: u32, len: u32| {
            arena.get(start as usize..).and_then(|tail| tail.get(..len as usize)).unwrap_or_default()
        };
        for field in list.iter_mut().filter(|field| field.flags & REMOVED == 0) {
            let name = match Known::from_number(field.known) {
                Some(known) => Name::Known(known),
                None => Name::Other(
                    std::str::from_utf8(piece(field.name_start, u32::from(field.name_len)))
                        .unwrap_or_default(),
                ),
            };
            if !keep(name, piece(field.value_start, field.value_len)) {
                field.flags |= REMOVED;
                removed = true;
            }
        }
        removed
    }

    /// Writes every field line, runs of untouched neighbours as one copy.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let copy = |out: &mut Vec<u8>, start: usize, end: usize| {
            out.extend_from_slice(self.arena.get(start..end).unwrap_or_default());
        };
        let (mut start, mut end) = (0, 0);
        for field in &self.list {
            if field.flags == CANONICAL {
                let line = field.name_start as usize;
                if line != end {
                    copy(out, start, end);
                    start = line;
                }
                let length = usize::from(field.name_len).wrapping_add(field.value_len as usize);
                // A colon, a space, CR and LF.
                end = line.wrapping_add(length).wrapping_add(4);
            } else if field.flags & REMOVED == 0 {
                copy(out, start, end);
                (start, end) = (0, 0);
                for piece in [self.name_of(field), b": ", self.value_of(field), b"\r\n"] {
                    out.extend_from_slice(piece);
                }
            }
        }
        copy(out, start, end);
    }
}

fn check(name: Name<'_>, value: &[u8]) -> Result<(), InvalidField> {
    if let Name::Other(text) = name
        && (text.is_empty() || text.len() > usize::from(u16::MAX) || !every(text.as_bytes(), is_token))
    {
        return Err(InvalidField::Name);
    }
    if every(value, is_value) { Ok(()) } else { Err(InvalidField::Value) }
}

/// Whether all bytes are good. Looks at all of them whatever comes: that takes many at once.
fn every(bytes: &[u8], is_good: fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |good, byte| good & is_good(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &Fields) -> String {
        let mut out = Vec::new();
        fields.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn edits_keep_order_and_case_insensitivity() {
        let mut fields = Fields::default();
        fields.append("Set-Cookie", b"a=1").unwrap();
        fields.append("X-Thing", b"one").unwrap();
        fields.append("set-cookie", b"b=2").unwrap();
        assert_eq!(fields.get_all("SET-COOKIE").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        fields.insert("x-thing", b"two").unwrap();
        assert_eq!(fields.get("X-THING"), Some(&b"two"[..]));
        assert!(fields.remove(Known::SetCookie));
        assert!(!fields.remove(Known::SetCookie));
        assert_eq!(written(&fields), "x-thing: two\r\n");
        assert_eq!(fields.len(), 1);
    }

    #[test]
    fn no_line_can_be_injected() {
        let mut fields = Fields::default();
        for value in [&b"a\r\nX: y"[..], b"a\nb", b"a\0b", b"\x7f"] {
            assert_eq!(fields.append("X-A", value), Err(InvalidField::Value));
        }
        for name in ["", "a b", "a:b", "a\r\nb", "\u{e4}"] {
            assert_eq!(fields.append(name, b"v"), Err(InvalidField::Name));
        }
        assert!(fields.is_empty());
    }
}
