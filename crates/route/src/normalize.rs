//! The one form of a request path.
//!
//! A gateway that judges `/admin/x` while the upstream serves `/public/..%2fadmin/x` protects
//! nothing. So a path is rewritten once, on arrival, and only the result is matched, authorised,
//! keyed and forwarded. What has no single meaning is refused rather than guessed.
//!
//! - An escape of an unreserved byte is decoded, any other is kept with upper-case digits (RFC 3986
//!   section 6.2.2). A byte that may not stand in a path as it is (a space, `{`, anything beyond
//!   ASCII) is escaped.
//! - `.` and `..` segments are removed after decoding (RFC 3986 section 5.2.4); going above the root is an
//!   error. One that carries a parameter (`/..;x/`) is an error: servers disagree about it.
//! - `//` becomes `/`. Servers disagree about empty segments too; since the merged form is also the
//!   one that is forwarded, ours cannot differ from the upstream's. Merging comes before `..`:
//!   `/a//../b` is `/b`, as nginx has it.
//! - `%2F` and `%5C` are errors unless [`EncodedSlashes::Keep`] is set; even then a dot segment may
//!   not hide between them. A raw backslash, control bytes (raw or escaped), broken escapes, `?` and
//!   `#` are errors.
//!
//! It is not for queries, and it does not limit the length: the head parser has done so.

/// What to do with `%2F` and `%5C` in a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EncodedSlashes {
    /// Refuse the request. Upstreams disagree on whether these separate segments.
    #[default]
    Reject,
    /// Keep them as data within a segment, for APIs whose identifiers contain slashes.
    Keep,
}

/// Choices for [`normalize`]; the default is the safest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NormalizeOptions {
    /// What to do with `%2F` and `%5C`.
    pub encoded_slashes: EncodedSlashes,
}

/// Why a path was refused. Offsets are bytes from the start of the path as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is empty or begins with something else than `/`.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// A `..` segment leads above the root.
    #[error("`..` at byte {offset} leads above the root")]
    AboveRoot {
        /// Where the segment begins.
        offset: usize,
    },
    /// `%2F` or `%5C`, and the options refuse it.
    #[error("an encoded slash or backslash at byte {offset} is ambiguous")]
    EncodedSlash {
        /// Where the escape begins.
        offset: usize,
    },
    /// A raw backslash; some servers treat it as a slash.
    #[error("a backslash at byte {offset} is not allowed in a path")]
    Backslash {
        /// Where it stands.
        offset: usize,
    },
    /// `%00`.
    #[error("an encoded null byte at byte {offset} is not allowed in a path")]
    EncodedNull {
        /// Where the escape begins.
        offset: usize,
    },
    /// A control byte, as it is or escaped.
    #[error("a control character at byte {offset} is not allowed in a path")]
    Control {
        /// Where it stands.
        offset: usize,
    },
    /// `%` without two hexadecimal digits.
    #[error("`%` at byte {offset} is not followed by two hexadecimal digits")]
    InvalidEscape {
        /// Where the `%` stands.
        offset: usize,
    },
    /// `#`: a fragment is never sent (RFC 9110 section 7.1).
    #[error("`#` at byte {offset} is not allowed in a request path")]
    Fragment {
        /// Where it stands.
        offset: usize,
    },
    /// `?`: the caller has to cut the query off.
    #[error("`?` at byte {offset} begins a query, which is not part of the path")]
    QuestionMark {
        /// Where it stands.
        offset: usize,
    },
    /// A dot segment with a parameter, such as `/..;x/`.
    #[error("the dot segment at byte {offset} carries a parameter")]
    DotSegmentParameter {
        /// Where the segment begins.
        offset: usize,
    },
    /// A dot segment between kept encoded slashes, such as `/a%2F..%2Fb`.
    #[error("the segment at byte {offset} hides a dot segment behind an encoded slash")]
    HiddenDotSegment {
        /// Where the segment begins.
        offset: usize,
    },
}

