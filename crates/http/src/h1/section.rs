//! The field section of a head (RFC 9112 section 5), checked and indexed in one pass over its bytes.
//!
//! A name that is well known is one by all its bytes, so only of others each byte is looked at.

use super::scan::{HeadError, HeadErrorKind, HeadLimits, Scan};
use super::seek;
use crate::bytes::{is_plain, is_token, token};
use crate::fields::{Fields, Span};
use crate::name::{Known, KnownSet};

/// One line of a section.
struct Line<'a> {
    name: &'a [u8],
    /// Without white space around it.
    value: &'a [u8],
    /// Where the value begins, and where the line ends before its CR LF, from the start of the line.
    value_at: usize,
    end: usize,
}

/// Reads field lines from `at` to the empty line; what is not whole is `None`. The spans in `fields` count from the
/// start of `input`. Fields of `noted` say something of the message.
pub(super) fn read(
    noted: KnownSet,
    input: &[u8],
    mut at: usize,
    limits: &HeadLimits,
    fields: &mut Fields,
) -> Result<Option<(usize, Scan)>, HeadError> {
    let mut scan = Scan::default();
    let mut left = limits.fields.min(HeadLimits::MAX_FIELDS);
    loop {
        let section = input.get(at..).unwrap_or_default();
        if let Some(b'\r' | b'\n') | None = section.first() {
            return Ok(empty_line(section)?.then_some((at.wrapping_add(2), scan)));
        }
        let Some(line) = line(section)? else { return Ok(None) };
        left = left
            .checked_sub(1)
            .ok_or(HeadError::new(HeadErrorKind::TooLarge, "there are too many fields"))?;
        let name_span = Span::new(at, line.name.len());
        let value_span = Span::new(at.wrapping_add(line.value_at), line.value.len());
        at = at.wrapping_add(line.end).wrapping_add(2);
        let known = Known::find(line.name);
        match known {
            Some(known) if noted.contains(known) => scan.note(known, line.value, value_span)?,
            None if !may_pass(line.name)? => continue,
            _ => {}
        }
        let one_space = line.value_at == line.name.len().wrapping_add(2);
        let untrimmed = line.value_at.wrapping_add(line.value.len()) == line.end;
        fields.index(name_span, value_span, known, one_space && untrimmed && !line.value.is_empty());
    }
}

/// Whether the section ends here; `false`: the second half of its end has not come.
fn empty_line(section: &[u8]) -> Result<bool, HeadError> {
    match section {
        [b'\r', b'\n', ..] => Ok(true),
        [] | [b'\r'] => Ok(false),
        _ => Err(HeadError::malformed("the empty line ends in LF without CR")),
    }
}

/// Finds the next line; what is not whole is `None`.
fn line(section: &[u8]) -> Result<Option<Line<'_>>, HeadError> {
    let split = seek::byte(section, b':').and_then(|colon| section.split_at_checked(colon));
    let Some((name, rest)) = split else { return unfinished(section) };
    let ([_, b' ', after @ ..] | [_, after @ ..]) = rest else { return unfinished(name) };
    let mut rest = after;
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    let value_at = section.len().wrapping_sub(rest.len());
    let Some(length) = length_of_value(rest)? else { return unfinished(name) };
    let mut value = rest.get(..length).unwrap_or_default();
    while let [start @ .., b' ' | b'\t'] = value {
        value = start;
    }
    Ok(Some(Line { name, value, value_at, end: value_at.wrapping_add(length) }))
}

/// A line that is not whole, with what has come of its name; that a line has no name shows before another one ends.
#[cold]
fn unfinished(name: &[u8]) -> Result<Option<Line<'_>>, HeadError> {
    if name.iter().copied().all(is_token) { Ok(None) } else { Err(not_a_token()) }
}

/// How many bytes come before the CR LF that ends a line; what is not whole is `None`.
pub(super) fn length_of_value(rest: &[u8]) -> Result<Option<usize>, HeadError> {
    let mut length = 0_usize;
    loop {
        let more = rest.get(length..).unwrap_or_default();
        let Some((_, from)) = seek::control(more).and_then(|place| more.split_at_checked(place)) else {
            return Ok(None);
        };
        length = rest.len().wrapping_sub(from.len());
        match from {
            [b'\r', b'\n', ..] => return Ok(Some(length)),
            [b'\t', ..] => length = length.wrapping_add(1),
            [b'\r'] => return Ok(None),
            [b'\n', ..] => return Err(HeadError::malformed("a line ends in LF without CR")),
            _ => return Err(HeadError::malformed("a field value holds a control character")),
        }
    }
}

/// Whether a name that is not well known is passed on; see [`is_look_alike`].
fn may_pass(name: &[u8]) -> Result<bool, HeadError> {
    let token = token(name).ok_or(not_a_token())?;
    if name.len() > usize::from(u16::MAX) {
        return Err(HeadError::new(HeadErrorKind::TooLarge, "a field name is too long"));
    }
    Ok(token.is_plain || !is_look_alike(name))
}

/// Whether a name turns into a well-known one when all that is neither letter nor digit is read as a hyphen. CGI-like
/// upstreams see an underscore for either (RFC 3875 section 4.1.18), PHP for a dot too. Such a field could pose as one
/// that the gateway controls, so it is dropped; other such names pass.
pub(crate) fn is_look_alike(name: &[u8]) -> bool {
    if is_plain(name) {
        return false;
    }
    let mut mapped = [0_u8; 64];
    let Some(target) = mapped.get_mut(..name.len()) else { return false };
    for (to, from) in target.iter_mut().zip(name) {
        *to = if from.is_ascii_alphanumeric() { *from } else { b'-' };
    }
    Known::find(target).is_some()
}

fn not_a_token() -> HeadError {
    HeadError::malformed("a field name is not a token")
}
