//! Parsing a response head (RFC 9112 sections 4 and 5).

use super::scan::{HeadError, HeadErrorKind, HeadLimits, OF_RESPONSES, may_be_complete};
use super::{BodyFraming, section, seek};
use crate::head::{ResponseHead, Version};
use crate::method::Method;

/// Parses the head at the start of `input` into `head`, whose former content is lost.
///
/// `request_method` is the method that is being answered: it decides whether a body follows
/// (RFC 9112 section 6.3). `already_seen` is as for [`super::parse_request`].
/// Returns the head's length in bytes, or `None` if it is not complete yet.
///
/// # Errors
/// The head is malformed, ambiguous or beyond the limits. Nothing may be read from `head` then.
pub fn parse_response(
    input: &[u8],
    already_seen: usize,
    limits: &HeadLimits,
    request_method: Method,
    head: &mut ResponseHead,
) -> Result<Option<usize>, HeadError> {
    let too_large = HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit");
    let incomplete = if input.len() >= limits.head_bytes { Err(too_large) } else { Ok(None) };
    if already_seen > 0 && !may_be_complete(input, already_seen) {
        return incomplete;
    }
    head.clear();
    let Some((version, status, line_end)) = status_line(input)? else { return incomplete };
    let fields = section::read(OF_RESPONSES, input, line_end, limits, &mut head.fields)?;
    let Some((head_len, scan)) = fields else { return incomplete };
    if head_len > limits.head_bytes {
        return Err(too_large);
    }
    head.fields.adopt(input.get(..head_len).unwrap_or_default());
    (head.version, head.status) = (version, status);
    scan.check_framing(head.version == Version::Http11)?;
    head.connection = scan.connection;
    let bodiless = request_method == Method::Head || matches!(head.status, 100..=199 | 204 | 304);
    head.framing = match (scan.chunked, scan.length) {
        _ if bodiless => BodyFraming::None,
        (true, _) => BodyFraming::Chunked,
        (false, Some(0)) => BodyFraming::None,
        (false, Some(length)) => BodyFraming::Length(length),
        (false, None) => BodyFraming::UntilClose,
    };
    Ok(Some(head_len))
}

/// Reads the status line: version, status, and where the next line begins. What is not whole is `None`.
fn status_line(input: &[u8]) -> Result<Option<(Version, u16, usize)>, HeadError> {
    let invalid = HeadError::malformed("the status line is not valid");
    let Some((start, rest)) = input.split_first_chunk::<12>() else {
        let begins = input.iter().zip(b"HTTP/1.").all(|(byte, expected)| byte == expected);
        return if begins && seek::control(input).is_none() { Ok(None) } else { Err(invalid) };
    };
    let (version, code) = match start {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b' ', code @ ..] => (Version::Http11, code),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', b' ', code @ ..] => (Version::Http10, code),
        _ => return Err(invalid),
    };
    let status = code.iter().try_fold(0_u16, |status, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(status.wrapping_mul(10).wrapping_add(u16::from(digit)))
    });
    let status = status.filter(|status| *status >= 100);
    let status = status.ok_or(HeadError::malformed("the status code is not valid"))?;
    // The phrase may be left out, even with its space.
    if !matches!(rest.first(), Some(b' ' | b'\r') | None) {
        return Err(invalid);
    }
    let Some(end) = section::length_of_value(rest).map_err(|_| invalid)? else { return Ok(None) };
    Ok(Some((version, status, start.len().wrapping_add(end).wrapping_add(2))))
}