/// Brings `path` (everything before `?`) into the one form that is matched and forwarded.
///
/// A path that already has that form is recognised in one scan and given back without a copy;
/// any other is written into `scratch`, whose former content is lost. The result begins with `/`,
/// has no dot segment and no empty segment except a last one, and normalises to itself.
///
/// # Errors
/// [`PathError`] says what has no single meaning, and where.
pub fn normalize<'a>(
    path: &'a [u8],
    options: &NormalizeOptions,
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], PathError> {
    if path.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    if is_normal(path) {
        return Ok(path);
    }
    rewrite(path, options, scratch)?;
    Ok(if scratch == path { path } else { scratch })
}

/// Whether `path` is certainly in normal form; a `false` only means that [`rewrite`] has to look.
fn is_normal(path: &[u8]) -> bool {
    let mut bytes = path;
    while let Some((&byte, rest)) = bytes.split_first() {
        let plain = is_path_character(byte)
            || match byte {
                b'/' => segment_is_ordinary(rest),
                b'%' => escape_is_canonical(rest),
                _ => false,
            };
        if !plain {
            return false;
        }
        bytes = rest;
    }
    true
}

/// Whether what follows a `/` is neither another one nor anything like a dot segment.
fn segment_is_ordinary(rest: &[u8]) -> bool {
    let after_dots = rest.strip_prefix(b".").map(|rest| rest.strip_prefix(b".").unwrap_or(rest));
    match (rest, after_dots) {
        ([b'/', ..], _) => false,
        (_, Some(after)) => !matches!(after, [] | [b'/' | b';' | b'%', ..]),
        (_, None) => true,
    }
}

/// Whether two digits after a `%` stand for a byte that stays escaped, in the canonical spelling.
fn escape_is_canonical(digits: &[u8]) -> bool {
    let &[high, low, ..] = digits else { return false };
    let Some(byte) = decode_escape(high, low) else { return false };
    !high.is_ascii_lowercase()
        && !low.is_ascii_lowercase()
        && !is_unreserved(byte)
        && !byte.is_ascii_control()
        && !matches!(byte, b'/' | b'\\')
}

fn rewrite(path: &[u8], options: &NormalizeOptions, out: &mut Vec<u8>) -> Result<(), PathError> {
    out.clear();
    out.reserve(path.len());
    out.push(b'/');
    let mut offset = 1_usize;
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        // Here `out` ends with a slash. An empty segment adds nothing, which merges slashes.
        let start = out.len();
        write_segment(segment, offset, options, out)?;
        match judge(out.get(start..).unwrap_or_default(), offset)? {
            Written::Empty => {}
            Written::Current => out.truncate(start),
            Written::Parent => {
                out.truncate(start);
                remove_last_segment(out).ok_or(PathError::AboveRoot { offset })?;
            }
            Written::Ordinary => {
                if segments.peek().is_some() {
                    out.push(b'/');
                }
            }
        }
        offset = offset.saturating_add(segment.len()).saturating_add(1);
    }
    Ok(())
}

/// What a segment turned out to be once its escapes were decoded.
enum Written {
    Empty,
    Current,
    Parent,
    Ordinary,
}

fn judge(segment: &[u8], offset: usize) -> Result<Written, PathError> {
    match segment {
        b"" => return Ok(Written::Empty),
        b"." => return Ok(Written::Current),
        b".." => return Ok(Written::Parent),
        _ if has_dot_parameter(segment) => return Err(PathError::DotSegmentParameter { offset }),
        _ => {}
    }
    let mut rest = segment;
    let mut pieces = 0_usize;
    let mut hidden = false;
    loop {
        let cut = memchr::memmem::find_iter(rest, b"%").find(|&at| {
            rest.get(at..).is_some_and(|tail| tail.starts_with(b"%2F") || tail.starts_with(b"%5C"))
        });
        let piece = rest.get(..cut.unwrap_or(rest.len())).unwrap_or_default();
        hidden |= matches!(piece, b"." | b"..") || has_dot_parameter(piece);
        pieces = pieces.saturating_add(1);
        match cut {
            Some(at) => rest = rest.get(at.saturating_add(3)..).unwrap_or_default(),
            None => break,
        }
    }
    if hidden && pieces > 1 { Err(PathError::HiddenDotSegment { offset }) } else { Ok(Written::Ordinary) }
}

