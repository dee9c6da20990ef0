//! Parsing a response head (RFC 9112 sections 4 and 5).

use super::BodyFraming;
use super::scan::{HeadError, HeadErrorKind, HeadLimits, Message, may_be_complete, scan};
use crate::head::{ResponseHead, Version};
use crate::method::Method;
use std::mem::MaybeUninit;

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
    let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        &mut slots,
    );
    let head_len = match parsed {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) => return incomplete,
        Err(httparse::Error::TooManyHeaders) => return Err(too_large),
        Err(_) => return Err(HeadError::malformed("the response head is not valid HTTP/1.x")),
    };
    if head_len > limits.head_bytes || response.headers.len() > limits.fields {
        return Err(too_large);
    }
    head.clear();
    head.fields.adopt(input.get(..head_len).unwrap_or_default());
    let scan = scan(Message::Response, input, response.headers, head_len, &mut head.fields)?;
    let line_end = memchr::memchr(b'\n', input).unwrap_or_default();
    if !input.starts_with(b"HTTP/1.") || line_end.checked_sub(1).and_then(|at| input.get(at)) != Some(&b'\r')
    {
        return Err(HeadError::malformed("the status line is not valid"));
    }
    head.version = if response.version == Some(0) { Version::Http10 } else { Version::Http11 };
    head.status = response.code.unwrap_or_default();
    if !(100..=999).contains(&head.status) {
        return Err(HeadError::malformed("the status code is not valid"));
    }
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
