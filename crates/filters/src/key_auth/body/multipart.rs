//! `multipart/form-data` (RFC 7578, RFC 2046 section 5.1), in the one form that browsers and clients send.

use super::Unreadable;
use crate::authentication::locations::split;
use memchr::memmem;
use std::ops::Range;
use torana_route::is_alike_parameter;

/// Fields of a part. More are no form.
const MOST_FIELDS: usize = 16;

/// One part of a form.
#[derive(Debug)]
pub(crate) struct Part<'b> {
    /// From its delimiter to the next.
    pub(super) place: Range<usize>,
    pub(crate) name: Vec<u8>,
    /// Whether it says that it is a file.
    pub(super) is_file: bool,
    pub(crate) content: &'b [u8],
}

/// A parameter's name, in lower case, and its value.
type Parameter = (Vec<u8>, Vec<u8>);

/// Whether services may take it for one of these names.
pub(super) fn is_named(name: &[u8], names: &[String]) -> bool {
    names.iter().any(|own| is_alike_parameter(name, own))
}

/// The parts of a body that is nothing but delimiters and parts: nothing before the first delimiter and after the
/// last, no line that only looks like one.
pub(crate) fn parts<'b>(body: &'b [u8], boundary: &[u8]) -> Result<Vec<Part<'b>>, Unreadable> {
    let delimiter = [b"--", boundary].concat();
    let is_line =
        |at: &usize| body.get(..*at).is_some_and(|before| before.last().is_none_or(|byte| *byte == b'\n'));
    let mut places = memmem::find_iter(body, &delimiter).filter(is_line);
    let mut begins = places.next().filter(|at| *at == 0).ok_or(Unreadable)?;
    let mut parts = Vec::new();
    loop {
        let from = begins.saturating_add(delimiter.len());
        let after = body.get(from..).unwrap_or_default();
        let Some(ends) = places.next() else {
            return if matches!(after, b"--" | b"--\r\n") { Ok(parts) } else { Err(Unreadable) };
        };
        let whole = body.get(from..ends).and_then(|part| part.strip_prefix(b"\r\n")?.strip_suffix(b"\r\n"));
        parts.push(part(whole.ok_or(Unreadable)?, begins..ends)?);
        begins = ends;
    }
}

fn part(whole: &[u8], place: Range<usize>) -> Result<Part<'_>, Unreadable> {
    let at = memmem::find(whole, b"\r\n\r\n").ok_or(Unreadable)?;
    let (head, content) = whole.split_at_checked(at).ok_or(Unreadable)?;
    let mut disposition = None;
    let mut rest = head;
    for number in 0.. {
        let end = memmem::find(rest, b"\r\n");
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let (name, value) = split(line, b':').ok_or(Unreadable)?;
        // No space before the colon, no folded line, no other end of a line.
        let is_name =
            !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let is_coded = name.eq_ignore_ascii_case(b"content-transfer-encoding");
        if !is_name
            || is_coded
            || number >= MOST_FIELDS
            || value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        {
            return Err(Unreadable);
        }
        if name.eq_ignore_ascii_case(b"content-disposition") && disposition.replace(value).is_some() {
            return Err(Unreadable);
        }
        match end {
            Some(end) => rest = rest.get(end.saturating_add(2)..).unwrap_or_default(),
            None => break,
        }
    }
    let (kind, parameters) = split(disposition.ok_or(Unreadable)?, b';').ok_or(Unreadable)?;
    if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return Err(Unreadable);
    }
    let parameters = parameters_of(parameters)?;
    let given = |wanted: &[u8]| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let name = given(b"name").ok_or(Unreadable)?.clone();
    let content = content.get(4..).unwrap_or_default();
    Ok(Part { place, name, is_file: given(b"filename").is_some(), content })
}

/// The parameters of a field (RFC 9110 section 5.6.6), names in lower case, values without quotes. None twice, and
/// none in the extended form, which some read and some do not.
pub(super) fn parameters_of(mut text: &[u8]) -> Result<Vec<Parameter>, Unreadable> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~'".contains(byte);
    let mut all: Vec<Parameter> = Vec::new();
    while !text.trim_ascii().is_empty() {
        let (name, rest) = split(text, b'=').ok_or(Unreadable)?;
        let name = name.trim_ascii_start().to_ascii_lowercase();
        let (value, after) = match rest.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted).ok_or(Unreadable)?,
            None => {
                let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
                let (value, after) = rest.split_at_checked(end).ok_or(Unreadable)?;
                let value = value.trim_ascii_end();
                if value.is_empty() || !value.iter().all(|byte| is_token(byte) || *byte == b'%') {
                    return Err(Unreadable);
                }
                (value.to_vec(), after)
            }
        };
        let known = all.iter().any(|(own, _)| *own == name);
        if known || name.is_empty() || !name.iter().all(is_token) {
            return Err(Unreadable);
        }
        all.push((name, value));
        let after = after.trim_ascii_start();
        text = match after.strip_prefix(b";") {
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return Err(Unreadable),
        };
    }
    Ok(all)
}

/// A quoted text up to its end, and what comes after.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, text.get(at.checked_add(1)?..)?)),
            b'\\' => match bytes.next()?.1 {
                // Whatever else is escaped, browsers and services read it differently.
                escaped @ (b'"' | b'\\') => value.push(*escaped),
                _ => return None,
            },
            other => value.push(*other),
        }
    }
    None
}