/// `.;x`, `..;x`, and the same with an encoded semicolon.
fn has_dot_parameter(segment: &[u8]) -> bool {
    let Some(rest) = segment.strip_prefix(b".") else { return false };
    let rest = rest.strip_prefix(b".").unwrap_or(rest);
    rest.starts_with(b";") || rest.starts_with(b"%3B")
}

/// Cuts `/a/b/` to `/a/`; `None` at the root.
fn remove_last_segment(out: &mut Vec<u8>) -> Option<()> {
    let without_slash = out.len().checked_sub(1)?;
    let slash = out.get(..without_slash)?.iter().rposition(|&byte| byte == b'/')?;
    out.truncate(slash.checked_add(1)?);
    Some(())
}

fn write_segment(
    segment: &[u8],
    start: usize,
    options: &NormalizeOptions,
    out: &mut Vec<u8>,
) -> Result<(), PathError> {
    let mut bytes = segment.iter().enumerate();
    while let Some((index, &byte)) = bytes.next() {
        let offset = start.saturating_add(index);
        match byte {
            _ if is_path_character(byte) => out.push(byte),
            b'%' => {
                let decoded = match (bytes.next(), bytes.next()) {
                    (Some((_, &high)), Some((_, &low))) => decode_escape(high, low),
                    _ => None,
                };
                let decoded = decoded.ok_or(PathError::InvalidEscape { offset })?;
                write_escaped(decoded, offset, options, out)?;
            }
            b'\\' => return Err(PathError::Backslash { offset }),
            b'#' => return Err(PathError::Fragment { offset }),
            b'?' => return Err(PathError::QuestionMark { offset }),
            _ if byte.is_ascii_control() => return Err(PathError::Control { offset }),
            _ => push_escape(byte, out),
        }
    }
    Ok(())
}

fn write_escaped(
    byte: u8,
    offset: usize,
    options: &NormalizeOptions,
    out: &mut Vec<u8>,
) -> Result<(), PathError> {
    match byte {
        0 => return Err(PathError::EncodedNull { offset }),
        b'/' | b'\\' if options.encoded_slashes == EncodedSlashes::Reject => {
            return Err(PathError::EncodedSlash { offset });
        }
        _ if byte.is_ascii_control() => return Err(PathError::Control { offset }),
        _ if is_unreserved(byte) => out.push(byte),
        _ => push_escape(byte, out),
    }
    Ok(())
}

fn push_escape(byte: u8, out: &mut Vec<u8>) {
    let digit = |value: u8| {
        char::from_digit(u32::from(value), 16).map_or(b'0', |digit| digit as u8).to_ascii_uppercase()
    };
    out.extend([b'%', digit(byte >> 4), digit(byte & 0x0F)]);
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn decode_escape(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some((value(high)? << 4) | value(low)?)
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 section 3.3 without escapes: what may stand in a segment as it is.
pub(crate) fn is_path_character(byte: u8) -> bool {
    const TABLE: [bool; 256] = path_characters();
    TABLE.get(usize::from(byte)).copied().unwrap_or(false)
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn path_characters() -> [bool; 256] {
    let mut table = [false; 256];
    let listed = b"-._~!$&'()*+,;=:@";
    let mut index = 0;
    while index < listed.len() {
        table[listed[index] as usize] = true;
        index += 1;
    }
    let mut byte = 0;
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = true;
        }
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests;
