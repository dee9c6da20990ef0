//! Parsing a request head (RFC 9112 sections 3 and 5).

use super::BodyFraming;
use super::scan::{HeadError, HeadErrorKind, HeadLimits, Message, may_be_complete, scan};
use crate::fields::Span;
use crate::head::{RequestHead, TargetForm, Version};
use crate::method::Method;
use std::mem::MaybeUninit;

/// Parses the head at the start of `input` into `head`, whose former content is lost.
///
/// `already_seen` is how many bytes of `input` an earlier call with the same start has seen.
/// Returns the head's length in bytes, or `None` if it is not complete yet.
///
/// # Errors
/// The head is malformed, ambiguous or beyond the limits. Nothing may be read from `head` then.
pub fn parse_request(
    input: &[u8],
    already_seen: usize,
    limits: &HeadLimits,
    head: &mut RequestHead,
) -> Result<Option<usize>, HeadError> {
    if already_seen > 0 && !may_be_complete(input, already_seen) {
        return incomplete(input, limits);
    }
    let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let head_len = match request.parse_with_uninit_headers(input, &mut slots) {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) => return incomplete(input, limits),
        Err(error) => return Err(explain(error, input)),
    };
    if head_len > limits.head_bytes || request.headers.len() > limits.fields {
        return Err(HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit"));
    }
    let method = request.method.unwrap_or_default();
    let target = request.path.unwrap_or_default();
    if target.len() > limits.target_bytes {
        return Err(HeadError::new(HeadErrorKind::TargetTooLong, "the target exceeds its limit"));
    }
    head.clear();
    head.fields.adopt(input.get(..head_len).unwrap_or_default());
    let scan = scan(Message::Request, input, request.headers, head_len, &mut head.fields)?;
    check_request_line(input, method, target)?;

    head.version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let http11 = head.version == Version::Http11;
    scan.check_framing(http11)?;
    head.framing = match (scan.chunked, scan.length) {
        (true, _) => BodyFraming::Chunked,
        (false, Some(length)) if length > 0 => BodyFraming::Length(length),
        _ => BodyFraming::None,
    };
    head.connection = scan.connection;
    // RFC 9110 section 10.1.1: an HTTP/1.0 client cannot mean it.
    head.expects_continue = scan.expects_continue && http11 && head.framing != BodyFraming::None;
    head.method = Method::from_bytes(method.as_bytes());
    head.method_text = Span::new(0, method.len());
    let may_upgrade = http11 && head.method == Method::Get && head.framing == BodyFraming::None;
    head.upgrade = scan.asked_upgrade().filter(|_| may_upgrade);
    set_target(head, method.len().wrapping_add(1), target, scan.host)?;
    if http11 && scan.host.is_none() {
        return Err(HeadError::new(HeadErrorKind::InvalidHost, "Host is missing"));
    }
    check_host(head.host())?;
    Ok(Some(head_len))
}

fn incomplete(input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
    let line = memchr::memchr(b'\n', input).unwrap_or(input.len());
    if line > limits.target_bytes.saturating_add(64) {
        return Err(HeadError::new(HeadErrorKind::TargetTooLong, "the request line exceeds its limit"));
    }
    if input.len() >= limits.head_bytes {
        return Err(HeadError::new(HeadErrorKind::TooLarge, "the head exceeds its limit"));
    }
    Ok(None)
}

fn explain(error: httparse::Error, input: &[u8]) -> HeadError {
    use httparse::Error;
    match error {
        Error::Version if !names_a_version(input) => HeadError::malformed("the request line is not valid"),
        Error::HeaderName => HeadError::malformed("a field name is not a token"),
        Error::HeaderValue => HeadError::malformed("a field value holds a control character"),
        Error::NewLine => HeadError::malformed("a line does not end in CR LF"),
        Error::Token => HeadError::malformed("the request line is not valid"),
        Error::TooManyHeaders => HeadError::new(HeadErrorKind::TooLarge, "there are too many fields"),
        Error::Version => HeadError::new(HeadErrorKind::UnsupportedVersion, "the version is not HTTP/1.x"),
        Error::Status => HeadError::malformed("the status line is not valid"),
    }
}

/// Whether a request line has the right shape and only its version is another one. `GET /  HTTP/1.1` fails
/// at the same place, but there it is the line that is wrong.
fn names_a_version(input: &[u8]) -> bool {
    let line = input.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let version = line.splitn(3, |byte| *byte == b' ').nth(2).and_then(|text| text.strip_prefix(b"HTTP/"));
    version.is_some_and(|digits| {
        digits.first().is_some_and(u8::is_ascii_digit)
            && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    })
}

/// What httparse lets through in a request line: LF alone, and bytes that no target may hold.
fn check_request_line(input: &[u8], method: &str, target: &str) -> Result<(), HeadError> {
    let end = memchr::memchr(b'\n', input).unwrap_or_default();
    if end.checked_sub(1).and_then(|before| input.get(before)) != Some(&b'\r') {
        return Err(HeadError::malformed("the request line ends in LF without CR"));
    }
    let shape = method.len().wrapping_add(target.len()).wrapping_add("  HTTP/1.1\r".len());
    if shape != end || !input.starts_with(method.as_bytes()) {
        return Err(HeadError::malformed("the request line has extra white space"));
    }
    if method.len() > 32 {
        return Err(HeadError::malformed("the method is too long"));
    }
    if target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        Ok(())
    } else {
        Err(HeadError::malformed("the target holds a byte that is not allowed"))
    }
}

/// Splits the target; an absolute form's authority becomes the host (RFC 9112 section 3.2.2).
fn set_target(
    head: &mut RequestHead,
    target_at: usize,
    target: &str,
    host: Option<Span>,
) -> Result<(), HeadError> {
    head.host = host.unwrap_or_default();
    let mut path_at = target_at;
    let mut rest = target;
    if target == "*" {
        if head.method != Method::Options {
            return Err(HeadError::malformed("only OPTIONS may have the target *"));
        }
        head.form = TargetForm::Asterisk;
    } else if !target.starts_with('/') {
        if head.method == Method::Connect {
            return Ok(());
        }
        let after = strip_scheme(target).ok_or(HeadError::malformed("the target is neither path nor URL"))?;
        let authority_at = target_at.wrapping_add(target.len().wrapping_sub(after.len()));
        let authority_len = after.find(['/', '?']).unwrap_or(after.len());
        rest = after.get(authority_len..).unwrap_or_default();
        path_at = authority_at.wrapping_add(authority_len);
        if authority_len == 0 {
            return Err(HeadError::new(HeadErrorKind::InvalidHost, "the target's authority is empty"));
        }
        // RFC 9112 section 3.2.4: it is about the whole server.
        if rest.is_empty() && head.method == Method::Options {
            head.form = TargetForm::Asterisk;
        }
        head.host = Span::new(authority_at, authority_len);
        let authority = head.host().to_vec();
        if head.fields.insert(crate::Known::Host, &authority).is_err() {
            return Err(HeadError::new(HeadErrorKind::InvalidHost, "the target's authority is not valid"));
        }
    }
    let path_len = rest.find('?').unwrap_or(rest.len());
    head.path = Span::new(path_at, path_len);
    if path_len == 0 {
        let path: &[u8] = if head.form == TargetForm::Asterisk { b"*" } else { b"/" };
        head.path = head.fields.store(path);
    }
    let query_at = path_at.wrapping_add(path_len).wrapping_add(1);
    head.query = rest.get(path_len.wrapping_add(1)..).map(|query| Span::new(query_at, query.len()));
    Ok(())
}

fn strip_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// `uri-host [ ":" port ]` without user information (RFC 9110 section 7.2). Empty is allowed by the
/// grammar for authorities that have none; HTTP/1.0 clients may also send none at all.
pub(crate) fn check_host(host: &[u8]) -> Result<(), HeadError> {
    let invalid = HeadError::new(HeadErrorKind::InvalidHost, "Host is not a host and port");
    let (name, port) = if host.first() == Some(&b'[') {
        let end = memchr::memchr(b']', host).ok_or(invalid)?;
        let (literal, port) = host.split_at_checked(end.wrapping_add(1)).ok_or(invalid)?;
        let inner = std::str::from_utf8(literal.get(1..end).unwrap_or_default()).map_err(|_| invalid)?;
        let _: std::net::Ipv6Addr = inner.parse().map_err(|_| invalid)?;
        (&b""[..], port)
    } else {
        host.split_at(memchr::memchr(b':', host).unwrap_or(host.len()))
    };
    let name_valid =
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~'));
    let port_valid = match port.split_first() {
        None => true,
        // A port of no host: RFC 9110 section 4.2.1 calls it invalid.
        Some(_) if host.first() == Some(&b':') => false,
        Some((b':', digits)) => is_port(digits),
        Some(_) => false,
    };
    if name_valid && port_valid && host.len() <= 260 { Ok(()) } else { Err(invalid) }
}

/// `port = *DIGIT` (RFC 3986 section 3.2.3) that a connection can be made to; none is the scheme's own.
fn is_port(digits: &[u8]) -> bool {
    let number = digits.iter().try_fold(0_u16, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u16::from(digit))
    });
    number.is_some() && digits.len() <= 5
}
